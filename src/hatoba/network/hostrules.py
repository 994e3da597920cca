"""The instance's own table on the host, as nftables text. Pure. Nothing else of the host's rules is touched.

    input        from our uplinks only answers and the ports given as host services, and by each the ports of the host
                 that load balancers behind it have for targets (the router there lets only those through), also at the
                 address that the host has for that VPC; everything else of the host, whatever address of it is meant,
                 stays closed. Tunnel packets only from known nodes.
                 The host's addresses for its tasks are nobody's who is not behind an uplink, or the host itself.
    forward      from our uplinks only our own addresses, and no tunnel packets; others only to the bridge, where they
                 were led by a load balancer (`hosted`). To no router's own address, and from elsewhere to nothing at
                 the host's address for tasks. From devices whose forwarding we had to turn on, only towards uplinks
                 (and what somebody else's translation or standing connection asks for), as if it were off.
    prerouting   what is meant for an address of the host and a published port goes to the bridge; the same for what the
    output       host itself sends. There also: the way of our containers on the host's network to a service of ours.
    postrouting  what leaves the host from a router takes the host's address, except between public addresses of ours.
                 So does what goes to the bridge from the host's loopback.

An accept here does not overrule a drop in somebody else's table: a host whose firewall drops forwarded packets by
default (Docker's does) must allow the devices `hat*` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, collapse_addresses
from types import MappingProxyType
from typing import NamedTuple

from hatoba.network import names
from hatoba.network.base import HostRedirect, Settings
from hatoba.network.hosted import Ends

_ALL_INSTANCES = '"hat*"'
_ASKED = "iifname . ip daddr . meta l4proto . th dport @instances"


def table(instance: str) -> str:
    return f"inet {names.host_table(instance)}"


Published = Mapping[tuple[str, int], str]  # protocol and port of the host → the bridge's uplink address
Instances = frozenset[tuple[str, str, str, int]]  # uplink; address, protocol and port that balancers behind it reach


class _Chain(NamedTuple):
    name: str
    hook: str  # "": others jump to it
    rules: list[str]


def document(
    settings: Settings,
    guarded: tuple[str, ...],
    nodes: frozenset[str] = frozenset(),
    published: Published = MappingProxyType({}),
    instances: Instances = frozenset(),
    ends: Mapping[str, Ends] = MappingProxyType({}),
) -> str:
    """The whole table, at once in place of what stood there. `guarded`: the devices that forward only for us; `ends`:
    the addresses that stand for a VPC, by its uplink."""
    ours = table(settings.instance)
    lines = [
        f"add table {ours}",
        f"delete table {ours}",
        f"add table {ours}",
        f"add set {ours} nodes {{ type ipv4_addr; }}",
        *admit(settings.instance, nodes),
        f"add map {ours} published {{ type inet_proto . inet_service : ipv4_addr; }}",
        f"add set {ours} published-ports {{ type inet_proto . inet_service; }}",
        *publish(settings.instance, published),
        f"add set {ours} instances {{ type ifname . ipv4_addr . inet_proto . inet_service; }}",
        *let_in(settings.instance, instances),
        f"add set {ours} ends {{ type ipv4_addr; }}",
        f"add set {ours} led {{ type ifname . ipv4_addr; }}",
        f"add map {ours} to-bridge {{ type ifname . ipv4_addr : ipv4_addr; }}",
        *(line for uplink, each in sorted(ends.items()) for line in give(settings.instance, uplink, each)),
    ]
    uplinks = f'"{names.host_prefix(settings.instance)}u*"'
    for chain in (
        _from_routers(settings),
        _input(settings, uplinks),
        _forward(settings, uplinks, guarded),
        *_translations(settings, uplinks),
    ):
        lines.append(f"add chain {ours} {chain.name}" + (f" {{ {chain.hook} }}" if chain.hook else ""))
        lines += (f"add rule {ours} {chain.name} {rule}" for rule in chain.rules)
    return "\n".join(lines) + "\n"


def _from_routers(settings: Settings) -> _Chain:
    services = ", ".join(f"{service.protocol} . {service.port}" for service in settings.host_services)
    hosts = [f"ip daddr {settings.host_address}"]
    if settings.host_address6 is not None:
        hosts.append(f"ip6 daddr {settings.host_address6}")
    open_ = [f"{host} meta l4proto . th dport {{ {services} }} accept" for host in hosts] if services else []
    rules = [
        "ct state established,related accept",
        *open_,
        f"{_ASKED} accept",
        "drop",
    ]
    return _Chain("from-routers", "", rules)


def _input(settings: Settings, uplinks: str) -> _Chain:
    tunnels = f"udp dport {settings.vxlan_port} ip saddr != @nodes drop"
    rules = [
        f"iifname {uplinks} jump from-routers",
        *([tunnels] if settings.underlay else []),
        *_closed_to_outsiders(settings, f'iifname != "lo" iifname != {uplinks}'),
    ]
    return _Chain("input", "type filter hook input priority -10; policy accept;", rules)


def _forward(settings: Settings, uplinks: str, guarded: tuple[str, ...]) -> _Chain:
    own = ", ".join(str(n) for n in collapse_addresses(map(IPv4Network, (settings.pool, settings.transit))))
    foreign6 = f"ip6 saddr != {settings.pool6} drop" if settings.pool6 else "meta nfproto ipv6 drop"
    # A task that may go outside must not send what another node would take for a tunnel packet of this one.
    forged = f"iifname {uplinks} udp dport {settings.vxlan_port} drop"
    closed = ", ".join(f'"{device}"' for device in guarded)
    guards = f"iifname {{ {closed} }} oifname != {_ALL_INSTANCES} ct state new ct status ! dnat drop"
    rules = [
        f"iifname {uplinks} {foreign6}",
        "iifname . ip daddr @led ct status dnat accept",
        "ct direction reply ct status dnat ct original ip daddr @ends accept",
        f"iifname {uplinks} ip saddr != {{ {own} }} drop",
        f"ct original ip daddr != {settings.host_address} ct original ip daddr {settings.transit} drop",
        f"iifname != {uplinks} ct original ip daddr {settings.host_address} drop",
        *([forged] if settings.underlay else []),
        *([guards] if guarded else []),
    ]
    return _Chain("forward", "type filter hook forward priority -10; policy accept;", rules)


def _translations(settings: Settings, uplinks: str) -> list[_Chain]:
    to_bridge = "fib daddr type local dnat ip to meta l4proto . th dport map @published"
    led = f"{_ASKED} meta l4proto . th dport @published-ports dnat ip to iifname . ip daddr map @to-bridge"
    leaving = [
        f"oifname {uplinks} ip saddr 127.0.0.0/8 snat ip to {settings.host_address}",
        f"oifname != {uplinks} ip saddr {settings.transit} masquerade",
        f"oifname != {uplinks} ip saddr {settings.pool} ip daddr != {settings.pool} masquerade",
    ]
    return [
        _Chain("prerouting", "type nat hook prerouting priority dstnat; policy accept;", [led, to_bridge]),
        _Chain("redirected", "", []),
        _Chain("output", "type nat hook output priority -100; policy accept;", ["jump redirected", to_bridge]),
        _Chain("postrouting", "type nat hook postrouting priority srcnat; policy accept;", leaving),
    ]


def _closed_to_outsiders(settings: Settings, abroad: str) -> list[str]:
    """The network outside may lead the pools here. It finds public addresses there, and IPv6 blocks; what the host
    serves its tasks is nobody else's."""
    six = [f"{abroad} ip6 daddr {settings.host_address6} drop"] if settings.host_address6 is not None else []
    return [f"{abroad} ip daddr {settings.transit} drop", *six]


