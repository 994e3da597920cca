"""An assertion that came encrypted: its key wrapped for the provider's private keys, its text under that key. Pure.

Whoever sends one learns of every failure the same, whatever failed: what is inside cannot be found out by trying.

Source: XML Encryption 1.1, 5.2 (AES in CBC and GCM) and 5.5 (RSA-OAEP).
"""

from __future__ import annotations

import base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hatoba.gateway.access import Unwrap
from hatoba.services.sts.plan.saml.tree import Element, all_text, parsed
from hatoba.services.sts.plan.saml.words import ASSERTION, ENCRYPTION, ENCRYPTION11, SIGNATURE, BadAssertion

CLOSED = "The assertion could not be decrypted."
_OAEP = {f"{ENCRYPTION[1:-1]}rsa-oaep-mgf1p", f"{ENCRYPTION11[1:-1]}rsa-oaep"}
_CBC = {f"{ENCRYPTION[1:-1]}aes{bits}-cbc": bits // 8 for bits in (128, 192, 256)}
_GCM = {f"{ENCRYPTION11[1:-1]}aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
_BLOCK, _NONCE = 16, 12  # bytes


def opened(encrypted: Element, unwrap: Unwrap) -> Element:
    """The assertion in an `EncryptedAssertion`, as a document of its own. Raises `BadAssertion`."""
    data = encrypted.find(f"{ENCRYPTION}EncryptedData")
    if data is None:
        raise BadAssertion(CLOSED)
    method = _algorithm(data)
    size = _CBC.get(method) or _GCM.get(method)
    for key in _keys(encrypted, unwrap):
        if len(key) != size:
            continue
        clear = _decrypted(key, _cipher(data), gcm=method in _GCM)
        if clear is None:
            continue
        try:
            root = parsed(clear)
        except BadAssertion:
            continue
        if root.tag == f"{ASSERTION}Assertion":
            return root
    raise BadAssertion(CLOSED)


def _keys(encrypted: Element, unwrap: Unwrap) -> list[bytes]:
    """What the wrapped key may be: it stands within the data's key info, or beside the data."""
    found: list[bytes] = []
    for wrapped in list(encrypted.iter(f"{ENCRYPTION}EncryptedKey"))[:1]:
        if _algorithm(wrapped) in _OAEP:
            method = wrapped.find(f"{ENCRYPTION}EncryptionMethod")
            digest = _name(method.find(f"{SIGNATURE}DigestMethod"))
            mask = _name(method.find(f"{ENCRYPTION11}MGF"))
            found += unwrap(_cipher(wrapped), digest, mask)
    return found


def _name(element: Element | None) -> str:
    """`http://www.w3.org/2001/04/xmlenc#sha256`, `…/xmlenc11#mgf1sha256` → `sha256`; SHA-1 where nothing is said."""
    said = "sha1" if element is None else str(element.get("Algorithm") or "")
    return said.rpartition("#")[2].removeprefix("mgf1")


def _algorithm(element: Element) -> str:
    method = element.find(f"{ENCRYPTION}EncryptionMethod")
    return "" if method is None else str(method.get("Algorithm") or "")


def _cipher(element: Element) -> bytes:
    value = element.find(f"{ENCRYPTION}CipherData/{ENCRYPTION}CipherValue")
    try:
        return base64.b64decode("".join(all_text(value).split()), validate=True)
    except ValueError:
        return b""


def _decrypted(key: bytes, data: bytes, *, gcm: bool) -> bytes | None:
    if gcm:
        try:
            return AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], None)
        except (InvalidTag, ValueError):
            return None
    if len(data) < 2 * _BLOCK or len(data) % _BLOCK:
        return None
    opening = Cipher(algorithms.AES(key), modes.CBC(data[:_BLOCK])).decryptor()
    clear = opening.update(data[_BLOCK:]) + opening.finalize()
    return clear[: -clear[-1]] if 1 <= clear[-1] <= _BLOCK else None
