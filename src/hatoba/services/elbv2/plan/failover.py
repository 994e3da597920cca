"""Which zones a load balancer's name leads to. Pure. Source: "Target group health", DNS failover.

Where a target group is not reached across zones, a zone with too few healthy targets of it is left out of the name.
When none would be left, the name leads to all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from hatoba.services.elbv2.model.group import ANYWHERE
from hatoba.services.elbv2.plan import attributes as keys


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A group that is not reached across zones: all of its attributes, and of each of its targets the zone and whether
    it is healthy."""

    attributes: Mapping[str, str]
    targets: tuple[tuple[str, bool], ...]


def fit(zones: Iterable[str], groups: Iterable[Seen]) -> frozenset[str]:
    known = frozenset(zones)
    kept = list(groups)
    left = frozenset(zone for zone in known if all(_enough(group, zone) for group in kept))
    return left or known


def _enough(group: Seen, zone: str) -> bool:
    """A group without targets in the zone has too few of them there."""
    given = group.attributes
    near = [healthy for where, healthy in group.targets if where in (zone, ANYWHERE)]
    count, percent = given[keys.DNS_COUNT], given[keys.DNS_PERCENT]
    if count != "off" and sum(near) < int(count):
        return False
    return percent == "off" or 100 * sum(near) >= int(percent) * len(near)
