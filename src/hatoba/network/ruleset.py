"""A VPC router's packet rules as nftables text. Pure.

Every new connection is asked twice, whichever hook it passes (forward: task to task, to the outside, to other nodes;
input: to the router's own addresses; output: from them):

    egress   is it who it claims to be (device and address together), and does one of its groups let it out?
    ingress  does a group of the target let it in, or may it leave the VPC this way?

Where a packet leaves the VPC has been decided by then (`routing`): one that goes on through a NAT gateway has that as
its next hop, and takes the address of it; one that goes to a peered VPC is asked again by that VPC's router.

IPv6 is not translated: what comes from the host passes as far as its target is reached from there (`inward6`), what
goes there as far as its source may leave (`outward6`). Neighbours are never kept from finding each other.

The members of a group are a set, each holder of an address is one element of a verdict map that leads to the rules of
its groups (`members`). So one more interface is a few elements, and a changed rule is one chain, however many others
there are. IPv6 blocks have sets and maps of their own, which are asked by the first 80 bits of an address, where there
are any. Answers of standing connections pass first; what no rule accepts is dropped without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from hatoba.network import borders, endpoints, fronts, gates, hosted, names
from hatoba.network import further as held
from hatoba.network.base import HostService, RouterService
from hatoba.network.beyond import Gate
from hatoba.network.grouprules import NEIGHBOURS, Elements, chain
from hatoba.network.hosted import Ends

TABLE = "inet hatoba"

_TO_INSTANCE = "ip daddr . meta l4proto . th dport @instances"
_STANDING = "ct state established,related accept"
_LINKS = f'"{names.LINK_PREFIX}*"'  # the routers at their other ends have asked, or ask

_KINDS = {
    "services": "set {name} {{ type ipv4_addr . inet_proto . inet_service; }}",
    "services6": "set {name} {{ type ipv6_addr . inet_proto . inet_service; }}",
    "host-services": "set {name} {{ type inet_proto . inet_service; }}",
    "instances": "set {name} {{ type ipv4_addr . inet_proto . inet_service; }}",
    "outward": "set {name} {{ type ipv4_addr; }}",
    "outward6": "set {name} {{ type ipv6_addr; }}",
    "inward6": "set {name} {{ type ipv6_addr; }}",
    "egress4": "map {name} {{ type ifname . ipv4_addr : verdict; }}",
    "egress6": "map {name} {{ type ifname . ipv6_addr : verdict; }}",
    "router-egress4": "map {name} {{ type ipv4_addr : verdict; }}",
    "router-egress6": "map {name} {{ type ipv6_addr : verdict; }}",
    "ingress4": "map {name} {{ type ipv4_addr : verdict; }}",
    "ingress6": "map {name} {{ type ipv6_addr : verdict; }}",
    "public-in": "map {name} {{ type ipv4_addr : ipv4_addr; }}",
    "public-out": "map {name} {{ type ipv4_addr : ipv4_addr; }}",
    "nats": "set {name} {{ type ipv4_addr; }}",
    "endpoints": "set {name} {{ type ipv4_addr; }}",
    "nat-out": "map {name} {{ type ipv4_addr : ipv4_addr; }}",
    "nat-over": "map {name} {{ type ipv4_addr : ipv4_addr; }}",
}
_BLOCK_KINDS = {
    "outward80": "set {name} {{ type ipv6_addr; }}",
    "inward80": "set {name} {{ type ipv6_addr; }}",
    "egress80": "map {name} {{ type ifname . ipv6_addr : verdict; }}",
    "ingress80": "map {name} {{ type ipv6_addr : verdict; }}",
}
_BRIDGE_KINDS = {"published": "map {name} {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}"}


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while the router stands."""

    host_address: str
    host_address6: str | None = None
    transit: str
    host_services: tuple[HostService, ...] = ()
    services: tuple[RouterService, ...] = ()
    bridge: bool = False  # ports of the host lead to its seats
    underlay: str | None = None  # this node's address for the other nodes


