"""Cookies and states: encrypted and authenticated (AES-256-GCM), bound to what they are for, in pieces. Pure.

Who holds one can neither read nor change it, nor use it in another's place: listener, provider and client are part of
what is authenticated. Browsers keep cookies of up to 4 KB: longer ones are cut into up to four.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12
MOST_PIECES = 4
_LONGEST_COOKIE = 4096
_ATTRIBUTES = 90  # bytes that a cookie's attributes take
_LONGEST_PLAIN = 64 * 1024

T = TypeVar("T")


class TooLong(ValueError):
    """It does not fit into the cookies that there may be."""


class Box:
    """One balancer's key."""

    def __init__(self, key: str) -> None:
        self._cipher = AESGCM(bytes.fromhex(key))

    def seal(self, value: msgspec.Struct, bound: tuple[str, ...], nonce: bytes) -> str:
        """`nonce`: 12 bytes by chance. Letters that need no quoting in a cookie or a URL."""
        plain = zlib.compress(msgspec.msgpack.encode(value))
        sealed = nonce + self._cipher.encrypt(nonce, plain, _context(bound))
        return letters(sealed)

    def opened(self, text: str, bound: tuple[str, ...], kind: type[T]) -> T | None:
        """None for what was not sealed here, or for something else."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], _context(bound))
            unpacked = zlib.decompressobj().decompress(plain, _LONGEST_PLAIN)
            return msgspec.msgpack.decode(unpacked, type=kind)
        except (InvalidTag, ValueError, binascii.Error, zlib.error, msgspec.DecodeError):
            return None


def letters(raw: bytes) -> str:
    """Those that may stand in a cookie and in a URL."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _context(bound: tuple[str, ...]) -> bytes:
    return msgspec.json.encode(bound)


def pieces(name: str, text: str) -> list[tuple[str, str]]:
    """(name, value) of each cookie. Raises `TooLong`."""
    most = _LONGEST_COOKIE - _ATTRIBUTES - len(name) - len("-0=")
    cut = [text[at : at + most] for at in range(0, len(text), most)]
    if len(cut) > MOST_PIECES or most <= 0:
        raise TooLong(f"{len(text)} bytes")
    return [(f"{name}-{number}", piece) for number, piece in enumerate(cut)]


def joined(name: str, cookies: Mapping[str, str]) -> str:
    """What the pieces are of; "" when there are none."""
    found = []
    for number in range(MOST_PIECES):
        piece = cookies.get(f"{name}-{number}")
        if piece is None:
            break
        found.append(piece)
    return "".join(found)


def read(header: str) -> dict[str, str]:
    """The cookies of a request; of several with one name the first counts."""
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals:
            found.setdefault(name, value.strip('"'))
    return found
