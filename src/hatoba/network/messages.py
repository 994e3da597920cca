"""The changes that the fabric makes to links, addresses, routes and neighbours, as netlink requests.

Pure: numbers of devices and descriptors come in, requests go out. Additions replace what stands, removals do not mind
that nothing is there, so every batch may be repeated.
"""

from __future__ import annotations

import errno
from ipaddress import ip_address, ip_network
from typing import Any

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from hatoba.network import names
from hatoba.network.netlink import (
    CREATE,
    DELADDR,
    DELLINK,
    DELNEIGH,
    DELROUTE,
    DELRULE,
    NEWADDR,
    NEWLINK,
    NEWNEIGH,
    NEWROUTE,
    NEWRULE,
    REPLACE,
    SETLINK,
    Request,
)

OURS = 72  # the origin written on our routes on the host ("H"), by which they are told from others'

_FAMILY = {4: 2, 6: 10}
_BRIDGE_FAMILY = 7
_UP = 0x1
_PERMANENT, _SELF = 0x80, 0x02
_MAIN_TABLE = 254
LOCAL_TABLE = 255
_UNICAST, _LOCAL, _BLACKHOLE, _UNREACHABLE = 1, 2, 6, 7
_UNIVERSE, _LINK, _HOST = 0, 253, 254
_TO_TABLE = 1  # what a rule does
_BYTE = 255
_ONLINK = 4
_NO_DAD = 0x02
_GONE = frozenset({errno.ENODEV, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENOENT})

INTERFACE_INDEX = 2  # eth0 in a task's namespace: the first device after lo


def _link(what: str, type_: int, *, index: int = 0, up: bool = False, flags: int = 0, **attrs: Any) -> Request:
    message = ifinfmsg()
    message["index"] = index
    if up:
        message["flags"] = message["change"] = _UP
    message["attrs"] = [(f"IFLA_{name.upper()}", value) for name, value in attrs.items()]
    return Request(
        what=what, type=type_, message=message, flags=flags, ignore=_GONE if type_ == DELLINK else frozenset()
    )


def veth(
    device: str,
    mac: str,
    mtu: int,
    *,
    peer: str,
    peer_mac: str,
    peer_index: int,
    peer_netns: int,
    netns: int | None = None,
) -> Request:
    """A pair: one end here (or in `netns`), the other in the namespace of a descriptor. `peer_index` 0: any."""
    far = {
        "index": peer_index,
        "attrs": [
            ("IFLA_IFNAME", peer),
            ("IFLA_ADDRESS", peer_mac),
            ("IFLA_MTU", mtu),
            ("IFLA_NET_NS_FD", peer_netns),
        ],
    }
    info = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", far)]})]}
    where: dict[str, Any] = {} if netns is None else {"net_ns_fd": netns}
    return _link(
        f"make the pair {device}–{peer}",
        NEWLINK,
        flags=CREATE,
        ifname=device,
        address=mac,
        mtu=mtu,
        linkinfo=info,
        **where,
    )


def vxlan(device: str, mac: str, mtu: int, *, vni: int, local: str, port: int, netns: int) -> Request:
    """A tunnel whose outer packets travel in this namespace, made in that of the descriptor. Learns nothing itself."""
    data = [
        ("IFLA_VXLAN_ID", vni),
        ("IFLA_VXLAN_LOCAL", local),
        ("IFLA_VXLAN_PORT", port),
        ("IFLA_VXLAN_LEARNING", 0),
    ]
    info = {"attrs": [("IFLA_INFO_KIND", "vxlan"), ("IFLA_INFO_DATA", {"attrs": data})]}
    return _link(
        f"make the tunnel for {vni}",
        NEWLINK,
        flags=CREATE,
        ifname=device,
        address=mac,
        mtu=mtu,
        net_ns_fd=netns,
        linkinfo=info,
    )


def up(index: int) -> Request:
    return _link("set a link up", SETLINK, index=index, up=True)


def mark(index: int, owner: str) -> Request:
    """Writes the owner on a link: the last step of what is made of several, so an unmarked link is half made."""
    return _link("mark a link", SETLINK, index=index, ifalias=owner)


def unlink(index: int) -> Request:
    return _link("remove a link", DELLINK, index=index)


def address(index: int, value: str, *, scope: int = _UNIVERSE) -> Request:
    return _address("add", NEWADDR, index, value, REPLACE, scope)


def no_address(index: int, value: str) -> Request:
    return _address("remove", DELADDR, index, value, 0, _UNIVERSE)


def _address(verb: str, type_: int, index: int, value: str, flags: int, scope: int) -> Request:
    version = ip_address(value).version
    message = ifaddrmsg()
    message["family"] = _FAMILY[version]
    message["prefixlen"] = 32 if version == 4 else 128
    message["index"] = index
    message["scope"] = scope
    message["flags"] = _NO_DAD if version == 6 else 0
    attrs = [("IFA_LOCAL", value), ("IFA_ADDRESS", value)]
    message["attrs"] = attrs if version == 4 else attrs[1:]
    ignore = _GONE if type_ == DELADDR else frozenset()
    return Request(what=f"{verb} the address {value}", type=type_, message=message, flags=flags, ignore=ignore)


