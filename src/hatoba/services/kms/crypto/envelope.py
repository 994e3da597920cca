"""The ciphertexts of symmetric keys: AES-256-GCM, with the key they were made with named inside.

    version (1) · account (12) · length and id of the key · id of its material (32) · salt (16) · nonce (12) · sealed

Everything before `sealed`, and the encryption context in its canonical form, is authenticated. Each message has a key
of its own, derived from the material and the salt, so that a key may be used without counting its messages.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = 1
_ACCOUNT, _MATERIAL, _SALT, _NONCE, _TAG = 12, 32, 16, 12, 16
_LENGTH = struct.Struct(">I")
_PURPOSE = b"hatoba kms message key"


class Broken(ValueError):
    """No ciphertext of ours, changed, or of another context."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before the sealed part."""

    account: str
    key: str
    material: str  # 64 hexadecimal digits

    def packed(self) -> bytes:
        key = self.key.encode()
        return bytes((_VERSION,)) + self.account.encode() + bytes((len(key),)) + key + bytes.fromhex(self.material)


def head_of(blob: bytes) -> Head:
    """Raises `Broken`."""
    return _split(blob)[0]


def _split(blob: bytes) -> tuple[Head, int]:
    """The head, and where it ends."""
    at = 1 + _ACCOUNT
    if len(blob) <= at or blob[0] != _VERSION:
        raise Broken
    length = blob[at]
    end = at + 1 + length + _MATERIAL
    if len(blob) < end + _SALT + _NONCE + _TAG:
        raise Broken
    try:
        account, key = blob[1:at].decode("ascii"), blob[at + 1 : at + 1 + length].decode("ascii")
    except UnicodeDecodeError:
        raise Broken from None
    return Head(account=account, key=key, material=blob[end - _MATERIAL : end].hex()), end


def seal(head: Head, material: bytes, plain: bytes, context: Mapping[str, str]) -> bytes:
    packed, salt, nonce = head.packed(), os.urandom(_SALT), os.urandom(_NONCE)
    sealed = AESGCM(_message_key(material, salt)).encrypt(nonce, plain, packed + salt + canonical(context))
    return packed + salt + nonce + sealed


def open_(blob: bytes, material: bytes, context: Mapping[str, str]) -> bytes:
    """Raises `Broken`."""
    _, end = _split(blob)
    salt, nonce = blob[end : end + _SALT], blob[end + _SALT : end + _SALT + _NONCE]
    try:
        return AESGCM(_message_key(material, salt)).decrypt(
            nonce, blob[end + _SALT + _NONCE :], blob[: end + _SALT] + canonical(context)
        )
    except InvalidTag:
        raise Broken from None


def _message_key(material: bytes, salt: bytes) -> bytes:
    return hmac.digest(material, _PURPOSE + salt, hashlib.sha256)


def canonical(context: Mapping[str, str]) -> bytes:
    """The same bytes for the same pairs in any order, and for no other pairs."""
    parts: list[bytes] = []
    for name, value in sorted(context.items()):
        for text in (name.encode(), value.encode()):
            parts += (_LENGTH.pack(len(text)), text)
    return b"".join(parts)
