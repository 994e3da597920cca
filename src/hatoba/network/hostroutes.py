"""The host's own routes, read: what is ours, which devices lead outside.

Works in the thread of the host's namespace.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from hatoba.network import messages
from hatoba.network.netlink import GETROUTE, Message, Netlink

_UNICAST, _LOCAL, _UNREACHABLE = 1, 2, 7
_MAIN_TABLE, _LOCAL_TABLE = 254, 255


class HostRoute(NamedTuple):
    network: IPv4Network | IPv6Network
    device: str  # "" for none
    gateway: str | None
    origin: int


def routes_of(netlink: Netlink, family: int = 2) -> list[HostRoute]:
    """The routes of one family (2, 10) that lead to something definite."""
    return [
        HostRoute(
            ip_network(f"{route.get_attr('RTA_DST')}/{route['dst_len']}"),
            device,
            route.get_attr("RTA_GATEWAY"),
            route["proto"],
        )
        for route, device in _dump(netlink, family)
        if route["type"] in (_UNICAST, _LOCAL, _UNREACHABLE)
        and route["dst_len"]
        and route["table"] in (_MAIN_TABLE, _LOCAL_TABLE)
    ]


def ways_outside(netlink: Netlink, underlay: str | None) -> set[str]:
    """The devices of the default routes, and the one that leads to the other nodes."""
    return {
        device
        for route, device in _dump(netlink)
        if device and (route["dst_len"] == 0 or (route["type"] == _LOCAL and route.get_attr("RTA_DST") == underlay))
    }


def _dump(netlink: Netlink, family: int = 2) -> list[tuple[Message, str]]:
    devices = {link["index"]: name for name, link in netlink.links().items()}
    return [
        (route, devices.get(route.get_attr("RTA_OIF") or 0, ""))
        for route in netlink.dump(GETROUTE, messages.any_route(family))
    ]
