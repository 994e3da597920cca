"""Where registries are: the name and port of one, and its addresses as this node knows them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from hatoba.runtime.base import ImageSource


def split(source: ImageSource) -> tuple[str, int]:
    """Host and port."""
    host, _, port = source.host.rpartition(":")
    if host and port.isdecimal() and not host.endswith(":"):
        return host.strip("[]"), int(port)
    return source.host.strip("[]"), 80 if source.scheme == "http" else 443


async def addresses(host: str) -> Sequence[str]:
    """IPv4; none when the name is not known: whoever asks there will be told so."""
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
