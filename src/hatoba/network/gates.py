"""The platform's place outside of a VPC, led into the VPC's own router, as nftables chains of that. Pure.

What a task sends there is asked while it still bears that address: by network ACLs, and whether it comes from who it
claims to be and its groups let it out, as it would be on its way there (`ruleset`). Then it is translated to one of the
router's own services, where whoever serves knows who asks. What is answered is asked by network ACLs again once it has
been translated back: they remember nothing.

Only what comes from interfaces of this router is led there: what the router itself sends, or a peered VPC's does, is
not. A router without a gate has none of these chains, and its packets do not pay for them.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.network import names
from hatoba.network.base import RouterService
from hatoba.network.beyond import HTTPS, Gate

_FROM_TASKS = f'iifname "{names.PORT_PREFIX}*"'


def chains(gate: Gate, borders: list[str]) -> dict[str, list[str]]:
    """Those at hooks. `borders`: the rules that lead IPv4 packets to network ACLs; none where there are no such."""
    asked = {"gate-egress": ["type filter hook prerouting priority -120; policy accept;", f"{_to(gate)} jump gate"]}
    if not borders:
        return asked
    answers = f"ct direction reply ct status dnat ct original ip daddr {gate.address}"
    return {
        "gate-acls-there": [
            "type filter hook prerouting priority -130; policy accept;",
            *(f"{_to(gate)} {rule}" for rule in borders),
        ],
        "gate-acls-back": [
            "type filter hook postrouting priority 110; policy accept;",
            *(f"{answers} {rule}" for rule in borders),
        ],
        **asked,
    }


def questions() -> dict[str, list[str]]:
    """What these lead to."""
    return {"gate": ["ct state established,related accept", "iifname . ip saddr vmap @egress4", "drop"]}


def translation(gate: Gate, own: Iterable[RouterService]) -> list[str]:
    """To the service in clear: there is no TLS at the platform's place."""
    return [f"{_to(gate)} dnat ip to {service.address}:{service.port}" for service in own if serves(service)]


def serves(service: RouterService) -> bool:
    return service.endpoints and service.port != HTTPS


def _to(gate: Gate) -> str:
    return f"{_FROM_TASKS} ip daddr {gate.address} tcp dport {gate.port}"
