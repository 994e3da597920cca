"""Endpoints of the platform inside of a VPC, as nftables chains of its router. Pure.

What a task sends to the address of one is asked the questions of all connections (`ruleset`: network ACLs, who sends it
and may it, does a group of the address let it in) while it still bears that address. Then the address is translated to
that of one of the router's own services. What is answered is asked by network ACLs again once it has been translated
back: they remember nothing.

Served are this router's tasks, and those of peered VPCs on the same node: their own router has asked who sends it, and
here the way back is asked for, by the routes of the endpoint's subnet. What comes by a tunnel is another router's. A
router without endpoints has none of these chains, and its packets do not pay for them.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.network import names
from hatoba.network.base import RouterService
from hatoba.network.beyond import HTTP, HTTPS

_LINKS = f'"{names.LINK_PREFIX}*"'
FROM_PEERED = f"iifname {_LINKS} ct original ip daddr @endpoints accept"  # to the router's own service, once asked here

_OTHERS = ["meta nfproto ipv6 accept", "ip daddr != @endpoints accept"]
_STANDING = "ct state established,related accept"


def chains(borders: list[str]) -> dict[str, list[str]]:
    """`borders`: the rules that lead IPv4 packets to network ACLs; none where there are no such."""
    asked = {
        "endpoint-egress": [
            "type filter hook prerouting priority -120; policy drop;",
            *_OTHERS,
            _STANDING,
            f"iifname {_LINKS} fib saddr . iif oif exists accept",
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


def translation(own: Iterable[RouterService]) -> list[str]:
    return [
        f"ip daddr @endpoints tcp dport {{ {', '.join(map(str, ports(service)))} }} "
        f"dnat ip to {service.address}:{service.port}"
        for service in own
        if service.endpoints
    ]


def ports(service: RouterService) -> list[int]:
    """At which endpoints are asked for what this one serves."""
    return sorted({service.port} if service.port == HTTPS else {service.port, HTTP})
