"""Security policies and certificates of listeners. Source: "Security policies for your Application Load Balancer".

The proxy's TLS library has no CBC suites with SHA-2 and no 3DES: where a policy names them they are told, and never
agreed upon. Policies for FIPS and for hybrid key exchange are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hatoba.aws.shapes import elbv2 as t
from hatoba.core import arn
from hatoba.core.keys import Scope
from hatoba.proxy.base import TlsVersion
from hatoba.services.elbv2.plan.errors import invalid

DEFAULT = "ELBSecurityPolicy-2016-08"

_TLS13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_GCM = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
_SHA2 = (
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
)
_SHA1 = ("ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA")
_RSA2 = ("AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256")
_RSA1 = ("AES128-SHA", "AES256-SHA")
_OLD = ("DES-CBC3-SHA",)
_ALL = (*_GCM, *_SHA2, *_SHA1, *_RSA2, *_RSA1)
_SPOKEN = frozenset({*_GCM, *_SHA1, "AES128-GCM-SHA256", "AES256-GCM-SHA384", *_RSA1})
_VERSIONS: tuple[TlsVersion, ...] = ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")


class Policy(NamedTuple):
    versions: tuple[TlsVersion, ...]  # the lowest first
    ciphers: tuple[str, ...]  # as ELB tells them, in its order

    @property
    def spoken(self) -> tuple[str, ...]:
        """Those before 1.3 that the proxy knows."""
        return tuple(cipher for cipher in self.ciphers if cipher in _SPOKEN)


def _policy(lowest: TlsVersion, highest: TlsVersion, *ciphers: tuple[str, ...]) -> Policy:
    versions = _VERSIONS[_VERSIONS.index(lowest) : _VERSIONS.index(highest) + 1]
    return Policy(versions, tuple(cipher for group in ciphers for cipher in group))


POLICIES: Mapping[str, Policy] = {
    "ELBSecurityPolicy-2016-08": _policy("TLSv1.0", "TLSv1.2", _ALL),
    "ELBSecurityPolicy-2015-05": _policy("TLSv1.0", "TLSv1.2", _ALL),
    "ELBSecurityPolicy-FS-1-1-2019-08": _policy("TLSv1.1", "TLSv1.2", _GCM, _SHA2, _SHA1),
    "ELBSecurityPolicy-FS-1-2-2019-08": _policy("TLSv1.2", "TLSv1.2", _GCM, _SHA2, _SHA1),
    "ELBSecurityPolicy-FS-1-2-Res-2019-08": _policy("TLSv1.2", "TLSv1.2", _GCM, _SHA2),
    "ELBSecurityPolicy-FS-1-2-Res-2020-10": _policy("TLSv1.2", "TLSv1.2", _GCM),
    "ELBSecurityPolicy-FS-2018-06": _policy("TLSv1.0", "TLSv1.2", _GCM, _SHA2, _SHA1),
    "ELBSecurityPolicy-TLS-1-0-2015-04": _policy("TLSv1.0", "TLSv1.2", _ALL, _OLD),
    "ELBSecurityPolicy-TLS-1-1-2017-01": _policy("TLSv1.1", "TLSv1.2", _ALL),
    "ELBSecurityPolicy-TLS-1-2-2017-01": _policy("TLSv1.2", "TLSv1.2", _GCM, _SHA2, _RSA2),
    "ELBSecurityPolicy-TLS-1-2-Ext-2018-06": _policy("TLSv1.2", "TLSv1.2", _ALL),
    "ELBSecurityPolicy-TLS13-1-0-2021-06": _policy("TLSv1.0", "TLSv1.3", _TLS13, _ALL),
    "ELBSecurityPolicy-TLS13-1-1-2021-06": _policy("TLSv1.1", "TLSv1.3", _TLS13, _ALL),
    "ELBSecurityPolicy-TLS13-1-2-2021-06": _policy("TLSv1.2", "TLSv1.3", _TLS13, _GCM, _SHA2),
    "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06": _policy("TLSv1.2", "TLSv1.3", _TLS13, _GCM, _SHA2, _RSA2),
    "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06": _policy("TLSv1.2", "TLSv1.3", _TLS13, _ALL),
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06": _policy("TLSv1.2", "TLSv1.3", _TLS13, _GCM),
    "ELBSecurityPolicy-TLS13-1-3-2021-06": _policy("TLSv1.3", "TLSv1.3", _TLS13),
}


def checked_policy(name: str | None) -> str:
    if name and name not in POLICIES:
        raise t.SSLPolicyNotFoundException(f"SSL policy '{name}' not found")
    return name or DEFAULT


def the_default(given: Sequence[Mapping[str, Any]] | None) -> str:
    """The one certificate of a listener that is being made or changed."""
    if not given:
        raise invalid("A certificate must be specified for HTTPS listeners")
    if len(given) > 1:
        raise t.TooManyCertificatesException("Exactly one certificate must be specified for a listener")
    return _arn(given[0])


def further(given: Sequence[Mapping[str, Any]]) -> list[str]:
    """Certificates that are added or removed, each once."""
    if any("IsDefault" in one for one in given):
        raise invalid("IsDefault cannot be specified for the certificates of a listener")
    return list(dict.fromkeys(_arn(one) for one in given))


def _arn(given: Mapping[str, Any]) -> str:
    if given.get("IsDefault") is not None:
        raise invalid("IsDefault cannot be specified for the certificate of a listener")
    found = given.get("CertificateArn")
    if not found:
        raise invalid("A certificate must be given by its ARN")
    return str(found)


def server_certificate(reference: str, scope: Scope) -> str | None:
    """The name of one of IAM's; None for another's. Raises `CertificateNotFoundException` for another account's."""
    parsed = arn.parse(reference)
    if parsed is None or parsed.service != "iam":
        return None
    kind, _, rest = parsed.resource.partition("/")
    if parsed.scope != scope.everywhere() or kind != "server-certificate" or not rest:
        raise t.CertificateNotFoundException(f"Certificate ARN '{reference}' is not valid")
    return rest.rpartition("/")[2]


def certificate_id(reference: str, scope: Scope) -> str:
    """By which the fleet knows one of ACM's. Raises `CertificateNotFoundException` for what cannot be shown here."""
    parsed = arn.parse(reference)
    kind, _, id_ = parsed.resource.partition("/") if parsed is not None else ("", "", "")
    if parsed is None or parsed.service != "acm" or parsed.scope != scope or kind != "certificate" or not id_:
        raise t.CertificateNotFoundException(f"Certificate ARN '{reference}' is not valid")
    return id_
