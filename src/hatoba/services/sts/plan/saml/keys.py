"""What policies may ask of an assertion: the condition keys, and the attributes that become some. Pure.

Sources: the IAM user guide, "IAM and AWS STS condition context keys: Available keys for SAML-based AWS STS federation",
and "Configure SAML assertions for the authentication response: Mapping SAML attributes".
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

_PERSON = "urn:oid:1.3.6.1.4.1.5923.1.1.1"
_ORGANISATION = "urn:oid:1.3.6.1.4.1.5923.1.2.1"
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"

# Attributes by the names that providers give them → condition keys, without `saml:`.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    f"{_PERSON}.1": ("edupersonaffiliation",),
    f"{_PERSON}.2": ("edupersonnickname",),
    f"{_PERSON}.3": ("edupersonorgdn",),
    f"{_PERSON}.4": ("edupersonorgunitdn",),
    f"{_PERSON}.5": ("edupersonprimaryaffiliation",),
    f"{_PERSON}.6": ("edupersonprincipalname",),
    f"{_PERSON}.7": ("edupersonentitlement",),
    f"{_PERSON}.8": ("edupersonprimaryorgunitdn",),
    f"{_PERSON}.9": ("edupersonscopedaffiliation",),
    f"{_PERSON}.10": ("edupersontargetedid",),
    f"{_PERSON}.11": ("edupersonassurance",),
    f"{_ORGANISATION}.2": ("eduorghomepageuri",),
    f"{_ORGANISATION}.3": ("eduorgidentityauthnpolicyuri",),
    f"{_ORGANISATION}.4": ("eduorglegalname",),
    f"{_ORGANISATION}.5": ("eduorgsuperioruri",),
    f"{_ORGANISATION}.6": ("eduorgwhitepagesuri",),
    "urn:oid:2.5.4.3": ("cn", "commonName"),
    "urn:oid:2.5.4.4": ("surname",),
    "urn:oid:2.5.4.42": ("givenName",),
    "urn:oid:2.5.4.45": ("x500UniqueIdentifier",),
    "urn:oid:0.9.2342.19200300.100.1.1": ("uid",),
    "urn:oid:0.9.2342.19200300.100.1.3": ("mail",),
    "urn:oid:0.9.2342.19200300.100.1.45": ("organizationStatus",),
    f"{_CLAIMS}/name": ("name",),
    f"{_CLAIMS}/givenname": ("givenName",),
    f"{_CLAIMS}/surname": ("surname",),
    f"{_CLAIMS}/emailaddress": ("mail",),
    "http://schemas.xmlsoap.org/claims/CommonName": ("commonName",),
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": ("primaryGroupSID",),
}
_OWN = ("aud", "iss", "sub", "sub_type", "namequalifier", "doc")
EVERY = (*_OWN, *dict.fromkeys(key for keys in ATTRIBUTES.values() for key in keys))
_FORMATS = "urn:oasis:names:tc:SAML:2.0:nameid-format:"


def qualifier(issuer: str, account: str, provider: str) -> str:
    """By which the same name is somebody else with another provider. `provider`: its friendly name."""
    hashed = hashlib.sha1(f"{issuer}{account}/{provider}".encode(), usedforsecurity=False).digest()
    return base64.b64encode(hashed).decode()


def kind(format_: str) -> str:
    """A name's format as STS tells it: `persistent`, or the whole of what it does not know."""
    return format_.removeprefix(_FORMATS)


def claimed(attributes: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The attributes that become condition keys, by these."""
    found: dict[str, tuple[str, ...]] = {}
    for name, values in attributes.items():
        for key in ATTRIBUTES.get(name, ()):
            found[f"saml:{key}"] = (*found.get(f"saml:{key}", ()), *values)
    return found
