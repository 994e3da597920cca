"""A request and an answer as they are on the wire, independent of the HTTP server that carries them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from urllib.parse import unquote_to_bytes

import msgspec

from hatoba.core.errors import AwsError

Body = bytes | AsyncIterator[bytes]


class WireRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`path` and `query` are as received, still percent-encoded; header names are lower case, values of a repeated
    header are joined by a comma. The body is a stream only for operations whose input streams."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = {}
    body: Body = b""

    def whole_body(self) -> bytes:
        """The body of a request that does not stream."""
        if not isinstance(self.body, bytes):
            raise TypeError("this operation's body must be read whole before it is parsed")
        return self.body


class WireResponse(msgspec.Struct, frozen=True, kw_only=True):
    status: int = 200
    headers: dict[str, str] = {}
    body: Body = b""


def malformed(message: str) -> AwsError:
    """What cannot be read at all, in the words of the JSON protocols."""
    return AwsError(message, code="SerializationException", status=400)


def form(text: str) -> list[tuple[str, str]]:
    """The pairs of a query string or form body. Raises `AwsError` when it is not UTF-8."""
    pairs = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((plain(name), plain(value)))
    return pairs


def plain(text: str) -> str:
    """Undoes form encoding: `%41+b` is `A b`."""
    if "+" in text:
        text = text.replace("+", " ")
    return unescape(text) if "%" in text else text


def unescape(text: str) -> str:
    """Undoes percent-encoding, strictly UTF-8."""
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise AwsError("The request is not valid UTF-8.", code="MalformedQueryString") from None
