"""The checksums that clients send along with bytes: CRC32, CRC32C, CRC64NVME, SHA1 and SHA256.

Two of the CRCs are not in Python's library; AWS's own runtime has them. It is read when the first one is asked for:
7 MB that an instance without buckets does not need.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Literal, Protocol
from zlib import crc32

Algorithm = Literal["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]

Run = Callable[[bytes, int], int]  # bytes, the value before them → the value after them


class Checksum(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, run: Run, size: int) -> None:
        self._run = run
        self._value = 0
        self._size = size

    def update(self, data: bytes, /) -> None:
        self._value = self._run(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def _crc32c() -> Checksum:
    from awscrt import checksums

    return _Crc(checksums.crc32c, 4)


def _crc64nvme() -> Checksum:
    from awscrt import checksums

    return _Crc(checksums.crc64nvme, 8)


ALGORITHMS: dict[Algorithm, Callable[[], Checksum]] = {
    "CRC32": lambda: _Crc(crc32, 4),
    "CRC32C": _crc32c,
    "CRC64NVME": _crc64nvme,
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
}
SIZES: dict[Algorithm, int] = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}  # bytes of each


def text(checksum: Checksum) -> str:
    """As it travels: in base64."""
    return base64.b64encode(checksum.digest()).decode()


def combine(algorithm: Algorithm, first: int, second: int, size: int) -> int:
    """The CRC of two texts, one after the other, of their own CRCs and the second's size in bytes. SHAs cannot."""
    from awscrt import checksums

    joined: int = getattr(checksums, f"combine_{algorithm.lower()}")(first, second, size)
    return joined
