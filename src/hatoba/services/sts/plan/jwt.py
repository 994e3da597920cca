"""Identity tokens: JWTs signed by an OpenID provider, read and verified. Pure.

Asymmetric signatures only (RS256 … ES512): whoever could verify a symmetric one could make it. What is not understood
is refused: another algorithm, a key for another use, a critical header.

Sources: RFC 7515 (JWS), 7517 (JWK), 7518 (algorithms), 7519 (JWT); OpenID Connect Core, 3.1.3.7.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

SKEW = 300.0  # seconds that clocks may differ
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES = {
    "ES256": ("P-256", ec.SECP256R1, 32),
    "ES384": ("P-384", ec.SECP384R1, 48),
    "ES512": ("P-521", ec.SECP521R1, 66),
}
_LEAST_RSA = 2048


class BadToken(ValueError):
    """No valid identity token; the text says why, in a sentence that may be told to whoever sent it."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """As it came: nothing of it is true before `verify`."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    @property
    def key_id(self) -> str | None:
        found = self.header.get("kid")
        return found if isinstance(found, str) else None

    def text(self, claim: str) -> str:
        found = self.claims.get(claim)
        if not isinstance(found, str) or not found:
            raise BadToken(f"Missing a required claim: {claim}")
        return found

    @property
    def audiences(self) -> tuple[str, ...]:
        found = self.claims.get("aud")
        listed = found if isinstance(found, list) else [found]
        if not listed or not all(isinstance(one, str) and one for one in listed):
            raise BadToken("Missing a required claim: aud")
        return tuple(listed)

    def time(self, claim: str) -> float | None:
        found = self.claims.get(claim)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise BadToken(f"The claim {claim} is not a time")
        return float(found)


def parse(text: str) -> Token:
    """Raises `BadToken`."""
    parts = text.split(".")
    if len(parts) != 3:
        raise BadToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    try:
        header, claims = (msgspec.json.decode(_bytes(part)) for part in parts[:2])
        signature = _bytes(parts[2])
    except (ValueError, binascii.Error, msgspec.DecodeError, RecursionError):
        raise BadToken("The ID Token provided is not a valid JWT.") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise BadToken("The ID Token provided is not a valid JWT.")
    return Token(header=header, claims=claims, signed=".".join(parts[:2]).encode(), signature=signature)


def verify(token: Token, keys: Iterable[Mapping[str, Any]]) -> None:
    """That one of the provider's keys (JWKs) signed it. Raises `BadToken`."""
    if token.header.get("crit"):
        raise BadToken("The token has a critical header that is not understood")
    algorithm = str(token.header.get("alg"))
    if algorithm[:2] not in ("RS", "ES") or algorithm[2:] not in _HASHES:
        raise BadToken(f"The signature algorithm {algorithm[:16]} is not supported")
    fitting = [key for key in keys if _fits(key, token, algorithm)]
    if not fitting:
        raise BadToken("Couldn't retrieve verification key from your identity provider")
    if not any(_holds(key, token, algorithm) for key in fitting):
        raise BadToken("The token's signature is not valid")


def _fits(key: Mapping[str, Any], token: Token, algorithm: str) -> bool:
    if key.get("kty") != ("RSA" if algorithm.startswith("RS") else "EC"):
        return False
    if key.get("use") not in (None, "sig") or key.get("alg") not in (None, algorithm):
        return False
    return token.key_id is None or key.get("kid") == token.key_id


def _holds(key: Mapping[str, Any], token: Token, algorithm: str) -> bool:
    digest = _HASHES[algorithm[2:]]
    try:
        if algorithm.startswith("RS"):
            public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
            if public.key_size < _LEAST_RSA:
                return False
            public.verify(token.signature, token.signed, padding.PKCS1v15(), digest)
            return True
        name, curve, size = _CURVES[algorithm]
        if key.get("crv") != name or len(token.signature) != 2 * size:
            return False
        halves = (int.from_bytes(half, "big") for half in (token.signature[:size], token.signature[size:]))
        point = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve())
        point.public_key().verify(utils.encode_dss_signature(*halves), token.signed, ec.ECDSA(digest))
    except (InvalidSignature, ValueError, KeyError, TypeError, binascii.Error):
        return False
    return True


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")
