"""Balancers that speak under their clients' addresses, and how what they are answered finds back. Pure.

What a target answers is addressed to the client, but belongs to the balancer's socket. So a connection remembers where
it began, as its mark in the router's connection tracking, and its answers go back there whatever their address is:

    on the balancer's node  what the router itself begins under a foreign address bears the balancer's mark: its answers
                            are the router's own. It may go to no other places than those that were named (`Front`), and
                            only if the balancer's groups let it out. Datagrams of IPv4 clients for a target of IPv6 the
                            router begins under whichever address of its own; they leave under that of the place.
    on the way              it leaves for another node with a hardware address that says which balancer it is.
    on the target's node    what another node sends is marked with that node's number, or that of the balancer there,
                            and its answers go to that node. Mostly that is where they would have gone anyway.

Marks, like balancers, are of both families: each balancer has an IPv4 address. By the mark rules that name a balancer's
group know the balancer, whose address the packets do not have. A node's number is its mark, a routing table and a next
hop at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from hatoba.network import names
from hatoba.network.base import Peer
from hatoba.network.beyond import Front
from hatoba.network.grouprules import Elements

OWN_TABLE = 8  # in which every address is the router's own; the first ones are of `routing`
TABLES = range(OWN_TABLE, 1 << 24)  # no network has an address below 1.0.0.0: see `routing.table_of`
_NODES, BALANCERS = range(16, 1 << 24), range(1 << 24, 1 << 25)
_HOPS, _HOPS6 = 0xF0000000, 0xFE80 << 112 | 1 << 32  # 240.0.0.0, fe80::1:0:0: addresses that nobody has

KINDS = {
    "fronts4": "map {name} {{ type ipv4_addr . inet_proto . inet_service : verdict; }}",
    "fronts6": "map {name} {{ type ipv6_addr . inet_proto . inet_service : verdict; }}",
    "fronts-by4": "map {name} {{ type ipv4_addr . inet_proto . inet_service : mark; }}",
    "fronts-by6": "map {name} {{ type ipv6_addr . inet_proto . inet_service : mark; }}",
    "fronts-from": "map {name} {{ type mark : ipv6_addr; }}",
    "fronts-own": "set {name} {{ type ipv6_addr; }}",
    "came-by": "map {name} {{ type ether_addr : mark; }}",
}
_AWAY = "netdev hatoba"  # the table for what leaves by the tunnel
_PLACES = {"4": "ip daddr . meta l4proto . th dport", "6": "ip6 daddr . meta l4proto . th dport"}
_ANSWERS = "ct direction reply ct mark != 0 meta mark set ct mark"


class Speaker(NamedTuple):
    """A balancer that speaks for its clients. `lets_out`: what is asked about it; "": it is another node's."""

    groups: tuple[str, ...]
    lets_out: str = ""


Speakers = Mapping[str, Speaker]  # by address


class Backs(NamedTuple):
    """The ways back: mark → table, and the nodes with their numbers, which are tables too."""

    rules: Mapping[int, int]
    nodes: Mapping[str, int]


NO_BACKS = Backs({}, {})


def numbers(nodes: Iterable[str]) -> dict[str, int]:
    """Underlay address → number: what is left of the address, or the next number that is free."""
    return _numbered(nodes, _NODES)


def marks(balancers: Iterable[str]) -> dict[str, int]:
    """Address of a balancer → its mark."""
    return _numbered(balancers, BALANCERS)


def _numbered(addresses: Iterable[str], within: range) -> dict[str, int]:
    found: dict[str, int] = {}
    taken: set[int] = set()
    for address in sorted(set(addresses)):
        number = int(IPv4Address(address)) % (1 << 24) | within.start & 1 << 24
        while number not in within or number in taken:
            number = number + 1 if number + 1 < within.stop else within.start
        found[address] = number
        taken.add(number)
    return found


def hops(number: int) -> tuple[str, str]:
    """Under which addresses the tunnel knows the node: for each family."""
    return str(IPv4Address(_HOPS | number)), str(IPv6Address(_HOPS6 | number))


