"""ELB's operations, one file a noun."""

from hatoba.services.elbv2.api import (
    account,
    attribute,
    balancer,
    certificate,
    group,
    listener,
    rule,
    tag,
    target,
    trust,
)
from hatoba.services.elbv2.api.room import elbv2

__all__ = [
    "account",
    "attribute",
    "balancer",
    "certificate",
    "elbv2",
    "group",
    "listener",
    "rule",
    "tag",
    "target",
    "trust",
]
