"""Certificates of clients on the wire: who gets in, and what targets are told of them, with a real Envoy."""

from __future__ import annotations

import datetime
import gzip
import re
import shlex
import ssl
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes, serialization

from hatoba.proxy.base import Balancer, Clients, FixedResponse, Headers, Listener, Tls, Wanted
from hatoba.services.acm import x509
from tests.contract.proxy.proxy_rigs import ADDRESS, Backend, RealRig, forward, group, until
from tests.contract.proxy.test_proxy_tls import NOW, PORT, SHOP, Client, trusting

pytestmark = pytest.mark.real

OURS, OTHERS = x509.authority("ours", NOW), x509.authority("others", NOW)
ALICE = x509.issue(OURS, ("alice.example",), "EC_prime256v1", NOW, 86_400.0)
MALLORY = x509.issue(OTHERS, ("mallory.example",), "EC_prime256v1", NOW, 86_400.0)
LATE = x509.issue(OURS, ("late.example",), "EC_prime256v1", NOW - 7200.0, 3600.0)
SPOOFED = b"X-Amzn-Mtls-Clientcert-Subject: CN=root\r\nX-Amzn-Mtls-Clientcert: none\r\n"


def revoked(*serials: int) -> str:
    """The list of our authority, PEM."""
    issuer = crypto.load_pem_x509_certificate(OURS.leaf.encode())
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    made = crypto.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(now)
    made = made.next_update(now + datetime.timedelta(days=1))
    for serial in serials:
        one = crypto.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        made = made.add_revoked_certificate(one)
    key = serialization.load_pem_private_key(OURS.key.encode(), None)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()  # type: ignore[arg-type]


async def serving(real: RealRig, clients: Clients, headers: Headers = Headers()) -> Backend:  # noqa: B008  frozen
    backend = await real.backend("a")
    tls = Tls(certificates=("shop",), clients=clients)
    listener = Listener(id="tls", port=PORT, protocol="HTTPS", default=forward("web"), tls=tls, headers=headers)
    balancer = Balancer(id="web", addresses=(ADDRESS,), listeners=(listener,))
    await real.proxy.apply(Wanted(balancers=(balancer,), groups=(group("web", backend),), certificates=(SHOP,)))
    await real.facts.until(real.proxy, "web", {"a": "healthy"})
    return backend


def with_certificate(folder: Path, shown: x509.Issued | None) -> ssl.SSLContext:
    context = trusting(folder)
    if shown is not None:
        file = folder / "client.pem"
        file.write_text(shown.leaf + (OURS if shown is not MALLORY else OTHERS).leaf + shown.key)
        context.load_cert_chain(file)
    return context


async def asks(real: RealRig, folder: Path, shown: x509.Issued | None) -> None:
    """Raises where the handshake fails: in TLS 1.3 the client learns of it by what it reads."""
    async with Client(real, with_certificate(folder, shown), "shop.example") as client:
        client.writer.write(b"GET / HTTP/1.1\r\nHost: shop.example\r\n" + SPOOFED + b"\r\n")
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")


async def refused(real: RealRig, folder: Path, shown: x509.Issued | None) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        await asks(real, folder, shown)


def told(backend: Backend) -> dict[str, str]:
    return {
        name.lower(): value for name, value in re.findall(r"(?im)^(x-amzn-mtls[^:]*|who): (.*?)\r$", backend.seen[-1])
    }


