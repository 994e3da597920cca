"""Log drivers other than awslogs and fluentd: what their options come to, and what servers and files are given."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.core.errors import PortError
from hatoba.node.logs import drivers, protocol
from hatoba.node.logs.batch import Rejected
from hatoba.node.logs.drivers import Sink, forward, gelf, journald, local, splunk, syslog
from hatoba.node.logs.drivers.address import Address
from hatoba.node.logs.drivers.writer import Writer, extra, tag
from hatoba.node.logs.node_logs import NodeLogs
from hatoba.node.logs.options import SPOOL_BYTES, BadOption
from tests.contract.logs.receivers import batch

WRITER = Writer(
    id="0123456789abcdef0123456789abcdef-web",
    name="ecs-web-3-web",
    image="web:1",
    image_id="sha256:" + "ab" * 32,
    host="h",
)


SPLUNK = {"splunk-url": "https://s:8088", "splunk-token": "hunter2"}


def sink(driver: str, **options: str) -> Sink:
    return drivers.sink(drivers.parse(driver, {name.replace("_", "-"): text for name, text in options.items()}, WRITER))


@pytest.fixture
def udp() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        yield server


async def heard(server: socket.socket) -> bytes:
    return await asyncio.to_thread(server.recv, 65536)


def where(server: socket.socket) -> str:
    return f"udp://127.0.0.1:{server.getsockname()[1]}"


# --- options -------------------------------------------------------------------------------------------------------


def test_tags_are_dockers_templates() -> None:
    assert tag("{{.Name}}/{{ .ID }}", WRITER) == "ecs-web-3-web/0123456789ab"
    assert tag("{{.ImageName}} {{.ImageID}} {{.FullID}}", WRITER) == f"web:1 {'ab' * 6} {WRITER.id}"


def test_a_log_carries_the_labels_and_variables_that_it_is_told_to() -> None:
    labelled = Writer(
        id="c1",
        name="web",
        labels={"team.name": "blue", "tier": "1", "x": "2"},
        environment={"STAGE": "beta", "KEY": "k"},
    )
    options = {"labels": "tier, team.name", "env-regex": "^ST"}
    wanted = {"team.name": "blue", "tier": "1", "STAGE": "beta"}
    assert extra(options, labelled) == wanted
    assert local.settings(options, labelled).attrs == wanted
    assert splunk.settings({**SPLUNK, **options}, labelled).attrs == wanted
    assert (
        json.loads(splunk.event(splunk.settings({**SPLUNK, **options}, labelled), 1, "stdout", "a"))["event"]["attrs"]
        == wanted
    )
    assert gelf.settings({"gelf-address": "udp://h", **options}, labelled).fields["_STAGE"] == "beta"
    assert journald.settings(options, labelled).fields["TEAM_NAME"] == "blue"
    (entry,) = batch("a").parts
    said = msgspec.msgpack.decode(forward.message(forward.settings(options, labelled), entry, None))
    assert wanted.items() <= said[1][0][1].items()


def test_a_full_spool_makes_the_container_wait_unless_it_is_told_otherwise() -> None:
    given = {"syslog-address": "udp://h"}
    assert (drivers.parse("syslog", given, WRITER).mode, drivers.parse("syslog", given, WRITER).limit) == (
        protocol.BLOCK,
        SPOOL_BYTES,
    )
    made = drivers.parse("syslog", {**given, "mode": "non-blocking", "max-buffer-size": "2m"}, WRITER)
    assert (made.mode, made.limit) == (protocol.DROP, 2 << 20)


@pytest.mark.parametrize(
    ("driver", "options", "said"),
    [
        ("smoke", {}, "the log driver smoke is not available on this node"),
        ("splunk", {"splunk-url": "https://s:8088"}, "splunk: splunk-token is expected"),
        ("splunk", {**SPLUNK, "splunk-url": "s:8088"}, "expected format scheme://dns_name_or_ip:port for splunk-url"),
        ("splunk", {**SPLUNK, "splunk-format": "xml"}, "Unknown format specified xml, supported formats are inline,"),
        ("syslog", {"syslog-address": "tcp+tls://h"}, "does not begin with tcp:// or udp://"),
        ("syslog", {"syslog-facility": "local8"}, "invalid syslog facility"),
        ("syslog", {"syslog-format": "xml"}, "Invalid syslog format"),
        ("syslog", {"syslog-tls-cert": "x"}, "unknown log opt 'syslog-tls-cert' for syslog log driver"),
        ("gelf", {}, "gelf-address is a required parameter"),
        ("gelf", {"gelf-address": "udp://h", "gelf-compression-type": "rar"}, "invalid compression type"),
        ("gelf", {"gelf-address": "udp://h", "gelf-compression-level": "10"}, "invalid compression level"),
        ("json-file", {"max-file": "0"}, "max-file cannot be less than 1"),
        ("json-file", {"max-file": "3"}, "max-size must be set when max-file is"),
        ("json-file", {"max-size": "big"}, "error parsing option max-size"),
        ("journald", {"colour": "x"}, "unknown log opt 'colour' for journald log driver"),
        ("gelf", {"gelf-address": "udp://h", "labels-regex": "("}, "log opt 'labels-regex': missing"),
        ("json-file", {"compress": "true"}, "older files are not compressed on this node"),
        ("syslog", {"mode": "sometimes"}, "is not one of 'blocking' and 'non-blocking'"),
        ("syslog", {"max-buffer-size": "1m"}, "only supported with 'mode=non-blocking'"),
    ],
)
def test_a_bad_option_says_what_is_wrong(driver: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(BadOption, match=said):
        drivers.parse(driver, options, WRITER)


# --- syslog --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("", b"<30>Nov 14 22:13:20 web: hello"),
        ("rfc3164", b"<30>Nov 14 22:13:20 h web: hello"),
        ("rfc5424", b"<30>1 2023-11-14T22:13:20Z h web - web - hello"),
        ("rfc5424micro", b"<30>1 2023-11-14T22:13:20.123000Z h web - web - hello"),
    ],
)
def test_forms_of_syslog(form: str, expected: bytes) -> None:
    wanted = syslog.settings({"syslog-format": form, "tag": "web"}, WRITER)
    assert syslog.line(wanted, 1_700_000_000_123, "stdout", "hello") == expected
    assert syslog.line(wanted, 1_700_000_000_123, "stderr", "x").startswith(b"<27>"), "an error, of the same facility"


async def test_syslog_over_udp(udp: socket.socket) -> None:
    to = sink("syslog", syslog_address=where(udp), tag="web", syslog_facility="local0")
    await to.send(batch("one", stderr=("two",)))
    assert (await heard(udp)).endswith(b" web: one")
    assert await heard(udp) == b"<131>Nov 14 22:13:20 web: two"
    await to.close()


async def test_nobody_listening_on_udp_does_not_hold_the_container_up(udp: socket.socket) -> None:
    to = sink("syslog", syslog_address=where(udp), tag="web")
    udp.close()
    for number in range(5):
        await to.send(batch("lost", start=number))
    await to.close()


async def test_syslog_over_tcp_is_sent_again_when_the_server_has_gone() -> None:
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await lines.put(await reader.readline())
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    to = sink("syslog", syslog_address=f"tcp://127.0.0.1:{port}", tag="web")
    await to.send(batch("one"))
    async with asyncio.timeout(10):
        assert (await lines.get()).endswith(b" web: one\n")
        with pytest.raises(PortError, match="it has hung up"):
            await _until_refused(to)
    await to.send(batch("two", start=10))
    async with asyncio.timeout(10):
        assert (await lines.get()).endswith(b" web: two\n")
    await to.close()
    server.close()


async def _until_refused(to: Sink) -> None:
    """Hearing that the other end has hung up takes a moment."""
    await asyncio.sleep(0.1)
    await to.send(batch("two", start=10))


async def test_a_syslog_server_that_is_not_there_keeps_the_container_from_starting(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="the log server at unixgram://"):
        await sink("syslog", syslog_address=f"unixgram://{tmp_path}/log").send(batch())


# --- gelf ----------------------------------------------------------------------------------------------------------


async def test_gelf_over_udp(udp: socket.socket) -> None:
    to = sink("gelf", gelf_address=where(udp), tag="web")
    await to.send(batch("one"))
    said = json.loads(gzip.decompress(await heard(udp)))
    assert (said["version"], said["short_message"], said["timestamp"]) == ("1.1", "one", 1_700_000_000.123)
    assert (said["host"], said["level"], said["_tag"]) == ("h", 6, "web")
    assert (said["_container_name"], said["_image_name"]) == ("ecs-web-3-web", "web:1")
    await to.close()


def test_a_long_message_is_cut_into_chunks_and_one_that_is_too_long_is_none() -> None:
    wanted = gelf.settings({"gelf-address": "udp://h", "gelf-compression-type": "none"}, WRITER)
    plain = gelf.message(wanted, 1, "stdout", "x" * 5000)
    chunks = list(gelf.datagrams(wanted, plain))
    assert all(chunk[:2] == b"\x1e\x0f" and len(chunk) <= 1420 for chunk in chunks)
    assert len({chunk[2:10] for chunk in chunks}) == 1
    assert [(chunk[10], chunk[11]) for chunk in chunks] == [(n, len(chunks)) for n in range(len(chunks))]
    assert b"".join(chunk[12:] for chunk in chunks) == plain
    assert list(gelf.datagrams(wanted, gelf.message(wanted, 1, "stdout", "x" * 200_000))) == []


def test_compressions() -> None:
    wanted = gelf.settings({"gelf-address": "udp://h", "gelf-compression-type": "zlib"}, WRITER)
    (data,) = gelf.datagrams(wanted, b"{}")
    assert zlib.decompress(data) == b"{}"


# --- splunk --------------------------------------------------------------------------------------------------------


class Collector(BaseHTTPRequestHandler):
    """Splunk's event collector: remembers what it is sent; its server's `answers` are its statuses, in order."""

    def do_OPTIONS(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)

    def _answer(self, body: bytes) -> None:
        server: Any = self.server
        server.heard.append((self.command, self.path, self.headers["Authorization"], body))
        self.send_response(server.answers.pop(0) if server.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def collector() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.heard, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


async def test_splunk_is_asked_first_and_then_given_events(collector: Any) -> None:
    to = sink(
        "splunk", splunk_url=collector.url, splunk_token="hunter2", splunk_index="main", tag="web", splunk_gzip="true"
    )
    await to.send(batch())
    await to.send(batch("one", stderr=("two",)))
    (asked, sent) = collector.heard
    assert asked[:3] == ("OPTIONS", "/services/collector/event/1.0", "Splunk hunter2")
    first, second = (json.loads(part) for part in sent[3].replace(b"}{", b"}\n{").splitlines())
    assert first == {
        "time": "1700000000.123000",
        "host": "h",
        "index": "main",
        "event": {"line": "one", "source": "stdout", "tag": "web"},
    }
    assert second["event"]["source"] == "stderr"


async def test_what_splunk_refuses_for_good_is_not_sent_again_what_may_pass_is(collector: Any) -> None:
    to = sink("splunk", splunk_url=collector.url, splunk_token="hunter2", splunk_verify_connection="false")
    await to.send(batch())
    assert collector.heard == []
    collector.answers = [503, 403]
    with pytest.raises(PortError, match="failed to send event: 503"):
        await to.send(batch("one"))
    with pytest.raises(Rejected, match="failed to send event: 403"):
        await to.send(batch("one"))


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("raw", "a b", "web a b"),
        ("json", '{"a": 1}', {"line": {"a": 1}, "source": "stdout", "tag": "web"}),
        ("json", "{no", {"line": "{no", "source": "stdout", "tag": "web"}),
    ],
)
def test_forms_of_splunk(form: str, text: str, expected: object) -> None:
    wanted = splunk.settings({**SPLUNK, "splunk-format": form, "tag": "web"}, WRITER)
    assert json.loads(splunk.event(wanted, 1, "stdout", text))["event"] == expected


async def test_a_drivers_settings_are_sealed_on_disk(tmp_path: Path) -> None:
    """They hold what the task's owner keeps in a store of secrets."""

    async def nobody(batch: object) -> None:
        raise AssertionError("this is not for the control plane")

    made = drivers.parse("splunk", {**SPLUNK, "splunk-verify-connection": "false"}, WRITER)
    assert b"hunter2" in made.settings
    for _ in range(2):
        logs = NodeLogs(tmp_path / "logs", nobody, tmp_path / "key")
        await logs.start()
        await logs.open("c", made)
        assert b"hunter2" not in (tmp_path / "logs" / "c" / "options").read_bytes()
        await logs.close()
    logs = NodeLogs(tmp_path / "logs", nobody, tmp_path / "key")
    await logs.start()
    assert logs.containers == ["c"]
    await logs.stop()


