"""What a provider published of itself: its name, and the certificates whose keys sign. Pure.

IAM looked at it before it was kept: it is an `EntityDescriptor` that declares no entities of XML's. Whether a
certificate has expired does not matter: it is there for its key, as AWS has it.

Sources: SAML 2.0 Metadata, 2.4.1 and 2.4.3; the IAM user guide, "Create a SAML identity provider in IAM".
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from xml.etree import ElementTree

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from hatoba.services.sts.plan.saml.words import METADATA, SIGNATURE, BadAssertion


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    issuer: str
    certificates: tuple[x509.Certificate, ...]  # those that may sign


def read(text: str) -> Provider:
    """Raises `BadAssertion` for what IAM would not have kept."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise BadAssertion("Could not parse metadata.") from error
    found = (
        _certificate(each.text or "")
        for described in root.findall(f"{METADATA}IDPSSODescriptor")
        for key in _signing(described)
        for each in key.iter(f"{SIGNATURE}X509Certificate")
    )
    return Provider(
        issuer=root.get("entityID") or "", certificates=tuple(dict.fromkeys(each for each in found if each is not None))
    )


def _signing(described: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for key in described.findall(f"{METADATA}KeyDescriptor"):
        if key.get("use") in (None, "signing"):
            yield key


def _certificate(text: str) -> x509.Certificate | None:
    """One that nobody can read signs nothing."""
    try:
        found = x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
        found.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None
    return found
