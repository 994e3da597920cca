"""The bridge of this node: made when the first workload asks for a seat, with the services that serve in it.

Every container has a seat of its own. What a seat is called follows from the workload and the container, so a seat that
a crash left behind is found, and whose it was is known.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Container, Iterable

from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup
from hatoba.fleet.items import NetworkItem
from hatoba.fleet.model import ContainerWanted, PortBinding, Workload
from hatoba.network import base as net
from hatoba.node.events import Seated
from hatoba.node.services import RESOLVERS, NetworkServices, router_services

log = logging.getLogger(__name__)

NETWORK = NetworkItem(cidrs=(), vni=0, resolver=RESOLVERS)  # what its resolver is told: no names of a VPC


class Bridge:
    def __init__(self, fabric: net.Fabric, services: Iterable[NetworkServices]) -> None:
        self._fabric = fabric
        self._services = tuple(services)
        self._open = False
        self._opening = asyncio.Lock()
        self._tasks = TaskGroup("bridge")

    async def attach(self, workload: Workload) -> dict[str, net.Seat]:
        """By container. Raises `PortError`; what was given until then goes with `detach`."""
        await self._ready()
        wanted = [container for container in workload.containers if not container.offline]
        return {
            container.name: await self._fabric.ensure_seat(
                net.SeatSpec(id=seat_id(workload.id, container.name), ports=_publish(container))
            )
            for container in wanted
        }

    async def detach(self, workload: Workload) -> None:
        for container in workload.containers:
            await self._fabric.remove_seat(seat_id(workload.id, container.name))

    async def _ready(self) -> None:
        if self._open:
            return
        async with self._opening:
            if self._open:
                return
            netns = await self._fabric.ensure_bridge(router_services(NETWORK))
            for service in self._services:
                await service.open(net.BRIDGE, netns)
            self._open = True

    async def sweep(self, workloads: Container[str]) -> None:
        """Removes seats that no workload has; serves again in a bridge that an earlier agent made."""
        there = await self._fabric.inventory()
        for seat in there.seats:
            if seat.rpartition("-")[0] not in workloads:
                log.warning("seat %s belongs to no workload: removing it", seat)
                await self._fabric.remove_seat(seat)
        if there.bridge:
            await self._ready()

    def names_changed(self) -> None:
        if self._open:
            self._tasks.start(self._refresh(), "names")

    async def _refresh(self) -> None:
        netns = await self._fabric.ensure_bridge(router_services(NETWORK))
        for service in self._services:
            try:
                await service.refresh(net.BRIDGE, netns)
            except PortError as error:
                log.warning("the bridge: %s", error)

    async def close(self) -> None:
        await self._tasks.close()


def seat_id(workload: str, container: str) -> str:
    """A workload's id is 32 digits; a seat's name has 64 characters at most, a container's may have more."""
    return f"{workload}-{hashlib.sha256(container.encode()).hexdigest()[:12]}"


def seated(container: str, seat: net.Seat) -> Seated:
    bindings = tuple(PortBinding(container=p.port, host=p.host, count=p.count, protocol=p.protocol) for p in seat.ports)
    return Seated(container, seat.address, bindings)


def _publish(container: ContainerWanted) -> tuple[net.Publish, ...]:
    return tuple(
        net.Publish(port=p.container, host=p.host, count=p.count, protocol=p.protocol) for p in container.publish
    )
