"""Join tokens, and the certificates that nodes and the control plane know each other by.

The control plane is its own authority. A join token carries the fingerprint of its certificate (so the node knows
whom it talks to before it says anything), a one-time secret and where to connect. The node makes its key itself,
sends a certificate request with the secret, and gets a certificate whose common name is its node id.

A room may let nodes in too, by activations of its own: their code carries the same and is good as often, and for as
long, as that room says. Such a node is one of an account and a region, and nothing else's.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import hmac
import ipaddress
import itertools
import ssl
from collections.abc import Callable, Container, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hatoba.core.clock import Clock
from hatoba.core.errors import Refused
from hatoba.core.files import make_folder, write_file
from hatoba.core.ids import Ids
from hatoba.core.records import replace
from hatoba.fleet import model as m
from hatoba.fleet.messages import Joined
from hatoba.store import Store, Tx

CONTROL = "hatoba-control"  # the name in the control plane's own certificate
_YEARS = datetime.timedelta(days=3650)


class Token(NamedTuple):
    """What an operator carries from the control plane to a new node."""

    host: str
    port: int
    fingerprint: bytes
    id: str
    secret: str

    def text(self) -> str:
        raw = f"{self.host}\n{self.port}\n{self.fingerprint.hex()}\n{self.id}\n{self.secret}"
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Token:
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            host, port, fingerprint, id_, secret = raw.split("\n")
            return cls(host, int(port), bytes.fromhex(fingerprint), id_, secret)
        except ValueError:
            raise Refused("This is not a join token. Make one with `hatoba node token` on the first machine.") from None


_FORM = b"\1"  # of a code: a join token begins with a letter


class Code(NamedTuple):
    """What an activation's code says: as a join token, in fewer letters."""

    host: str
    port: int
    fingerprint: bytes
    secret: bytes

    def text(self) -> str:
        raw = _FORM + self.fingerprint + self.secret + self.port.to_bytes(2, "big") + self.host.encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Code:
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            host = raw[51:].decode("ascii")
        except ValueError:
            raw, host = b"", ""
        if not host or raw[:1] != _FORM:
            raise Refused("This is not an activation code. `aws ssm create-activation` prints one, with its id.")
        return cls(host, int.from_bytes(raw[49:51], "big"), raw[1:33], raw[33:49])

    @property
    def digest(self) -> bytes:
        """What the control plane keeps of it."""
        return hashlib.sha256(self.secret).digest()


class Admitted(NamedTuple):
    """As what a room lets a node in: `managed` is its name there, `attributes` go before what it says of itself."""

    managed: str
    account: str
    region: str
    attributes: dict[str, str]


