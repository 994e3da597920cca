"""Which checksums a request's body is held against.

Source: the S3 user guide, "Checking object integrity for data uploads".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

import msgspec

from hatoba.core.checksums import ALGORITHMS, SIZES, Algorithm, combine, text

DEFAULT: Algorithm = "CRC64NVME"  # what S3 computes where nobody asks for another
UNKNOWN = ("SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128")  # which the model has, and this room has not


class BadChecksum(ValueError):
    """What a request says of its checksums cannot be."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    algorithm: Algorithm
    value: str | None = None  # as the client has it
    asked: bool = True  # by the client


def wanted(req: Mapping[str, Any]) -> Wanted:
    """Raises `BadChecksum`."""
    given = {name: req[f"Checksum{name}"] for name in get_args(Algorithm) if req.get(f"Checksum{name}") is not None}
    if len(given) > 1:
        raise BadChecksum("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    named = req.get("ChecksumAlgorithm")
    for name, value in given.items():
        if named not in (None, name):
            raise BadChecksum("Value for x-amz-sdk-checksum-algorithm header is invalid.")
        if not _is_checksum(value, SIZES[name]):
            raise BadChecksum(f"Value for x-amz-checksum-{name.lower()} header is invalid.")
        return Wanted(algorithm=name, value=value)
    if named is None:
        return Wanted(algorithm=DEFAULT, asked=False)
    return Wanted(algorithm=cast(Algorithm, named))


def _is_checksum(value: str, size: int) -> bool:
    return len(decoded(value) or b"") == size


def decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def mismatch(upload: Algorithm, asked: bool, part: Wanted) -> str | None:
    """What is wrong with a part's checksum where an upload was begun with another; None: nothing."""
    if not asked or not part.asked or part.algorithm == upload:
        return None
    said = f"expected checksum Type: {upload.lower()}, actual checksum Type: {part.algorithm.lower()}"
    return f"Checksum Type mismatch occurred, {said}"


def kind(algorithm: Algorithm, asked: str | None) -> str:
    """How the checksum of an object that comes in parts is made: of all bytes, or of the parts' checksums. Raises
    `BadChecksum`."""
    whole_only, never_whole = algorithm == "CRC64NVME", algorithm.startswith("SHA")
    if (asked == "COMPOSITE" and whole_only) or (asked == "FULL_OBJECT" and never_whole):
        raise BadChecksum(f"The {asked} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.")
    return asked or ("FULL_OBJECT" if whole_only else "COMPOSITE")


def composite(algorithm: Algorithm, parts: Sequence[str]) -> str:
    """The checksum of the parts' checksums, and how many they are."""
    whole = ALGORITHMS[algorithm]()
    whole.update(b"".join(base64.b64decode(part) for part in parts))
    return f"{text(whole)}-{len(parts)}"


def joined(algorithm: Algorithm, parts: Sequence[tuple[str, int]]) -> str:
    """The CRC of all bytes, of the parts' own and their sizes."""
    found = 0
    for said, size in parts:
        found = combine(algorithm, found, int.from_bytes(base64.b64decode(said), "big"), size)
    return base64.b64encode(found.to_bytes(SIZES[algorithm], "big")).decode()


def etag_of_parts(parts: Sequence[str]) -> str:
    """The MD5 of the parts' MD5s, and how many they are."""
    whole = hashlib.md5(b"".join(bytes.fromhex(part) for part in parts), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(parts)}"
