"""A VPC router's packet rules as nftables text. Pure.

Every new connection is asked twice, whichever hook it passes (forward: task to task, to the outside, to other nodes;
input: to the router's own addresses; output: from them):

    egress   is it who it claims to be (device and address together), and does one of its groups let it out?
    ingress  does a group of the target let it in, or may it leave the VPC this way?

Where a packet leaves the VPC has been decided by then (`routing`): one that goes on through a NAT gateway has that as
its next hop, and takes the address of it; one that goes to a peered VPC is asked again by that VPC's router.

The members of a group are a set, each holder of an address is one element of a verdict map that leads to the rules of
its groups. So one more interface is a few elements, and a changed rule is one chain, however many others there are.
Answers of standing connections pass first. What no rule accepts is dropped without a word, as security groups do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

import msgspec

from hatoba.network import borders, bridge, endpoints, fronts, names
from hatoba.network import further as held
from hatoba.network.base import HostService, PolicySet, Publish, RouterService, Rule
from hatoba.network.beyond import Gateway, Instance
from hatoba.network.further import Further

TABLE = "inet hatoba"

Elements = dict[tuple[str, str], str]  # (set or map, key) → value; "" in a set

_LONGEST_NAME = 120
_TO_INSTANCE = "ip daddr . meta l4proto . th dport @instances"
_NEIGHBOURS = "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept"

_KINDS = {
    "services": "set {name} {{ type ipv4_addr . inet_proto . inet_service; }}",
    "host-services": "set {name} {{ type inet_proto . inet_service; }}",
    "instances": "set {name} {{ type ipv4_addr . inet_proto . inet_service; }}",
    "outward": "set {name} {{ type ipv4_addr; }}",
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
_BRIDGE_KINDS = {"published": "map {name} {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}"}


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while the router stands."""

    host_address: str
    transit: str
    host_services: tuple[HostService, ...] = ()
    services: tuple[RouterService, ...] = ()
    bridge: bool = False  # ports of the host lead to its seats


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A holder of an address: an interface here (it has a device), the router itself (it has none), or a peer."""

    address: str
    groups: tuple[str, ...]
    address6: str | None = None
    device: str | None = None
    here: bool = True
    public: str | None = None
    egress: bool = False
    open: bool = False
    endpoint: bool = False  # of the platform: nobody here has the address
    ports: tuple[Publish, ...] = ()
    further: tuple[Further, ...] = ()


def elements(member: Member) -> Elements:
    """All that one holder adds to the sets and maps."""
    found: Elements = {}
    own = [("4", member.address)] + ([("6", member.address6)] if member.address6 is not None else [])
    for family, address in (*own, *(("4", a) for a in held.addresses(each.network for each in member.further))):
        for group in member.groups:
            found[f"members{family}-{group}", address] = ""
        if not member.here:
            continue
        if member.endpoint:
            found["endpoints", address] = ""
        elif member.device is not None:
            found[f"egress{family}", f'"{member.device}" . {address}'] = verdict("out", member.groups)
        else:
            found[f"router-egress{family}", address] = lets_out(member)
        found[f"ingress{family}", address] = "accept" if member.open else verdict("in", member.groups)
    if member.here:
        found |= _outside(member.address, member.public, member.egress)
        for each in member.further:
            found |= _outside(each.network, each.public, each.public is not None)
    for protocol, host, port in bridge.published(member.ports):
        found["published", f"{protocol} . {host}"] = f"{member.address} . {port}"
    return found


def _outside(address: str, public: str | None, egress: bool) -> Elements:
    found: Elements = {("outward", address): ""} if egress else {}
    if public is not None:
        found["public-in", public] = address
        found["public-out", address] = public
    return found


def gateway_elements(gateway: Gateway) -> Elements:
    """The next hop that stands for a NAT gateway of this node, and what takes its address: outside, in peered VPCs."""
    found: Elements = {("nat-over", gateway.address): gateway.address}
    if gateway.public is not None:
        found["nat-out", gateway.address] = gateway.public
        found["nats", gateway.address] = ""
    return found


def instance_elements(instances: Iterable[Instance]) -> Elements:
    """Ports of nodes that the router itself may reach."""
    return {("instances", f"{each.address} . {each.protocol} . {each.port}"): "" for each in instances}


def lets_out(member: Member) -> str:
    """What is asked about an address of the router's own. What its groups do not let out is nobody else's, either."""
    return "accept" if member.open else verdict("out", member.groups, by="goto")


def verdict(direction: str, groups: tuple[str, ...], by: str = "jump") -> str:
    return f"{by} {chain(direction, groups)}" if groups else "drop"


def chain(direction: str, groups: Iterable[str]) -> str:
    """The chain that asks all the groups; for one group, its own."""
    name = ".".join(sorted(set(groups)))
    if len(name) > _LONGEST_NAME:
        name = hashlib.blake2b(name.encode(), digest_size=12).hexdigest()
    return f"{direction}-{name}"


def combination(groups: tuple[str, ...]) -> dict[str, list[str]]:
    """The chains for holders of several groups: name → rules. Empty for one group: its own chains serve."""
    members = sorted(set(groups))
    if len(members) < 2:
        return {}
    return {chain(way, members): [f"jump {chain(way, [group])}" for group in members] for way in ("in", "out")}


def group_chains(policy: PolicySet) -> dict[str, list[str]]:
    """One group's rules: name of the chain → rules."""
    return {
        chain("in", [policy.id]): [text for rule in policy.ingress for text in _rules(rule, "saddr")],
        chain("out", [policy.id]): [text for rule in policy.egress for text in _rules(rule, "daddr")],
    }


