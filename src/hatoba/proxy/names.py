"""Names of Envoy's resources and statistics, made from our ids in one place.

A cluster belongs to one balancer and one group: its connections start from the balancer's own address. The endpoints
belong to the group alone. Envoy cuts statistics' names at dots and replaces colons, so ids are made safe for them.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"[^A-Za-z0-9_/-]")


def listener(balancer: str, listener: str) -> str:
    return f"{balancer}|{listener}"


def cluster(balancer: str, group: str) -> str:
    return f"{balancer}|{group}"


def certificate(id_: str) -> str:
    return f"certificate|{id_}"


def stat(name: str) -> str:
    """The name as it appears in Envoy's statistics."""
    return _UNSAFE.sub("_", name)
