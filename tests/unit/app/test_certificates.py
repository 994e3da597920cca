"""What VPC endpoints show by TLS: by name and VPC, made once, renewed, and nothing to who asks for anything else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hatoba.app.certificates import RENEWED, Certificates
from hatoba.core.clock import SystemClock
from hatoba.fleet.enrol import Authority
from hatoba.gateway.http import Request, Response, Server
from tests.unit.gateway.wire import on_uvloop

LOGS = ("logs.us-east-1.amazonaws.com", "*.logs.us-east-1.vpce.amazonaws.com")
KNOWN = {("vpc-1", name): LOGS for name in (LOGS[0], "vpce-1-2.logs.us-east-1.vpce.amazonaws.com")}


class Clock(SystemClock):
    later = 0.0

    def now(self) -> float:
        return super().now() + self.later


class Served:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        authority = Authority(folder)
        self.signed: list[Any] = []
        sign = authority.endpoint

        def counted(*given: Any) -> tuple[bytes, bytes]:
            self.signed.append(given[0])
            return sign(*given)

        authority.endpoint = counted  # type: ignore[method-assign]
        self.certificates = Certificates(authority, self.clock, lambda *asked: KNOWN.get(asked, ()))
        self.trusting = ssl.create_default_context(cadata=authority.pem)
        self.trusting.verify_flags |= ssl.VERIFY_X509_STRICT
        self.ports: dict[str, int] = {}

    async def shown(self, network: str, name: str | None) -> bytes:
        """The certificate, after a request on that connection. Raises `ssl.SSLError`."""
        context = self.trusting
        if name is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.ports[network], ssl=context, server_hostname=name or ""
        )
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.read()).endswith(b"True")
        writer.close()
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Served]:
    async def handler(request: Request) -> Response:
        return Response(body=str(request.secure).encode(), close=True)

    made, server = Served(folder), Server(handler)
    for network in ("vpc-1", "vpc-2"):
        made.ports[network] = await server.listen("127.0.0.1", 0, made.certificates.of(network))
    yield made
    await server.close(grace=1.0)


@on_uvloop
async def test_a_certificate_for_all_names_of_a_service_is_made_once_a_day(tmp_path: Path) -> None:
    async with served(tmp_path) as made:
        first = await made.shown("vpc-1", LOGS[0])
        assert await made.shown("vpc-1", "VPCE-1-2.logs.us-east-1.vpce.amazonaws.com") == first
        assert made.signed == [LOGS]
        made.clock.later = RENEWED
        assert await made.shown("vpc-1", LOGS[0]) != first
        assert made.signed == [LOGS, LOGS]


@on_uvloop
async def test_to_any_other_name_nothing_is_shown_and_nothing_is_signed(tmp_path: Path) -> None:
    async with served(tmp_path) as made:
        for network, name in (("vpc-2", LOGS[0]), ("vpc-1", "sts.us-east-1.amazonaws.com"), ("vpc-1", None)):
            with pytest.raises(OSError, match=r"(?i)unrecognized.name|^$"):  # uvloop takes its alert back
                await made.shown(network, name)
        assert made.signed == []
