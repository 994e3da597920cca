"""A request and its answer, as the server hands them over.

Header names are lower case; values are as sent, so that signatures can be checked over them. A header that came twice
is in `headers` once, its values joined by a comma as RFC 9110 has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import BinaryIO

import msgspec

from hatoba.gateway.http.body import Body
from hatoba.gateway.http.websocket import SocketLimits, WebSocket
from hatoba.gateway.way import Gate, Way


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False, eq=False):
    method: str
    target: str  # the request target as sent: path and query, nothing decoded
    headers: dict[str, str]
    body: Body
    peer: str  # the client's address, without its port
    peer_port: int = 0
    http10: bool = False
    secure: bool = False  # came by TLS
    meant: str = ""  # the address that it was for, where the server takes connections that are translated
    carrier: str = ""  # the address of the node that has brought it
    way: Way | None = None
    gate: Gate | None = None  # says which way it has come once it is known what is asked

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


class FileSlice(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes to send from an open file. The server closes the file, whatever happens to the answer."""

    file: BinaryIO
    offset: int
    length: int


Talk = Callable[[WebSocket], Awaitable[None]]


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a connection after a 101: a WebSocket, and who talks on it. `upgrade.switch` makes these."""

    talk: Talk
    limits: SocketLimits


class Response(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Header names are lower case. `content-length` may be among them: for HEAD it tells what GET would send.

    A body that is an iterator is sent chunked when its length is not told. It is closed when the client goes away.
    """

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes | FileSlice | AsyncIterator[bytes] = b""
    close: bool = False  # end the connection after this answer
    switch: Switch | None = None  # with status 101

    @property
    def streams(self) -> bool:
        return not isinstance(self.body, bytes | FileSlice)


Handler = Callable[[Request], Awaitable[Response]]
