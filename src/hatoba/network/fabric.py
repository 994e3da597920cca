"""The VPC fabric in the kernel: hands each call to the threads of the namespaces it concerns, in order.

The order within a call is what makes a crash harmless: the record first, then the namespaces, the rules, the ways; and
backwards when something goes. See `host` for all that is touched on the host.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hatoba.core.errors import PortError, Refused
from hatoba.core.records import replace
from hatoba.network import bridge, checks, ground, injection, syscalls
from hatoba.network.base import (
    BRIDGE,
    Acl,
    AddressSpec,
    Attachment,
    HostRedirect,
    InterfaceSpec,
    Inventory,
    Peer,
    PolicySet,
    RemotePublic,
    RouterService,
    Seat,
    SeatSpec,
    Settings,
    Traffic,
    VpcSpec,
)
from hatoba.network.beyond import Entry, Front, Gateway, Guest, Instance, Routing
from hatoba.network.host import Host, next_transit
from hatoba.network.hosting import Hosting
from hatoba.network.links import Links
from hatoba.network.namespace import Namespace
from hatoba.network.records import Records, RouterRecord, public_addresses
from hatoba.network.router import Router
from hatoba.network.trouble import Fault

_OWN_NAMESPACE = Path("/proc/thread-self/ns/net")


class KernelFabric:
    """Implements `base.Fabric`. `home` is the host's namespace; by default the one of the calling process."""

    def __init__(self, settings: Settings, home: Path = _OWN_NAMESPACE) -> None:
        checks.settings(settings)
        self._settings = settings
        self._records = Records(settings.run_dir)
        self._host = Host(settings, Namespace("host", home))
        self._routers: dict[str, Router] = {}
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}  # VPC → lock, and who holds it or waits
        self._running: set[asyncio.Future[None]] = set()
        self._seats = bridge.Addresses(settings.bridge)
        self._links = Links(self._host, self._routers, self._path)
        self._hosting = Hosting(settings, self._host, self._routers, self._records)

    async def start(self) -> Inventory:
        standing = await self._host.namespace.run(self._take_over)
        await asyncio.gather(*(self._in_order(record.spec.id, self._converge(record)) for record in standing))
        return await self.inventory()

    def _take_over(self) -> list[RouterRecord]:
        """The host's side; answers the routers that stand."""
        host, records = self._host, self._records
        claim, pool = records.claim(), self._settings.pool
        if claim not in (None, pool):
            raise Refused(f"This node's networks have addresses of {claim}: take them down before changing to {pool}.")
        host.refuse_collisions(claimed=claim is not None)
        records.prepare()
        records.put_claim(pool)
        standing = [record for record in records.routers() if syscalls.is_pinned(self._path(record.spec.id))]
        vpcs = [record.spec.id for record in standing]
        hosted = {record.spec.id: records.hosted(record, self._settings) for record in standing}
        nodes = {vpc: frozenset(peer.node for peer in records.peers(vpc)) | each.nodes for vpc, each in hosted.items()}
        seats = records.interfaces(BRIDGE)
        self._seats.keep(bridge.addresses_of(seats))
        transit = next((record.transit for record in standing if record.spec.id == BRIDGE), "")
        ends = {vpc: each.ends for vpc, each in hosted.items() if each.ends is not None}
        reached = {vpc: each.of_host for vpc, each in hosted.items()}
        host.prepare(nodes, seats if transit else (), transit, reached, ends)
        local = {public: (vpc, holder) for vpc in vpcs for public, holder in records.publics(vpc).items()}
        host.adopt(local, records.remote_publics(), vpcs)
        host.set_remote(records.remote_publics())
        return standing

    async def close(self) -> None:
        await asyncio.gather(*self._running, return_exceptions=True)
        routers = list(self._routers.values())
        self._routers.clear()
        for router in routers:
            await router.namespace.close()
        self._host.ports.close()
        await self._host.namespace.close()

    async def teardown(self) -> None:
        """Works from what is found, so also on a fabric that was never started."""
        if self._host.namespace.closed:
            return
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._host.namespace.run(self._demolish)
        await self.close()

    def _demolish(self) -> None:
        for record in self._records.routers():
            self._host.remove_ways(self._path(record.spec.id))
        self._host.teardown()
        self._records.clear()

    async def ensure_vpc(self, spec: VpcSpec) -> Path:
        checks.vpc(spec)
        await self._in_order(spec.id, self._ensure_vpc(spec))
        return self._path(spec.id)

    async def _ensure_vpc(self, spec: VpcSpec) -> None:
        router = self._routers.get(spec.id)
        if router is None or not router.converged or router.spec != spec:
            await self._converge(await self._host.namespace.run(self._record, spec))

    def _record(self, spec: VpcSpec) -> RouterRecord:
        known = {record.spec.id: record for record in self._records.routers()}
        taken = (address for record in known.values() for address in record.addresses)
        record = known.get(spec.id) or RouterRecord(spec=spec, transit=next_transit(self._settings, taken))
        record = replace(record, spec=spec)
        self._records.put_router(record)
        return record

    async def _converge(self, record: RouterRecord) -> None:
        """Host's end, then the router's, from whatever is there."""
        spec, path, host = record.spec, self._path(record.spec.id), self._host
        await host.namespace.run(host.make_namespace, spec.id, path, ground.prepare)
        await host.namespace.run(host.connect, spec, record.transit, path)
        router = self._routers.get(spec.id)
        if router is None:
            router = Router(Namespace(spec.id, path), self._settings, self._records, record, host.heard)
            self._routers[spec.id] = router
        if self._settings.underlay is not None and spec.vni and not await router.namespace.run(router.has_tunnel):
            await host.namespace.run(host.make_tunnel, spec, path)
        await router.namespace.run(router.converge, spec)
        await host.namespace.run(host.settle_uplink, spec)
        await host.namespace.run(host.admit, spec.id, router.nodes)
        if record.ends is not None:
            await host.namespace.run(host.ends.give, spec.id, record.transit, record.ends)
        here: list[InterfaceSpec | AddressSpec | Gateway] = [*router.interfaces.values(), *router.addresses.values()]
        for holder in (*here, *router.gateways):
            await self._route_publics(router, holder.id, public_addresses(holder))

    async def remove_vpc(self, vpc: str) -> None:
        await self._in_order(vpc, self._remove_vpc(vpc))

    async def _remove_vpc(self, vpc: str) -> None:
        router = self._routers.pop(vpc, None)
        if router is not None:
            await self._links.leave(router)
            await router.namespace.close()
        await self._host.namespace.run(self._demolish_router, vpc)

    def _demolish_router(self, vpc: str) -> None:
        for interface in self._records.interfaces(vpc):
            syscalls.unpin(self._path(interface.id))
        self._host.remove_ways(self._path(vpc))
        self._host.disconnect(vpc)
        syscalls.unpin(self._path(vpc))
        self._records.forget_router(vpc)

    async def set_policies(self, vpc: str, policies: tuple[PolicySet, ...]) -> None:
        checks.policies(policies)
        await self._in_order(vpc, self._set_policies(vpc, policies))

    async def _set_policies(self, vpc: str, policies: tuple[PolicySet, ...]) -> None:
        router = self._router(vpc)
        await router.namespace.run(router.set_policies, policies)

    async def set_acls(self, vpc: str, acls: tuple[Acl, ...]) -> None:
        checks.acls(acls)
        await self._in_order(vpc, self._set_acls(vpc, acls))

    async def _set_acls(self, vpc: str, acls: tuple[Acl, ...]) -> None:
        router = self._router(vpc)
        if router.acls != acls:
            await router.namespace.run(router.set_acls, acls)

    async def set_routing(self, vpc: str, routing: Routing) -> None:
        checks.routing(routing, self._settings)
        await self._in_order(vpc, self._set_routing(vpc, routing))

    async def _set_routing(self, vpc: str, routing: Routing) -> None:
        router = self._router(vpc)
        before = router.routing
        if before != routing:
            await router.namespace.run(router.set_routing, routing)
        public = {gateway.id: public_addresses(gateway) for gateway in router.gateways}
        for gateway in {*(gateway.id for gateway in before.gateways), *public}:
            await self._route_publics(router, gateway, public.get(gateway, frozenset()))
        await self._links.follow(router, before.peerings)

    async def set_guests(self, vpc: str, guests: tuple[Guest, ...]) -> None:
        checks.guests(guests)
        await self._in_order(vpc, self._set_guests(vpc, guests))

    async def _set_guests(self, vpc: str, guests: tuple[Guest, ...]) -> None:
        router = self._router(vpc)
        if router.guests != guests:
            await router.namespace.run(router.set_guests, guests)

    async def set_instances(self, vpc: str, instances: tuple[Instance, ...]) -> None:
        checks.instances(instances)
        await self._in_order(vpc, self._hosting.renew(vpc, instances=instances))

    async def set_fronts(self, vpc: str, fronts: tuple[Front, ...]) -> None:
        checks.fronts(fronts)
        await self._in_order(vpc, self._hosting.renew(vpc, fronts=fronts))

    async def set_entries(self, vpc: str, entries: tuple[Entry, ...]) -> None:
        checks.entries(entries)
        await self._in_order(vpc, self._hosting.renew(vpc, entries=entries))

    async def ensure_interface(self, spec: InterfaceSpec) -> Attachment:
        checks.holder(spec, self._settings)
        await self._in_order(spec.vpc, self._ensure_interface(spec))
        return Attachment(netns=self._path(spec.id), local=self._router(spec.vpc).local(spec.id))

    async def _ensure_interface(self, spec: InterfaceSpec) -> None:
        router = self._router(spec.vpc)
        if not router.is_as(spec):
            await router.namespace.run(router.ensure_interface, spec)
            await self._links.forget(router)
        await self._route_publics(router, spec.id, public_addresses(spec))

    async def remove_interface(self, vpc: str, interface: str) -> None:
        await self._in_order(vpc, self._remove_interface(vpc, interface))

    async def _remove_interface(self, vpc: str, interface: str) -> None:
        router = self._routers.get(vpc)
        if router is not None:
            await self._route_publics(router, interface, frozenset())
            await router.namespace.run(router.remove_interface, interface)
            await self._links.forget(router)

    async def ensure_bridge(self, services: tuple[RouterService, ...]) -> Path:
        await self._in_order(BRIDGE, self._ensure_bridge(services))
        return self._path(BRIDGE)

    async def _ensure_bridge(self, services: tuple[RouterService, ...]) -> None:
        await self._ensure_vpc(bridge.network(self._settings.bridge, services))
        await self._host.namespace.run(self._host.open_bridge)
        await self._set_policies(BRIDGE, (bridge.OPEN,))

    async def ensure_seat(self, spec: SeatSpec) -> Seat:
        checks.seat(spec)
        await self._in_order(BRIDGE, self._ensure_seat(spec))
        given = await self._host.namespace.run(self._records.interface, BRIDGE, spec.id)
        assert given is not None, "it was recorded just now"
        return bridge.seat(given, self._path(spec.id))

    async def _ensure_seat(self, spec: SeatSpec) -> None:
        router, host = self._router(BRIDGE), self._host
        interface = await host.namespace.run(self._give, spec)
        await self._ensure_interface(interface)
        await host.namespace.run(host.publish, spec.id, interface.ports, router.transit)
        await self._hosting.hear()

    def _give(self, spec: SeatSpec) -> InterfaceSpec:
        """The address and ports that the seat has, or new ones. Written down by whoever makes the interface."""
        given = self._records.interface(BRIDGE, spec.id)
        if given is not None and bridge.answers(spec, given):
            self._host.ports.keep(spec.id, given.ports)
            return given
        ports = self._host.ports.take(spec.id, spec.ports)
        return bridge.interface(spec.id, self._settings.bridge, self._seats.give(spec.id), ports)

    async def remove_seat(self, seat: str) -> None:
        await self._in_order(BRIDGE, self._remove_seat(seat))

    async def _remove_seat(self, seat: str) -> None:
        host = self._host
        await host.namespace.run(host.withdraw, seat)
        await self._hosting.hear()
        await self._remove_interface(BRIDGE, seat)
        await host.namespace.run(self._seats.release, seat)

    async def redirect(self, wanted: HostRedirect | None) -> None:
        await self._host.namespace.run(self._host.redirect, wanted)

    async def ensure_address(self, spec: AddressSpec) -> None:
        checks.holder(spec, self._settings)
        await self._in_order(spec.vpc, self._ensure_address(spec))

    async def _ensure_address(self, spec: AddressSpec) -> None:
        router = self._router(spec.vpc)
        if router.addresses.get(spec.id) != spec:
            await router.namespace.run(router.ensure_address, spec)
        await self._route_publics(router, spec.id, public_addresses(spec))

    async def remove_address(self, vpc: str, address_id: str) -> None:
        await self._in_order(vpc, self._remove_address(vpc, address_id))

    async def _remove_address(self, vpc: str, address_id: str) -> None:
        router = self._routers.get(vpc)
        if router is not None:
            await self._route_publics(router, address_id, frozenset())
            await router.namespace.run(router.remove_address, address_id)
            await self._links.forget(router)

    async def _route_publics(self, router: Router, holder: str, wanted: frozenset[str]) -> None:
        """What the host routes to a holder; costs nothing when it is so already."""
        host, vpc = self._host, router.spec.id
        if host.publics_of(vpc, holder) != wanted:
            await host.namespace.run(host.set_publics, vpc, holder, wanted, router.transit)

    async def set_peers(self, vpc: str, peers: tuple[Peer, ...]) -> None:
        checks.peers(peers)
        await self._in_order(vpc, self._set_peers(vpc, peers))

    async def _set_peers(self, vpc: str, peers: tuple[Peer, ...]) -> None:
        router = self._router(vpc)
        if router.peers != peers:
            nodes = frozenset(peer.node for peer in peers)
            await self._host.namespace.run(self._host.admit, vpc, nodes | router.hosted.nodes)
            await router.namespace.run(router.set_peers, peers)
            await self._links.forget(router)

    async def set_remote_publics(self, publics: tuple[RemotePublic, ...]) -> None:
        checks.remote_publics(publics, self._settings)
        self._records.put_publics(publics)
        await self._host.namespace.run(self._host.set_remote, publics)

    async def open_socket(self, vpc: str, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        namespace = self._router(vpc).namespace
        return await namespace.run(namespace.open_socket, family, kind)

    async def traffic(self, vpc: str, interface: str) -> Traffic | None:
        router = self._routers.get(vpc)
        if router is None or interface not in router.interfaces:
            return None
        return await router.namespace.run(injection.traffic, interface)

    async def start_fault(self, vpc: str, interface: str, fault: Fault) -> None:
        checks.fault(fault)
        await self._in_order(vpc, self._inject(vpc, interface, functools.partial(injection.start, fault=fault)))

    async def stop_fault(self, vpc: str, interface: str, name: str) -> None:
        await self._in_order(vpc, self._inject(vpc, interface, functools.partial(injection.stop, name=name)))

    async def _inject(self, vpc: str, interface: str, job: Callable[[Namespace, Path], None]) -> None:
        router = self._holding(vpc, interface)
        await router.namespace.run(job, router.namespace, self._path(interface))

    async def faults(self, vpc: str, interface: str) -> frozenset[str]:
        router = self._holding(vpc, interface)
        return await router.namespace.run(injection.running, router.namespace, self._path(interface))

    def _holding(self, vpc: str, interface: str) -> Router:
        router = self._router(vpc)
        if interface not in router.interfaces:
            raise PortError("unknown_interface", f"The interface {interface} is not on this node.")
        return router

    async def inventory(self) -> Inventory:
        return await self._host.namespace.run(self._records.inventory)

    def _path(self, identifier: str) -> Path:
        return self._records.namespace(identifier)

    def _router(self, vpc: str) -> Router:
        router = self._routers.get(vpc)
        if router is None:
            raise PortError("unknown_vpc", f"The VPC {vpc} is not on this node: ensure_vpc comes first.")
        return router

    async def _in_order(self, vpc: str, work: Coroutine[Any, Any, None]) -> None:
        """One call at a time for each VPC, carried through even when the caller stops waiting for it."""
        running = asyncio.ensure_future(self._alone(vpc, work))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        await asyncio.shield(running)

    async def _alone(self, vpc: str, work: Coroutine[Any, Any, None]) -> None:
        lock, users = self._locks.get(vpc, (asyncio.Lock(), 0))
        self._locks[vpc] = (lock, users + 1)
        try:
            async with lock:
                await work
        finally:
            _, users = self._locks.pop(vpc)
            if users > 1:
                self._locks[vpc] = (lock, users - 1)
