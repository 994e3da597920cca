"""Answers to balancers that speak under their clients' addresses: how they find back. Pure.

What a target answers is addressed to the client, but belongs to the balancer's socket. So a connection remembers where
it began, as its mark in the router's connection tracking, and its answers go back there whatever their address is:

    on the balancer's node  what the router itself begins under a foreign address is marked `HERE`: its answers are the
                            router's own. It may go to no other places than those that were named (`Front`), and only
                            if the balancer's groups let it out.
    on the target's node    what another node sends is marked with that node's number, and its answers go to that node.
                            Mostly that is where they would have gone anyway.

A number is a mark, a routing table and a next hop at once, so a rule and a way for each node are all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

from hatoba.network import names
from hatoba.network.beyond import Front

HERE = 1  # the mark
OWN_TABLE = 3  # in which every address is the router's own
TABLES = range(OWN_TABLE, 1 << 24)  # no network has an address below 1.0.0.0: see `routing.table_of`
_FIRST_NUMBER = 16
_HOPS = 0xF0000000  # 240.0.0.0: addresses that nobody has

KINDS = {
    "fronts": "map {name} {{ type ipv4_addr . inet_proto . inet_service : verdict; }}",
    "came-by": "map {name} {{ type ether_addr : mark; }}",
}
_ANSWERS = "ct direction reply ct mark != 0 meta mark set ct mark"

Elements = dict[tuple[str, str], str]


def numbers(nodes: Iterable[str]) -> dict[str, int]:
    """Underlay address → number: what is left of the address, or the next number that is free."""
    found: dict[str, int] = {}
    for node in sorted(set(nodes)):
        number = int(IPv4Address(node)) % TABLES.stop
        while number < _FIRST_NUMBER or number in found.values():
            number = (number + 1) % TABLES.stop
        found[node] = number
    return found


def hop(number: int) -> str:
    """Under which address the tunnel knows the node."""
    return str(IPv4Address(_HOPS | number))


def node_elements(nodes: Iterable[str]) -> Elements:
    return {("came-by", names.node_mac(node)): str(number) for node, number in numbers(nodes).items()}


def front_elements(fronts: Iterable[Front], lets_out: Mapping[str, str]) -> Elements:
    """`lets_out`: what is asked about each of the router's own addresses."""
    return {
        ("fronts", f"{each.address} . {each.protocol} . {each.port}"): lets_out[each.balancer]
        for each in fronts
        if each.balancer in lets_out
    }


def leaving() -> str:
    """For what the router sends under an address that is none of its own."""
    return f"ct mark set {HERE} ip daddr . meta l4proto . th dport vmap @fronts"


def chains() -> dict[str, list[str]]:
    """What balancers of this router answer, too, may have come from another node's balancer."""
    return {
        "returning": [
            "type filter hook prerouting priority mangle; policy accept;",
            f'iifname "{names.TUNNEL}" ct state new ct mark set ether saddr map @came-by',
            _ANSWERS,
        ],
        "returning-own": ["type route hook output priority mangle; policy accept;", _ANSWERS],
    }
