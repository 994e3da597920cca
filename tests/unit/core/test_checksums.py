"""Checksums against their published check values; CRCs of parts make that of the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core import checksums
from hatoba.core.checksums import ALGORITHMS, SIZES, Algorithm

# Of b"123456789": the catalogue of parametrised CRC algorithms; RFC 3174 and FIPS 180-4 for the others.
CHECKS: dict[Algorithm, str] = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_check_values(algorithm: Algorithm) -> None:
    checksum = ALGORITHMS[algorithm]()
    checksum.update(b"12345")
    checksum.update(b"6789")
    assert checksum.digest().hex() == CHECKS[algorithm]
    assert len(checksum.digest()) == SIZES[algorithm]


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_crcs_of_parts_make_that_of_the_whole(first: bytes, second: bytes) -> None:
    algorithms: tuple[Algorithm, ...] = ("CRC32", "CRC32C", "CRC64NVME")
    for algorithm in algorithms:
        assert checksums.combine(algorithm, crc(algorithm, first), crc(algorithm, second), len(second)) == crc(
            algorithm, first + second
        )


def crc(algorithm: Algorithm, data: bytes) -> int:
    checksum = ALGORITHMS[algorithm]()
    checksum.update(data)
    return int.from_bytes(checksum.digest(), "big")
