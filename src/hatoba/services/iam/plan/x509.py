"""Certificates that are uploaded: of servers with their keys, and of users for signatures. Pure.

Sources: the references of UploadServerCertificate and UploadSigningCertificate; the IAM user guide, "Manage server
certificates in IAM".
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_LEAST_RSA = 1024
_BROKEN = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


class Malformed(ValueError):
    """Nothing that can be read as what it should be; the text says which part."""


class Mismatch(ValueError):
    """The key is another certificate's."""


class Invalid(ValueError):
    """It can be read, but is not valid now."""


class Server(NamedTuple):
    ends: float
    key: str  # PEM, PKCS #8


def server(body: str, key: str, chain: str | None, now: float) -> Server:
    """Raises `Malformed`, `Mismatch`."""
    certificate = _one(body)
    private = _key(key)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public != _public(certificate):
        raise Mismatch("Private key does not match the certificate.")
    if not _lasts(certificate, now):
        raise Malformed("The certificate is not valid at this time.")
    if chain is not None:
        _vouched(certificate, chain)
    written = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Server(certificate.not_valid_after_utc.timestamp(), written)


def signing(body: str, now: float) -> str:
    """By what two certificates are the same. Raises `Malformed`, `Invalid`."""
    certificate = _one(body)
    _public(certificate)
    if not _lasts(certificate, now):
        raise Invalid("The certificate is not valid at this time.")
    return certificate.fingerprint(hashes.SHA256()).hex()


def _one(text: str) -> x509.Certificate:
    try:
        (found,) = x509.load_pem_x509_certificates(text.encode())
    except _BROKEN:
        raise Malformed("Unable to parse certificate. Please ensure the certificate is in PEM format.") from None
    return found


def _public(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _BROKEN:
        raise Malformed("The certificate's key is of no kind that is supported.") from None


def _lasts(certificate: x509.Certificate, now: float) -> bool:
    return certificate.not_valid_before_utc.timestamp() <= now < certificate.not_valid_after_utc.timestamp()


def _key(text: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        found = load_pem_private_key(text.encode(), None)
    except TypeError:
        raise Malformed("Unable to parse key; the body is encrypted.") from None
    except _BROKEN:
        raise Malformed("Unable to parse key. Please ensure the key is in PEM format.") from None
    if isinstance(found, rsa.RSAPrivateKey) and found.key_size >= _LEAST_RSA:
        return found
    if isinstance(found, ec.EllipticCurvePrivateKey) and isinstance(found.curve, _CURVES):
        return found
    raise Malformed("The private key is of no kind that is supported.")


def _vouched(leaf: x509.Certificate, chain: str) -> None:
    """Each is issued by the next one."""
    try:
        found = x509.load_pem_x509_certificates(chain.encode())
    except _BROKEN:
        raise Malformed(
            "Unable to parse certificate chain. Please ensure the certificate chain is in PEM format."
        ) from None
    for place, (one, next_) in enumerate(zip([leaf, *found], found, strict=False)):
        try:
            one.verify_directly_issued_by(next_)
        except (*_BROKEN, InvalidSignature):
            raise Malformed(
                "Unable to validate certificate chain. The certificate chain must start with the immediate signing "
                "certificate, followed by any intermediaries in order. The index within the chain of the invalid "
                f"certificate is: {place}"
            ) from None
