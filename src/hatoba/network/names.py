"""Names that are derived, never chosen: devices (at most 15 characters), tables and hardware addresses.

On the host every device and table carries the instance's tag, so that instances stand side by side and each finds its
own after a crash. Inside a router's namespace there is nobody else, and the names are plain.
"""

from __future__ import annotations

import base64
import hashlib
import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network

UPLINK = "uplink"  # a router's way to the host
TUNNEL = "vxlan"  # a router's way to the other nodes
INTERFACE = "eth0"  # in a task's namespace
PORT_PREFIX = "e-"  # a router's end of an interface
LINK_PREFIX = "p-"  # a router's end of its way to a peered VPC's

ROUTER_ADDRESS = "169.254.0.1"  # of every router, within its namespace: what its error messages come from
LINK_ADDRESS, LINK_ADDRESS6 = "169.254.0.2", "fe80::2"  # the far end of a way to another router, whoever that is

# What IPv6 packets are handed to; the two ends know each other's hardware address, nobody has these addresses.
HOST6 = "fe80::3"  # the host, by a router's uplink
UPLINK6 = "fe80::4"  # a router, by the host's end of that
HOLDER6 = "fe80::5"  # an interface, by its router's end

# An interface without an IPv4 address has one of these towards its router, for what is served at 169.254.0.0/16 only.
LOCALS = "169.254.172.0/22"
LOCAL_GATEWAY = "169.254.172.1"
LOCAL_SERVICES = "169.254.0.0/16"

# Every point-to-point link has a segment of its own, so one address serves for all ends of a kind. Locally
# administered, and known to both sides from the start: nobody ever waits for ARP.
ROUTER_MAC = "02:68:61:74:6f:01"
UPLINK_MAC = "02:68:61:74:6f:02"
HOST_MAC = "02:68:61:74:6f:03"
LINK_MAC = "02:68:61:74:6f:04"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def checked(identifier: str) -> str:
    """The same id, if it may be part of a path and of a rule set. Raises `ValueError`."""
    if not _ID.fullmatch(identifier):
        raise ValueError(f"{identifier!r} is no id: letters, digits, '.', '_' and '-', at most 64, are expected.")
    return identifier


def _short(text: str, length: int) -> str:
    """Hashes to lower-case base 32: five bits a character."""
    digest = hashlib.blake2b(text.encode(), digest_size=10).digest()
    return base64.b32encode(digest).decode().lower()[:length]


def host_prefix(instance: str) -> str:
    """All devices of the instance on the host begin so."""
    return f"hat{_short(instance, 5)}"


def host_uplink(instance: str, vpc: str) -> str:
    return f"{host_prefix(instance)}u{_short(vpc, 6)}"


def host_table(instance: str) -> str:
    return f"hatoba-{_short(instance, 5)}"


def port(interface: str) -> str:
    """The router's end of an interface."""
    return PORT_PREFIX + _short(interface, 13)


def link(vpc: str) -> str:
    """A router's way to the router of another VPC."""
    return LINK_PREFIX + _short(vpc, 13)


def router6(pool6: str, transit: str) -> str:
    """The address that a router's own messages come from: of the pool's first /56, which no VPC is given."""
    return str(IPv6Network(pool6)[(1 << 32) + int(IPv4Address(transit))])


def node6(underlay: str) -> str:
    """What IPv6 packets for a node are handed to, in its tunnels."""
    return str(IPv6Address((0xFE80 << 112) + int(IPv4Address(underlay))))


def balancer_mac(address: str) -> str:
    """Under which a balancer's packets come to other nodes, where they have its clients' addresses."""
    return "02:6a:" + ":".join(f"{byte:02x}" for byte in IPv4Address(address).packed)


def node_mac(underlay: str) -> str:
    """The hardware address of a node's tunnels, known to all nodes from its underlay address."""
    return "02:69:" + ":".join(f"{byte:02x}" for byte in IPv4Address(underlay).packed)
