"""Names that are derived, never chosen: devices (at most 15 characters), tables and hardware addresses.

On the host every device and table carries the instance's tag, so that instances stand side by side and each finds its
own after a crash. Inside a router's namespace there is nobody else, and the names are plain.
"""

from __future__ import annotations

import base64
import hashlib
import re
from ipaddress import IPv4Address

UPLINK = "uplink"  # a router's way to the host
TUNNEL = "vxlan"  # a router's way to the other nodes
INTERFACE = "eth0"  # in a task's namespace
PORT_PREFIX = "e-"  # a router's end of an interface
LINK_PREFIX = "p-"  # a router's end of its way to a peered VPC's

ROUTER_ADDRESS = "169.254.0.1"  # of every router, within its namespace: what its error messages come from
LINK_ADDRESS, LINK_ADDRESS6 = "169.254.0.2", "fe80::2"  # the far end of a way to another router, whoever that is

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


def node_mac(underlay: str) -> str:
    """The hardware address of a node's tunnels, known to all nodes from its underlay address."""
    return "02:69:" + ":".join(f"{byte:02x}" for byte in IPv4Address(underlay).packed)
