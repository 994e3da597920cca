"""What vouches for servers and users beside access keys: certificates, SSH keys, services' own credentials."""

from __future__ import annotations

from typing import TypeVar

from hatoba.core.records import Record
from hatoba.services.iam.model.named import Kind, Named
from hatoba.store import Index, Table


class ServerCertificate(Named, frozen=True, kw_only=True):
    """Its private key is with what load balancers show: `fleet.certificates`, in the global scope, by `unique`."""

    body: str  # PEM
    chain: str | None = None  # PEM
    ends: float


class OfUser(Record, frozen=True, kw_only=True):
    """What belongs to a user."""

    user: str  # name
    status: str = "Active"
    created: float


class SigningCertificate(OfUser, frozen=True, kw_only=True):
    body: str  # PEM
    print: str  # SHA-256, by which two are the same


class SshKey(OfUser, frozen=True, kw_only=True):
    body: str  # as it was uploaded
    public: str  # as OpenSSH writes it, without a comment


class ServiceCredential(OfUser, frozen=True, kw_only=True):
    """A user name and a password, or a key, for one service. What is kept opens nothing: a hash of chance."""

    service: str  # codecommit.amazonaws.com
    name: str  # what the service is told
    digest: str  # SHA-256 of the password
    expires: float | None = None


U = TypeVar("U", bound=OfUser)


def _of_user() -> Index[U]:
    return Index("user", lambda record: (record.key.account, record.user.lower()))


server_certificates: Table[ServerCertificate] = Table("iam.server_certificates", ServerCertificate)
signing_certificates: Table[SigningCertificate] = Table(
    "iam.signing_certificates",
    SigningCertificate,
    indexes=(_of_user(), Index("print", lambda record: (record.key.account, record.print))),
)
ssh_keys: Table[SshKey] = Table("iam.ssh_keys", SshKey, indexes=(_of_user(),))
service_credentials: Table[ServiceCredential] = Table(
    "iam.service_credentials", ServiceCredential, indexes=(_of_user(),)
)

CERTIFICATE = Kind(
    noun="server certificate",
    table=server_certificates,
    resource="server-certificate",
    prefix="ASCA",
    absent="The Server Certificate with name {name} cannot be found.",
    taken="The Server Certificate with name {name} already exists.",
    quota=("ServerCertificatesPerAccount", 20),
)
