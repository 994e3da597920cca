"""How a file is encrypted: AES-256-GCM, chunk by chunk, with a key of its own.

A chunk's nonce is its number and whether it is the last: no chunk can be left out, moved, repeated or cut off without
its reader noticing. The key is used for this one file only, so that nonces never repeat. An empty file has one chunk.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hatoba.core.errors import PortError

CHUNK = 64 * 1024  # of what is kept; on disk each is longer by its tag
SEALED = CHUNK + 16


def new_key() -> bytes:
    return os.urandom(32)


def chunks(size: int) -> int:
    """How many a file of this size has."""
    return max(1, -(-size // CHUNK))


def length_on_disk(size: int) -> int:
    return size + 16 * chunks(size)


class Chunks:
    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, number: int, plain: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(_nonce(number, last), plain, None)

    def open(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        """Raises `PortError` for what was not sealed so."""
        try:
            return self._cipher.decrypt(_nonce(number, last), sealed, None)
        except InvalidTag:
            raise PortError("CORRUPT", f"chunk {number} of a stored file is not what was written") from None


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")
