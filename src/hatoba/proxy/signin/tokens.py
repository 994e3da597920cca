"""What targets are told of who signed in, signed; and what the provider says in its ID token, checked. Pure.

The token for targets is as AWS's: ES256, and every part is padded, which other makers of such tokens leave out. The ID
token comes from the provider itself, over a connection whose certificate was verified: that stands for its signature
(OpenID Connect Core 1.0, section 3.1.3.7, number 6).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hatoba.proxy.signin.words import Signer, SignIn

IDENTITY, ACCESS_TOKEN, DATA = "x-amzn-oidc-identity", "x-amzn-oidc-accesstoken", "x-amzn-oidc-data"
HEADERS = (IDENTITY, ACCESS_TOKEN, DATA)
TELLS_FOR = 120  # seconds for which what targets are told is true
SKEW = 60  # seconds by which the provider's clock may differ from ours


def signed(
    claims: Mapping[str, Any], wants: SignIn, signer: Signer, key: ec.EllipticCurvePrivateKey, now: float
) -> str:
    until = int(now) + TELLS_FOR
    header = {
        "typ": "JWT",
        "kid": signer.key,
        "alg": "ES256",
        "iss": wants.issuer,
        "client": wants.client,
        "signer": signer.name,
        "exp": until,
    }
    body = {**claims, "exp": until, "iss": wants.issuer}
    text = f"{_padded(msgspec.json.encode(header))}.{_padded(msgspec.json.encode(body))}"
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_padded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _padded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def subject(id_token: str, wants: SignIn, nonce: str, now: float) -> str | None:
    """Who signed in, when the token is for us, of now, and for the very request that `nonce` was made for."""
    claims = _claims(id_token)
    if claims is None:
        return None
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    until, who = claims.get("exp"), claims.get("sub")
    right = (
        claims.get("iss") == wants.issuer
        and wants.client in audiences
        and (len(audiences) == 1 or claims.get("azp") == wants.client)
        and isinstance(until, int | float)
        and now < until + SKEW
        and (nonce == "" or claims.get("nonce") == nonce)
    )
    return who if right and isinstance(who, str) and who else None


def _claims(token: str) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        raw = base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(raw)
    except (ValueError, binascii.Error, msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def fits_in_header(value: str) -> bool:
    """It can be sent as it is, and ends no header."""
    return all(32 <= ord(char) < 127 for char in value) and value == value.strip()
