"""Names of Envoy's resources and statistics, made from our ids in one place.

A cluster belongs to one balancer and one group: its connections start from the balancer's own address. The endpoints
belong to the group alone. Where a network balancer listens, socket, cluster and endpoints have one name. Envoy cuts
statistics' names at dots and replaces colons, so ids are made safe for them.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"[^A-Za-z0-9_/-]")


def listener(balancer: str, listener: str) -> str:
    return f"{balancer}|{listener}"


def cluster(balancer: str, group: str) -> str:
    return f"{balancer}|{group}"


def flows(balancer: str, listener: str, address: str) -> str:
    """A network balancer's listener at one of its addresses: the socket, its cluster and the endpoints."""
    return f"{balancer}|{listener}|{address}"


def flow_stat(balancer: str, protocol: str) -> str:
    """Under which a network balancer's flows of one protocol are counted."""
    return stat(f"flows/{balancer}/{protocol}")


def listening_stat(balancer: str) -> str:
    """Under which an application balancer's connections are counted, as far as they are no requests."""
    return stat(f"http/{balancer}")


def certificate(id_: str) -> str:
    return f"certificate|{id_}"


def clients(balancer: str, listener: str) -> str:
    """By which a listener verifies certificates of clients."""
    return f"clients|{balancer}|{listener}"


def stat(name: str) -> str:
    """The name as it appears in Envoy's statistics."""
    return _UNSAFE.sub("_", name)
