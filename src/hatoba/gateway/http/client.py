"""One small request and its whole answer.

`post`: over plain HTTP, for what a node asks of the control plane's endpoint. `ask` and `get`: over HTTPS, for what
other servers answer and publish. No redirects are followed, and an answer has bounds in time and size.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httptools
import msgspec

from hatoba.core.errors import HatobaError

_MOST = 1 << 20  # bytes of an answer's body
_MOST_READ = 2 * _MOST  # bytes of all of it, headers and the frames of a body in pieces included


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

    def on_message_complete(self) -> None:
        self.done = True


async def post(endpoint: str, headers: Mapping[str, str], body: bytes, *, patience: float) -> Answer:
    """Posts to `/` at `endpoint` (host:port). `headers` are sent as they are, `host` among them."""
    lines = [*(f"{name}: {value}" for name, value in headers.items()), f"content-length: {len(body)}"]
    request = ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\nconnection: close\r\n\r\n").encode() + body
    try:
        async with asyncio.timeout(patience):
            host, _, port = endpoint.rpartition(":")
            return await _exchange(host.strip("[]"), int(port), request)
    except (OSError, EOFError, ValueError, TimeoutError, httptools.HttpParserError) as error:
        raise Unanswered(str(error) or type(error).__name__) from error


async def get(url: str, address: str, tls: ssl.SSLContext, *, patience: float) -> Answer:
    """As `ask`."""
    return await ask("GET", url, address, tls, patience=patience)


async def ask(
    method: str,
    url: str,
    address: str,
    tls: ssl.SSLContext,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    source: str | None = None,
    patience: float,
) -> Answer:
    """At `address`, which is what the name in `url` (https) means: whoever asks has looked at where it leads. From
    `source`, an address of this machine, if it matters.

    Raises `Unanswered`; `ssl.SSLCertVerificationError` where the server's certificate is not trusted, for this name.
    """
    where = urlsplit(url)
    target = f"{where.path or '/'}?{where.query}" if where.query else where.path or "/"
    told = {"host": where.netloc, "accept": "application/json", **(headers or {}), "connection": "close"}
    if body:
        told["content-length"] = str(len(body))
    lines = (f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()))
    try:
        request = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body
        async with asyncio.timeout(patience):
            return await _exchange(address, where.port or 443, request, tls, where.hostname, source)
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, EOFError, ValueError, TimeoutError, httptools.HttpParserError) as error:
        raise Unanswered(str(error) or type(error).__name__) from error


async def _exchange(
    host: str,
    port: int,
    request: bytes,
    tls: ssl.SSLContext | None = None,
    name: str | None = None,
    source: str | None = None,
) -> Answer:
    here = (source, 0) if source is not None else None
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name, local_addr=here)
    try:
        writer.write(request)
        heard = _Heard()
        parser = httptools.HttpResponseParser(heard)
        taken = 0
        while not heard.done:
            data = await reader.read(_MOST)
            taken += len(data)
            if not data:
                raise EOFError("the connection was closed")
            parser.feed_data(data)
            if taken > _MOST_READ or len(heard.body) > _MOST:
                raise ValueError("the answer is too long")
        return Answer(status=parser.get_status_code(), headers=heard.headers, body=heard.body)
    finally:
        writer.close()
