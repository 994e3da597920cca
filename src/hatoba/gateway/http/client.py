"""One small request over plain HTTP, and its whole answer: for what a node asks of the control plane's endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httptools
import msgspec

from hatoba.core.errors import HatobaError

_MOST = 1 << 20  # bytes of an answer


class Unanswered(HatobaError):
    """There is nobody, or no answer in time, or none that can be read."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class _Heard:
    """httptools' callbacks."""

    def __init__(self) -> None:
        self.body = b""
        self.headers: dict[str, str] = {}
        self.done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body
        if len(self.body) > _MOST:
            raise ValueError("the answer is too long")

    def on_message_complete(self) -> None:
        self.done = True


async def post(endpoint: str, headers: Mapping[str, str], body: bytes, *, patience: float) -> Answer:
    """Posts to `/` at `endpoint` (host:port). `headers` are sent as they are, `host` among them."""
    lines = [*(f"{name}: {value}" for name, value in headers.items()), f"content-length: {len(body)}"]
    request = ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\nconnection: close\r\n\r\n").encode() + body
    try:
        async with asyncio.timeout(patience):
            return await _exchange(endpoint, request)
    except (OSError, EOFError, ValueError, TimeoutError, httptools.HttpParserError) as error:
        raise Unanswered(str(error) or type(error).__name__) from error


async def _exchange(endpoint: str, request: bytes) -> Answer:
    host, _, port = endpoint.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        writer.write(request)
        heard = _Heard()
        parser = httptools.HttpResponseParser(heard)
        while not heard.done:
            data = await reader.read(_MOST)
            if not data:
                raise EOFError("the connection was closed")
            parser.feed_data(data)
        return Answer(status=parser.get_status_code(), headers=heard.headers, body=heard.body)
    finally:
        writer.close()
