"""A session-manager-plugin for tests, written from the published protocol and sharing no code with the server.

    with Plugin(session, size=(100, 30)) as plugin:      # `session`: ExecuteCommand's answer
        plugin.until(b"$ "); plugin.type(b"stty size\r")
        plugin.end()                                     # reads to channel_closed

Run as a program it takes the arguments that the AWS CLI gives the real one: stdin goes in, output comes out.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import selectors
import socket
import struct
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tools.waiting import PATIENCE

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
OUTPUT, SIZE, REQUEST, RESPONSE, COMPLETE, FLAG, STDERR, EXIT = 1, 3, 5, 6, 7, 10, 11, 12


class Closed(Exception):
    """The server has closed the socket: (code, reason)."""


class Line:
    """A WebSocket client on a blocking socket: frames by hand, from RFC 6455."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, seconds: float = PATIENCE) -> None:
        where = urlsplit(url)
        assert where.scheme == "ws"
        assert where.hostname is not None
        self.socket = socket.create_connection((where.hostname, where.port or 80), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = {
            "Host": where.netloc,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.socket.sendall(f"GET {where.path}?{where.query} HTTP/1.1\r\n{head}\r\n".encode())
        self._buffer = b""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        answer, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        self.status = int(answer.split()[1])
        if self.status != 101:
            raise Closed(self.status, (answer + self._buffer).decode())
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        assert f"sec-websocket-accept: {accept}".lower() in answer.decode().lower()

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise Closed(1006, "the connection ended")
        self._buffer += data

    def send(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([128 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        if size >= 1 << 16:
            length = b"\xff" + struct.pack(">Q", size)
        mask = os.urandom(4)
        stream = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")
        self.socket.sendall(bytes([128 | kind]) + length + mask + masked)

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    @property
    def waiting(self) -> bool:
        return bool(self._buffer)

    def receive(self) -> tuple[int, bytes]:
        first, second = self._take(2)
        size = second & 127
        if size == 126:
            (size,) = struct.unpack(">H", self._take(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._take(8))
        payload = self._take(size)
        kind = first & 15
        if kind == PING:
            self.send(PONG, payload)
            return self.receive()
        if kind == CLOSE:
            code = struct.unpack(">H", payload[:2])[0] if payload else 1005
            self.send(CLOSE, payload[:2])
            raise Closed(code, payload[2:].decode())
        return kind, payload


def message(kind: str, payload: bytes = b"", *, type_: int = 0, number: int = 0, flags: int = 0) -> bytes:
    id_ = uuid.uuid4().bytes
    return (
        struct.pack(">I", 116)
        + kind.encode().ljust(32)
        + struct.pack(">IQqQ", 1, int(time.time() * 1000), number, flags)
        + id_[8:]
        + id_[:8]
        + hashlib.sha256(payload).digest()
        + struct.pack(">II", type_, len(payload))
        + payload
    )


class Message:
    def __init__(self, data: bytes) -> None:
        (header,) = struct.unpack(">I", data[:4])
        self.kind = data[4:36].decode().strip(" \0")
        self.schema, self.created, self.number, self.flags = struct.unpack(">IQqQ", data[36:64])
        self.id = str(uuid.UUID(bytes=data[72:80] + data[64:72]))
        self.type, size = struct.unpack(">II", data[112:120])
        self.payload = data[header + 4 :]
        assert header == 116
        assert size == len(self.payload)
        assert hashlib.sha256(self.payload).digest() == data[80:112]


class Plugin:
    """`refuse`: messages that are not acknowledged, as when the plugin is not ready; it gets them again."""

    def __init__(
        self,
        session: Mapping[str, str],
        *,
        size: tuple[int, int] | None = (80, 24),
        headers: Mapping[str, str] | None = None,
        refuse: Callable[[Message], bool] = lambda message: False,
        opening: Mapping[str, Any] | None = None,
        greet: bool = True,
    ) -> None:
        self.session = session
        self.output = b""
        self.errors = b""
        self.exit_code: int | None = None
        self.session_type: str | None = None
        self.closed: dict[str, Any] | None = None  # the channel_closed message
        self.seen: list[Message] = []
        self.unacknowledged: dict[int, bytes] = {}
        self._refuse = refuse
        self._size = size
        self._number = 0
        self._expected = 0
        self._early: dict[int, Message] = {}
        self.line = Line(session["streamUrl"], headers)
        if greet:
            opened = {
                "MessageSchemaVersion": "1.0",
                "RequestId": str(uuid.uuid4()),
                "TokenValue": session["tokenValue"],
                "ClientId": str(uuid.uuid4()),
                "ClientVersion": "1.2.707.0",
                **(opening or {}),
            }
            self.line.send(TEXT, json.dumps(opened).encode())

    def __enter__(self) -> Plugin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.line.socket.close()

    # --- out

    def send(self, type_: int, payload: bytes, *, flags: int = 0) -> None:
        data = message("input_stream_data", payload, type_=type_, number=self._number, flags=flags)
        self.unacknowledged[self._number] = data
        self._number += 1
        self.line.send(BINARY, data)

    def type(self, data: bytes) -> None:
        for at in range(0, len(data), 1024):
            self.send(OUTPUT, data[at : at + 1024])

    def resize(self, columns: int, rows: int) -> None:
        self.send(SIZE, json.dumps({"cols": columns, "rows": rows}).encode())

    def terminate(self) -> None:
        self.send(FLAG, struct.pack(">I", 2))

    # --- in

    def step(self) -> None:
        """One message of the server's."""
        kind, data = self.line.receive()
        assert kind == BINARY, "after the opening all is binary"
        heard = Message(data)
        self.seen.append(heard)
        match heard.kind:
            case "output_stream_data":
                self._came(heard)
            case "acknowledge":
                self.unacknowledged.pop(json.loads(heard.payload)["AcknowledgedMessageSequenceNumber"], None)
            case "channel_closed":
                self.closed = json.loads(heard.payload)

    def _came(self, heard: Message) -> None:
        if heard.number < self._expected or self._refuse(heard):
            return  # as the plugin: what was taken is acknowledged already
        if heard.number > self._expected:
            self._early[heard.number] = heard
        said = {
            "AcknowledgedMessageType": heard.kind,
            "AcknowledgedMessageId": heard.id,
            "AcknowledgedMessageSequenceNumber": heard.number,
            "IsSequentialMessage": True,
        }
        self.line.send(BINARY, message("acknowledge", json.dumps(said).encode(), flags=3))
        if heard.number == self._expected:
            self._handle(heard)
            self._expected += 1
            while (next_ := self._early.pop(self._expected, None)) is not None:
                self._handle(next_)
                self._expected += 1

    def _handle(self, heard: Message) -> None:
        match heard.type:
            case 1:
                self.output += heard.payload
            case 11:
                self.errors += heard.payload
            case 12:
                self.exit_code = int(heard.payload)
            case 5:
                request = json.loads(heard.payload)
                (action,) = request["RequestedClientActions"]
                assert action["ActionType"] == "SessionType"
                self.session_type = action["ActionParameters"]["SessionType"]
                done = [{"ActionType": "SessionType", "ActionStatus": 1, "ActionResult": None, "Error": ""}]
                said = {"ClientVersion": "1.2.707.0", "ProcessedClientActions": done, "Errors": None}
                self.send(RESPONSE, json.dumps(said).encode())
            case 7:
                if self._size is not None:
                    self.resize(*self._size)

    def until(self, wanted: bytes | Callable[[], object], seconds: float = PATIENCE) -> bytes:
        """Reads until the output has `wanted`, or it comes true."""
        deadline = time.monotonic() + seconds
        met = wanted if callable(wanted) else (lambda: wanted in self.output)
        while not met():
            if self.closed is not None or time.monotonic() > deadline:
                raise AssertionError(f"{wanted!r} did not come; so far: {self.output[-2000:]!r}, {self.closed}")
            self.step()
        return self.output

    def end(self, seconds: float = PATIENCE) -> str:
        """Reads to the end; what channel_closed says, "" for the natural one."""
        self.until(lambda: self.closed is not None, seconds)
        assert self.closed is not None
        with contextlib.suppress(Closed):
            self.line.receive()
        return str(self.closed["Output"])


def main(words: list[str]) -> int:
    """session-manager-plugin <response> <region> StartSession <profile> <parameters> <endpoint>"""
    if not words:
        print("The Session Manager plugin was installed successfully. Use the AWS CLI to start a session.")
        return 0
    target = json.loads(words[4])["Target"]
    assert target.startswith("ecs:"), target
    with Plugin(json.loads(words[0])) as plugin, selectors.DefaultSelector() as ready:
        ready.register(plugin.line.socket, selectors.EVENT_READ)
        ready.register(sys.stdin, selectors.EVENT_READ)
        shown = 0
        while plugin.closed is None:
            for key, _ in ready.select():
                if key.fileobj is sys.stdin:
                    typed = os.read(0, 1024)
                    if typed:
                        plugin.type(typed)
                    else:
                        ready.unregister(sys.stdin)
                else:
                    plugin.step()
                    while plugin.line.waiting and plugin.closed is None:
                        plugin.step()
            sys.stdout.buffer.write(plugin.output[shown:])
            sys.stdout.buffer.flush()
            shown = len(plugin.output)
        print(f"\n\nExiting session with sessionId: {plugin.session['sessionId']}. {plugin.closed['Output']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
