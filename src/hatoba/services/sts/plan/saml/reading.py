"""A request's text → what the assertion in it says, once all of it was found to be true. Pure, and takes milliseconds.

A response is signed, or its only assertion is; an assertion may be encrypted inside of it. What is read is always what
was signed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from cryptography import x509

from hatoba.gateway.access import Unwrap
from hatoba.services.sts.plan.saml import claims, encryption, metadata, signature
from hatoba.services.sts.plan.saml.assertion import Assertion
from hatoba.services.sts.plan.saml.tree import Element, parsed
from hatoba.services.sts.plan.saml.words import ASSERTION, PROTOCOL, UNREADABLE, BadAssertion, Rejected

_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


def read(text: str, document: str, provider: str, unwrap: Unwrap, now: float, *, encrypted: bool) -> Assertion:
    """`text`: base64; `document`: the provider's metadata, `provider` its unique id; `encrypted`: the assertion has to
    be. Raises `BadAssertion`."""
    known = metadata.read(document)
    response = parsed(_bytes(text))
    if response.tag != f"{PROTOCOL}Response":
        raise BadAssertion(UNREADABLE)
    if _status(response) != _SUCCESS:
        raise Rejected("The identity provider reports that the request failed.")
    assertion = _assertion(response, known.certificates, unwrap, encrypted=encrypted)
    return claims.read(assertion, known.issuer, provider, now)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise BadAssertion(UNREADABLE) from None


def _status(response: Element) -> str:
    code = response.find(f"{PROTOCOL}Status/{PROTOCOL}StatusCode")
    return "" if code is None else str(code.get("Value") or "")


def _assertion(
    response: Element, certificates: Sequence[x509.Certificate], unwrap: Unwrap, *, encrypted: bool
) -> Element:
    """As it was signed."""
    whole = signature.is_signed(response)
    if whole:
        response = signature.signed(response, certificates)
    clear, closed = (list(response.iter(f"{ASSERTION}{name}")) for name in ("Assertion", "EncryptedAssertion"))
    (found,) = (*clear, *closed) if len(clear) + len(closed) == 1 else (None,)
    if found is None or found.getparent() is not response:
        raise BadAssertion(UNREADABLE)
    if closed:
        found = encryption.opened(found, unwrap)
    elif encrypted:
        raise BadAssertion("The assertion must be encrypted.")
    return found if whole else signature.signed(found, certificates)
