"""A session from its opening to its end, with clients that behave and clients that do not."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

import pytest

from hatoba.core.errors import PortError
from hatoba.fleet import channels as node
from hatoba.fleet.channels import ChannelLost
from hatoba.services.ssm.session import talk, transcript
from tests.unit.services.ssm.talking import TASK, opened, talking, until
from tools.plugin import BINARY, OUTPUT, TEXT, Closed, Line, Message, Plugin, message

run = asyncio.to_thread  # clients are blocking


async def test_a_terminal_from_opening_to_end() -> None:
    async with talking() as world:
        session = world.session()
        plugin = await opened(world, session, size=(111, 22))
        wanted = world.process.wanted
        assert wanted is not None
        assert (wanted.args, wanted.terminal, wanted.user) == (("sh", "-c", "a b"), True, "0")
        assert (wanted.columns, wanted.rows) == (111, 22), "known before it starts"
        world.process.say(node.Output(data=b"$ "))
        plugin.type(b"ls\r")
        plugin.resize(50, 10)
        plugin.resize(0, 10)
        await until(lambda: world.process.typed == b"ls\r" and node.Resize(columns=50, rows=10) in world.process.heard)
        world.process.say(node.Output(data=b"files\r\n"), node.Ended(code=3))
        assert await run(plugin.end) == ""
        assert plugin.output == b"$ files\r\n"
        assert plugin.exit_code is None
        assert [each for each in world.process.heard if isinstance(each, node.Resize)] == [
            node.Resize(columns=50, rows=10)
        ], "a size of nothing is none"
        await until(lambda: world.stored(session).state == "ended")
        stored = world.stored(session)
        assert (stored.state, stored.why, stored.token) == ("ended", "", None)
        assert world.process.closed.is_set()


async def test_pipes_and_the_exit_code_for_our_own_client() -> None:
    async with talking() as world:
        plugin = await opened(world, size=None, opening={"Terminal": False, "ExitCode": True})
        assert world.process.wanted is not None
        assert world.process.wanted.terminal is False
        plugin.type(b"some input")
        plugin.send(OUTPUT, b"", flags=2)
        await until(lambda: world.process.heard[-1:] == [node.InputEnd()])
        world.process.say(node.Output(data=b"out"), node.Output(data=b"err", error=True), node.Ended(code=137))
        assert await run(plugin.end) == ""
        assert (plugin.output, plugin.errors, plugin.exit_code) == (b"out", b"err", 137)
        assert plugin.session_type == "NonInteractiveCommands"


async def test_a_client_without_a_handshake_gets_its_shell() -> None:
    """As ssm-session on npm: it acknowledges the handshake, does not answer it, and types."""

    class Older(Plugin):
        def __init__(self, session: dict[str, str]) -> None:
            super().__init__(session)
            self.resize(80, 25)

        def _handle(self, heard: Message) -> None:
            if heard.type == 1:
                self.output += heard.payload

    async with talking() as world:
        plugin = await opened(world, kind=Older)
        world.process.say(node.Output(data=b"$ "))
        await run(plugin.until, b"$ ")


async def test_messages_twice_and_out_of_order_are_typed_once_and_in_order() -> None:
    async with talking() as world:
        plugin = await opened(world, size=None)
        first = plugin._number
        sent = [message("input_stream_data", bytes([65 + at]), type_=OUTPUT, number=first + at) for at in range(20)]
        for at in (3, 1, 1, 0, 2, 19, 5, 4, 4, 0, *range(6, 19), 3):
            plugin.line.send(BINARY, sent[at])
        await until(lambda: world.process.typed == bytes(range(65, 85)))
        world.process.say(node.Ended(code=0))
        assert await run(plugin.end) == ""
        acknowledged = [
            json.loads(each.payload)["AcknowledgedMessageSequenceNumber"]
            for each in plugin.seen
            if each.kind == "acknowledge"
        ]
        assert (acknowledged.count(first), acknowledged.count(first + 3)) == (2, 2), (
            "also what had come before: its acknowledgement may be lost"
        )


async def test_input_waits_for_its_process_and_all_of_it_arrives() -> None:
    async with talking() as world:
        plugin = await opened(world, size=None)
        world.process.reads.clear()
        data = bytes(range(256)) * 4096  # 1 MiB, more than is taken ahead
        await run(plugin.type, data)
        await run(plugin.until, lambda: len(plugin.unacknowledged) <= 1024 - talk.MOST_TYPED // 1024 + 2)
        assert len(plugin.unacknowledged) > 700, "what nobody has taken is not acknowledged"
        world.process.say(node.Output(data=b"output goes on"))
        await run(plugin.until, b"output goes on")
        world.process.reads.set()
        await run(plugin.until, lambda: not plugin.unacknowledged)
        assert world.process.typed == data


async def test_output_waits_for_its_client_and_all_of_it_arrives() -> None:
    async with talking() as world:
        stubborn = True
        plugin = await opened(world, refuse=lambda heard: stubborn and heard.number >= 2)
        pieces = [bytes([at % 256]) * 60_000 for at in range(100)]
        world.process.say(*(node.Output(data=piece) for piece in pieces), node.Ended(code=0))
        await run(plugin.until, lambda: [each.number for each in plugin.seen].count(2) > 3)
        assert world.process.says.qsize() > 80, "the window is closed: nothing more is read from the node"
        stubborn = False
        assert await run(plugin.end) == ""
        assert plugin.output == b"".join(pieces)


async def test_idle_sessions_end_and_busy_ones_do_not() -> None:
    async with talking(idle=0.6) as world:
        plugin = await opened(world)
        for _ in range(3):
            await asyncio.sleep(0.3)
            plugin.type(b"x")
        assert "timed out due to inactivity" in await run(plugin.end)
        assert world.process.typed == b"xxx"
        assert world.process.closed.is_set()


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (ChannelLost("The container's node was lost."), "The container's node was lost."),
        (node.Ended(code=0), ""),
    ],
)
async def test_how_the_process_ends_is_told(say: Any, why: str) -> None:
    async with talking() as world:
        plugin = await opened(world)
        world.process.say(say)
        assert await run(plugin.end) == why


async def test_what_cannot_be_started_is_told() -> None:
    async with talking() as world:
        world.process.says.get_nowait()
        world.process.say(node.Failed(code="container-start", text="no such file"))
        plugin = await run(Plugin, world.session())
        assert await run(plugin.end) == "Unable to start command: no such file"
        world.refusal = PortError("disconnected", "the node n is not connected")
        plugin = await run(Plugin, world.session())
        assert await run(plugin.end) == "The container cannot be reached: the node n is not connected."
        plugin = await run(Plugin, world.session(command="sh -c 'open"))
        assert "Failed to parse commands input" in await run(plugin.end)


async def test_a_client_that_goes_ends_its_process() -> None:
    async with talking() as world:
        session = world.session()
        plugin = await opened(world, session)
        plugin.line.socket.close()
        await world.process.closed.wait()
        await until(lambda: world.stored(session).state == "ended")
        assert "client has gone" in world.stored(session).why


async def test_terminated_by_either_side() -> None:
    async with talking() as world:
        plugin = await opened(world)
        plugin.terminate()
        assert await run(plugin.end) == ""
        session = world.session()
        world.process.say(node.Running())
        plugin = await opened(world, session)
        assert world.channels.terminate(session["sessionId"], "Enough.")
        assert await run(plugin.end) == "Enough."
        await until(lambda: world.stored(session).state == "ended")
        assert not world.channels.terminate(session["sessionId"], "Enough.")


async def test_a_platform_that_ends_says_so() -> None:
    async with talking() as world:
        plugin = await opened(world)
        closing = asyncio.create_task(world.channels.close())
        assert await run(plugin.end) == "The platform is shutting down."
        await closing


# --- hostility


@pytest.mark.parametrize(
    "first",
    [b"", b"{}", b"[1]", b"\xff\xff", json.dumps({"TokenValue": 7}).encode(), json.dumps({"TokenValue": "x"}).encode()],
)
@pytest.mark.parametrize("kind", [TEXT, BINARY])
async def test_a_wrong_first_message_opens_nothing(first: bytes, kind: int) -> None:
    async with talking() as world:
        session = world.session()
        line = await run(Line, session["streamUrl"])
        line.send(kind, first)
        with pytest.raises(Closed) as closed:
            await run(line.receive)
        assert closed.value.args[0] in (1007, 1008)
        assert world.stored(session).token is not None, "and the token is as good as before"
        assert world.channels.refused == (0 if closed.value.args[0] == 1007 else 1)


@pytest.mark.parametrize(
    "data",
    [
        b"noise",
        b"",
        message("acknowledge", b"not json"),
        message("acknowledge", b"{}"),
        message("input_stream_data", b"x" * 10, type_=1)[:-1],
    ],
)
async def test_noise_ends_the_session_with_a_word(data: bytes) -> None:
    async with talking() as world:
        plugin = await opened(world)
        plugin.line.send(BINARY, data)
        assert await run(plugin.end)
        assert world.process.closed.is_set()
        assert world.server.failures == 0


async def test_what_is_well_formed_and_senseless_is_passed_over() -> None:
    async with talking() as world:
        plugin = await opened(world, size=None)
        plugin.send(3, b"no size")
        plugin.send(3, json.dumps({"cols": 10**9, "rows": -1}).encode())
        plugin.send(10, struct.pack(">I", 77))
        plugin.send(10, b"")
        plugin.send(6, b"no handshake")
        plugin.send(4711, b"unknown")
        for kind in ("pause_publication", "channel_closed", "something_else"):
            plugin.line.send(BINARY, message(kind, b"?"))
        forged = {"AcknowledgedMessageId": "x", "AcknowledgedMessageType": "y", "AcknowledgedMessageSequenceNumber": -5}
        plugin.line.send(BINARY, message("acknowledge", json.dumps(forged).encode()))
        plugin.type(b"fine")
        await until(lambda: world.process.typed == b"fine")
        await run(plugin.until, lambda: not plugin.unacknowledged)


async def test_a_client_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "HANDSHAKE", 0.2)
    async with talking() as world:
        plugin = await run(Plugin, world.session(), refuse=lambda heard: True)
        assert "Handshake timed out" in await run(plugin.end)
        assert world.process.wanted is None, "nothing was started"


# --- transcripts


async def test_a_transcript_has_what_can_be_read() -> None:
    async with talking() as world:
        session = world.session(log_group="/audit")
        plugin = await opened(world, session)
        world.process.say(
            node.Output(data=b"\x1b]0;title\x07$ \x1b[1mls\x1b[0m\r\nf\xc3"),
            node.Output(data=b"\xbcnf\r\n\r\n"),
            node.Output(data=b"no end"),
            node.Ended(code=0),
        )
        assert await run(plugin.end) == ""
        assert world.logs.groups["/audit"][session["sessionId"]] == ["$ ls", "fünf", "no end"]


async def test_what_cannot_be_logged_is_not_done() -> None:
    async with talking() as world:
        plugin = await run(Plugin, world.session(log_group="/nowhere"))
        assert "cannot be logged to /nowhere" in await run(plugin.end)
        assert world.process.wanted is None
        plugin = await opened(world, world.session(log_group="/audit"))
        world.logs.full = True
        world.process.say(node.Output(data=b"a line\n"))
        assert "The disk is full." in await run(plugin.end)
        assert world.process.closed.is_set()


async def test_a_transcript_is_written_by_the_tasks_role() -> None:
    """As on AWS: nobody has the service write where the task may not. The container's own log is its own."""
    async with talking() as world:
        world.give_role()
        world.logs.groups["/others"] = {}
        for fields, logs, s3 in (
            ({"log_group": "/audit"}, {None}, set()),
            ({"log_group": "/others"}, {TASK}, set()),
            ({"log_group": "/audit", "log_bucket": "audits"}, {None}, {TASK}),
        ):
            world.logs.asking.clear()
            world.s3.asking.clear()
            plugin = await opened(world, world.session(**fields))
            world.process.say(node.Output(data=b"a line\n"), node.Ended(code=0))
            assert await run(plugin.end) == ""
            assert (world.logs.asking, world.s3.asking) == (logs, s3), fields
            world.process.say(node.Running())  # for the next one


