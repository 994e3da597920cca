"""The resolver that tasks see: at their VPC's base + 2, 169.254.169.253 and fd00:ec2::253, inside the VPC's router.

It knows the names of the network's own zones, those that everybody sees, and the private names of the VPC's addresses;
for the rest it asks the host's resolvers. Names are taken over when somebody asks, not when they change: a burst of
changes costs one pass, and none while nobody is interested.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.dns.base import Entry, Find, Found, Upstream
from hatoba.dns.desk import Desk
from hatoba.dns.server import Server
from hatoba.dns.zone import Zone, first
from hatoba.fleet.items import NetworkItem, ZoneItem
from hatoba.network.base import BRIDGE, Fabric
from hatoba.node.private_names import private_names
from hatoba.node.services import resolvers

log = logging.getLogger(__name__)


PORT = 53
ENDPOINT_TTL = 60
OF_ROUTER = "127.0.0.1"  # for what of ours runs in the router: its packet rules let it speak to its own loopback
EVERYBODY = ""  # the network of names that all of them see

Networks = Callable[[], Mapping[str, NetworkItem]]
Zones = Callable[[], Mapping[str, ZoneItem]]


class _Names:
    """What one network is told; made from the items when it is asked for, and anew after `changed`."""

    def __init__(self, make: Callable[[], Find]) -> None:
        self._make = make
        self._find: Find | None = None

    def changed(self) -> None:
        self._find = None

    def find(self, name: str, kind: str) -> Found | None:
        if self._find is None:
            self._find = self._make()
        return self._find(name, kind)


class _Served:
    """One network's resolver."""

    def __init__(self, names: _Names, desk: Desk, server: Server) -> None:
        self.names = names
        self.desk = desk
        self.server = server
        self.addresses: set[str] = set()  # a network may be given IPv6 while it stands


class Resolver:
    """Implements `services.NetworkServices`."""

    def __init__(self, fabric: Fabric, networks: Networks, zones: Zones, upstream: Upstream, clock: Clock) -> None:
        self._fabric = fabric
        self._networks = networks
        self._zones = zones
        self._upstream = upstream
        self._clock = clock
        self._served: dict[str, _Served] = {}
        self._shared = _Names(lambda: zone_of(self._zones(), EVERYBODY).find)

    async def open(self, network: str, netns: Path) -> None:
        item = self._wanted(network)
        if item is None:
            return
        served = self._served.get(network)
        if served is None:
            names = _Names(lambda: self._names_of(network))
            desk = Desk(names.find, self._upstream)
            served = _Served(names, desk, Server(desk, self._clock))
        try:
            for address in (*resolvers(item), *(() if network == BRIDGE else (OF_ROUTER,))):
                if address not in served.addresses:
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        await served.server.serve(await self._bound(network, kind, address))
                    served.addresses.add(address)
        except PortError:
            self._served.pop(network, None)
            await served.server.close()
            raise
        self._served[network] = served

    def _wanted(self, network: str) -> NetworkItem | None:
        """None: it does without a resolver, or it has gone while it was seen to."""
        item = self._networks().get(network)
        return item if item is not None and item.dns else None

    async def _bound(self, network: str, kind: socket.SocketKind, address: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        opened = await self._fabric.open_socket(network, family, kind)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            opened.bind((address, PORT))
        except OSError as error:
            opened.close()
            raise PortError("kernel", f"listen on {address}:{PORT} in {network}: {error.strerror}") from error
        return opened

    def _names_of(self, network: str) -> Find:
        """Its own zones go before those of everybody, as a private zone hides a public one."""
        item = self._networks().get(network)
        if item is None:
            return self._shared.find
        own = zone_of(self._zones(), network)
        cidrs = item.cidrs if item.hostnames else ()
        computed = private_names(cidrs, item.region)
        peered = [known for peer in item.peerings if (known := self._networks().get(peer)) is not None]
        return first((own.find, names_of_endpoints(item, peered).find, computed.find, self._shared.find))

    async def refresh(self, network: str, netns: Path) -> None:
        self._shared.changed()  # an item of everybody refreshes every network
        if self._wanted(network) is None:
            await self.close(network)
            return
        await self.open(network, netns)
        served = self._served.get(network)
        if served is not None:
            served.names.changed()
            served.desk.changed()

    async def close(self, network: str) -> None:
        served = self._served.pop(network, None)
        if served is not None:
            await served.server.close()

    async def close_all(self) -> None:
        for network in list(self._served):
            await self.close(network)


def names_of_endpoints(item: NetworkItem, peered: Iterable[NetworkItem] = ()) -> Zone:
    """Those of its endpoints, and of peered networks'; of the services that its own lead to, where addresses have names
    at all."""
    found = [name for network in (item, *peered) for endpoint in network.endpoints for name in endpoint.names]
    if item.hostnames:
        found += [name for endpoint in item.endpoints for name in endpoint.private]
    return Zone.of({name.name: Entry(addresses=name.addresses, ttl=ENDPOINT_TTL) for name in found})


def zone_of(items: Mapping[str, ZoneItem], network: str) -> Zone:
    """The names that are meant for one network, or for everybody."""
    entries = {
        name: Entry(addresses=item.addresses, ttl=item.ttl) for name, item in items.items() if item.network == network
    }
    return Zone.of(entries)
