"""AWS event streams: binary frames with checksums, as `application/vnd.amazon.eventstream`.

A frame is: total length, length of the headers, CRC of those eight bytes, headers, payload, CRC of everything before.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from typing import Any
from zlib import crc32

from hatoba.aws.models import Member, Operation
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
    operation: Operation, result: dict[str, Any], request_id: str, write: Write, *, initial: bool = True
) -> WireResponse:
    """The answer of an operation whose output streams events.

    `result[event member]` is an async iterator of events: `{"sessionUpdate": {...}}`, one member of the union each. An
    `AwsError` raised by it ends the stream as an exception message. `initial`: protocols without headers of their own
    for the other output members (the RPC ones) send these first, as an `initial-response`.
    """
    assert operation.output is not None
    assert operation.event_output is not None
    headers = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": request_id}
    return WireResponse(status=200, headers=headers, body=_stream(operation, result, write, initial))


async def _stream(operation: Operation, result: dict[str, Any], write: Write, initial: bool) -> AsyncIterator[bytes]:
    assert operation.output is not None
    assert operation.event_output is not None
    model = operation.model
    rest = {name: value for name, value in result.items() if name != operation.event_output}
    if initial:
        yield frame(
            {":event-type": "initial-response", ":content-type": _JSON, ":message-type": "event"},
            write(operation.output, rest),
        )
    union = model.shape(model.shape(operation.output).members[operation.event_output])
    try:
        async for event in result[operation.event_output]:
            (name, value), *_ = event.items()
            yield _event(operation, name, union.members[name], value, write)
    except AwsError as error:
        name = next((name for name, use in union.members.items() if model.shape(use).name == error.code), None)
        if name is None:
            yield frame({":message-type": "error", ":error-code": error.code, ":error-message": error.message}, b"")
        else:
            body = {"message": error.message} | error.members
            yield frame(
                {":exception-type": name, ":content-type": _JSON, ":message-type": "exception"},
                write(union.members[name], body),
            )


_JSON = "application/json"


def _event(operation: Operation, name: str, use: Member, value: dict[str, Any], write: Write) -> bytes:
    shape = operation.model.shape(use)
    headers: dict[str, Any] = {":event-type": name, ":message-type": "event"}
    body = dict(value)
    for member_name, member in shape.members.items():
        if member.eventheader and member_name in body:
            headers[member_name] = body.pop(member_name)
    payload = next((member_name for member_name, member in shape.members.items() if member.eventpayload), None)
    if payload is None:
        return frame(headers | {":content-type": _JSON}, write(use, body))
    content = body.get(payload, b"")
    if isinstance(content, bytes):
        return frame(headers | {":content-type": "application/octet-stream"}, content)
    if isinstance(content, str):
        return frame(headers | {":content-type": "text/plain"}, content.encode())
    return frame(headers | {":content-type": _JSON}, write(shape.members[payload], content))