class _Questions(NamedTuple):
    """What the chains at several hooks ask: rules each."""

    from_task: list[str]  # is it who it claims to be, and do its groups let it out?
    to_member: list[str]  # do the groups of the target let it in?
    served: list[str]  # by the router itself
    untranslated: list[str]  # what comes from the host without having been meant for whom it may reach
    outward: list[str]  # may it leave the VPC this way?


def _questions(with_blocks: bool) -> _Questions:
    ports, up, block = f'iifname "{names.PORT_PREFIX}*"', f'"{names.UPLINK}"', held.MASK6
    from_task = ["iifname . ip saddr vmap @egress4", "iifname . ip6 saddr vmap @egress6"]
    to_member = ["ip daddr vmap @ingress4", "ip6 daddr vmap @ingress6"]
    outward = [
        f'oifname {{ "{names.TUNNEL}", {_LINKS} }} accept',
        f"oifname {up} rt ip nexthop @nats accept",
        f"oifname {up} ip saddr @outward accept",
        f"oifname {up} ip6 saddr @outward6 accept",
    ]
    if with_blocks:
        from_task.append(f"iifname . ip6 saddr & {block} vmap @egress80")
        to_member.append(f"ip6 daddr & {block} vmap @ingress80")
        outward.append(f"oifname {up} ip6 saddr & {block} @outward80 accept")
    inward = f"ip6 daddr & {block} != @inward80 " if with_blocks else ""
    return _Questions(
        from_task=from_task,
        to_member=to_member,
        # The kernel looks at the sources of IPv4 packets by itself (rp_filter).
        served=[
            f"{ports} ip daddr . meta l4proto . th dport @services accept",
            f"{ports} meta nfproto ipv6 fib saddr . iif oif missing drop",
            f"{ports} ip6 daddr . meta l4proto . th dport @services6 accept",
        ],
        # Only what was addressed to a public address may come from the host: private ones cannot be reached from there.
        untranslated=[
            f"iifname {up} meta nfproto ipv4 ct status ! dnat drop",
            f"iifname {up} ip6 daddr != @inward6 {inward}drop",
        ],
        outward=outward,
    )


def base_chains(
    frame: Frame,
    *,
    with_endpoints: bool = False,
    gate: Gate | None = None,
    with_blocks: bool = False,
    returning: bool = False,
    ends: Ends | None = None,
) -> dict[str, list[str]]:
    """The chains at the hooks: the same for every router, but for the addresses towards the host."""
    asked = _questions(with_blocks)
    return {
        **_forwarding(frame, asked, ends),
        **_input(asked, [endpoints.FROM_PEERED] if with_endpoints else []),
        **_output(asked, fronts.leaving_first() if returning else [], fronts.leaving() if returning else []),
        **_translations(frame, _entrances(frame, with_endpoints, gate), ends),
        **(hosted.chains(frame.host_address) if ends is not None else {}),
    }


def _forwarding(frame: Frame, asked: _Questions, ends: Ends | None) -> dict[str, list[str]]:
    up = f'"{names.UPLINK}"'
    hosts = [f"ip daddr {frame.host_address}"]
    hosts += [f"ip6 daddr {frame.host_address6}"] if frame.host_address6 is not None else []
    return {
        "forward-egress": [
            "type filter hook forward priority 0; policy drop;",
            _STANDING,
            f'iifname {{ {up}, "{names.TUNNEL}", {_LINKS} }} accept',
            *asked.from_task,
        ],
        "forward-ingress": [
            "type filter hook forward priority 10; policy drop;",
            _STANDING,
            *asked.untranslated,
            *asked.to_member,
            *(f"oifname {up} {host} meta l4proto . th dport @host-services accept" for host in hosts),
            *(hosted.passing(frame.host_address, ends) if ends is not None else []),
            f"oifname {up} {hosts[0]} {_TO_INSTANCE} drop",  # the host lets the router in
            *asked.outward,
        ],
    }