def route(
    to: str,
    index: int,
    *,
    via: str | None = None,
    source: str | None = None,
    origin: int = 4,
    table: int = _MAIN_TABLE,
    mtu: int | None = None,
) -> Request:
    """To a network or an address, by a device; `via` is taken to be on that device's link."""
    message = _route(to, origin=origin, kind=_UNICAST, scope=_UNIVERSE if via else _LINK, table=table)
    message["attrs"] += [("RTA_OIF", index)]
    if via is not None:
        message["flags"] = _ONLINK
        message["attrs"] += [("RTA_GATEWAY", via)]
    if source is not None:
        message["attrs"] += [("RTA_PREFSRC", source)]
    if mtu is not None:
        message["attrs"] += [("RTA_METRICS", {"attrs": [("RTAX_MTU", mtu)]})]
    return Request(what=f"route {to}", type=NEWROUTE, message=message, flags=REPLACE)


def route_by_gateway(to: str, via: str, *, origin: int) -> Request:
    """By a neighbour that the present routes lead to."""
    message = _route(to, origin=origin, kind=_UNICAST, scope=_UNIVERSE)
    message["attrs"] += [("RTA_GATEWAY", via)]
    return Request(what=f"route {to} by {via}", type=NEWROUTE, message=message, flags=REPLACE)


def blackhole(to: str, *, table: int = _MAIN_TABLE) -> Request:
    """Drops silently, as a VPC does with an address that nobody holds."""
    return Request(
        what=f"close {to}",
        type=NEWROUTE,
        message=_route(to, origin=4, kind=_BLACKHOLE, scope=_UNIVERSE, table=table),
        flags=REPLACE,
    )


def local(to: str, index: int, *, table: int = LOCAL_TABLE) -> Request:
    """The namespace holds all of the network, though none of its addresses is on a device."""
    message = _route(to, origin=4, kind=_LOCAL, scope=_HOST, table=table)
    message["attrs"] += [("RTA_OIF", index)]
    return Request(what=f"hold {to}", type=NEWROUTE, message=message, flags=REPLACE)


def unreachable(to: str, *, origin: int) -> Request:
    """Refuses at once: for addresses of ours that nobody holds at the moment."""
    message = _route(to, origin=origin, kind=_UNREACHABLE, scope=_UNIVERSE)
    return Request(what=f"claim {to}", type=NEWROUTE, message=message, flags=REPLACE)


def no_route(to: str, *, index: int | None = None, origin: int = 0, table: int = _MAIN_TABLE) -> Request:
    message = _route(to, origin=origin, kind=0, scope=_UNIVERSE if ip_network(to).version == 6 else 255, table=table)
    if index is not None:
        message["attrs"] += [("RTA_OIF", index)]
    return Request(what=f"remove the route {to}", type=DELROUTE, message=message, ignore=_GONE)


def any_route(family: int = 0) -> Any:
    """For a dump of routes: all, or those of one family (2, 10)."""
    message = rtmsg()
    message["family"] = family
    return message


def any_address() -> Any:
    return ifaddrmsg()


def _route(to: str, *, origin: int, kind: int, scope: int, table: int = _MAIN_TABLE) -> Any:
    network = ip_network(to)
    message = rtmsg()
    message["family"] = _FAMILY[network.version]
    message["dst_len"] = network.prefixlen
    message["table"] = table if table <= _BYTE else 0  # a larger number is in the attribute
    message["proto"] = origin
    message["type"] = kind
    message["scope"] = scope if network.version == 4 else _UNIVERSE
    message["attrs"] = [("RTA_TABLE", table)]
    if network.prefixlen:
        message["attrs"] += [("RTA_DST", str(network.network_address))]
    return message


def rule(source: str | None, table: int, priority: int, *, family: int = 2, own: bool = False) -> Request:
    """What comes from a network finds its way in a table; None: everything (of the family). `own`: only what processes
    of this namespace send, nothing that is forwarded."""
    what = f"look for the ways of {source} in {table}"
    message = _rule(source, table, priority, family)
    if own:
        message["attrs"].append(("FRA_IIFNAME", "lo"))
    return Request(what=what, type=NEWRULE, message=message, flags=CREATE, ignore=frozenset({errno.EEXIST}))


def no_rule(source: str, table: int, priority: int) -> Request:
    message = _rule(source, table, priority, _FAMILY[4])
    return Request(what=f"remove the rule for {source}", type=DELRULE, message=message, ignore=_GONE)


