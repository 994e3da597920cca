"""KMS's operations, by noun."""

from hatoba.services.kms.api import (
    alias,
    datakey,
    deletion,
    encrypt,
    grant,
    importing,
    key,
    policy,
    region,
    rotation,
    sign,
    store,
    tag,
)
from hatoba.services.kms.api.room import kms

__all__ = [
    "alias",
    "datakey",
    "deletion",
    "encrypt",
    "grant",
    "importing",
    "key",
    "kms",
    "policy",
    "region",
    "rotation",
    "sign",
    "store",
    "tag",
]
