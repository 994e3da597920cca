"""Private keys of SAML providers: RSA, by which the key of an encrypted assertion is wrapped. Pure.

Only OAEP is taken: who may try PKCS #1 v1.5 often enough learns what is inside.

Sources: the references of CreateSAMLProvider and UpdateSAMLProvider; XML Encryption 1.1, 5.5.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

LEAST = 2048  # bits
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # OAEP's default, and safe in it
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class Unusable(ValueError):
    """No private key that could open anything."""


def read(text: str) -> str:
    """In the form in which it is kept (PKCS #8). Raises `Unusable`."""
    try:
        found = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unusable("Invalid private key.") from None
    if not isinstance(found, rsa.RSAPrivateKey) or found.key_size < LEAST:
        raise Unusable("Invalid private key.")
    return found.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def unwrapped(keys: Iterable[str], wrapped: bytes, digest: str, mask: str) -> list[bytes]:
    """`digest`, `mask`: the names of OAEP's hashes; nothing is opened with others."""
    found: list[bytes] = []
    if digest not in _HASHES or mask not in _HASHES:
        return found
    for text in keys:
        # It was checked when it came: to check it each time would take longer than all the rest.
        key = load_pem_private_key(text.encode(), None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(key, rsa.RSAPrivateKey)
        try:
            oaep = padding.OAEP(padding.MGF1(_HASHES[mask]), _HASHES[digest], None)
            found.append(key.decrypt(wrapped, oaep))
        except ValueError:
            continue
    return found
