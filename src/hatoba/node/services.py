"""What serves inside a router, of a VPC or of the bridge: which addresses and ports, and what its server has to do."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hatoba.fleet.items import NetworkItem
from hatoba.network import base as net
from hatoba.network.beyond import HTTPS
from hatoba.node.translate import METADATA

RESOLVERS, RESOLVERS6 = "169.254.169.253", "fd00:ec2::253"
_TRANSPORTS: tuple[net.Transport, ...] = ("udp", "tcp")


class NetworkServices(Protocol):
    """What serves inside a router: the metadata endpoint, the resolver, the proxies."""

    async def open(self, network: str, netns: Path) -> None:
        """Nothing to do when it is open. Raises `PortError`, and is called again then."""
        ...

    async def refresh(self, network: str, netns: Path) -> None:
        """The network, its balancers or its names have changed. Follows `open`, which may have been repeated."""
        ...

    async def close(self, network: str) -> None: ...


def resolvers(item: NetworkItem) -> tuple[str, ...]:
    """The addresses of a network's resolver; by IPv6 where it has any."""
    six = (RESOLVERS6,) if any(":" in cidr for cidr in item.cidrs) else ()
    return tuple(dict.fromkeys((item.resolver, RESOLVERS, *six)))


def router_services(item: NetworkItem, endpoints: int = 0) -> tuple[net.RouterService, ...]:
    """`endpoints`: the port at which VPC endpoints are served without TLS; 0: nowhere on this node."""
    ports = (endpoints, HTTPS) if endpoints else ()
    entrance = tuple(net.RouterService(address=METADATA, port=port, endpoints=True) for port in ports)
    if not item.dns:
        return (net.RouterService(address=METADATA, port=80), *entrance)
    names = tuple(
        net.RouterService(address=address, port=53, protocol=protocol)
        for address in resolvers(item)
        for protocol in _TRANSPORTS
    )
    return (net.RouterService(address=METADATA, port=80), *entrance, *names)
