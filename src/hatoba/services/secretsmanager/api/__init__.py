"""Secrets Manager's operations, by noun."""

from hatoba.services.secretsmanager.api import (
    deletion,
    lending,
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
    "lending",
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
