"""A request and its answer, of no HTTP framework: the server that mounts the engine translates at its border.

Header names are lower case in requests. A request's body is iterated at most once, and only by handlers that take one.
A `FileSlice` in an answer belongs to the server, which sends it (with sendfile where it can) and closes it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import BinaryIO

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str  # decoded, with its leading /v2/
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    peer: str = ""  # the client's address
    secure: bool = False  # came by TLS
    way: object | None = None  # how else it came: the room's own word


class FileSlice(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes to send from an open file. The file stays readable when the blob is removed meanwhile."""

    file: BinaryIO
    offset: int
    length: int


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """`content-length` is among the headers (but for 204); for HEAD it tells the length of what GET would send."""

    status: int
    headers: Mapping[str, str]
    body: bytes | FileSlice = b""


def answer(status: int, body: bytes = b"", **headers: str) -> Response:
    """Header names are written as arguments, `_` for `-`: `answer(201, location="/v2/…")`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    length = {} if status == 204 else {"content-length": str(len(body))}
    return Response(status=status, headers={**length, **named}, body=body)


def json(status: int, value: object, **headers: str) -> Response:
    return answer(status, msgspec.json.encode(value), **{"content_type": "application/json", **headers})
