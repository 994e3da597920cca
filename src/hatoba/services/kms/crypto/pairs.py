"""Key pairs: making them, and what is done with one. Private keys are PKCS #8, public ones SubjectPublicKeyInfo (DER).

Making and using an RSA key takes milliseconds to seconds: callers do it in a thread (OpenSSL lets go of the lock).
"""

from __future__ import annotations

from typing import cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA_1": hashes.SHA1(),  # for OAEP, where it is sound, and AWS offers it
    "SHA_256": hashes.SHA256(),
    "SHA_384": hashes.SHA384(),
    "SHA_512": hashes.SHA512(),
}
_CURVES: dict[str, ec.EllipticCurve] = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
_Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Unfit(ValueError):
    """Bytes that are no key of the kind, or no ciphertext of the key."""


# --- making


def make(spec: str) -> bytes:
    """A new private key of a spec (`RSA_2048`, `ECC_NIST_P256`, …)."""
    if spec in _CURVES:
        return _packed(ec.generate_private_key(_CURVES[spec]))
    return _packed(rsa.generate_private_key(65537, int(spec.removeprefix("RSA_"))))


def _packed(private: _Private) -> bytes:
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def spec_of(private: bytes) -> str:
    """The spec of a key that was brought along. Raises `Unfit`."""
    key = _private(private)
    if isinstance(key, rsa.RSAPrivateKey):
        return f"RSA_{key.key_size}"
    return next((name for name, curve in _CURVES.items() if curve.name == key.curve.name), key.curve.name)


def public_of(private: bytes) -> bytes:
    return _private(private).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _private(private: bytes) -> _Private:
    try:
        key = load_der_private_key(private, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unfit("not a private key in PKCS #8") from None
    if not isinstance(key, _Private):
        raise Unfit("neither an RSA key nor one of an elliptic curve")
    return key


def _public(public: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(public)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unfit("it is not a public key in DER") from None
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise Unfit("it is neither an RSA key nor one of an elliptic curve")
    return key


# --- encryption


def _oaep(algorithm: str) -> padding.OAEP:
    digest = _HASHES[algorithm.removeprefix("RSAES_OAEP_")]
    return padding.OAEP(padding.MGF1(digest), digest, None)


def encrypt(public: bytes, algorithm: str, plain: bytes) -> bytes:
    return cast(rsa.RSAPublicKey, _public(public)).encrypt(plain, _oaep(algorithm))


def decrypt(private: bytes, algorithm: str, cipher: bytes) -> bytes:
    """Raises `Unfit`."""
    key = cast(rsa.RSAPrivateKey, _private(private))
    try:
        return key.decrypt(cipher, _oaep(algorithm))
    except ValueError:
        raise Unfit("no ciphertext of this key") from None


# --- signatures


def _digest(algorithm: str) -> hashes.HashAlgorithm:
    return _HASHES["SHA_" + algorithm.rpartition("_")[2]]


def digest_size(algorithm: str) -> int:
    return _digest(algorithm).digest_size


def sign(private: bytes, algorithm: str, message: bytes, *, hashed: bool) -> bytes:
    """`hashed`: the message is its digest already, of the length that `digest_size` says."""
    key, digest = _private(private), _digest(algorithm)
    how = Prehashed(digest) if hashed else digest
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(how))
    return key.sign(message, _padding(algorithm, digest), how)


def verify(public: bytes, algorithm: str, message: bytes, signature: bytes, *, hashed: bool) -> bool:
    key, digest = _public(public), _digest(algorithm)
    how = Prehashed(digest) if hashed else digest
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(how))
        else:
            key.verify(signature, message, _padding(algorithm, digest), how)
    except InvalidSignature:
        return False
    return True


def _padding(algorithm: str, digest: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.startswith("RSASSA_PSS"):
        return padding.PSS(padding.MGF1(digest), digest.digest_size)
    return padding.PKCS1v15()


# --- agreement


def agree(private: bytes, public: bytes) -> bytes:
    """The x coordinate that both sides reach. Raises `Unfit` for another curve's key."""
    key = cast(ec.EllipticCurvePrivateKey, _private(private))
    other = _public(public)
    if not isinstance(other, ec.EllipticCurvePublicKey) or other.curve.name != key.curve.name:
        raise Unfit("it is of another kind")
    return key.exchange(ec.ECDH(), other)
