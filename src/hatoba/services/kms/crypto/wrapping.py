"""How material comes in: wrapped with a public key that is made for one import."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_private_key

ALGORITHMS = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")


class Unwrappable(ValueError):
    """Not wrapped with this key, or not in this way."""


def unwrap(private: bytes, algorithm: str, wrapped: bytes) -> bytes:
    """The material. Raises `Unwrappable`."""
    key = load_der_private_key(private, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    digest = hashes.SHA256() if algorithm.endswith("SHA_256") else hashes.SHA1()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    try:
        if algorithm.startswith("RSAES_OAEP"):
            return key.decrypt(wrapped, oaep)
        # An AES key of the client's own, and with it the material, which may then be longer (RFC 5649).
        size = key.key_size // 8
        return aes_key_unwrap_with_padding(key.decrypt(wrapped[:size], oaep), wrapped[size:])
    except (ValueError, InvalidUnwrap, UnsupportedAlgorithm):
        raise Unwrappable from None
