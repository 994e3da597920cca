"""A network load balancer's listeners, groups and targets → the proxy's configuration. Pure; golden-tested.

A target of the type `alb` is an application load balancer, reached at one of its addresses: all of them lead to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.proxy import base as proxy
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.group import ANYWHERE, Target
from hatoba.services.elbv2.model.listener import Listener
from hatoba.services.elbv2.plan import flow_attributes as keys
from hatoba.services.elbv2.plan import kinds, log_places


def balancer(record: LoadBalancer, given: Mapping[str, str], listeners: tuple[proxy.Listener, ...]) -> proxy.Balancer:
    """`given`: its attributes, all of them."""
    return proxy.Balancer(
        id=record.id,
        kind="network",
        addresses=tuple(address for address, _ in record.addresses),
        zones=tuple(zone for _, zone in record.addresses),
        prefixes=tuple(one.prefix6 for one in record.attached if one.prefix6 is not None),
        listeners=listeners,
        access_log=log_places.stem_of(record, given, "access"),
    )


def idle_timeout(attributes: Mapping[str, str]) -> float:
    return float(attributes.get(keys.IDLE_TIMEOUT, 350))


def speaks(listener: Listener) -> tuple[str, ...]:
    return kinds.ALPN[listener.alpn or "None"]


def zone(target: Target) -> str:
    return "" if target.zone == ANYWHERE else target.zone


def percent(given: str) -> int:
    return 0 if given == "off" else int(given)


def attributes(given: Mapping[str, str], across_zones: bool) -> proxy.GroupAttributes:
    """`given` are the group's own."""
    return proxy.GroupAttributes(
        least_healthy=int(given[keys.ROUTING_COUNT]),
        least_healthy_percent=percent(given[keys.ROUTING_PERCENT]),
        sticky_source=given.get(keys.STICKY) == "true",
        across_zones=across_zones,
        proxy_protocol=given.get(keys.PROXY_PROTOCOL) == "true",
        preserve_source=given[keys.PRESERVE] == "true",
        end_removed=given.get(keys.END_REMOVED) == "true",
        end_unhealthy=given.get(keys.END_UNHEALTHY) == "true",
    )