async def test_only_clients_of_the_trusted_authorities_get_in(real: RealRig, tmp_path: Path) -> None:
    backend = await serving(real, Clients(authorities=OURS.leaf))
    for shown in (None, MALLORY, LATE):
        await refused(real, tmp_path, shown)
    assert backend.seen == []
    await asks(real, tmp_path, ALICE)
    leaf, found = crypto.load_pem_x509_certificate(ALICE.leaf.encode()), told(backend)
    assert unquote(found.pop("x-amzn-mtls-clientcert-leaf")) == ALICE.leaf
    serial = leaf.serial_number.to_bytes((leaf.serial_number.bit_length() + 7) // 8, "big").hex()
    times = (leaf.not_valid_before_utc, leaf.not_valid_after_utc)
    first, last = (time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times)
    assert found == {
        "x-amzn-mtls-clientcert-serial-number": serial.upper(),
        "x-amzn-mtls-clientcert-issuer": leaf.issuer.rfc4514_string(),
        "x-amzn-mtls-clientcert-subject": leaf.subject.rfc4514_string(),
        "x-amzn-mtls-clientcert-validity": f"NotBefore={first};NotAfter={last}",
    }


async def test_a_revoked_certificate_is_refused_once_the_list_is_known(real: RealRig, tmp_path: Path) -> None:
    await serving(real, Clients(authorities=OURS.leaf, revocations=revoked()))
    await asks(real, tmp_path, ALICE)
    serial = crypto.load_pem_x509_certificate(ALICE.leaf.encode()).serial_number
    both = Clients(authorities=OTHERS.leaf + OURS.leaf, revocations=revoked(serial))
    await real.proxy.apply(Wanted())
    await serving(real, both)
    await refused(real, tmp_path, ALICE)


async def test_expired_certificates_may_be_taken(real: RealRig, tmp_path: Path) -> None:
    await serving(real, Clients(authorities=OURS.leaf, expired=True))
    await asks(real, tmp_path, LATE)
    await refused(real, tmp_path, MALLORY)


async def test_without_authorities_targets_judge_by_the_whole_chain(real: RealRig, tmp_path: Path) -> None:
    backend = await serving(real, Clients(), Headers(names=(("X-Amzn-Mtls-Clientcert", "Who"),)))
    for shown, root in ((ALICE, OURS), (MALLORY, OTHERS)):
        await asks(real, tmp_path, shown)
        chain = told(backend)["who"]
        assert unquote(chain) == shown.leaf + root.leaf
        assert not re.search("%2[BF]|%3D", chain)
        assert "x-amzn-mtls-clientcert-subject" not in told(backend), "the client's own words do not pass"
    await asks(real, tmp_path, None)
    assert "who" not in told(backend)


async def test_sessions_are_not_resumed_where_clients_show_certificates(real: RealRig, tmp_path: Path) -> None:
    await serving(real, Clients(authorities=OURS.leaf))
    context = with_certificate(tmp_path, ALICE)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with Client(real, context, "shop.example") as client:
        await client.get()
        assert not client.tls.session.has_ticket


CONNECTIONS = "conn_log.123456789012_elasticloadbalancing_eu-west-1_app.web.50dc6c495c0c9188"


async def test_connections_are_noted_those_too_that_came_to_nothing(real: RealRig, tmp_path: Path) -> None:
    await real.backend("a")
    tls = Tls(certificates=("shop",), clients=Clients(authorities=OURS.leaf))
    listener = Listener(id="tls", port=PORT, protocol="HTTPS", default=FixedResponse(status=200), tls=tls)
    balancer = Balancer(id="web", addresses=(ADDRESS,), listeners=(listener,), connection_log=CONNECTIONS)
    await real.proxy.apply(Wanted(balancers=(balancer,), certificates=(SHOP,)))
    for shown in (LATE, MALLORY):
        await refused(real, tmp_path, shown)
    await asks(real, tmp_path, ALICE)
    logs = real.directory / "logs"
    file = logs / "raw" / f"{CONNECTIONS}.json"
    await until(lambda: file.exists() and file.read_bytes().count(b"\n") == 3)
    await real.proxy.deliver(logs)
    await real.proxy.deliver(logs)
    (kept,) = logs.rglob("*.log.gz")
    assert kept.name.startswith(f"{CONNECTIONS}_")
    late, mallory, alice = (shlex.split(text) for text in gzip.decompress(kept.read_bytes()).decode().splitlines())
    assert late[10] == "Failed:ClientCertExpired"
    assert mallory[10] == "Failed:ClientCertUntrusted"
    leaf = crypto.load_pem_x509_certificate(ALICE.leaf.encode())
    assert alice[3:6] == [str(PORT), "TLSv1.3", "TLS_AES_256_GCM_SHA384"]
    assert alice[7] == leaf.subject.rfc4514_string()
    assert alice[8].startswith(f"NotBefore={leaf.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ};NotAfter=")
    assert int(alice[9], 16) == leaf.serial_number
    assert alice[10] == "Success"
    assert re.fullmatch("TID_[0-9a-f]{32}", alice[11])
