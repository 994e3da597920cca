"""Identity tokens: read, and believed only if the provider's own key signed them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from hatoba.services.sts.plan import jwt

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)
CURVE = ec.generate_private_key(ec.SECP256R1())


def number(value: int, size: int | None = None) -> str:
    return text(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def rsa_key(private: rsa.RSAPrivateKey, **more: str) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), "kid": "one", **more}


def curve_key() -> dict[str, str]:
    numbers = CURVE.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32), "kid": "one"}


def made(private: Any = RSA, *, claims: Any = None, **header: Any) -> str:
    head = {"alg": "RS256" if private is not CURVE else "ES256", "kid": "one", **header}
    body = {"iss": "https://id.test", "sub": "me", "aud": "us"} if claims is None else claims
    signed = f"{text(json.dumps(head).encode())}.{text(json.dumps(body).encode())}"
    if private is CURVE:
        first, second = decode_dss_signature(CURVE.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{text(first.to_bytes(32, 'big') + second.to_bytes(32, 'big'))}"
    return f"{signed}.{text(private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def test_a_token_of_the_provider_is_believed() -> None:
    jwt.verify(jwt.parse(made()), [rsa_key(OTHER, kid="two"), rsa_key(RSA)])
    jwt.verify(jwt.parse(made()), [rsa_key(OTHER), rsa_key(RSA)])  # two by the same name
    jwt.verify(jwt.parse(made(CURVE)), [curve_key()])
    jwt.verify(jwt.parse(made(kid=None)), [rsa_key(RSA, kid="whatever")])


@pytest.mark.parametrize(
    ("token", "keys"),
    [
        (made(OTHER), [rsa_key(RSA)]),
        (made(), []),
        (made(), [rsa_key(RSA, kid="two")]),
        (made(), [rsa_key(RSA, use="enc")]),
        (made(), [rsa_key(RSA, alg="RS512")]),
        (made(), [curve_key()]),
        (made(CURVE), [rsa_key(RSA)]),
        (made(CURVE), [{**curve_key(), "crv": "P-384"}]),
        (made(SHORT), [rsa_key(SHORT)]),
        (made(alg="none"), [rsa_key(RSA)]),
        (made(alg="HS256"), [rsa_key(RSA), {"kty": "oct", "k": "x", "kid": "one"}]),
        (made(alg="RS1"), [rsa_key(RSA)]),
        (made(alg=None), [rsa_key(RSA)]),
        (made(alg="RS512"), [rsa_key(RSA)]),
        (made(crit=["exp"]), [rsa_key(RSA)]),
        (made(), [{"kty": "RSA", "kid": "one"}]),
        (made(), [{"kty": "RSA", "kid": "one", "n": 7, "e": "AQAB"}]),
        (made(), [{"kty": "RSA", "kid": "one", "n": "%", "e": "AQAB"}]),
        (made(), [{"kty": "RSA", "kid": "one", "n": "AA", "e": ""}]),
    ],
)
def test_any_other_is_not(token: str, keys: list[dict[str, Any]]) -> None:
    with pytest.raises(jwt.BadToken):
        jwt.verify(jwt.parse(token), keys)


def test_every_part_is_signed() -> None:
    head, body, signature = made().split(".")
    evil = text(json.dumps({"iss": "https://id.test", "sub": "admin", "aud": "us"}).encode())
    for changed in (f"{head}.{evil}.{signature}", f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}"):
        with pytest.raises(jwt.BadToken):
            jwt.verify(jwt.parse(changed), [rsa_key(RSA)])


@pytest.mark.parametrize("claims", [[], "x", 7, None])
def test_claims_are_an_object(claims: Any) -> None:
    token = f"{text(b'{}')}.{text(json.dumps(claims).encode())}.{text(b'x')}"
    with pytest.raises(jwt.BadToken, match="not a valid JWT"):
        jwt.parse(token)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: f"{text(data)}.{text(data)}.{text(data)}"))
def test_whatever_comes_is_a_token_or_is_refused(sent: str) -> None:
    try:
        token = jwt.parse(sent)
        jwt.verify(token, [rsa_key(RSA)])
    except jwt.BadToken:
        return
    raise AssertionError("believed")


def test_what_a_claim_has_to_be() -> None:
    token = jwt.parse(made(claims={"sub": 7, "exp": "soon", "nbf": True, "iat": 5, "aud": ["a", "b"]}))
    assert (token.time("iat"), token.time("absent"), token.audiences) == (5.0, None, ("a", "b"))
    for wrong in (lambda: token.text("sub"), lambda: token.time("exp"), lambda: token.time("nbf")):
        with pytest.raises(jwt.BadToken):
            wrong()
    for audience in (None, [], [7], "", [""]):
        with pytest.raises(jwt.BadToken, match="aud"):
            _ = jwt.parse(made(claims={"aud": audience})).audiences