def references(policy: PolicySet) -> set[str]:
    """The groups whose members the policy's rules ask for."""
    return {group for rule in (*policy.ingress, *policy.egress) for group in rule.groups}


def _rules(rule: Rule, far: str) -> list[str]:
    """One line for each kind of far end that the rule names."""
    said = protocol(rule)
    return [f"{source} {said}accept" for source in far_ends(rule, far)]


def far_ends(rule: Rule, far: str) -> list[str]:
    networks = [ip_network(cidr) for cidr in rule.cidrs]
    # Overlapping networks are refused within one set, and mean nothing more.
    four = [str(n) for n in collapse_addresses(n for n in networks if isinstance(n, IPv4Network))]
    six = [str(n) for n in collapse_addresses(n for n in networks if isinstance(n, IPv6Network))]
    ends = []
    if four:
        ends.append("meta nfproto ipv4" if "0.0.0.0/0" in four else f"ip {far} {{ {', '.join(four)} }}")
    if six:
        ends.append("meta nfproto ipv6" if "::/0" in six else f"ip6 {far} {{ {', '.join(six)} }}")
    for group in rule.groups:
        ends += [f"ip {far} @members4-{group}", f"ip6 {far} @members6-{group}"]
    return ends


def protocol(rule: Rule) -> str:
    match rule.protocol:
        case "any":
            return ""
        case "tcp" | "udp" if rule.from_port is not None:
            last = rule.from_port if rule.to_port is None else rule.to_port
            ports = str(rule.from_port) if last == rule.from_port else f"{rule.from_port}-{last}"
            return f"{rule.protocol} dport {ports} "
        case "icmp" | "icmpv6" if rule.from_port is not None:
            code = "" if rule.to_port is None else f"{rule.protocol} code {rule.to_port} "
            return f"{rule.protocol} type {rule.from_port} {code}"
        case "tcp" | "udp" | "icmp":
            return f"meta l4proto {rule.protocol} "
        case "icmpv6":
            return "meta l4proto ipv6-icmp "
        case number if number.isdecimal() and int(number) < 256:
            return f"meta l4proto {int(number)} "
    raise ValueError(
        f"{rule.protocol!r} is no protocol: any, tcp, udp, icmp, icmpv6 or a number below 256 is expected."
    )


def base_chains(frame: Frame, *, with_endpoints: bool = False, returning: bool = False) -> dict[str, list[str]]:
    """The chains at the hooks: the same for every router, but for the addresses towards the host."""
    asked = [endpoints.PASSES] if with_endpoints else []
    standing = "ct state established,related accept"
    ports, up, tunnel = f'iifname "{names.PORT_PREFIX}*"', f'"{names.UPLINK}"', f'"{names.TUNNEL}"'
    links = f'"{names.LINK_PREFIX}*"'  # the routers at their other ends have asked, or ask
    from_task = ["iifname . ip saddr vmap @egress4", "iifname . ip6 saddr vmap @egress6"]
    to_member = ["ip daddr vmap @ingress4", "ip6 daddr vmap @ingress6"]
    served = f"{ports} ip daddr . meta l4proto . th dport @services accept"
    # Only what was addressed to a public address may come from the host: private ones cannot be reached from there.
    untranslated = f"iifname {up} ct status ! dnat drop"
    outward = [
        f"oifname {{ {tunnel}, {links} }} accept",
        f"oifname {up} rt ip nexthop @nats accept",
        f"oifname {up} ip saddr @outward accept",
    ]
    return {
        "forward-egress": [
            "type filter hook forward priority 0; policy drop;",
            standing,
            f"iifname {{ {up}, {tunnel}, {links} }} accept",
            *asked,
            *from_task,
        ],
        "forward-ingress": [
            "type filter hook forward priority 10; policy drop;",
            standing,
            untranslated,
            *to_member,
            f"oifname {up} ip daddr {frame.host_address} meta l4proto . th dport @host-services accept",
            f"oifname {up} ip daddr {frame.host_address} {_TO_INSTANCE} drop",  # the host lets the router in
            *outward,
        ],
        "input-egress": [
            "type filter hook input priority 0; policy drop;",
            standing,
            f'iifname {{ "lo", {up}, {tunnel}, {links} }} accept',
            _NEIGHBOURS,
            served,
            *from_task,
        ],
        "input-ingress": [
            "type filter hook input priority 10; policy drop;",
            standing,
            'iifname "lo" accept',
            _NEIGHBOURS,
            served,
            untranslated,
            *to_member,
        ],
        **_output(up, to_member, outward, returning=returning),
        **_translations(frame, with_endpoints),
    }


