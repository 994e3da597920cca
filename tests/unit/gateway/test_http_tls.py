"""The same server by TLS: requests, files, and the ends of connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from hatoba.app import tls
from hatoba.app.places import Places
from hatoba.app.settings import Settings, load
from hatoba.core.clock import SystemClock
from hatoba.core.errors import Refused
from hatoba.fleet.enrol import Authority
from hatoba.gateway.http import FileSlice, Request, Response, Server
from tests.unit.gateway.wire import on_uvloop

FILE = bytes(range(256)) * 8192  # 2 MiB


class Made(msgspec.Struct):
    port: int
    server: Server
    trusting: ssl.SSLContext
    tls: tls.EndpointTls

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trusting, server_hostname="localhost")

    async def ask(self, request: bytes) -> bytes:
        """One request on a connection of its own: all that comes until it ends."""
        reader, writer = await self.connect()
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer


def made(folder: Path, **settings: str) -> tls.EndpointTls:
    (folder / "control").mkdir(exist_ok=True)
    authority = Authority(folder / "authority")
    places = Places(data=folder, instance="test")
    return tls.EndpointTls(Settings(data=folder, tls_port=1, **settings), places, authority, SystemClock())  # type: ignore[arg-type]


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Made]:
    (folder / "file").write_bytes(FILE)

    async def handler(request: Request) -> Response:
        if request.path == "/file":
            return Response(body=FileSlice(file=(folder / "file").open("rb"), offset=100, length=len(FILE) - 100))
        if request.path == "/unread":
            return Response(status=413, body=b"no", close=True)
        return Response(body=f"{request.secure} {(await request.body.read(1 << 24)).decode()}".encode())

    endpoint = made(folder)
    endpoint.load()
    server = Server(handler)
    port = await server.listen("127.0.0.1", 0, endpoint.context)
    trusting = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python does by itself since 3.13
    yield Made(port, server, trusting, endpoint)
    await server.close(grace=1.0)


@on_uvloop
async def test_requests_on_one_connection(tmp_path: Path) -> None:
    async with served(tmp_path) as made:
        reader, writer = await made.connect()
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(10) == b"True hello"
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        writer.close()


@on_uvloop
async def test_a_file(tmp_path: Path) -> None:
    async with served(tmp_path) as made:
        reader, writer = await made.connect()
        for _ in range(2):
            writer.write(b"GET /file HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(FILE) - 100) == FILE[100:]
        writer.close()


@on_uvloop
async def test_ends(tmp_path: Path) -> None:
    """A client that closes while it is answered, one whose body nobody wants, and one that speaks no TLS."""
    async with served(tmp_path) as made:
        assert (await made.ask(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).endswith(b"True ")
        unread = b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhal"
        reader, writer = await made.connect()
        writer.write(unread)
        assert (await reader.readuntil(b"no")).startswith(b"HTTP/1.1 413")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200" not in await reader.read()
        writer.close()
        reader, writer = await made.connect()
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"True ")
        writer.close()
        await writer.wait_closed()
        await made.server.close(grace=5.0)
        assert not made.server.connections


@on_uvloop
async def test_a_certificate_that_was_renewed_is_shown(tmp_path: Path) -> None:
    async with served(tmp_path) as made:
        shown = []
        for _ in range(2):
            _, writer = await made.connect()
            shown.append(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
            writer.close()
            made.tls.load()
        assert shown[0] != shown[1]


def test_whose_certificate(tmp_path: Path) -> None:
    own = made(tmp_path)
    own.load()
    assert (tmp_path / "control" / "endpoint.pem").stat().st_mode & 0o777 == 0o600
    both = str(tmp_path / "control" / "endpoint.pem")
    made(tmp_path, tls_certificate=both).load()
    made(tmp_path, tls_certificate=both, tls_key=both).load()
    for wrong in ({"tls_certificate": str(tmp_path / "none.pem")}, {"tls_certificate": both, "tls_key": "/dev/null"}):
        with pytest.raises(Refused, match="cannot be used"):
            made(tmp_path, **wrong).load()


def test_names() -> None:
    assert {"localhost", "*.localhost", "127.0.0.1", "10.1.2.3"} <= set(tls.names(Settings(tls_host="10.1.2.3")))
    assert "0.0.0.0" not in tls.names(Settings(tls_host="0.0.0.0"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tls_key": "key.pem"}, "say which, with tls_certificate"),
        ({"tls_certificate": "c.pem"}, "is shown on tls_port"),
        ({"tls_port": "4566"}, "has to be another one"),
        ({"auth": "off", "tls_host": "0.0.0.0"}, "loopback address only, not on 0.0.0.0"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, given: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        load(tmp_path, {}, {f"HATOBA_{name.upper()}": value for name, value in given.items()})
