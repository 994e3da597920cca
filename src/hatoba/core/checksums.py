"""The checksums that clients send along with bytes: CRC32, CRC32C, CRC64NVME, SHA1 and SHA256.

Two of the CRCs are not in Python's library: `crc.c` has them, compiled by `make setup` (`tools/compile_checksums.py`)
into a git-ignored folder. Where there is no compiler they are computed here, a hundred times more slowly.
"""

from __future__ import annotations

import base64
import ctypes
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol
from zlib import crc32

Algorithm = Literal["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]

SOURCE = Path(__file__).with_name("crc.c")
FOLDER = SOURCE.with_name("compiled")
_POLYNOMIALS = {"crc32c": 0x82F63B78, "crc64nvme": 0x9A6C9329AC4BC9B5}  # reflected

Run = Callable[[int, bytes], int]  # the register before, bytes → the register after


class Checksum(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Crc:
    def __init__(self, name: str, size: int) -> None:
        self._run = _runs()[name]
        self._ones = (1 << 8 * size) - 1
        self._value = self._ones
        self._size = size

    def update(self, data: bytes, /) -> None:
        self._value = self._run(self._value, data)

    def digest(self) -> bytes:
        return (self._value ^ self._ones).to_bytes(self._size, "big")


ALGORITHMS: dict[Algorithm, Callable[[], Checksum]] = {
    "CRC32": _Crc32,
    "CRC32C": lambda: _Crc("crc32c", 4),
    "CRC64NVME": lambda: _Crc("crc64nvme", 8),
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
}
SIZES: dict[Algorithm, int] = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}  # bytes of each


def text(checksum: Checksum) -> str:
    """As it travels: in base64."""
    return base64.b64encode(checksum.digest()).decode()


def library() -> Path:
    """Where the compiled half is, by what it was compiled from."""
    return FOLDER / f"crc-{hashlib.blake2b(SOURCE.read_bytes(), digest_size=6).hexdigest()}.so"


@functools.cache
def _runs() -> dict[str, Run]:
    try:
        loaded = ctypes.CDLL(str(library()))
    except OSError:
        return {name: slow(polynomial) for name, polynomial in _POLYNOMIALS.items()}
    return {name: _compiled(loaded, name) for name in _POLYNOMIALS}


def _compiled(loaded: ctypes.CDLL, name: str) -> Run:
    function = loaded[name]
    function.argtypes, function.restype = (ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t), ctypes.c_uint64

    def run(value: int, data: bytes) -> int:
        return int(function(value, bytes(data), len(data)))

    return run


def slow(polynomial: int) -> Run:
    """Byte by byte, with a table."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)

    def run(value: int, data: bytes) -> int:
        for byte in data:
            value = (value >> 8) ^ table[(value ^ byte) & 255]
        return value

    return run
