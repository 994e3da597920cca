"""What ACM keeps: certificates, and for each account the authority that issues those which are requested.

What a load balancer shows (the chain and the private key) is the fleet's `Certificate` of the same id: whoever writes a
certificate here writes that one in the same transaction.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core import arn
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.fleet import model as fleet
from hatoba.store import Table
from hatoba.store.store import View

SERVICE = "acm"
DAY = 86400.0
RENEW_BEFORE = 60 * DAY  # AWS begins so long before a certificate expires
VALID_FOR = 198 * DAY  # of those that are issued here, as AWS's since 2026


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the certificate itself. Times in seconds since the epoch."""

    domain: str  # the common name, or else the first alternative one
    names: tuple[str, ...]
    serial: str  # pairs of hexadecimal digits with colons
    subject: str
    issuer: str
    not_before: float
    not_after: float
    key_algorithm: str  # the model's KeyAlgorithm
    signature_algorithm: str
    key_usages: tuple[str, ...] = ()
    extended_key_usages: tuple[tuple[str, str], ...] = ()  # (name, object id)


class Certificate(Record, frozen=True, kw_only=True):
    """The id is the last part of its ARN. Writers: the API; renewing, of all that stands in the certificate itself."""

    origin: Literal["IMPORTED", "AMAZON_ISSUED"]
    facts: Facts
    leaf: str  # PEM
    chain: str  # PEM of those that vouch for it
    created_at: float
    transparency: Literal["ENABLED", "DISABLED"] = "ENABLED"  # told back; nothing is logged anywhere
    exportable: bool = False
    method: Literal["DNS", "EMAIL", "HTTP"] = "DNS"
    renewed_at: float | None = None
    imported_at: float | None = None

    @property
    def arn(self) -> str:
        return arn.make(self.scope, SERVICE, f"certificate/{self.id}")

    def status(self, now: float) -> Literal["ISSUED", "EXPIRED"]:
        return "ISSUED" if now < self.facts.not_after else "EXPIRED"


class Authority(Record, frozen=True, kw_only=True):
    """The account's own (global scope, id "authority"). Made with the first certificate that is requested."""

    certificate: str  # PEM
    private_key: Secret  # PEM


certificates = Table("acm.certificates", Certificate)
authorities = Table("acm.authorities", Authority)
TABLES = (certificates, authorities)


def find_certificate(view: View, scope: Scope, reference: str) -> Certificate | None:
    """By ARN; one of another account or region is not found here."""
    parsed = arn.parse(reference)
    if parsed is None or parsed.service != SERVICE or parsed.scope != scope:
        return None
    kind, _, id_ = parsed.resource.partition("/")
    return view.find(certificates, scope, id_) if kind == "certificate" else None


def users_of(view: View, certificate: Certificate) -> list[str]:
    """ARNs of the load balancers that show it."""
    where = (*certificate.scope, certificate.id)
    return [
        arn.make(balancer.scope, "elasticloadbalancing", f"loadbalancer/{balancer.id}")
        for balancer in view.index(fleet.balancers, "certificate", where)
    ]
