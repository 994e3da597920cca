"""A SAML provider's metadata, as far as IAM looks at it before it keeps it. Pure.

Sources: the IAM user guide, "Create a SAML identity provider in IAM" and "IAM and AWS STS quotas"; SAML 2.0
Metadata, 2.3.2.
"""

from __future__ import annotations

import datetime
from xml.etree import ElementTree

_NAMESPACE = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_CERTIFICATE = "{http://www.w3.org/2000/09/xmldsig#}X509Certificate"


MOST_KEYS = 10  # of a provider: each may have to be tried for an assertion, which anybody can send


class Unreadable(ValueError):
    """No metadata of an identity provider."""


class TooManyKeys(ValueError):
    """More certificates than a provider may have."""


def ends(text: str) -> float | None:
    """Until when it is valid, where it says so (seconds since the epoch). Raises `Unreadable`, `TooManyKeys`."""
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise Unreadable("it declares entities")  # with which a few letters can become gigabytes
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise Unreadable(str(error)) from error
    if root.tag != f"{_NAMESPACE}EntityDescriptor" or not root.get("entityID"):
        raise Unreadable("it describes no entity")
    described = root.find(f"{_NAMESPACE}IDPSSODescriptor")
    if described is None:
        raise Unreadable("it describes no identity provider")
    if not any(each.text and each.text.strip() for each in described.iter(_CERTIFICATE)):
        raise Unreadable("it has no certificate")
    if sum(1 for _ in root.iter(_CERTIFICATE)) > MOST_KEYS:
        raise TooManyKeys
    until = root.get("validUntil")
    try:
        return None if until is None else _time(until)
    except ValueError as error:
        raise Unreadable(f"validUntil: {error}") from error


def _time(text: str) -> float:
    moment = datetime.datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)).timestamp()
