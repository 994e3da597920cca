"""Where a connection was meant to go, before the packet filter translated its destination."""

from __future__ import annotations

import socket

_ORIGINAL = 80  # SO_ORIGINAL_DST


def meant(wire: socket.socket) -> str:
    """An IPv4 address; "" where nobody knows."""
    try:
        found = wire.getsockopt(socket.SOL_IP, _ORIGINAL, 16)
    except OSError:
        return ""
    return socket.inet_ntoa(found[4:8])
