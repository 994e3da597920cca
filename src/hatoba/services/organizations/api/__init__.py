"""Organizations' operations, one file a noun. `organizations` is the room: importing this package declares it all."""

from hatoba.services.organizations.api import (
    account,
    creation,
    handshake,
    organization,
    policy,
    service,
    tag,
    target,
    unit,
)
from hatoba.services.organizations.api.room import organizations

__all__ = [
    "account",
    "creation",
    "handshake",
    "organization",
    "organizations",
    "policy",
    "service",
    "tag",
    "target",
    "unit",
]
