"""Endpoints of the platform inside of a VPC, as nftables chains of its router. Pure.

What a task sends to the address of one is asked the questions of all connections (`ruleset`: network ACLs, who sends it
and may it, does a group of the address let it in) while it still bears that address. Then the address is translated to
that of a service (`target`), and from there on the connection passes as it is. What is answered is asked by network
ACLs again once it has been translated back: they remember nothing.

Only tasks of this router are served: what comes by a tunnel or from a peered VPC matches no device of a task. A router
without endpoints has none of these chains, and its packets do not pay for them.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.network.base import HostService, RouterService
from hatoba.network.beyond import HTTP

PASSES = "ct original ip daddr @endpoints accept"

_OTHERS = ["meta nfproto ipv6 accept", "ip daddr != @endpoints accept"]
_STANDING = "ct state established,related accept"


def chains(borders: list[str]) -> dict[str, list[str]]:
    """`borders`: the rules that lead IPv4 packets to network ACLs; none where there are no such."""
    asked = {
        "endpoint-egress": [
            "type filter hook prerouting priority -120; policy drop;",
            *_OTHERS,
            _STANDING,
            "iifname . ip saddr vmap @egress4",
        ],
        "endpoint-ingress": [
            "type filter hook prerouting priority -110; policy drop;",
            *_OTHERS,
            _STANDING,
            "ip daddr vmap @ingress4",
        ],
    }
    if not borders:
        return asked
    return {
        "endpoint-acls-there": ["type filter hook prerouting priority -130; policy accept;", *_OTHERS, *borders],
        "endpoint-acls-back": [
            "type filter hook postrouting priority 110; policy accept;",
            "meta nfproto ipv6 accept",
            "ct direction original accept",
            "ct original ip daddr != @endpoints accept",
            *borders,
        ],
        **asked,
    }


def translation(own: Iterable[RouterService], host_address: str, services: Iterable[HostService]) -> list[str]:
    found = target(own, host_address, services)
    if found is None:
        return []
    address, port = found
    return [f"ip daddr @endpoints tcp dport {_ports(port)} dnat ip to {address}:{port}"]


def target(own: Iterable[RouterService], host_address: str, services: Iterable[HostService]) -> tuple[str, int] | None:
    """Where they lead: to the router's own service for them, whose server sees who asks which of them; else to the
    first of the host's services that speaks TCP."""
    for service in own:
        if service.endpoints:
            return service.address, service.port
    return next(((host_address, service.port) for service in services if service.protocol == "tcp"), None)


def _ports(port: int) -> str:
    return "{ " + ", ".join(map(str, sorted({HTTP, port}))) + " }"
