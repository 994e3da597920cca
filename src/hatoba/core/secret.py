"""Values that are never in clear outside this process: sealed in the journal, hidden in logs and errors.

A record's field of type `Secret` is encrypted (AES-256-GCM, a fresh nonce each time) whenever the record is
written. The key lives in its own file (mode 600) or in the environment, never in the journal.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hatoba.core.errors import Refused
from hatoba.core.files import make_folder, write_file

_NONCE = 12


class Secret:
    """A text that must not leak: `reveal()` is the only way to read it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class Sealer:
    """Encrypts and decrypts with the instance's own key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, context: bytes = b"") -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, context)

    def unseal(self, sealed: bytes, context: bytes = b"") -> bytes:
        """Raises `Refused` when the key is another one or the bytes were changed."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except InvalidTag:
            raise Refused(
                "A sealed value cannot be opened: the master key is not the one it was sealed with."
            ) from None

    @classmethod
    def from_file(cls, path: Path) -> Sealer:
        """Reads the key, or makes a new one (mode 600) when the file is not there."""
        try:
            return cls(path.read_bytes())
        except FileNotFoundError:
            make_folder(path.parent)
            key = AESGCM.generate_key(256)
            write_file(path, key)
            return cls(key)
