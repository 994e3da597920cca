"""The forward protocol's sink against receivers that keep their promises and receivers that break them: what was not
acknowledged is sent again, what was is not, and nobody is waited for without end."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import msgspec
import pytest

from hatoba.core.errors import PortError
from hatoba.node.logs import drivers
from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.drivers import forward
from hatoba.node.logs.drivers.address import Address
from hatoba.node.logs.drivers.forward import Forward, ForwardSink
from hatoba.node.logs.drivers.writer import Writer
from hatoba.node.logs.node_logs import NodeLogs
from hatoba.node.logs.options import BadOption, Options
from tests.contract.logs import receivers
from tests.contract.logs.receivers import Answer, Receiver, batch

WRITER = Writer(id="t1-web", name="ecs-web-3-web", image="web:1")


def sink(path: Path, **fields: object) -> ForwardSink:
    wanted = {"address": Address(kind="unix", path=str(path)), "tag": "web", "id": "t1-web", "name": "web", **fields}
    return ForwardSink(msgspec.convert(wanted | {"acknowledged": fields.get("acknowledged", True)}, Forward))


async def test_records_are_dockers_with_their_times(tmp_path: Path) -> None:
    async with Receiver(tmp_path / "s") as receiver:
        to = sink(receiver.path, precise=True)
        await to.send(batch("one", "ä", stderr=("bad",)))
        await to.close()
    first, second = receiver.messages
    assert (first.tag, first.about["size"]) == ("web", 2)
    record = {"container_id": "t1-web", "container_name": "/web", "source": "stdout", "log": "one"}
    assert first.entries[0][1] == record
    assert first.entries[1][1]["log"] == "ä"
    assert first.entries[0][0] == msgspec.msgpack.Ext(
        0, (1_700_000_000).to_bytes(4, "big") + (123_000_000).to_bytes(4, "big")
    )
    assert second.entries[0][1]["source"] == "stderr"


async def test_without_precision_times_are_seconds_and_without_acknowledgement_no_chunk_is_named(
    tmp_path: Path,
) -> None:
    async with Receiver(tmp_path / "s") as receiver:
        to = sink(receiver.path, acknowledged=False)
        await to.send(batch("one"))
        await receiver.until(lambda: bool(receiver.messages))
        await to.close()
    assert receiver.messages[0].entries[0][0] == 1_700_000_000
    assert receiver.messages[0].about == {"size": 1}


@pytest.mark.parametrize(
    "broken", [receivers.hang_up, receivers.tear, receivers.babble, receivers.mistake, receivers.flood]
)
async def test_what_is_not_acknowledged_is_sent_again_on_a_new_connection(tmp_path: Path, broken: Answer) -> None:
    async with Receiver(tmp_path / "s", broken, receivers.acknowledge) as receiver:
        to = sink(receiver.path)
        with pytest.raises(PortError, match="the log receiver at unix://"):
            await to.send(batch("one"))
        await to.send(batch("one"))
        await to.close()
    assert receiver.lines[-1:] == ["one"]
    assert receiver.connections == 2


async def test_a_receiver_that_never_acknowledges_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "ANSWER_SECONDS", 0.2)
    async with Receiver(tmp_path / "s", receivers.ignore) as receiver:
        to = sink(receiver.path)
        with pytest.raises(PortError, match="TimeoutError"):
            await to.send(batch("one"))
        await to.close()


async def test_a_receiver_that_does_not_read_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "ANSWER_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "s"))
        deaf.listen()
        to = sink(tmp_path / "s", acknowledged=False)
        with pytest.raises(PortError):
            await to.send(batch(*["x" * 1000] * 2000))
        await to.close()


async def test_an_acknowledgement_in_pieces(tmp_path: Path) -> None:
    async with Receiver(tmp_path / "s", receivers.dribble) as receiver:
        to = sink(receiver.path)
        await to.send(batch("one"))
        await to.close()
    assert receiver.lines == ["one"]


async def test_only_what_was_not_acknowledged_is_repeated(tmp_path: Path) -> None:
    """Of a batch of two parts the first one has arrived."""
    async with Receiver(tmp_path / "s", receivers.acknowledge, receivers.hang_up, receivers.acknowledge) as receiver:
        to, both = sink(receiver.path), batch("out", stderr=("err",))
        with pytest.raises(PortError):
            await to.send(both)
        await to.send(both)
        await to.send(batch("out", start=100))
        await to.close()
    assert receiver.lines == ["out", "err", "out"]


async def test_a_part_has_the_same_name_whenever_it_is_sent(tmp_path: Path) -> None:
    first, again, other = batch("a").parts[0], batch("a").parts[0], batch("a", start=10).parts[0]
    assert forward.chunk_of(first) == forward.chunk_of(again) != forward.chunk_of(other)


async def test_closing_waits_until_the_receiver_has_read_everything(tmp_path: Path) -> None:
    """Without acknowledgements: it may be stopped right after."""
    async with Receiver(tmp_path / "s", receivers.slow) as receiver:
        to = sink(receiver.path, acknowledged=False)
        for number in range(20):
            await to.send(batch(str(number), start=10 * number))
        await to.close()
        assert receiver.lines == [str(number) for number in range(20)]


async def refused(to: ForwardSink, lines: LogBatch) -> bool:
    """After a moment in which the end of the connection can be heard."""
    await asyncio.sleep(0.05)
    try:
        await to.send(lines)
    except PortError:
        return True
    return False


async def test_a_receiver_that_has_hung_up_meanwhile_loses_nothing_that_comes_after(tmp_path: Path) -> None:
    """Without acknowledgements a write to it would seem to succeed."""
    receiver = Receiver(tmp_path / "s")
    await receiver.open()
    to = sink(receiver.path, acknowledged=False)
    await to.send(batch("one"))
    await receiver.until(lambda: receiver.lines == ["one"])
    await receiver.close()
    assert await refused(to, batch("two", start=20)), "it took a line for a receiver that is gone"
    receiver.path.unlink()
    await receiver.open()
    await to.send(batch("two", start=20))
    await receiver.until(lambda: receiver.lines[-1] == "two")
    await to.close()
    await receiver.close()


async def test_a_link_in_the_sockets_place_is_not_followed(tmp_path: Path) -> None:
    """Whoever opens the socket could lead us to any other one of this machine."""
    async with Receiver(tmp_path / "precious") as receiver:
        (tmp_path / "s").symlink_to(receiver.path)
        to = sink(tmp_path / "s")
        with pytest.raises(PortError, match="is no socket"):
            await to.send(batch("one"))
        assert receiver.connections == 0
        (tmp_path / "f").write_text("")
        with pytest.raises(PortError, match="is no socket"):
            await sink(tmp_path / "f").send(batch("one"))


async def test_a_socket_whose_path_is_longer_than_a_name_may_be(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    here = os.open(folder, os.O_PATH)
    async with Receiver(Path(f"/proc/self/fd/{here}/s")) as receiver:
        to = sink(folder / "s")
        await to.send(batch("one"))
        await to.close()
    os.close(here)
    assert receiver.lines == ["one"]


async def test_only_an_eager_sink_asks_for_its_receiver_before_the_container_starts(tmp_path: Path) -> None:
    with pytest.raises(PortError):
        await sink(tmp_path / "nobody").send(batch())
    await sink(tmp_path / "nobody", eager=False).send(batch())


# --- through the spool ---------------------------------------------------------------------------------------------


def options(path: Path, **more: str) -> Options:
    given = {"fluentd-address": f"unix://{path}", "fluentd-async": "true", "fluentd-request-ack": "true", "tag": "web"}
    return drivers.parse("fluentd", {**given, **more}, WRITER)


async def test_nothing_is_lost_while_the_receiver_restarts(tmp_path: Path) -> None:
    """As a router under a restart policy does: its socket stands there, dead, until it opens a new one."""
    logs = NodeLogs(tmp_path / "logs", _nobody)
    await logs.start()
    receiver = Receiver(tmp_path / "s", receivers.acknowledge, receivers.hang_up, receivers.acknowledge)
    pipes = await logs.open("c", options(receiver.path))
    await logs.announce("c")
    out = os.open(pipes.stdout, os.O_WRONLY)
    os.write(out, b"before there is a receiver\n")
    await receiver.open()
    await receiver.until(lambda: len(receiver.lines) == 1)
    await receiver.close()
    os.write(out, b"while it is away\n" * 1000)
    await asyncio.sleep(0.3)
    receiver.path.unlink()
    await receiver.open()
    await receiver.until(lambda: len(receiver.lines) >= 1001)
    os.write(out, b"the last words")
    os.close(out)
    await logs.drain("c")
    await receiver.close()
    await logs.stop()
    assert receiver.lines == ["before there is a receiver", *["while it is away"] * 1000, "the last words"]


async def test_an_agent_that_restarts_goes_on_where_the_receiver_had_it(tmp_path: Path) -> None:
    async with Receiver(tmp_path / "s") as receiver:
        logs = NodeLogs(tmp_path / "logs", _nobody)
        await logs.start()
        pipes = await logs.open("c", options(receiver.path))
        out = os.open(pipes.stdout, os.O_WRONLY)
        os.write(out, b"one\n")
        await receiver.until(lambda: receiver.lines == ["one"])
        await logs.close()
        os.write(out, b"two\n")
        logs = NodeLogs(tmp_path / "logs", _nobody)
        await logs.start()
        await receiver.until(lambda: receiver.lines[-1] == "two")
        os.close(out)
        await logs.drain("c")
        await logs.stop()
    # Once more, if the agent ended before it had noted the acknowledgement.
    assert receiver.lines in (["one", "two"], ["one", "one", "two"])


async def test_a_receiver_that_is_gone_for_good_does_not_keep_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(drivers, "PATIENCE", 0.3)
    logs = NodeLogs(tmp_path / "logs", _nobody)
    await logs.start()
    pipes = await logs.open("c", options(tmp_path / "nobody"))
    out = os.open(pipes.stdout, os.O_WRONLY)
    os.write(out, b"in vain\n")
    os.close(out)
    async with asyncio.timeout(10):
        await logs.drain("c")
    await logs.stop()
    assert logs.containers == []
    assert "8 bytes of the output of container c are lost: nobody took them" in caplog.text


async def _nobody(batch: object) -> None:
    raise AssertionError("this is not for the control plane")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fluentd-address": "gopher://x"}, "does not begin with tcp:// or unix://"),
        ({"fluentd-address": "tcp://:1"}, "names no host"),
        ({"fluentd-address": "tcp://h:port"}, "is no address"),
        ({"fluentd-async": "maybe"}, "must specify valid value for log opt 'fluentd-async'"),
        ({"fluentd-async": "true", "fluentd-buffer-limit": "lots"}, "error parsing option fluentd-buffer-limit"),
        ({"colour": "x"}, "unknown log opt 'colour' for fluentd log driver"),
        ({"tag": "{{.Nobody}}"}, "is not one of ID, FullID"),
    ],
)
def test_options_that_are_none(given: dict[str, str], said: str) -> None:
    with pytest.raises(BadOption, match=said):
        drivers.parse("fluentd", given, WRITER)