def backs(fronts: Iterable[Front], own: Iterable[str | None], peers: Collection[Peer]) -> Backs:
    """`own`: the router's addresses."""
    here = {front.balancer for front in fronts} & {address for address in own if address is not None}
    far = {peer.address: peer.node for peer in peers if peer.fronting and peer.address is not None}
    numbered = numbers(peer.node for peer in peers)
    rules = {number: number for number in numbered.values()}
    for balancer, mark in marks({*here, *far}).items():
        rules[mark] = OWN_TABLE if balancer in here else numbered[far[balancer]]
    return Backs(rules, numbered)


def node_elements(nodes: Iterable[str]) -> Elements:
    return {("came-by", names.node_mac(node)): str(number) for node, number in numbers(nodes).items()}


def elements(fronts: Iterable[Front], speakers: Speakers, own: Iterable[str]) -> Elements:
    """What the rules know of balancers that speak for clients. `own`: the router's addresses of IPv6, of all its
    balancers."""
    found: Elements = {}
    numbered = marks(speakers)
    for balancer, speaker in speakers.items():
        for group in speaker.groups:
            found[f"speakers-{group}", str(numbered[balancer])] = ""
        if not speaker.lets_out:
            found["came-by", names.balancer_mac(balancer)] = str(numbered[balancer])
    for front in fronts:
        if front.balancer in speakers:
            family = "6" if ":" in front.address else "4"
            place, mark = f"{front.address} . {front.protocol} . {front.port}", str(numbered[front.balancer])
            found[f"fronts{family}", place] = speakers[front.balancer].lets_out
            found[f"fronts-by{family}", place] = mark
            if front.source:
                found["fronts-from", mark] = front.source
                found |= {("fronts-own", address): "" for address in own}
    return found


def leaving() -> list[str]:
    """For what the router sends under an address that is none of its own."""
    return [rule for family in _PLACES for rule in _named(family)]


def leaving_first() -> list[str]:
    """For datagrams of IPv6, also under the router's own addresses: there are no others to such a place."""
    return [f"meta l4proto udp {rule}" for rule in _named("6")]


def _named(family: str) -> list[str]:
    place = _PLACES[family]
    return [f"ct mark set {place} map @fronts-by{family}", f"{place} vmap @fronts{family}"]


def chains() -> dict[str, list[str]]:
    """What balancers of this router answer, too, may have come from another node's balancer."""
    tunnel = f'"{names.TUNNEL}"'
    return {
        "returning": [
            "type filter hook prerouting priority mangle; policy accept;",
            f"iifname {tunnel} ct state new ct mark set ether saddr map @came-by",
            _ANSWERS,
        ],
        "returning-own": ["type route hook output priority mangle; policy accept;", _ANSWERS],
        "going": [
            "type filter hook postrouting priority 300; policy accept;",
            f"oifname {tunnel} ct direction original ct mark >= {BALANCERS.start} meta mark set ct mark",
        ],
        "going-as-another": [
            "type nat hook postrouting priority srcnat; policy accept;",
            "meta l4proto udp ip6 saddr @fronts-own snat ip6 to ct mark map @fronts-from",
        ],
    }


def away(speakers: Speakers) -> list[str]:
    """The table for what leaves by the tunnel: who speaks for clients says so there. Needs Linux 5.16."""
    numbered = marks(speakers)
    own = ", ".join(
        f"{numbered[balancer]} : {names.balancer_mac(balancer)}"
        for balancer, speaker in sorted(speakers.items())
        if speaker.lets_out
    )
    if not own:
        return []
    return [
        f"add table {_AWAY}",
        f"add chain {_AWAY} going {{ type filter hook egress device {names.TUNNEL} priority 0; policy accept; }}",
        f"add rule {_AWAY} going ether saddr set meta mark map {{ {own} }}",
    ]


def anew(away: list[str]) -> list[str]:
    """That table, in the place of one that stands or does not."""
    return [f"add table {_AWAY}", f"delete table {_AWAY}", *away]
