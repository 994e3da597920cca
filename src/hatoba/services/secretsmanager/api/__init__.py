"""Secrets Manager's operations, by noun."""

from hatoba.services.secretsmanager.api import (
    deletion,
    listing,
    password,
    policy,
    replication,
    rotation,
    secret,
    tag,
    value,
    version,
)
from hatoba.services.secretsmanager.api.room import secretsmanager

__all__ = [
    "deletion",
    "listing",
    "password",
    "policy",
    "replication",
    "rotation",
    "secret",
    "secretsmanager",
    "tag",
    "value",
    "version",
]