def _output(up: str, to_member: list[str], outward: list[str], *, returning: bool) -> dict[str, list[str]]:
    """What the router itself sends."""
    begins = [
        "ct state established,related accept",
        'oifname "lo" ip daddr 127.0.0.0/8 accept',
        'oifname "lo" ip6 daddr ::1 accept',
        _NEIGHBOURS,
    ]
    return {
        "output-egress": [
            "type filter hook output priority 0; policy drop;",
            *begins,
            "ip saddr vmap @router-egress4",
            "ip6 saddr vmap @router-egress6",
            *([fronts.leaving()] if returning else []),
        ],
        "output-ingress": [
            "type filter hook output priority 10; policy drop;",
            *begins,
            f"oifname {up} {_TO_INSTANCE} accept",
            *to_member,
            *outward,
        ],
    }


def _translations(frame: Frame, with_endpoints: bool) -> dict[str, list[str]]:
    up, links = f'"{names.UPLINK}"', f'"{names.LINK_PREFIX}*"'
    return {
        "prerouting": [
            "type nat hook prerouting priority dstnat; policy accept;",
            f"iifname {up} dnat ip to ip daddr map @public-in",
            *([f"iifname {up} dnat ip to meta l4proto . th dport map @published"] if frame.bridge else []),
            *(endpoints.translation(frame.host_address, frame.host_services) if with_endpoints else []),
        ],
        "postrouting": [
            "type nat hook postrouting priority srcnat; policy accept;",
            f"oifname {up} snat ip to rt ip nexthop map @nat-out",
            f"oifname {links} snat ip to rt ip nexthop map @nat-over",
            f"oifname {up} snat ip to ip saddr map @public-out",
            f"oifname {up} snat ip to {frame.transit}",
        ],
    }


def frame_elements(frame: Frame) -> Elements:
    served: Elements = {("services", f"{s.address} . {s.protocol} . {s.port}"): "" for s in frame.services}
    return served | {("host-services", f"{s.protocol} . {s.port}"): "" for s in frame.host_services}


def declare(group: str) -> list[str]:
    """A group's own sets and chains, empty. May be repeated."""
    return [
        f"add set {TABLE} members4-{group} {{ type ipv4_addr; }}",
        f"add set {TABLE} members6-{group} {{ type ipv6_addr; }}",
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
    returning: bool = False,
) -> str:
    """The whole table, replacing at once whatever stood there: no packet meets an empty one.

    `bordered`: there are network ACLs; `with_endpoints`: of the platform; `returning`: answers that have to go back
    where their connections began (`fronts`). Who has none does not pay for them.
    """
    lines = [f"add table {TABLE}", f"delete table {TABLE}", f"add table {TABLE}"]
    kinds = _KINDS | (_BRIDGE_KINDS if frame.bridge else {}) | (borders.KINDS if bordered else {})
    kinds |= fronts.KINDS if returning else {}
    # Chains before maps: nftables looks for those that a map of networks leads to when the map is made.
    lines += [f"add chain {TABLE} {name}" for name in sorted(chains)]
    lines += [f"add {kind.format(name=f'{TABLE} {name}')}" for name, kind in kinds.items()]
    for group in sorted(groups):
        lines += declare(group)
    for name in sorted(chains):
        lines += [f"add rule {TABLE} {name} {rule}" for rule in chains[name]]
    by_set: dict[str, list[str]] = {}
    for (name, key), value in sorted({**content, **frame_elements(frame)}.items()):
        by_set.setdefault(name, []).append(_element(key, value))
    lines += [f"add element {TABLE} {name} {{ {', '.join(keys)} }}" for name, keys in by_set.items()]
    hooked = borders.chains(with_endpoints=with_endpoints) if bordered else {}
    hooked |= endpoints.chains(borders.asked("4") if bordered else []) if with_endpoints else {}
    hooked |= fronts.chains() if returning else {}
    hooked |= base_chains(frame, with_endpoints=with_endpoints, returning=returning)
    for name, (hook, *rules) in hooked.items():
        lines.append(f"add chain {TABLE} {name} {{ {hook} }}")
        lines += [f"add rule {TABLE} {name} {rule}" for rule in rules]
    return "\n".join(lines) + "\n"
