"""Where each workload is on this node's networks: made when it is asked for, also after a restart, and remembered.

By its network mode a workload has an interface in a VPC, a seat on the bridge for each container, the node's own
network, or none.
"""

from __future__ import annotations

from pathlib import Path

from hatoba.core.records import replace
from hatoba.fleet.model import Workload
from hatoba.network.base import BRIDGE
from hatoba.node.bridge import seated
from hatoba.node.etc import host_files
from hatoba.node.events import Seated
from hatoba.node.services import RESOLVERS, RESOLVERS6
from hatoba.node.translate import Place, Seat
from hatoba.node.wiring import Wiring

REGISTRY = "registry"  # tasks reach the platform where nodes reach its registry


class Places:
    def __init__(self, wiring: Wiring, folder: Path, endpoint: str, *, endpoint6: str, told_by_file: bool) -> None:
        """`endpoint`: the URL of the platform for tasks, "registry" where it is where the registry is; "": untold.
        `endpoint6`: likewise, for tasks that have IPv6 only. `told_by_file`: containers on instances find a file about
        themselves."""
        self._wiring = wiring
        self._folder = folder
        self._told_by_file = told_by_file
        self._places: dict[str, Place] = {}
        self._seats: dict[str, tuple[Seated, ...]] = {}  # of workloads on the bridge
        self._addresses: dict[tuple[str, str], str] = {}  # (network, address) → workload
        self.endpoint = endpoint
        self._endpoint6 = endpoint6
        self.registry = ""  # "host:port" of the platform's own registry, from the control plane's welcome

    async def of(self, workload: Workload) -> Place:
        """Where the workload's things are; makes its interface when it is not there. Raises `PortError`."""
        place = self._places.get(workload.id)
        if place is None:
            place = self._places[workload.id] = await self._make(workload)
        return place

    async def _make(self, workload: Workload) -> Place:
        registry = f"http://{self.registry}" if self.registry else ""
        plain = Place(
            netns="",
            address="",
            files=self._folder / workload.id,
            registry=self.registry,
            endpoint=registry if self.endpoint == REGISTRY else self.endpoint,
            told_by_file=self._told_by_file,
        )
        if workload.interface is not None:
            return await self._attached(workload.interface, workload, plain)
        if workload.network_mode == "bridge":
            return await self._seated(workload, plain)
        if workload.network_mode == "none":
            return plain
        # Where this node reaches the platform: the address that routers' tasks are given may not be there.
        beside = (registry or plain.endpoint) if plain.endpoint else ""
        return replace(plain, netns="host", host=host_files(), endpoint=beside)

    async def _attached(self, interface: str, workload: Workload, plain: Place) -> Place:
        item, network, there = await self._wiring.attach(interface)
        known = item.address or there.local or ""
        self._addresses[item.network, known] = workload.id
        servers = network.nameservers
        if not item.address:
            servers = tuple(RESOLVERS6 if server == network.resolver else server for server in servers)
        return replace(
            plain,
            netns=str(there.netns),
            address=item.address,
            local=there.local or "",
            address6=item.address6 or "",
            prefix6=item.prefix6 or "",
            endpoint=plain.endpoint if item.address else self._endpoint6 if plain.endpoint else "",
            servers=servers,
            domain=network.domain,
            mac=item.mac,
            gateway=item.gateway,
            prefix=item.prefix,
        )

    async def _seated(self, workload: Workload, plain: Place) -> Place:
        """A seat for each container, all before the first is launched: links need to know the addresses."""
        seats = await self._wiring.bridge.attach(workload)
        for seat in seats.values():
            self._addresses[BRIDGE, seat.address] = workload.id
        self._seats[workload.id] = tuple(seated(name, seat) for name, seat in seats.items())
        found = {name: Seat(netns=str(seat.netns), address=seat.address) for name, seat in seats.items()}
        return replace(plain, servers=(RESOLVERS,), seats=found)

    def known(self, workload: str) -> Place | None:
        return self._places.get(workload)

    def seats(self, workload: str) -> tuple[Seated, ...]:
        return self._seats.get(workload, ())

    def by_address(self, network: str, address: str) -> str | None:
        """The workload that has this address."""
        return self._addresses.get((network, address))

    async def leave(self, workload: Workload) -> None:
        """Takes the workload's interface away, or its seats."""
        if workload.interface and workload.network:
            await self._wiring.detach(workload.network, workload.interface)
        if workload.network_mode == "bridge":
            await self._wiring.bridge.detach(workload)
        place = self._places.pop(workload.id, None)
        self._seats.pop(workload.id, None)
        if place is None:
            return
        addresses = [(BRIDGE, seat.address) for seat in place.seats.values()]
        for where in (*addresses, (workload.network or "", place.address or place.local)):
            if self._addresses.get(where) == workload.id:  # else the address is somebody else's by now
                del self._addresses[where]

    def forget(self, workload: str) -> None:
        """It is over, and nothing of it is left."""
        self._places.pop(workload, None)