def _input(asked: _Questions, passes: list[str]) -> dict[str, list[str]]:
    """What the router itself is sent."""
    up = f'"{names.UPLINK}"'
    return {
        "input-egress": [
            "type filter hook input priority 0; policy drop;",
            _STANDING,
            f'iifname {{ "lo", {up}, "{names.TUNNEL}", {_LINKS} }} accept',
            NEIGHBOURS,
            *asked.served,
            *asked.from_task,
        ],
        "input-ingress": [
            "type filter hook input priority 10; policy drop;",
            _STANDING,
            'iifname "lo" accept',
            NEIGHBOURS,
            *asked.served,
            *passes,
            *asked.untranslated,
            *asked.to_member,
        ],
    }


def _output(asked: _Questions, first: list[str], others: list[str]) -> dict[str, list[str]]:
    """What the router itself sends: of what is asked `first`, under its own addresses, and under `others`."""
    begins = [
        _STANDING,
        'oifname "lo" ip daddr 127.0.0.0/8 accept',
        'oifname "lo" ip6 daddr ::1 accept',
        NEIGHBOURS,
    ]
    return {
        "output-egress": [
            "type filter hook output priority 0; policy drop;",
            *begins,
            *first,
            "ip saddr vmap @router-egress4",
            "ip6 saddr vmap @router-egress6",
            *others,
        ],
        "output-ingress": [
            "type filter hook output priority 10; policy drop;",
            *begins,
            f'oifname "{names.UPLINK}" {_TO_INSTANCE} accept',
            *asked.to_member,
            *asked.outward,
        ],
    }


def _entrances(frame: Frame, with_endpoints: bool, gate: Gate | None) -> list[str]:
    """What tasks send to the platform, in the VPC and outside of it, as far as the router takes it itself."""
    inside = endpoints.translation(frame.services) if with_endpoints else []
    return inside + (gates.translation(gate, frame.services) if gate is not None else [])


def _translations(frame: Frame, entrances: list[str], ends: Ends | None) -> dict[str, list[str]]:
    up, links = f'"{names.UPLINK}"', f'"{names.LINK_PREFIX}*"'
    return {
        "prerouting": [
            "type nat hook prerouting priority dstnat; policy accept;",
            f"iifname {up} dnat ip to ip daddr map @public-in",
            *([f"iifname {up} dnat ip to meta l4proto . th dport map @published"] if frame.bridge else []),
            *(hosted.arriving(frame.underlay) if ends is not None else []),
            *entrances,
        ],
        "postrouting": [
            "type nat hook postrouting priority srcnat; policy accept;",
            *(hosted.keeping(ends) if ends is not None else []),
            f"oifname {up} snat ip to rt ip nexthop map @nat-out",
            f"oifname {links} snat ip to rt ip nexthop map @nat-over",
            f"oifname {up} snat ip to ip saddr map @public-out",
            f"oifname {up} snat ip to {frame.transit}",
        ],
    }


def frame_elements(frame: Frame) -> Elements:
    served: Elements = {
        ("services6" if ":" in s.address else "services", f"{s.address} . {s.protocol} . {s.port}"): ""
        for s in frame.services
    }
    return served | {("host-services", f"{s.protocol} . {s.port}"): "" for s in frame.host_services}


def declare(group: str, *, with_blocks: bool = False, with_speakers: bool = False) -> list[str]:
    """A group's own sets and chains, empty. May be repeated."""
    return [
        f"add set {TABLE} members4-{group} {{ type ipv4_addr; }}",
        f"add set {TABLE} members6-{group} {{ type ipv6_addr; }}",
        *([f"add set {TABLE} members80-{group} {{ type ipv6_addr; }}"] if with_blocks else []),
        *([f"add set {TABLE} speakers-{group} {{ type mark; }}"] if with_speakers else []),
        *(f"add chain {TABLE} {chain(way, [group])}" for way in ("in", "out")),
    ]