async def test_a_task_whose_credentials_have_ended_has_no_session() -> None:
    async with talking() as world:
        world.give_role("GONE")
        session = world.session(log_group="/others")
        with pytest.raises(Closed, match="credentials have ended"):
            await opened(world, session)
        assert world.process.wanted is None
        assert world.stored(session).why == "The task's credentials have ended."


async def test_a_transcript_in_a_bucket_is_there_from_the_beginning_and_whole_at_the_end() -> None:
    async with talking() as world:
        session = world.session(log_bucket="audits", log_prefix="exec/", log_group="/audit")
        key = f"exec/{session['sessionId']}.log"
        plugin = await opened(world, session)
        assert world.s3.there == {key: b""}
        world.process.say(
            node.Output(data=b"$ \x1b[1mls\x1b[0m\r\nf\xc3"),
            node.Output(data=b"\xbcnf\r\n\r\n"),
            node.Output(data=b"no end"),
            node.Ended(code=0),
        )
        assert await run(plugin.end) == ""
        assert world.s3.there == {key: "$ ls\nfünf\nno end\n".encode()}
        assert world.logs.groups["/audit"][session["sessionId"]] == ["$ ls", "fünf", "no end"]


async def test_what_is_being_written_when_a_session_ends_is_written_whole_and_once() -> None:
    async with talking() as world:
        session = world.session(log_bucket="audits", log_group="/audit")
        plugin = await opened(world, session)
        for room in (world.logs, world.s3):
            room.takes.clear()
        world.process.say(node.Output(data=b"last words\n"), node.Ended(code=0))
        await until(world.process.says.empty)
        assert world.channels.terminate(session["sessionId"], "Enough.")
        for _ in range(20):  # for everybody to hear of it
            await asyncio.sleep(0)
        for room in (world.logs, world.s3):
            room.takes.set()
        assert "Enough." in await run(plugin.end)
        assert world.s3.there[f"{session['sessionId']}.log"] == b"last words\n"
        assert world.logs.groups["/audit"][session["sessionId"]] == ["last words"]