# --- journald ------------------------------------------------------------------------------------------------------


async def test_journald_entries(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        journal.settimeout(10)
        made = journald.settings({"tag": "web"}, WRITER)
        to = journald.JournaldSink(journald.Journald(fields=made.fields, socket=str(tmp_path / "socket")))
        await to.send(batch(stderr=("a\tb",)))
        said = await heard(journal)
        await to.close()
    assert b"CONTAINER_NAME\n\x0d\0\0\0\0\0\0\0ecs-web-3-web\nCONTAINER_TAG\n\x03" in said
    assert b"PRIORITY\n\x01\0\0\0\0\0\0\x003\n" in said
    assert said.endswith(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\tb\n")


# --- files ---------------------------------------------------------------------------------------------------------


def folder(tmp_path: Path) -> Writer:
    return Writer(id="c1", name="web", files=tmp_path / "log-files")


async def test_files_are_dockers_lines_of_json_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    to = local.LocalSink(local.settings({"tag": "{{.Name}}"}, folder(tmp_path)))
    await to.send(batch("z", "a", stderr=("err",)))
    lines = [json.loads(line) for line in (tmp_path / "log-files" / "c1" / "container.log").read_text().splitlines()]
    assert [line["log"] for line in lines if line["stream"] == "stdout"] == ["z\n", "a\n"]
    assert lines[0]["time"] == "2023-11-14T22:13:20.123000000Z"
    assert {line["attrs"]["tag"] for line in lines} == {"web"}
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


async def test_files_are_rotated_and_only_so_many_kept(tmp_path: Path) -> None:
    wanted = local.settings({"max-size": "500", "max-file": "3"}, folder(tmp_path))
    for start in range(0, 40, 10):
        await local.LocalSink(wanted).send(batch(*[f"line {start + n}" for n in range(10)], start=start))
    files = sorted((tmp_path / "log-files" / "c1").iterdir())
    assert [file.name for file in files] == ["container.log", "container.log.1", "container.log.2"]
    assert all(file.stat().st_size <= 500 for file in files)
    kept = [json.loads(line)["log"] for file in reversed(files) for line in file.read_text().splitlines()]
    assert kept == [f"line {n}\n" for n in range(40 - len(kept), 40)]


async def test_without_a_second_file_the_first_one_begins_anew(tmp_path: Path) -> None:
    to = local.LocalSink(local.settings({"max-size": "200"}, folder(tmp_path)))
    await to.send(batch(*[f"line {n}" for n in range(20)]))
    (file,) = (tmp_path / "log-files" / "c1").iterdir()
    assert file.stat().st_size <= 200
    assert json.loads(file.read_text().splitlines()[-1])["log"] == "line 19\n"


async def test_the_files_of_the_oldest_containers_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "KEPT", 2)
    for number in range(4):
        wanted = local.settings({}, Writer(id=f"c{number}", name="web", files=tmp_path))
        await local.LocalSink(wanted).send(batch("a"))
        os.utime(tmp_path / f"c{number}", (number, number))
    assert sorted(os.listdir(tmp_path)) == ["c2", "c3"]


def test_addresses_are_shown_as_they_are_written() -> None:
    assert str(Address(kind="tcp", host="h", port=1)) == "tcp://h:1"
    assert str(Address(kind="unix", path="/run/x")) == "unix:///run/x"
