"""Certificates of clients: what a listener does with them, and what trust stores are made of.

Sources: MutualAuthenticationAttributes, CreateTrustStore, AddTrustStoreRevocations; "Mutual authentication with TLS in
Application Load Balancer"; "Quotas for your Application Load Balancers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import elbv2 as t
from hatoba.proxy import base as proxy
from hatoba.services.elbv2.model.listener import Mutual
from hatoba.services.elbv2.model.trust import TrustStore
from hatoba.services.elbv2.plan import x509
from hatoba.services.elbv2.plan.errors import invalid

MOST_STORES = 20
MOST_AUTHORITIES = 25
MOST_LISTS = 30
MOST_ENTRIES = 500_000
LONGEST_FILE = 8 * 1024 * 1024

_MODES = ("off", "passthrough", "verify")


def checked(given: Mapping[str, Any]) -> Mutual:
    """Of an HTTPS listener: all of it anew. Raises ValidationError."""
    mode: Any = given.get("Mode") or "off"
    if mode not in _MODES:
        raise invalid(f"The mutual authentication mode '{mode}' must be one of [{', '.join(_MODES)}]")
    if mode != "verify":
        for member in ("TrustStoreArn", "IgnoreClientCertificateExpiry", "AdvertiseTrustStoreCaNames"):
            if given.get(member) not in (None, False, "off", ""):
                raise invalid(f"{member} can only be specified when the mutual authentication mode is 'verify'")
        return Mutual(mode=mode)
    if not given.get("TrustStoreArn"):
        raise invalid("TrustStoreArn must be specified when the mutual authentication mode is 'verify'")
    return Mutual(
        mode="verify",
        trust_store=given["TrustStoreArn"],
        ignores_expiry=bool(given.get("IgnoreClientCertificateExpiry")),
        advertises=given.get("AdvertiseTrustStoreCaNames") == "on",
    )


def proxied(mutual: Mutual, store: TrustStore | None) -> proxy.Clients | None:
    if mutual.mode == "off":
        return None
    if mutual.mode == "passthrough" or store is None:
        return proxy.Clients()
    return proxy.Clients(
        authorities=store.bundle,
        revocations="".join(each.content for each in store.revocations),
        expired=mutual.ignores_expiry,
    )


def authorities(content: bytes) -> tuple[str, int]:
    """A bundle in one form of PEM, and how many certificates are in it. Raises InvalidCaCertificatesBundle."""
    found = x509.authorities(content)
    if found is None or found[1] > MOST_AUTHORITIES:
        raise t.InvalidCaCertificatesBundleException(
            "The specified ca certificate bundle is in an invalid format, or corrupt: it must have one to "
            f"{MOST_AUTHORITIES} X.509v3 certificates of authorities, PEM, with RSA keys of 2048 to 8192 bits or keys "
            "on the curves P-256, P-384 and P-521"
        )
    return found


def revocations(content: bytes) -> tuple[str, int]:
    """A list in PEM, and how many certificates it revokes. Raises InvalidRevocationContent."""
    found = x509.revocations(content)
    if found is None:
        raise t.InvalidRevocationContentException(
            "The provided revocation file is an invalid format, or uses an incorrect algorithm"
        )
    return found
