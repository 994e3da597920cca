"""Key pairs: making them, and what is done with one. Private keys are PKCS #8, public ones SubjectPublicKeyInfo (DER).

Making and using an RSA key takes milliseconds to seconds: callers do it in a thread (OpenSSL lets go of the lock).
"""

from __future__ import annotations

from typing import cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, rsa
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
_Dsa = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
_DsaPublic = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
_Kem = mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey
_KemPublic = mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey
_Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | _Dsa | _Kem
_Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | _DsaPublic | _KemPublic
_ONE_OF_A_KIND: dict[str, type[ed25519.Ed25519PrivateKey | _Dsa | _Kem]] = {
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey,
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
    "ML_KEM_768": mlkem.MLKEM768PrivateKey,
    "ML_KEM_1024": mlkem.MLKEM1024PrivateKey,
}
MU = 64  # bytes of ML-DSA's message representative (FIPS 204, 6.2)


class Unfit(ValueError):
    """Bytes that are no key of the kind, or no ciphertext of the key."""


# --- making


def make(spec: str) -> bytes:
    """A new private key of a spec (`RSA_2048`, `ECC_NIST_P256`, …)."""
    if spec in _CURVES:
        return _packed(ec.generate_private_key(_CURVES[spec]))
    if spec in _ONE_OF_A_KIND:
        return _packed(_ONE_OF_A_KIND[spec].generate())
    return _packed(rsa.generate_private_key(65537, int(spec.removeprefix("RSA_"))))


def _packed(private: _Private) -> bytes:
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def spec_of(private: bytes) -> str:
    """The spec of a key that was brought along. Raises `Unfit`."""
    key = _private(private)
    if isinstance(key, rsa.RSAPrivateKey):
        return f"RSA_{key.key_size}"
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return next(name for name, kind in _ONE_OF_A_KIND.items() if isinstance(key, kind))
    return next((name for name, curve in _CURVES.items() if curve.name == key.curve.name), key.curve.name)


def public_of(private: bytes) -> bytes:
    return _private(private).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _private(private: bytes) -> _Private:
    try:
        key = load_der_private_key(private, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unfit("not a private key in PKCS #8") from None
    if not isinstance(key, _Private):
        raise Unfit("of none of the kinds that KMS has")
    return key


def _public(public: bytes) -> _Public:
    try:
        key = load_der_public_key(public)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unfit("it is not a public key in DER") from None
    if not isinstance(key, _Public):
        raise Unfit("it is of none of the kinds that KMS has")
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
    return MU if algorithm.startswith("ML_DSA") else _digest(algorithm).digest_size


def sign(private: bytes, algorithm: str, message: bytes, *, hashed: bool) -> bytes:
    """`hashed`: the message is its digest already (ML-DSA: its representative), of the length of `digest_size`."""
    key = _private(private)
    if isinstance(key, _Dsa):
        return key.sign_mu(message) if hashed else key.sign(message)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    digest = _digest(algorithm)
    how = Prehashed(digest) if hashed else digest
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(how))
    return cast(rsa.RSAPrivateKey, key).sign(message, _padding(algorithm, digest), how)


def verify(public: bytes, algorithm: str, message: bytes, signature: bytes, *, hashed: bool) -> bool:
    key = _public(public)
    try:
        if isinstance(key, _DsaPublic):
            (key.verify_mu if hashed else key.verify)(signature, message)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        else:
            _verify_digest(key, algorithm, message, signature, hashed=hashed)
    except InvalidSignature:
        return False
    return True


def _verify_digest(key: _Public, algorithm: str, message: bytes, signature: bytes, *, hashed: bool) -> None:
    """Raises InvalidSignature."""
    digest = _digest(algorithm)
    how = Prehashed(digest) if hashed else digest
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(how))
    else:
        cast(rsa.RSAPublicKey, key).verify(signature, message, _padding(algorithm, digest), how)


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


# --- encapsulation


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """A new shared secret, and the form of it that the private key opens."""
    return cast(_KemPublic, _public(public)).encapsulate()


def decapsulate(private: bytes, sealed: bytes) -> bytes:
    """The shared secret; of what was sealed otherwise, bytes that mean nothing (FIPS 203, 7.3). Raises `Unfit` for what
    has another length."""
    try:
        return cast(_Kem, _private(private)).decapsulate(sealed)
    except ValueError:
        raise Unfit("it has not the length that the key's spec says") from None