async def test_a_long_transcript_is_several_objects_and_of_one_that_lasts_nothing_gathers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transcript, "OBJECT_BYTES", 100)
    monkeypatch.setattr(transcript, "EVERY_OBJECT", 0.01)
    async with talking() as world:
        session = world.session(log_bucket="audits")
        id_ = session["sessionId"]
        plugin = await opened(world, session)
        world.process.say(node.Output(data=b"first\n"))
        await until(lambda: world.s3.there[f"{id_}.log"] == b"first\n")
        many = [f"line {number}" for number in range(30)]
        world.process.say(*(node.Output(data=f"{line}\n".encode()) for line in many), node.Ended(code=0))
        assert await run(plugin.end) == ""
        keys = [f"{id_}.log", *(f"{id_}-{number}.log" for number in range(2, 4))]
        assert b"".join(world.s3.there[key] for key in keys).decode().split() == ["first", *" ".join(many).split()]
        assert all(len(body) < 200 for body in world.s3.there.values())


async def test_what_no_bucket_takes_is_not_done() -> None:
    async with talking() as world:
        plugin = await run(Plugin, world.session(log_bucket="others"))
        assert "cannot be logged to the bucket others" in await run(plugin.end)
        assert world.process.wanted is None
        plugin = await opened(world, world.session(log_bucket="audits"))
        world.s3.denied = True
        world.process.say(node.Output(data=b"a line\n"), node.Ended(code=0))
        assert "cannot go on being logged" in await run(plugin.end)


def test_lines() -> None:
    assert transcript.lines("a\r\n\x1b[2K\r\n  \nb\x08\tc") == ["a", "b\tc"]
