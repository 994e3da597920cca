"""TLS on the wire: which certificate is shown to whom, what is agreed upon, and renewal under load."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as crypto

from hatoba.core.clock import SystemClock
from hatoba.core.secret import Secret
from hatoba.proxy.base import (
    Balancer,
    BalancerAttributes,
    Certificate,
    FixedResponse,
    Listener,
    Tls,
    TlsVersion,
    Wanted,
)
from hatoba.services.acm import x509
from tests.contract.proxy.proxy_rigs import ADDRESS, RealRig
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real

NOW = SystemClock().now()
ROOT = x509.authority("a test's authority", NOW)
PORT = 8443
CIPHERS = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA")


def certificate(id_: str, *names: str, algorithm: str = "EC_prime256v1") -> Certificate:
    made = x509.issue(ROOT, names, algorithm, NOW, 86_400.0)
    return Certificate(id=id_, chain=made.leaf + ROOT.leaf, private_key=Secret(made.key))


SHOP, API = certificate("shop", "shop.example", "*.shop.example"), certificate("api", "api.example")
RSA = certificate("rsa", "shop.example", algorithm="RSA_2048")


def secured(
    *certificates: Certificate,
    minimum: TlsVersion = "TLSv1.2",
    maximum: TlsVersion = "TLSv1.3",
    ciphers: tuple[str, ...] = CIPHERS,
    body: str = "hello",
    http2: bool = True,
) -> Wanted:
    tls = Tls(certificates=tuple(each.id for each in certificates), minimum=minimum, maximum=maximum, ciphers=ciphers)
    listener = Listener(id="tls", port=PORT, protocol="HTTPS", default=FixedResponse(status=200, body=body), tls=tls)
    balancer = Balancer(
        id="web", addresses=(ADDRESS,), listeners=(listener,), attributes=BalancerAttributes(http2=http2)
    )
    return Wanted(balancers=(balancer,), certificates=certificates)


def trusting(folder: Path) -> ssl.SSLContext:
    file = folder / "root.pem"
    file.write_text(ROOT.leaf)
    return ssl.create_default_context(cafile=str(file))


class Client:
    """One connection, as a browser makes it."""

    def __init__(self, rig: RealRig, context: ssl.SSLContext, name: str) -> None:
        self._rig, self._context, self._name = rig, context, name

    async def __aenter__(self) -> Client:
        sock = self._rig.namespace.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (ADDRESS, PORT))
        self.reader, self.writer = await asyncio.open_connection(
            sock=sock, ssl=self._context, server_hostname=self._name
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            await self.writer.wait_closed()

    @property
    def tls(self) -> Any:
        return self.writer.get_extra_info("ssl_object")

    @property
    def serial(self) -> int:
        return crypto.load_der_x509_certificate(self.tls.getpeercert(binary_form=True)).serial_number

    async def get(self) -> str:
        self.writer.write(f"GET / HTTP/1.1\r\nHost: {self._name}\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        return (await self.reader.readexactly(int(length.split(b":")[1]))).decode()


def serial_of(shown: Certificate) -> int:
    return crypto.load_pem_x509_certificates(shown.chain.encode())[0].serial_number


async def test_a_client_is_shown_the_certificate_for_the_name_that_it_asks_for(real: RealRig, tmp_path: Path) -> None:
    await real.proxy.apply(secured(SHOP, API))
    trusts = trusting(tmp_path)
    for name, shown in (("shop.example", SHOP), ("www.shop.example", SHOP), ("api.example", API)):
        async with Client(real, trusts, name) as client:
            assert client.serial == serial_of(shown), name
            assert await client.get() == "hello"
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        async with Client(real, trusts, "other.example"):
            pass
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    async with Client(real, blind, "other.example") as client:
        assert client.serial == serial_of(SHOP), "the first is the default one"


async def test_a_client_is_shown_the_kind_of_key_that_it_can_verify(real: RealRig, tmp_path: Path) -> None:
    await real.proxy.apply(secured(RSA, SHOP))
    for ciphers, shown in (("ECDHE-RSA-AES128-GCM-SHA256", RSA), ("ECDHE-ECDSA-AES128-GCM-SHA256", SHOP)):
        context = trusting(tmp_path)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
        async with Client(real, context, "shop.example") as client:
            assert client.serial == serial_of(shown)


@pytest.mark.parametrize(
    ("minimum", "maximum", "spoken", "agreed"),
    [
        ("TLSv1.2", "TLSv1.3", ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
        ("TLSv1.2", "TLSv1.3", ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        ("TLSv1.3", "TLSv1.3", ssl.TLSVersion.TLSv1_2, None),
        ("TLSv1.2", "TLSv1.2", ssl.TLSVersion.TLSv1_3, None),
    ],
)
async def test_only_wanted_versions_are_agreed_upon(
    real: RealRig, tmp_path: Path, minimum: Any, maximum: Any, spoken: Any, agreed: str | None
) -> None:
    await real.proxy.apply(secured(SHOP, minimum=minimum, maximum=maximum))
    context = trusting(tmp_path)
    context.minimum_version = context.maximum_version = spoken
    if agreed is None:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with Client(real, context, "shop.example"):
                pass
        return
    async with Client(real, context, "shop.example") as client:
        assert client.tls.version() == agreed


async def test_only_wanted_ciphers_are_agreed_upon(real: RealRig, tmp_path: Path) -> None:
    await real.proxy.apply(secured(SHOP, ciphers=("ECDHE-ECDSA-AES128-GCM-SHA256",)))
    context = trusting(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        async with Client(real, context, "shop.example"):
            pass


@pytest.mark.parametrize(("http2", "agreed"), [(True, "h2"), (False, "http/1.1")])
async def test_the_protocol_is_agreed_upon_in_the_handshake(
    real: RealRig, tmp_path: Path, http2: bool, agreed: str
) -> None:
    await real.proxy.apply(secured(SHOP, http2=http2))
    context = trusting(tmp_path)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with Client(real, context, "shop.example") as client:
        assert client.tls.selected_alpn_protocol() == agreed


async def test_a_renewed_certificate_is_shown_to_new_clients_and_old_ones_stay(real: RealRig, tmp_path: Path) -> None:
    await real.proxy.apply(secured(SHOP, API))
    trusts = trusting(tmp_path)
    newer = certificate("shop", "shop.example")
    async with Client(real, trusts, "shop.example") as old:
        await old.get()
        await real.proxy.apply(secured(newer, API))
        async with Client(real, trusts, "shop.example") as fresh:
            assert fresh.serial == serial_of(newer)
        assert await old.get() == "hello", "its connection was not touched"
        assert old.serial == serial_of(SHOP)


async def test_no_request_is_lost_while_certificates_come_and_go(real: RealRig, tmp_path: Path) -> None:
    await real.proxy.apply(secured(SHOP))
    trusts, going, answers = trusting(tmp_path), True, asyncio.Queue[str]()

    async def client() -> None:
        while going:
            async with Client(real, trusts, "shop.example") as one:
                for _ in range(3):
                    answers.put_nowait(await one.get())

    clients = [asyncio.create_task(client()) for _ in range(4)]
    try:
        for turn in range(6):
            shown = (certificate("shop", "shop.example"), *([API] if turn % 2 else []))
            await real.proxy.apply(secured(*shown))
            async with asyncio.timeout(PATIENCE):
                assert {await answers.get() for _ in range(30)} == {"hello"}
    finally:
        going = False
        await asyncio.gather(*clients)


async def test_a_certificate_that_envoy_cannot_use_leaves_the_last_one_in_place(real: RealRig, tmp_path: Path) -> None:
    await real.proxy.apply(secured(SHOP))
    broken = Certificate(id="shop", chain=API.chain, private_key=SHOP.private_key)
    with pytest.raises(Exception, match="secret certificate"):
        await real.proxy.apply(secured(broken))
    async with Client(real, trusting(tmp_path), "shop.example") as client:
        assert client.serial == serial_of(SHOP)
    await real.proxy.apply(secured(SHOP))


async def test_a_private_key_is_nowhere_on_disk(real: RealRig) -> None:
    await real.proxy.apply(secured(SHOP))
    line = SHOP.private_key.reveal().splitlines()[1].encode()
    for file in real.directory.rglob("*"):
        if file.is_file():
            assert line not in file.read_bytes(), file
