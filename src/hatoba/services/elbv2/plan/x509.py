"""Authorities' certificates and their lists of revocations, read: the only place of this room that knows X.509.

Which keys and algorithms are taken: "Mutual authentication with TLS in Application Load Balancer".
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def authorities(content: bytes) -> tuple[str, int] | None:
    """All of them in PEM, and how many; None when one cannot be used."""
    try:
        found = x509.load_pem_x509_certificates(content)
        if not all(_usable(each) for each in found):
            return None
    except (ValueError, TypeError, x509.InvalidVersion):
        return None
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found), len(found)


def _usable(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    fit = (isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 8192) or (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)
    )
    try:
        return fit and certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def revocations(content: bytes) -> tuple[str, int] | None:
    """The list in PEM, and how many certificates it revokes; None when it cannot be used."""
    try:
        found = x509.load_pem_x509_crl(content)
        algorithm = found.signature_hash_algorithm
    except (ValueError, TypeError, x509.InvalidVersion):
        return None
    if algorithm is None or algorithm.name not in ("sha256", "sha384", "sha512"):
        return None
    return found.public_bytes(Encoding.PEM).decode(), len(found)
