"""An HTTP/1.1 GET whose body is streamed, for registries.

asyncio's streams and httptools' parser: reading pauses when the caller does, so a layer of many gigabytes needs no more
memory than a buffer. Each request has a connection of its own: an image has few, and they run side by side.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

import httptools

from hatoba.core.reach import may_be_asked
from hatoba.runtime.failures import Failure, failure

_CONNECT_SECONDS = 15.0
_SILENCE_SECONDS = 60.0  # without a byte: the registry hangs
_CHUNK = 1 << 18
_REDIRECTS = 5
_TEXT_LIMIT = 4 << 20


class Response:
    """Status and headers; the body is read once, as chunks or whole."""

    def __init__(self, reader: asyncio.StreamReader, url: str) -> None:
        self.url = url
        self.status = 0
        self.headers: dict[str, str] = {}
        self._reader = reader
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: list[bytes] = []
        self._head_done = False
        self._done = False

    # httptools calls these.
    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._head_done = True

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        self._done = True

    async def head(self) -> None:
        while not self._head_done:
            await self._more()

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            while self._chunks:
                yield self._chunks.pop(0)
            if self._done:
                return
            await self._more()

    async def whole(self, limit: int = _TEXT_LIMIT) -> bytes:
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise failure(Failure.IMAGE_MANIFEST, f"{self.url} answers with more than {limit} bytes")
        return bytes(body)

    async def _more(self) -> None:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                data = await self._reader.read(_CHUNK)
        except TimeoutError:
            raise failure(Failure.IMAGE_NETWORK, f"{self.url}: no answer for {_SILENCE_SECONDS:.0f} s") from None
        except OSError as error:
            raise failure(Failure.IMAGE_NETWORK, f"{self.url}: {error}") from error
        if not data:
            if self._head_done and "content-length" not in self.headers and "transfer-encoding" not in self.headers:
                self._done = True  # such a body ends with the connection
                return
            raise failure(Failure.IMAGE_NETWORK, f"{self.url}: the registry hung up in the middle of its answer")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise failure(Failure.IMAGE_NETWORK, f"{self.url}: not an HTTP answer: {error}") from error


@asynccontextmanager
async def get(
    url: str, headers: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None, *, loopback: bool = False
) -> AsyncIterator[Response]:
    """Follows redirects (registries hand blobs over to object stores), without the credentials to another host.

    `loopback`: this machine may be asked, too. Else it is not, wherever names and redirects lead."""
    sent = dict(headers or {})
    for _ in range(_REDIRECTS + 1):
        response, writer = await _send(url, sent, tls, loopback)
        try:
            location = response.headers.get("location", "")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                yield response
                return
        finally:
            writer.close()
        target = urljoin(url, location)
        if urlsplit(target).netloc != urlsplit(url).netloc:
            sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
        url = target
    raise failure(Failure.IMAGE_NETWORK, f"{url}: more than {_REDIRECTS} redirects")


def on_this_machine(host: str) -> bool:
    """By its name, which whoever wrote it knows: `localhost:5000`."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


async def _connect(
    host: str, port: int, context: ssl.SSLContext | None, loopback: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To one of the host's addresses that may be asked. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(address) for *_, (address, *_) in found)
    why = OSError("its address is not asked: it is this machine's own, or one that only its neighbours reach")
    for address in addresses:
        if not may_be_asked(address, loopback=loopback):
            continue
        try:
            name = host if context is not None else None
            return await asyncio.open_connection(address, port, ssl=context, server_hostname=name, limit=_CHUNK)
        except OSError as error:
            why = error
    raise why


async def _send(
    url: str, headers: Mapping[str, str], tls: ssl.SSLContext | None, loopback: bool
) -> tuple[Response, asyncio.StreamWriter]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in {"User-Agent": "hatoba", **headers}.items()]
    context = (tls or ssl.create_default_context()) if secure else None
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await _connect(host, port, context, loopback)
    except TimeoutError:
        raise failure(Failure.IMAGE_NETWORK, f"{host}:{port}: i/o timeout") from None
    except OSError as error:  # refused, unreachable, no such name, TLS
        raise failure(Failure.IMAGE_NETWORK, f"{host}:{port}: {error}") from error
    response = Response(reader, url)
    try:
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await writer.drain()
        await response.head()
    except BaseException as error:
        writer.close()
        if isinstance(error, OSError):
            raise failure(Failure.IMAGE_NETWORK, f"{host}:{port}: {error}") from error
        raise
    return response, writer