def fill(name: str, rules: list[str]) -> list[str]:
    """A chain with these rules and no others."""
    return [
        f"add chain {TABLE} {name}",
        f"flush chain {TABLE} {name}",
        *(f"add rule {TABLE} {name} {rule}" for rule in rules),
    ]


def change(old: Elements, new: Elements) -> list[str]:
    """From one content of the sets and maps to another; what is in both stays untouched."""
    gone = [
        f"delete element {TABLE} {name} {{ {key} }}"
        for (name, key), value in old.items()
        if new.get((name, key)) != value
    ]
    come = [item for item in new.items() if old.get(item[0]) != item[1]]
    return gone + [f"add element {TABLE} {name} {{ {_element(key, value)} }}" for (name, key), value in come]


def _element(key: str, value: str) -> str:
    return f"{key} : {value}" if value else key


def document(
    frame: Frame,
    groups: Iterable[str],
    chains: Mapping[str, list[str]],
    content: Elements,
    *,
    bordered: bool = False,
    with_endpoints: bool = False,
    gate: Gate | None = None,
    with_blocks: bool = False,
    with_speakers: bool = False,
    returning: bool = False,
    ends: Ends | None = None,
) -> str:
    """The whole table, replacing at once whatever stood there: no packet meets an empty one.

    `bordered`: there are network ACLs; `with_endpoints`: of the platform; `gate`: the
    place of it outside that they are led away from; `with_blocks`: of IPv6, delegated;
    `with_speakers`: under others' addresses; `returning`: answers that have to go back where their connections began
    (both: `fronts`); `ends`: ports of the host are spoken to (`hosted`). Who has none does not pay.
    """
    lines = [f"add table {TABLE}", f"delete table {TABLE}", f"add table {TABLE}"]
    kinds = _KINDS | (_BRIDGE_KINDS if frame.bridge else {}) | (borders.KINDS if bordered else {})
    kinds |= fronts.KINDS if returning else {}
    kinds |= _BLOCK_KINDS if with_blocks else {}
    kinds |= hosted.KINDS if ends is not None else {}
    chains = {**chains, **(gates.questions() if gate is not None else {})}
    chains = {**chains, **(hosted.jumps(frame.host_address, ends) if ends is not None else {})}
    # Chains before maps: nftables looks for those that a map of networks leads to when the map is made.
    lines += [f"add chain {TABLE} {name}" for name in sorted(chains)]
    lines += [f"add {kind.format(name=f'{TABLE} {name}')}" for name, kind in kinds.items()]
    for group in sorted(groups):
        lines += declare(group, with_blocks=with_blocks, with_speakers=with_speakers)
    for name in sorted(chains):
        lines += [f"add rule {TABLE} {name} {rule}" for rule in chains[name]]
    by_set: dict[str, list[str]] = {}
    for (name, key), value in sorted({**content, **frame_elements(frame)}.items()):
        by_set.setdefault(name, []).append(_element(key, value))
    lines += [f"add element {TABLE} {name} {{ {', '.join(keys)} }}" for name, keys in by_set.items()]
    crossed = borders.asked("4") if bordered else []
    hooked = borders.chains() if bordered else {}
    hooked |= endpoints.chains(crossed) if with_endpoints else {}
    hooked |= gates.chains(gate, crossed) if gate is not None else {}
    hooked |= fronts.chains() if returning else {}
    hooked |= base_chains(
        frame, with_endpoints=with_endpoints, gate=gate, with_blocks=with_blocks, returning=returning, ends=ends
    )
    for name, (hook, *rules) in hooked.items():
        lines.append(f"add chain {TABLE} {name} {{ {hook} }}")
        lines += [f"add rule {TABLE} {name} {rule}" for rule in rules]
    return "\n".join(lines) + "\n"
