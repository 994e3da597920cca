"""HMACs, as the model names them."""

from __future__ import annotations

import hmac


def generate(material: bytes, algorithm: str, message: bytes) -> bytes:
    """`algorithm`: HMAC_SHA_256 and its like."""
    return hmac.digest(material, message, "sha" + algorithm.rpartition("_")[2])


def verify(material: bytes, algorithm: str, message: bytes, mac: bytes) -> bool:
    return hmac.compare_digest(generate(material, algorithm, message), mac)
