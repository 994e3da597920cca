"""Brings a router's routing tables from what they are to what is wanted: the rest of them stays as it is.

New ways come before the rules that lead to them, old ones go after theirs: a packet finds the old way or the new one.
A way by a device that is not there yet (to a peered VPC's router) is closed until it is.

Works in the network namespace of the router's thread.
"""

from __future__ import annotations

from hatoba.network import messages, names
from hatoba.network.fronts import TABLES
from hatoba.network.netlink import GETROUTE, GETRULE, Netlink, Request, index
from hatoba.network.routing import INSTANCES, NOWHERE, OUTSIDE, SPOKEN, Early, Hop, Ways

_FIRST, _LAST = 33000, 34000  # the priorities of our rules: behind that of the table with the VPC's own ways (32766)
_ROUTER = 32000  # before it: a node may have an address that belongs to the VPC as well
_SPEAKING, _EARLY = 31900, 31800
_KERNEL_TABLES = (0, 253, 254, 255)
_FAMILIES = (2, 10)
NOTHING = Ways(blocks={}, hops={})


def change(netlink: Netlink, old: Ways, new: Ways) -> Ways:
    """What stands now: `new`, less what leads by devices that are not there."""
    there = {device for device in {hop.device for hop in new.hops.values()} if _is_there(netlink, device)}
    hops = {place: hop if hop.device in there else NOWHERE for place, hop in new.hops.items()}
    new = Ways(blocks=new.blocks, hops=hops, early=new.early)
    fresh = {place: hop for place, hop in new.hops.items() if old.hops.get(place) != hop}
    neighbours, former = _neighbours(new), _neighbours(old)
    netlink.apply(
        *(messages.early_rule(*each, INSTANCES, _EARLY) for each in new.early - old.early),
        *(messages.neighbour(_device(hop), hop.via, _MACS[hop.device[:2]]) for hop in neighbours - former),
        *(_put(place, hop) for place, hop in fresh.items()),
        *(messages.rule(block, table, _FIRST) for block, table in new.blocks.items() - old.blocks.items()),
        *(messages.no_rule(block, table, _FIRST) for block, table in old.blocks.items() - new.blocks.items()),
        *(messages.no_route(to, table=table) for table, to in old.hops.keys() - new.hops.keys()),
        *(messages.no_early_rule(*each, INSTANCES, _EARLY) for each in old.early - new.early),
        *(messages.no_neighbour(_device(hop), hop.via) for hop in former - neighbours if index(hop.device)),
    )
    return new


def close(netlink: Netlink, old: Ways, device: str) -> Ways:
    """Before a device goes: what it led to is closed, instead of being left to shorter routes."""
    hops = {place: NOWHERE if hop.device == device else hop for place, hop in old.hops.items()}
    return change(netlink, old, Ways(blocks=old.blocks, hops=hops, early=old.early))


def converge(netlink: Netlink, new: Ways) -> Ways:
    """From whatever is there."""
    old = _read(netlink)
    netlink.apply(
        messages.rule(None, OUTSIDE, _LAST),
        messages.rule(None, INSTANCES, _ROUTER, own=True),
        messages.rule(None, SPOKEN, _SPEAKING, own=True),
    )
    if any(":" in to for table, to in new.hops if table == OUTSIDE):
        netlink.apply(messages.rule(None, OUTSIDE, _LAST, family=_FAMILIES[1]))
    return change(netlink, old, new)


_MACS = {names.UPLINK[:2]: names.HOST_MAC, names.LINK_PREFIX: names.LINK_MAC}


def _neighbours(ways: Ways) -> set[Hop]:
    """Who is asked on the way; those behind the tunnel are known there."""
    return {hop for hop in ways.hops.values() if hop != NOWHERE and hop.device != names.TUNNEL}


def _is_there(netlink: Netlink, device: str) -> bool:
    """A way to another router may be half made: nothing can be led there before its other end is up."""
    number = index(device) if device else None
    return number is not None and (not device.startswith(names.LINK_PREFIX) or netlink.is_operational(number))


def _put(place: tuple[int, str], hop: Hop) -> Request:
    table, to = place
    if hop == NOWHERE:
        return messages.blackhole(to, table=table)
    return messages.route(to, _device(hop), via=hop.via, table=table)


def _device(hop: Hop) -> int:
    return index(hop.device) or 0


def _read(netlink: Netlink) -> Ways:
    rules = netlink.dump(GETRULE, messages.any_rule())
    blocks = {
        f"{rule.get_attr('FRA_SRC')}/{rule['src_len']}": rule.get_attr("FRA_TABLE")
        for rule in rules
        if rule.get_attr("FRA_PRIORITY") == _FIRST
    }
    early = frozenset(
        Early(*(rule.get_attr(name) or "" for name in ("FRA_SRC", "FRA_DST", "FRA_IIFNAME")))
        for rule in rules
        if rule.get_attr("FRA_PRIORITY") == _EARLY
    )
    devices = {link["index"]: name for name, link in netlink.links().items()}
    hops: dict[tuple[int, str], Hop] = {}
    for family in _FAMILIES:
        everything = "0.0.0.0" if family == _FAMILIES[0] else "::"
        for route in netlink.dump(GETROUTE, messages.any_route(family)):
            table = route.get_attr("RTA_TABLE") or route["table"]
            if table in _KERNEL_TABLES or table in TABLES:
                continue
            to = f"{route.get_attr('RTA_DST') or everything}/{route['dst_len']}"
            gateway = route.get_attr("RTA_GATEWAY")
            hops[table, to] = Hop(devices.get(route.get_attr("RTA_OIF"), ""), gateway) if gateway else NOWHERE
    return Ways(blocks=blocks, hops=hops, early=early)
