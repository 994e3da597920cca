"""Which checksums a request's body is held against.

Source: the S3 user guide, "Checking object integrity for data uploads".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, cast, get_args

import msgspec

from hatoba.core.checksums import ALGORITHMS, SIZES, Algorithm, Checksum, text

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


def started(asked: Wanted) -> Checksum:
    return ALGORITHMS[asked.algorithm]()


__all__ = ["BadChecksum", "Wanted", "decoded", "started", "text", "wanted"]