def early_rule(source: str, to: str, device: str, table: int, priority: int) -> Request:
    """What is sent from an address, to one ("": any) and by a device ("lo": by this namespace's processes) finds its
    way in a table (IPv4)."""
    message = _early_rule(source, to, device, table, priority)
    what = f"look for the ways from {source or 'anywhere'} to {to or 'anywhere'} in {table}"
    return Request(what=what, type=NEWRULE, message=message, flags=CREATE, ignore=frozenset({errno.EEXIST}))


def no_early_rule(source: str, to: str, device: str, table: int, priority: int) -> Request:
    message = _early_rule(source, to, device, table, priority)
    return Request(what=f"remove the rule for {source} and {to}", type=DELRULE, message=message, ignore=_GONE)


def _early_rule(source: str, to: str, device: str, table: int, priority: int) -> Any:
    message = _rule(f"{source}/32" if source else None, table, priority, _FAMILY[4])
    if to:
        message["dst_len"] = 32
        message["attrs"].append(("FRA_DST", to))
    if device:
        message["attrs"].append(("FRA_IIFNAME", device))
    return message


def host_rule(source: str, table: int, priority: int) -> Request:
    """On the host: what comes from an address of ours finds its way in a table. It is told from others' rules by its
    origin, as our routes are."""
    what = f"look for the ways of {source} in {table}"
    message = _host_rule(source, table, priority)
    return Request(what=what, type=NEWRULE, message=message, flags=CREATE, ignore=frozenset({errno.EEXIST}))


def no_host_rule(source: str, table: int, priority: int) -> Request:
    message = _host_rule(source, table, priority)
    return Request(what=f"remove the rule for {source}", type=DELRULE, message=message, ignore=_GONE)


def _host_rule(source: str, table: int, priority: int) -> Any:
    message = _rule(f"{source}/32", table, priority, _FAMILY[4])
    message["attrs"].append(("FRA_PROTOCOL", OURS))
    return message


def rule_for_mark(mark: int, table: int, priority: int, *, family: int) -> Request:
    """What bears the mark finds its way in a table."""
    message = _rule_for_mark(mark, table, priority, family)
    what = f"look for the ways of what is marked {mark} in {table}"
    return Request(what=what, type=NEWRULE, message=message, flags=CREATE, ignore=frozenset({errno.EEXIST}))


def no_rule_for_mark(mark: int, table: int, priority: int, *, family: int) -> Request:
    message = _rule_for_mark(mark, table, priority, family)
    return Request(what=f"remove the rule for the mark {mark}", type=DELRULE, message=message, ignore=_GONE)


def _rule_for_mark(mark: int, table: int, priority: int, family: int) -> Any:
    message = _rule(None, table, priority, family)
    message["attrs"].append(("FRA_FWMARK", mark))
    return message


def any_rule() -> Any:
    return fibmsg()


def _rule(source: str | None, table: int, priority: int, family: int) -> Any:
    message = fibmsg()
    message["family"] = family
    message["table"] = table if table <= _BYTE else 0
    message["action"] = _TO_TABLE
    message["attrs"] = [("FRA_TABLE", table), ("FRA_PRIORITY", priority)]
    if source is not None:
        network = ip_network(source)
        message["family"] = _FAMILY[network.version]
        message["src_len"] = network.prefixlen
        message["attrs"] += [("FRA_SRC", str(network.network_address))]
    return message


def neighbour(index: int, value: str, mac: str) -> Request:
    """A permanent entry: nobody asks, nobody forgets."""
    message = _neighbour(index, value)
    message["state"] = _PERMANENT
    message["attrs"] += [("NDA_LLADDR", mac)]
    return Request(what=f"set the neighbour {value}", type=NEWNEIGH, message=message, flags=REPLACE)


def no_neighbour(index: int, value: str) -> Request:
    return Request(what=f"remove the neighbour {value}", type=DELNEIGH, message=_neighbour(index, value), ignore=_GONE)


def _neighbour(index: int, value: str) -> Any:
    message = ndmsg()
    message["family"] = _FAMILY[ip_address(value).version]
    message["ifindex"] = index
    message["attrs"] = [("NDA_DST", value)]
    return message


def forwarding(index: int, node: str) -> Request:
    """Packets for a node's tunnels travel to its underlay address."""
    return Request(
        what=f"set the way to the node {node}", type=NEWNEIGH, message=_forwarding(index, node), flags=REPLACE
    )


def no_forwarding(index: int, node: str) -> Request:
    return Request(
        what=f"remove the way to the node {node}", type=DELNEIGH, message=_forwarding(index, node), ignore=_GONE
    )


def _forwarding(index: int, node: str) -> Any:
    message = ndmsg()
    message["family"] = _BRIDGE_FAMILY
    message["ifindex"] = index
    message["state"] = _PERMANENT
    message["flags"] = _SELF
    message["attrs"] = [("NDA_LLADDR", names.node_mac(node)), ("NDA_DST", node)]
    return message
