"""The VPC fabric in the kernel: hands each call to the threads of the namespaces it concerns, in order.

The order within a call is what makes a crash harmless: the record first, then the namespaces, the rules, the ways; and
backwards when something goes. See `host` for all that is touched on the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from pathlib import Path

from hatoba.core.errors import PortError
from hatoba.network import addresses, checks, syscalls
from hatoba.network.base import (
    AddressSpec,
    Attachment,
    InterfaceSpec,
    Inventory,
    Peer,
    PolicySet,
    RemotePublic,
    Settings,
    VpcSpec,
)
from hatoba.network.host import Host, next_transit, occupied
from hatoba.network.namespace import Namespace
from hatoba.network.netlink import Netlink
from hatoba.network.records import Records, RouterRecord
from hatoba.network.router import Router, prepare

Holder = InterfaceSpec | AddressSpec

_OWN_NAMESPACE = Path("/proc/thread-self/ns/net")


class KernelFabric:
    """Implements `base.Fabric`. `home` is the host's namespace; by default the one of the calling process."""

    def __init__(self, settings: Settings, home: Path = _OWN_NAMESPACE) -> None:
        checks.settings(settings)
        self._settings = settings
        self._records = Records(settings.run_dir)
        self._host = Host(settings, Namespace("host", home))
        self._routers: dict[str, Router] = {}
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    async def start(self) -> Inventory:
        run = self._host.namespace.run
        await run(self._prepare)
        standing = [record for record in self._records.routers() if syscalls.is_pinned(self._path(record.spec.id))]
        local = {
            holder.public: (holder.vpc, holder.id)
            for record in standing
            for holder in self._holders(record.spec.id)
            if holder.public is not None
        }
        remote = self._records.publics()
        await run(self._host.adopt, local, remote, [record.spec.id for record in standing])
        await asyncio.gather(*(self._converge(record) for record in standing))
        await run(self._host.set_remote, remote)
        return await self.inventory()

    def _holders(self, vpc: str) -> list[Holder]:
        return [*self._records.interfaces(vpc), *self._records.addresses(vpc)]

    def _prepare(self) -> None:
        self._host.refuse_collisions(self._records.claim() == self._settings.pool)
        self._records.prepare()
        self._records.put_claim(self._settings.pool)
        self._host.prepare()

    async def close(self) -> None:
        routers = list(self._routers.values())
        self._routers.clear()
        for router in routers:
            await router.namespace.close()
        await self._host.namespace.close()

    async def teardown(self) -> None:
        """Works from what is found, so also on a fabric that was never started."""
        if self._host.namespace.closed:
            return
        for router in list(self._routers.values()):
            await router.namespace.close()
        self._routers.clear()
        await self._host.namespace.run(self._demolish)
        await self._host.namespace.close()

    def _demolish(self) -> None:
        for record in self._records.routers():
            self._host.remove_tunnel(self._path(record.spec.id))
        self._host.teardown()
        self._records.clear()

    async def ensure_vpc(self, spec: VpcSpec) -> Path:
        checks.vpc(spec)
        async with self._locked(spec.id):
            router = self._routers.get(spec.id)
            if router is None or router.spec != spec:
                transits = {other.spec.id: other.transit for other in self._records.routers()}
                transit = transits.get(spec.id) or next_transit(self._settings, transits.values())
                record = RouterRecord(spec=spec, transit=transit)
                self._records.put_router(record)
                await self._converge(record)
            return self._path(spec.id)

    async def _converge(self, record: RouterRecord) -> None:
        """Host's end, then the router's, from whatever is there."""
        spec, path = record.spec, self._path(record.spec.id)
        host = self._host
        await host.namespace.run(host.make_namespace, path, prepare)
        await host.namespace.run(host.connect, spec, record.transit, path)
        router = self._routers.get(spec.id)
        if router is None:
            router = Router(Namespace(spec.id, path), self._settings, self._records, record)
        if self._settings.underlay is not None and not await router.namespace.run(router.has_tunnel):
            await host.namespace.run(host.make_tunnel, spec, path)
        nodes = frozenset(peer.node for peer in self._records.peers(spec.id))
        await host.namespace.run(host.admit, spec.id, nodes)
        await router.namespace.run(router.converge, spec)
        await host.namespace.run(host.settle_uplink, spec.id)
        self._routers[spec.id] = router
        holders: list[Holder] = [*router.interfaces.values(), *router.addresses.values()]
        for holder in holders:
            if holder.public is not None:
                await host.namespace.run(host.put_public, spec.id, holder.id, holder.public, record.transit)

    async def remove_vpc(self, vpc: str) -> None:
        async with self._locked(vpc):
            router = self._routers.pop(vpc, None)
            if router is not None:
                await router.namespace.close()
            await self._host.namespace.run(self._remove_vpc, vpc)

    def _remove_vpc(self, vpc: str) -> None:
        for holder in self._holders(vpc):
            if holder.public is not None:
                self._host.drop_public(vpc, holder.id, holder.public)
        for interface in self._records.interfaces(vpc):
            syscalls.unpin(self._path(interface.id))
        self._host.remove_tunnel(self._path(vpc))
        self._host.disconnect(vpc)
        syscalls.unpin(self._path(vpc))
        self._records.forget_router(vpc)

    async def set_policies(self, vpc: str, policies: tuple[PolicySet, ...]) -> None:
        checks.policies(policies)
        async with self._locked(vpc):
            router = self._router(vpc)
            await router.namespace.run(router.set_policies, policies)

    async def ensure_interface(self, spec: InterfaceSpec) -> Attachment:
        checks.holder(spec, self._settings)
        async with self._locked(spec.vpc):
            router = self._router(spec.vpc)
            old = router.interfaces.get(spec.id)
            if old != spec:
                await router.namespace.run(router.ensure_interface, spec)
                await self._move_public(router, old, spec)
        return Attachment(netns=self._path(spec.id))

    async def remove_interface(self, vpc: str, interface: str) -> None:
        async with self._locked(vpc):
            router = self._routers.get(vpc)
            if router is None:
                return
            old = router.interfaces.get(interface) or self._records.interface(vpc, interface)
            await self._move_public(router, old, None)
            await router.namespace.run(router.remove_interface, interface)

    async def ensure_address(self, spec: AddressSpec) -> None:
        checks.holder(spec, self._settings)
        async with self._locked(spec.vpc):
            router = self._router(spec.vpc)
            old = router.addresses.get(spec.id)
            if old != spec:
                await router.namespace.run(router.ensure_address, spec)
                await self._move_public(router, old, spec)

    async def remove_address(self, vpc: str, address_id: str) -> None:
        async with self._locked(vpc):
            router = self._routers.get(vpc)
            if router is None:
                return
            await self._move_public(router, router.addresses.get(address_id), None)
            await router.namespace.run(router.remove_address, address_id)

    async def _move_public(self, router: Router, old: Holder | None, new: Holder | None) -> None:
        """Routes a holder's public address on the host as the holder's new state has it."""
        before = old.public if old is not None else None
        after = new.public if new is not None else None
        host, vpc = self._host, router.spec.id
        if old is not None and before is not None and before != after:
            await host.namespace.run(host.drop_public, vpc, old.id, before)
        if new is not None and after is not None:
            await host.namespace.run(host.put_public, vpc, new.id, after, router.transit)

    async def set_peers(self, vpc: str, peers: tuple[Peer, ...]) -> None:
        checks.peers(peers)
        async with self._locked(vpc):
            router = self._router(vpc)
            if router.peers == peers:
                return
            nodes = frozenset(peer.node for peer in peers)
            await self._host.namespace.run(self._host.admit, vpc, nodes)
            await router.namespace.run(router.set_peers, peers)

    async def set_remote_publics(self, publics: tuple[RemotePublic, ...]) -> None:
        checks.remote_publics(publics, self._settings)
        self._records.put_publics(publics)
        await self._host.namespace.run(self._host.set_remote, publics)

    async def open_socket(self, vpc: str, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        namespace = self._router(vpc).namespace
        return await namespace.run(namespace.open_socket, family, kind)

    async def inventory(self) -> Inventory:
        vpcs = tuple(record.spec for record in self._records.routers())
        return Inventory(
            vpcs=vpcs,
            interfaces=tuple(spec for vpc in vpcs for spec in self._records.interfaces(vpc.id)),
            addresses=tuple(spec for vpc in vpcs for spec in self._records.addresses(vpc.id)),
        )

    def _path(self, identifier: str) -> Path:
        return self._records.namespace(identifier)

    def _router(self, vpc: str) -> Router:
        router = self._routers.get(vpc)
        if router is None:
            raise PortError("unknown_vpc", f"The VPC {vpc} is not on this node: ensure_vpc comes first.")
        return router

    @contextlib.asynccontextmanager
    async def _locked(self, vpc: str) -> AsyncIterator[None]:
        """One call at a time for each VPC. A lock lasts as long as somebody holds it or waits."""
        lock, users = self._locks.get(vpc, (asyncio.Lock(), 0))
        self._locks[vpc] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks.pop(vpc)
            if users > 1:
                self._locks[vpc] = (lock, users - 1)


def free_pool(within: str = "100.64.0.0/10", prefix: int = 16, start: int = 0) -> str | None:
    """A pool that collides with no route of this thread's namespace, for `Settings.pool`; None when all collide."""
    with Netlink() as netlink:
        chosen = addresses.choose_pool(IPv4Network(within), occupied(netlink), prefix, start)
    return str(chosen) if chosen is not None else None