def admit(instance: str, nodes: frozenset[str]) -> list[str]:
    """Lets tunnel packets of these nodes in."""
    return [f"add element {table(instance)} nodes {{ {', '.join(sorted(nodes))} }}"] if nodes else []


def dismiss(instance: str, nodes: frozenset[str]) -> list[str]:
    return [f"delete element {table(instance)} nodes {{ {', '.join(sorted(nodes))} }}"] if nodes else []


def let_in(instance: str, ports: Instances) -> list[str]:
    """Lets what comes by these uplinks to these ports of the host itself."""
    return [f"add element {table(instance)} instances {{ {_ports(ports)} }}"] if ports else []


def shut_out(instance: str, ports: Instances) -> list[str]:
    return [f"delete element {table(instance)} instances {{ {_ports(ports)} }}"] if ports else []


def _ports(ports: Instances) -> str:
    return ", ".join(f'"{uplink}" . {to} . {protocol} . {port}' for uplink, to, protocol, port in sorted(ports))


def give(instance: str, uplink: str, ends: Ends) -> list[str]:
    """Two addresses stand for the VPC behind that uplink."""
    return [f"add element {table(instance)} {place}" for place in _places(uplink, ends)]


def take(instance: str, uplink: str, ends: Ends) -> list[str]:
    return [f"delete element {table(instance)} {place}" for place in _places(uplink, ends)]


def _places(uplink: str, ends: Ends) -> list[str]:
    return [
        f"ends {{ {ends.own} }}",
        f'led {{ "{uplink}" . {ends.bridge} }}',
        f'to-bridge {{ "{uplink}" . {ends.own} : {ends.bridge} }}',
    ]


def publish(instance: str, ports: Published) -> list[str]:
    """Leads these ports of the host to the bridge."""
    return [f"add element {table(instance)} {place}" for place in _published(ports)]


def withdraw(instance: str, ports: Published) -> list[str]:
    return [f"delete element {table(instance)} {place}" for place in _published(ports)]


def _published(ports: Published) -> list[str]:
    if not ports:
        return []
    leading = ", ".join(f"{protocol} . {port} : {to}" for (protocol, port), to in sorted(ports.items()))
    known = ", ".join(f"{protocol} . {port}" for protocol, port in sorted(ports))
    return [f"published {{ {leading} }}", f"published-ports {{ {known} }}"]


def redirect(instance: str, wanted: HostRedirect | None) -> str:
    """Leads what processes of one cgroup send to an address and port to a service of ours. None: nothing."""
    ours = table(instance)
    lines = [f"flush chain {ours} redirected"]
    if wanted is not None:
        level = wanted.cgroup.strip("/").count("/") + 1
        lines.append(
            f'add rule {ours} redirected socket cgroupv2 level {level} "{wanted.path}" ip daddr {wanted.address} '
            f"tcp dport {wanted.port} dnat ip to 127.0.0.1:{wanted.to_port}"
        )
    return "\n".join(lines) + "\n"


def removal(instance: str) -> str:
    return f"add table {table(instance)}\ndelete table {table(instance)}\n"
