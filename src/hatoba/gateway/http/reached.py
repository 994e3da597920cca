"""Where a connection is from, and where it was meant to go before the packet filter translated its destination."""

from __future__ import annotations

import asyncio
import socket

import msgspec

_ORIGINAL = 80  # SO_ORIGINAL_DST


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """As `Request` tells it."""

    peer: str
    peer_port: int
    meant: str = ""
    carrier: str = ""


def arrival(transport: asyncio.BaseTransport, *, translated: bool) -> Arrival:
    peer = transport.get_extra_info("peername")
    address, port = peer[:2] if isinstance(peer, tuple) else ("", 0)
    to = meant(transport.get_extra_info("socket")) if translated else ""
    return Arrival(peer=address, peer_port=port, meant=to)


def meant(wire: socket.socket) -> str:
    """An IPv4 address; "" where nobody knows."""
    try:
        found = wire.getsockopt(socket.SOL_IP, _ORIGINAL, 16)
    except OSError:
        return ""
    return socket.inet_ntoa(found[4:8])
