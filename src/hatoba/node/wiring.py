"""Networks, policies, peers and balancers of this node, kept as the items want them.

Items of a network arrive one by one; `changed` notes which network they belong to and one pass per network makes it
so: the router first, then its policies and peers, its ways out, then interfaces that stand already, then its balancers.
A failed pass is repeated with growing pauses. Interfaces of workloads are attached by the worker when a workload asks,
on top of a pass that has succeeded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Iterable
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from hatoba.core.errors import PortError, Refused
from hatoba.core.records import replace
from hatoba.core.tasks import TaskGroup
from hatoba.fleet import items as i
from hatoba.fleet.messages import Gone, Item, Kind, decoder
from hatoba.network import base as net
from hatoba.network.beyond import Entry, Gate, Guest
from hatoba.node import specs
from hatoba.node.beyond import gate_at, guests_of, reaches, routing_of
from hatoba.node.bridge import Bridge
from hatoba.node.services import NetworkServices, router_services

log = logging.getLogger(__name__)
T = TypeVar("T", bound=msgspec.Struct)
Part = Kind | Literal["guest", "entry"]

FIRST_RETRY, LONGEST_RETRY = 0.1, 10.0
SETTLE_TIMEOUT = 60.0  # seconds for which a workload waits for its network

_BODIES: dict[Kind, type[msgspec.Struct]] = {
    "network": i.NetworkItem,
    "interface": i.InterfaceItem,
    "policy": i.PolicyItem,
    "peer": i.PeerItem,
    "public": i.PublicItem,
    "balancer": i.BalancerItem,
    "zone": i.ZoneItem,
}
_decoders = {kind: decoder(type_) for kind, type_ in _BODIES.items()}


class _Vpc:
    """One network and the pass that keeps it."""

    def __init__(self) -> None:
        self.dirty = asyncio.Event()
        self.parts: set[Part] = set()  # what the next pass has to look at
        self.interfaces: set[str] = set()  # which of them, by id
        self.settled = asyncio.Event()  # router and policies are as wanted: interfaces may be attached
        self.netns: Path | None = None
        self.served = False  # its services are open
        self.pass_: asyncio.Task[None] | None = None


class Wiring:
    def __init__(
        self, fabric: net.Fabric, services: Iterable[NetworkServices], entrance: int = 0, direct: Gate | None = None
    ) -> None:
        """`entrance`: the port at which one of `services` serves VPC endpoints; 0: none does. `direct`: where tasks ask
        the platform else; None: where this node asks its registry (`directly`)."""
        self._fabric = fabric
        self._entrance = entrance
        self._direct = direct
        self._is_told = direct is None
        self._services = tuple(services)
        self.bridge = Bridge(fabric, self._services)
        self._bodies: dict[tuple[Kind, str], msgspec.Struct] = {}
        self._vpcs: dict[str, _Vpc] = {}
        self._detached: set[str] = set()  # interfaces that are still wanted, and that their workloads have let go of
        self._tasks = TaskGroup("wiring")
        self._publics = asyncio.Event()
        self._publics_kept: asyncio.Task[None] | None = None

    # --- items

    def items(self, kind: Kind, type_: type[T]) -> dict[str, T]:
        return {id_: body for (k, id_), body in self._bodies.items() if k == kind and isinstance(body, type_)}

    def changed(self, put: Iterable[Item], gone: Iterable[Gone]) -> None:
        dirty: dict[str, set[Part]] = {}
        interfaces: dict[str, set[str]] = {}  # that have changed, by network
        met: set[str] = set()  # networks whose members have changed
        publics = False

        def note(network: str, what: Item | Gone) -> None:
            dirty.setdefault(network, set()).add(what.kind)
            if what.kind == "interface":
                interfaces.setdefault(network, set()).add(what.id)

        for item in put:
            if item.kind not in _decoders:
                continue
            before = self._bodies.get((item.kind, item.id))
            self._bodies[item.kind, item.id] = body = _decoders[item.kind].decode(item.body)
            met |= {*_members_of(before), *_members_of(body)}
            if isinstance(body, i.InterfaceItem) and before is None and not body.balancer:
                continue  # a workload's new interface: its worker attaches it
            if _differ_in_entries(before, body):
                dirty.setdefault(item.id, set()).add("entry")
                continue
            for network in {*_network(item.id, before), *_network(item.id, body)}:
                note(network, item)
            publics = publics or item.kind == "public"
        for name in gone:
            before = self._bodies.pop((name.kind, name.id), None)
            if name.kind == "interface":
                self._detached.discard(name.id)
            met |= {*_members_of(before)}
            for network in _network(name.id, before):
                note(network, name)
            publics = publics or name.kind == "public"
        for network in met:
            for peered in self._peered(network):
                dirty.setdefault(peered, set()).add("guest")
        for network in [item.id for item in put if item.kind == "network"]:
            for peered in self._peered(network):
                dirty.setdefault(peered, set()).update(("guest", "zone"))  # its endpoints, and what they are called
        if "zone" in dirty.get("", ()):
            self.bridge.names_changed()
        for network, parts in dirty.items():
            for each in [network] if network else list(self._vpcs):
                self._dirty(each, parts, interfaces.get(each, set()))
        if publics:
            self._publics.set()
            if self._publics_kept is None:
                self._publics_kept = self._tasks.start(self._keep_publics(), "publics")

    def directly(self, registry: str) -> None:
        """Where the platform's registry is, as the control plane tells: tasks of other machines ask it there."""
        place = gate_at(registry)
        if not self._is_told or place == self._direct:
            return
        self._direct = place
        for id_, item in self.items("network", i.NetworkItem).items():
            if item.gated:
                self._dirty(id_, {"network"})

    def _peered(self, network: str) -> Iterable[str]:
        """The networks here that are peered with one."""
        item = self._bodies.get(("network", network))
        peerings = item.peerings if isinstance(item, i.NetworkItem) else ()
        return [peered for peered in peerings if ("network", peered) in self._bodies]

    def _dirty(self, network: str, parts: set[Part], interfaces: Iterable[str] = ()) -> None:
        vpc = self._vpcs.get(network)
        if vpc is None:
            vpc = self._vpcs[network] = _Vpc()
        if parts & {"network", "policy"}:
            vpc.settled.clear()
        vpc.parts |= parts
        vpc.interfaces.update(interfaces)
        vpc.dirty.set()
        if vpc.pass_ is None:
            vpc.pass_ = self._tasks.start(self._keep(network, vpc), network)

    async def _keep_publics(self) -> None:
        delay = FIRST_RETRY
        while True:
            await self._publics.wait()
            self._publics.clear()
            publics = self.items("public", i.PublicItem).values()
            remote = tuple(net.RemotePublic(address=a, node=p.node) for p in publics for a in (p.address, *p.further))
            try:
                await self._fabric.set_remote_publics(remote)
            except PortError as error:
                log.warning("other nodes' public addresses: %s; again in %.1f s", error, delay)
                self._publics.set()
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY)
            else:
                delay = FIRST_RETRY

    # --- passes

    async def _keep(self, network: str, vpc: _Vpc) -> None:
        delay = FIRST_RETRY
        while True:
            await vpc.dirty.wait()
            vpc.dirty.clear()
            parts, vpc.parts = vpc.parts, set()
            interfaces, vpc.interfaces = vpc.interfaces, set()
            try:
                there = await self._pass(network, vpc, parts, interfaces)
            except Exception as error:  # a network that nobody sees to would stop every task in it
                if isinstance(error, PortError | Refused):
                    log.warning("network %s: %s; again in %.1f s", network, error, delay)
                else:
                    log.exception("network %s; again in %.1f s", network, delay)
                vpc.parts |= parts
                vpc.interfaces |= interfaces
                vpc.dirty.set()
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY)
                continue
            delay = FIRST_RETRY
            if vpc.dirty.is_set():
                continue
            vpc.settled.set()  # also when it is gone: who waits for it is told so
            if not there:
                del self._vpcs[network]
                return

    async def _pass(self, network: str, vpc: _Vpc, parts: set[Part], interfaces: set[str]) -> bool:
        """Makes one network as wanted; False when it is no longer wanted here."""
        item = self._bodies.get(("network", network))
        if not isinstance(item, i.NetworkItem):
            vpc.served = False
            for service in self._services:
                await service.close(network)
            await self._fabric.remove_vpc(network)
            vpc.netns, vpc.served = None, False  # it may be wanted again by now
            return False
        fresh = not vpc.served
        if fresh or "network" in parts:
            spec = net.VpcSpec(
                id=network, cidrs=item.cidrs, vni=item.vni, services=router_services(item, self._entrance)
            )
            vpc.netns = await self._fabric.ensure_vpc(spec)
            await self._fabric.set_acls(network, specs.acls(item))
        assert vpc.netns is not None
        if fresh or "policy" in parts:
            await self._fabric.set_policies(network, self._policies(network))
        if fresh or "peer" in parts:
            await self._fabric.set_peers(network, self._peers(network))
        if fresh or parts & {"network", "entry"}:
            await self._fabric.set_entries(network, _entries(item))
        if fresh or "network" in parts:
            await self._fabric.set_routing(network, routing_of(item, self._direct if self._entrance else None))
        if fresh or parts & {"network", "policy", "guest"}:
            await self._fabric.set_guests(network, self._guests(network, item))
        if fresh or "interface" in parts:
            await self._interfaces(network, None if fresh else interfaces)
        if fresh:
            for service in self._services:
                await service.open(network, vpc.netns)
            vpc.served = True
        if fresh or parts & {"network", "balancer", "zone", "interface"}:
            for service in self._services:
                await service.refresh(network, vpc.netns)
        return True

    def _policies(self, network: str) -> tuple[net.PolicySet, ...]:
        policies = self.items("policy", i.PolicyItem)
        return tuple(
            net.PolicySet(id=id_, ingress=specs.rules(policy.ingress), egress=specs.rules(policy.egress))
            for id_, policy in policies.items()
            if policy.network == network
        )

    def _peers(self, network: str) -> tuple[net.Peer, ...]:
        peers = self.items("peer", i.PeerItem).values()
        return tuple(
            net.Peer(
                address=peer.address or None,
                address6=peer.address6,
                node=peer.node,
                groups=peer.groups,
                further=peer.further,
                fronting=peer.fronting,
            )
            for peer in peers
            if peer.network == network
        )

    def _guests(self, network: str, item: i.NetworkItem) -> tuple[Guest, ...]:
        if not item.peerings:
            return ()
        policies = [p for p in self.items("policy", i.PolicyItem).values() if p.network == network]
        here, elsewhere = self.items("interface", i.InterfaceItem), self.items("peer", i.PeerItem)
        networks = self.items("network", i.NetworkItem)
        peered = {peer: networks[peer] for peer in item.peerings if peer in networks}
        return guests_of(policies, peered, (*here.values(), *elsewhere.values()))

    async def _interfaces(self, network: str, changed: set[str] | None) -> None:
        """Balancers' addresses as wanted; interfaces that stand follow their groups and public addresses. Only those
        that have `changed`; None: all."""
        found = self.items("interface", i.InterfaceItem).items()
        wanted = {id_: f for id_, f in found if f.network == network and (changed is None or id_ in changed)}
        fronts = {id_: item for id_, item in wanted.items() if item.balancer}
        there = net.Inventory() if changed is not None and changed <= fronts.keys() else await self._fabric.inventory()
        for each in there.addresses:
            if each.vpc == network and each.id not in fronts and (changed is None or each.id in changed):
                await self._fabric.remove_address(network, each.id)
        for id_, item in fronts.items():
            await self._fabric.ensure_address(specs.of_address(id_, item))
        for interface in there.interfaces:
            # One that was detached since we looked would be made anew, and nobody would take it away again.
            if interface.vpc == network and interface.id in wanted and interface.id not in self._detached:
                spec = specs.of_interface(interface.id, wanted[interface.id])
                if spec != interface:
                    await self._fabric.ensure_interface(spec)

    # --- for the worker

    async def attach(self, interface: str) -> tuple[i.InterfaceItem, i.NetworkItem, net.Attachment]:
        """Makes a workload's interface; where it is. Raises `PortError`."""
        item, network = self._wanted(interface)
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                await self._vpcs[item.network].settled.wait()
        except TimeoutError:
            raise PortError("network-timeout", f"the network {item.network} could not be made in time") from None
        item, network = self._wanted(interface)  # it may be gone, or another, by now
        self._detached.discard(interface)
        attachment = await self._fabric.ensure_interface(specs.of_interface(interface, item))
        return item, network, attachment

    def _wanted(self, interface: str) -> tuple[i.InterfaceItem, i.NetworkItem]:
        item = self._bodies.get(("interface", interface))
        if not isinstance(item, i.InterfaceItem):
            raise PortError("interface-missing", f"the network interface {interface} does not exist")
        network = self._bodies.get(("network", item.network))
        if not isinstance(network, i.NetworkItem):
            raise PortError("network-missing", f"the network {item.network} does not exist")
        return item, network

    def reaches(self, interface: str, address: str) -> bool:
        """Whether what an interface sends to an address outside finds a way. True where that is not known (yet)."""
        item = self._bodies.get(("interface", interface))
        network = self._bodies.get(("network", item.network)) if isinstance(item, i.InterfaceItem) else None
        if not isinstance(item, i.InterfaceItem) or not isinstance(network, i.NetworkItem):
            return True
        return reaches(network, item, address)

    async def sweep(self, in_use: Callable[[], Container[str | None]]) -> None:
        """Removes what a crash left: interfaces that no workload uses, networks that are no longer wanted here."""
        there = await self._fabric.inventory()
        used = in_use()
        for interface in there.interfaces:
            if interface.id not in used:
                log.warning("interface %s belongs to no workload: removing it", interface.id)
                await self._fabric.remove_interface(interface.vpc, interface.id)
        for vpc in there.vpcs:
            if ("network", vpc.id) not in self._bodies:
                self._dirty(vpc.id, {"network"})

    async def detach(self, network: str, interface: str) -> None:
        if ("interface", interface) in self._bodies:
            self._detached.add(interface)
        await self._fabric.remove_interface(network, interface)

    async def each(self, act: Callable[[str], Awaitable[None]]) -> None:
        for network in list(self._vpcs):
            await act(network)

    async def close(self) -> None:
        await self.bridge.close()
        await self._tasks.close()


def _network(id_: str, body: msgspec.Struct | None) -> Iterable[str]:
    """The network whose pass an item concerns; "" is all of them."""
    match body:
        case i.NetworkItem():
            yield id_
        case i.InterfaceItem() | i.PolicyItem() | i.PeerItem() | i.BalancerItem() | i.ZoneItem():
            yield body.network


def _entries(item: i.NetworkItem) -> tuple[Entry, ...]:
    return tuple(sorted(Entry(port=e.port, balancer=e.balancer, protocol=e.protocol) for e in item.entries))


def _differ_in_entries(before: msgspec.Struct | None, after: msgspec.Struct) -> bool:
    """And in nothing else: nobody has to wait until that is seen to."""
    if not isinstance(before, i.NetworkItem) or not isinstance(after, i.NetworkItem):
        return False
    return before != after and replace(before, entries=after.entries) == after


def _members_of(body: msgspec.Struct | None) -> Iterable[str]:
    """The network in which an interface is, here or elsewhere."""
    match body:
        case i.InterfaceItem() | i.PeerItem():
            yield body.network