# The transaction, the activation's id, the digest of its code, the new node's id and name. Raises `Refused`.
Admit = Callable[[Tx, str, bytes, str, str], Admitted]


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common: str) -> x509.Name:
    """As much of it as a name has room for: clients look at the alternative ones."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _called(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


_SIGNS = x509.KeyUsage(  # certificates, and nothing else
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """The instance's own certificate authority, in a folder of its own (mode 700)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder, 0o700)
        if not (folder / "control.pem").exists():
            self._create()
        self._key = serialization.load_pem_private_key((folder / "authority.key").read_bytes(), None)
        self.pem = (folder / "authority.pem").read_text()
        self._certificate = x509.load_pem_x509_certificate(self.pem.encode())
        if not any(isinstance(each.value, x509.KeyUsage) for each in self._certificate.extensions):
            # Of an earlier version. Whoever has that one may keep it: it is the same key.
            assert isinstance(self._key, ec.EllipticCurvePrivateKey)
            self._keep(self._self_signed(self._key))

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        write_file(self._folder / "authority.key", _pem(key))
        self._key = key
        self._keep(self._self_signed(key))
        own = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(_name(CONTROL)).sign(own, hashes.SHA256())
        write_file(self._folder / "control.key", _pem(own))
        write_file(self._folder / "control.pem", self._sign(request, CONTROL, server=True))

    def _keep(self, certificate: x509.Certificate) -> None:
        write_file(self._folder / "authority.pem", certificate.public_bytes(serialization.Encoding.PEM))
        self._certificate = certificate
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    @staticmethod
    def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """With all that strict clients want to see of an authority (RFC 5280; Python since 3.13)."""
        now = datetime.datetime.now(datetime.UTC)
        name = _name("hatoba authority")
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + _YEARS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate that the control plane serves: what a join token knows it by."""
        served = x509.load_pem_x509_certificate((self._folder / "control.pem").read_bytes())
        return served.fingerprint(hashes.SHA256())

    def endpoint(self, names: Sequence[str], now: float, seconds: float) -> tuple[bytes, bytes]:
        """A certificate for these names and addresses, and its key: for who asks the endpoint by TLS. No node's."""
        key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(_name(names[0])).sign(key, hashes.SHA256())
        ends = datetime.datetime.fromtimestamp(now + seconds, datetime.UTC)
        return self._sign(request, names[0], server=True, others=names[1:], ends=ends), _pem(key)

    def _sign(
        self,
        request: x509.CertificateSigningRequest,
        name: str,
        *,
        server: bool = False,
        others: Sequence[str] = ("127.0.0.1",),
        ends: datetime.datetime | None = None,
    ) -> bytes:
        if not request.is_signature_valid:
            raise Refused("The certificate request is not signed with its own key.")
        now = datetime.datetime.now(datetime.UTC)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(ends or now + _YEARS)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(x509.SubjectAlternativeName([_called(each) for each in (name, *others)]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def certify(self, request_pem: str, node: str) -> str:
        """A node's certificate for its request. Raises `Refused` when the request is not one."""
        try:
            request = x509.load_pem_x509_csr(request_pem.encode())
        except ValueError:
            raise Refused("The certificate request cannot be read.") from None
        return self._sign(request, node).decode()

    def server_context(self) -> ssl.SSLContext:
        """For the control plane: a client certificate is checked when there is one (joining nodes have none yet)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self._folder / "control.pem", self._folder / "control.key")
        context.load_verify_locations(cadata=self.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


class Enrolments:
    """The tokens that are out."""

    def __init__(
        self,
        store: Store,
        authority: Authority,
        clock: Clock,
        ids: Ids,
        pools: tuple[str, str],
        admit: Admit | None = None,
    ) -> None:
        """`pools`: the instance's addresses, of IPv4 and of IPv6 ("": none)."""
        self._store = store
        self._authority = authority
        self._clock = clock
        self._ids = ids
        self._pool, self._pool6 = pools
        self._admit = admit
        self.where = ("", 0)  # host and port that nodes connect to

    def code(self) -> Code:
        """For an activation: a new secret, and where to bring it."""
        return Code(*self.where, self._authority.fingerprint, bytes.fromhex(self._ids.hex(32)))

    async def token(self, host: str, port: int, lifetime: float = 3600.0) -> str:
        """A new join token, good once, for `lifetime` seconds."""
        id_, secret = self._ids.hex(16), self._ids.hex(32)
        with self._store.tx() as tx:
            for old in tx.all(m.enrolments):
                if old.expires <= self._clock.now():
                    tx.forget(m.enrolments, old.key)
            digest = hashlib.sha256(secret.encode()).digest()
            key = m.enrolments.key(m.FLEET, id_)
            tx.put(m.enrolments, m.Enrolment(key=key, digest=digest, expires=self._clock.now() + lifetime))
        await self._store.durable()
        return Token(host, port, self._authority.fingerprint, id_, secret).text()

    async def join(self, token: str, request_pem: str, name: str, activation: str = "") -> Joined:
        """Uses a token up, or an activation once, and makes the node known. Raises `Refused`."""
        node = f"node-{self._ids.hex(12)}"
        with self._store.tx() as tx:
            admitted = None
            if activation:
                admitted = self._activated(tx, activation, token, node, name)
            else:
                self._use_up(tx, token)
            certificate = self._authority.certify(request_pem, node)
            number = _free({known.number for known in tx.all(m.nodes)})
            transit = transit_of(self._pool, number)
            new = m.Node(
                key=m.nodes.key(m.FLEET, node),
                name=name,
                number=number,
                address="",
                cpu=0,
                memory=0,
                state="lost",  # until it connects
                joined_at=self._clock.now(),
            )
            if admitted is not None:
                new = replace(new, imposed=admitted.attributes, managed=admitted.managed)
                new = replace(new, account=admitted.account, region=admitted.region)
            tx.put(m.nodes, new)
        await self._store.durable()
        return Joined(
            node=node,
            certificate=certificate,
            authority=self._authority.pem,
            pool=self._pool,
            transit=transit,
            pool6=self._pool6,
        )

    def _use_up(self, tx: Tx, token: str) -> None:
        refused = Refused("The join token is unknown, used up or expired. Make a new one with `hatoba node token`.")
        given = Token.parse(token)
        record = tx.find(m.enrolments, m.FLEET, given.id)
        digest = hashlib.sha256(given.secret.encode()).digest()
        if record is None or not hmac.compare_digest(record.digest, digest):
            raise refused
        if record.expires <= self._clock.now():
            raise refused
        tx.forget(m.enrolments, record.key)

    def _activated(self, tx: Tx, activation: str, code: str, node: str, name: str) -> Admitted:
        if self._admit is None:
            raise Refused("This control plane knows no activations.")
        return self._admit(tx, activation, Code.parse(code).digest, node, name)


def _free(taken: Container[int]) -> int:
    """The smallest number that no node has: that of one that was removed is given again."""
    return next(number for number in itertools.count() if number not in taken)


TRANSIT_PREFIX = 24  # each node's own part of the pool: one address for each VPC that it carries
TRANSITS_PREFIX = 18  # the pool's first part, which all of these lie in


def transits(pool: str) -> IPv4Network:
    """The part of the pool that is kept for nodes and is never given out as a public address."""
    return next(IPv4Network(pool).subnets(new_prefix=TRANSITS_PREFIX))


def transit_of(pool: str, number: int) -> str:
    """The part of the node with this number. Raises `Refused` when there are no more."""
    for index, part in enumerate(transits(pool).subnets(new_prefix=TRANSIT_PREFIX)):
        if index == number:
            return str(part)
    raise Refused(f"The pool {pool} has no room for a node number {number + 1}.")


def node_of(writer: asyncio.StreamWriter) -> str | None:
    """The node id in the client's certificate, which the handshake has checked against our authority."""
    certificate = writer.get_extra_info("peercert")
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return None
