"""AWS event streams: binary frames with checksums, as `application/vnd.amazon.eventstream`.

A frame is: total length, length of the headers, CRC of those eight bytes, headers, payload, CRC of everything before.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from typing import Any
from zlib import crc32

from hatoba.aws.models import Member, Operation
from hatoba.aws.protocols.errors import error_members
from hatoba.aws.wire import WireResponse
from hatoba.core.errors import AwsError

Write = Callable[[Member, Any], bytes]
_STRING, _BYTES, _INT, _LONG, _TIMESTAMP = 7, 6, 4, 5, 8


def frame(headers: dict[str, Any], payload: bytes) -> bytes:
    """One message. Header values: str, bytes, bool, int, or a float as a timestamp in seconds."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", crc32(prelude)) + head + payload
    return message + struct.pack(">I", crc32(message))


def _header(name: str, value: Any) -> bytes:
    encoded = name.encode()
    start = bytes([len(encoded)]) + encoded
    match value:
        case bool():
            return start + (b"\0" if value else b"\1")
        case int():
            return start + struct.pack(">Bq", _LONG, value)
        case float():
            return start + struct.pack(">Bq", _TIMESTAMP, round(value * 1000))
        case bytes():
            return start + struct.pack(">BH", _BYTES, len(value)) + value
        case _:
            text = str(value).encode()
            return start + struct.pack(">BH", _STRING, len(text)) + text


def response(
    operation: Operation,
    result: dict[str, Any],
    request_id: str,
    write: Write,
    *,
    initial: bool = True,
    content_type: str = "application/json",
) -> WireResponse:
    """The answer of an operation whose output streams events.

    `result[event member]` is an async iterator of events: `{"sessionUpdate": {...}}`, one member of the union each. An
    `AwsError` raised by it ends the stream as an exception message. `initial`: protocols without headers of their own
    for the other output members (the RPC ones) send these first, as an `initial-response`.
    """
    headers = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": request_id}
    stream = _Stream(operation, write, content_type)
    return WireResponse(status=200, headers=headers, body=stream.frames(result, initial))


class _Stream:
    """Frames the events of one answer."""

    def __init__(self, operation: Operation, write: Write, content_type: str) -> None:
        assert operation.output is not None
        assert operation.event_output is not None
        self._model = operation.model
        self._output = operation.output
        self._member = operation.event_output
        self._union = self._model.shape(self._model.shape(operation.output).members[operation.event_output])
        self._write = write
        self._type = content_type

    async def frames(self, result: dict[str, Any], initial: bool) -> AsyncIterator[bytes]:
        if initial:
            rest = {name: value for name, value in result.items() if name != self._member}
            headers = {":event-type": "initial-response", ":content-type": self._type, ":message-type": "event"}
            yield frame(headers, self._write(self._output, rest))
        try:
            async for event in result[self._member]:
                (name, value), *_ = event.items()
                yield self._event(name, value)
        except AwsError as error:
            yield self._exception(error)

    def _event(self, name: str, value: dict[str, Any]) -> bytes:
        use = self._union.members[name]
        shape = self._model.shape(use)
        headers: dict[str, Any] = {":event-type": name, ":message-type": "event"}
        body = dict(value)
        for member_name, member in shape.members.items():
            if member.eventheader and member_name in body:
                headers[member_name] = body.pop(member_name)
        payload = next((member_name for member_name, member in shape.members.items() if member.eventpayload), None)
        if payload is None:
            return frame(headers | {":content-type": self._type}, self._write(use, body))
        content = body.get(payload, b"")
        if isinstance(content, bytes):
            return frame(headers | {":content-type": "application/octet-stream"}, content)
        if isinstance(content, str):
            return frame(headers | {":content-type": "text/plain"}, content.encode())
        return frame(headers | {":content-type": self._type}, self._write(shape.members[payload], content))

    def _exception(self, error: AwsError) -> bytes:
        members = self._union.members.items()
        name = next((name for name, use in members if self._model.shape(use).code == error.code), None)
        if name is None:
            return frame({":message-type": "error", ":error-code": error.code, ":error-message": error.message}, b"")
        use = self._union.members[name]
        body = error_members(error, self._model.shape(use))
        headers = {":exception-type": name, ":content-type": self._type, ":message-type": "exception"}
        return frame(headers, self._write(use, body))
