"""Envoy's counters, read from its admin socket and told per balancer and group.

Only the few statistics that `bootstrap` lets Envoy keep are asked for, in the plain text form (`name: value`), which is
the cheapest for both sides. Names are matched against those of known balancers and groups, so no name is ever parsed.
"""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.proxy import names
from hatoba.proxy.base import BalancerTraffic, GroupTraffic, Wanted
from hatoba.proxy.snapshot import groups_of

QUERY = "/stats?usedonly&filter=^(http|cluster)%5C."

_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


def traffic(text: str, wanted: Wanted) -> dict[str, BalancerTraffic]:
    """The admin interface's answer to `QUERY` → counters by balancer id. What never moved is 0."""
    values = _values(text)
    return {
        balancer.id: _balancer(
            values,
            f"http.{names.stat(balancer.id)}.downstream_",
            {id_: _group(values, f"cluster.{_cluster(balancer.id, id_)}.upstream_") for id_ in groups_of(balancer)},
        )
        for balancer in wanted.balancers
    }


def _cluster(balancer: str, group: str) -> str:
    return names.stat(names.cluster(balancer, group))


def _values(text: str) -> dict[str, int]:
    values: dict[str, int] = {}
    for line in text.splitlines():
        name, colon, value = line.rpartition(": ")
        if colon and value.isdigit():
            values[name] = int(value)
    return values


def _codes(values: Mapping[str, int], prefix: str) -> dict[str, int]:
    counted = {each: values.get(f"{prefix}rq_{each}", 0) for each in _CLASSES}
    return {each: count for each, count in counted.items() if count}


def _balancer(values: Mapping[str, int], prefix: str, groups: Mapping[str, GroupTraffic]) -> BalancerTraffic:
    return BalancerTraffic(
        requests=values.get(f"{prefix}rq_total", 0),
        codes=_codes(values, prefix),
        connections=values.get(f"{prefix}cx_total", 0),
        active_connections=values.get(f"{prefix}cx_active", 0),
        groups=groups,
    )


def _group(values: Mapping[str, int], prefix: str) -> GroupTraffic:
    return GroupTraffic(
        requests=values.get(f"{prefix}rq_total", 0),
        codes=_codes(values, prefix),
        connect_failures=values.get(f"{prefix}cx_connect_fail", 0),
        active_requests=values.get(f"{prefix}rq_active", 0),
        active_connections=values.get(f"{prefix}cx_active", 0),
    )
