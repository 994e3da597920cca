"""The fabric in memory: the same calls and refusals, and an answer to "who reaches whom" (`reach`).

Several nodes share an `Underlay`. `failures` makes the next calls of an operation fail, so that callers can be tried;
what was wanted is remembered then as the real one's records do, and repeating the call completes it. `delays` makes the
calls of an operation take their time before they do anything.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from hatoba.core.errors import HatobaError, PortError
from hatoba.core.records import replace
from hatoba.network import bridge, checks, names
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
    Publish,
    RemotePublic,
    RouterService,
    Seat,
    SeatSpec,
    Settings,
    Traffic,
    VpcSpec,
)
from hatoba.network.beyond import Entry, Front, Guest, Instance, Routing
from hatoba.network.reach import Holder, Reach, Vpc
from hatoba.network.trouble import Fault

_EPHEMERAL = (32768, 61000)  # what Linux gives out by itself


class Underlay(dict[str, "SimulatedFabric"]):
    """Underlay address → node."""


class SimulatedFabric:
    """Implements `base.Fabric`."""

    def __init__(self, settings: Settings, underlay: Underlay | None = None) -> None:
        checks.settings(settings)
        self.settings = settings
        self.underlay = underlay if underlay is not None else Underlay()
        if settings.underlay is not None:
            self.underlay[settings.underlay] = self
        self.vpcs: dict[str, Vpc] = {}
        self.remote: dict[str, str] = {}  # public address → the node that has it
        self.redirected: HostRedirect | None = None
        self._seats = bridge.Addresses(settings.bridge)
        self._locals = bridge.Addresses(names.LOCALS)
        self.failures: dict[str, list[HatobaError]] = {}  # operation → errors of its next calls
        self.delays: dict[str, float] = {}  # operation → seconds
        self.calls: list[tuple[str, str]] = []  # operation and id, in order

    def _called(self, operation: str, identifier: str) -> None:
        self.calls.append((operation, identifier))
        waiting = self.failures.get(operation)
        if waiting:
            raise waiting.pop(0)

    async def _takes_its_time(self, operation: str) -> None:
        if seconds := self.delays.get(operation):
            await asyncio.sleep(seconds)

    async def start(self) -> Inventory:
        self._called("start", "")
        return await self.inventory()

    async def close(self) -> None:
        self._called("close", "")

    async def teardown(self) -> None:
        self._called("teardown", "")
        self.vpcs.clear()
        self.remote.clear()

    async def ensure_vpc(self, spec: VpcSpec) -> Path:
        checks.vpc(spec)
        await self._takes_its_time("ensure_vpc")
        self._called("ensure_vpc", spec.id)
        self.vpcs.setdefault(spec.id, Vpc(spec)).spec = spec
        return self._path(spec.id)

    async def remove_vpc(self, vpc: str) -> None:
        self._called("remove_vpc", vpc)
        self.vpcs.pop(vpc, None)

    async def set_policies(self, vpc: str, policies: tuple[PolicySet, ...]) -> None:
        checks.policies(policies)
        self._called("set_policies", vpc)
        self._vpc(vpc).policies = {policy.id: policy for policy in policies}

    async def set_acls(self, vpc: str, acls: tuple[Acl, ...]) -> None:
        checks.acls(acls)
        self._called("set_acls", vpc)
        self._vpc(vpc).acls = acls

    async def ensure_interface(self, spec: InterfaceSpec) -> Attachment:
        await self._takes_its_time("ensure_interface")
        self._ensure("ensure_interface", spec)
        local = self._locals.give(spec.id) if spec.address is None else None
        return Attachment(netns=self._path(spec.id), local=local)

    async def remove_interface(self, vpc: str, interface: str) -> None:
        self._remove("remove_interface", vpc, interface)
        self._locals.release(interface)

    async def ensure_address(self, spec: AddressSpec) -> None:
        await self._takes_its_time("ensure_address")
        self._ensure("ensure_address", spec)

    async def remove_address(self, vpc: str, address_id: str) -> None:
        self._remove("remove_address", vpc, address_id)

    def _ensure(self, operation: str, spec: Holder) -> None:
        checks.holder(spec, self.settings)
        vpc = self._vpc(spec.vpc)
        vpc.wanted[spec.id] = spec
        self._called(operation, spec.id)
        vpc.holders[spec.id] = spec

    def _remove(self, operation: str, vpc: str, identifier: str) -> None:
        self._called(operation, identifier)
        if vpc in self.vpcs:
            self.vpcs[vpc].wanted.pop(identifier, None)
            self.vpcs[vpc].holders.pop(identifier, None)
            faults = self.vpcs[vpc].faults
            self.vpcs[vpc].faults = {place: fault for place, fault in faults.items() if place[0] != identifier}

    async def set_peers(self, vpc: str, peers: tuple[Peer, ...]) -> None:
        checks.peers(peers)
        self._called("set_peers", vpc)
        if peers and self.settings.underlay is None:
            raise PortError("kernel", "This node cannot reach peers on other nodes: it has no underlay address.")
        self._vpc(vpc).peers = peers

    async def set_routing(self, vpc: str, routing: Routing) -> None:
        checks.routing(routing, self.settings)
        self._called("set_routing", vpc)
        self._vpc(vpc).routing = routing

    async def set_guests(self, vpc: str, guests: tuple[Guest, ...]) -> None:
        checks.guests(guests)
        self._called("set_guests", vpc)
        self._vpc(vpc).guests = guests

    async def set_instances(self, vpc: str, instances: tuple[Instance, ...]) -> None:
        checks.instances(instances)
        self._called("set_instances", vpc)
        self._vpc(vpc).instances = instances

    async def set_fronts(self, vpc: str, fronts: tuple[Front, ...]) -> None:
        checks.fronts(fronts)
        self._called("set_fronts", vpc)
        self._vpc(vpc).fronts = fronts

    async def set_entries(self, vpc: str, entries: tuple[Entry, ...]) -> None:
        checks.entries(entries)
        self._called("set_entries", vpc)
        self._vpc(vpc).entries = entries

    async def set_remote_publics(self, publics: tuple[RemotePublic, ...]) -> None:
        checks.remote_publics(publics, self.settings)
        self._called("set_remote_publics", "")
        self.remote = {public.address: public.node for public in publics}

    async def ensure_bridge(self, services: tuple[RouterService, ...]) -> Path:
        self._called("ensure_bridge", "")
        spec = bridge.network(self.settings.bridge, services)
        made = self.vpcs.setdefault(BRIDGE, Vpc(spec))
        made.spec, made.policies = spec, {bridge.OPEN.id: bridge.OPEN}
        return self._path(BRIDGE)

    async def ensure_seat(self, spec: SeatSpec) -> Seat:
        checks.seat(spec)
        here = self._vpc(BRIDGE)
        given = here.wanted.get(spec.id)
        if not isinstance(given, InterfaceSpec) or not bridge.answers(spec, given):
            ports = self._ports(spec)
            given = bridge.interface(spec.id, self.settings.bridge, self._seats.give(spec.id), ports)
        here.wanted[spec.id] = given
        self._called("ensure_seat", spec.id)
        here.holders[spec.id] = given
        return bridge.seat(given, self._path(spec.id))

    def _ports(self, spec: SeatSpec) -> tuple[Publish, ...]:
        """What is asked for, where nobody else has it; the lowest of the usual range that are free for what is not."""
        taken = {
            (protocol, host)
            for holder in self._vpc(BRIDGE).wanted.values()
            if isinstance(holder, InterfaceSpec) and holder.id != spec.id
            for protocol, host, _ in bridge.published(holder.ports)
        }
        found: list[Publish] = []
        for publish in spec.ports:
            starts = (publish.host,) if publish.host else range(*_EPHEMERAL)
            wishes = (replace(publish, host=start) for start in starts)
            chosen = next((w for w in wishes if not taken & {(p, h) for p, h, _ in bridge.published([w])}), None)
            if chosen is None:
                raise PortError("port_taken", f"Bind for 0.0.0.0:{publish.host} failed: port is already allocated")
            found.append(chosen)
            taken |= {(protocol, host) for protocol, host, _ in bridge.published([chosen])}
        return tuple(found)

    async def remove_seat(self, seat: str) -> None:
        self._remove("remove_seat", BRIDGE, seat)
        self._seats.release(seat)

    async def redirect(self, wanted: HostRedirect | None) -> None:
        self._called("redirect", "")
        self.redirected = wanted

    async def open_socket(self, vpc: str, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        """An ordinary one: there are no namespaces here."""
        self._vpc(vpc)
        opened = socket.socket(family, kind)
        opened.setblocking(False)
        return opened

    async def inventory(self) -> Inventory:
        vpcs = [vpc for id_, vpc in self.vpcs.items() if id_ != BRIDGE]
        wanted = [holder for vpc in vpcs for holder in vpc.wanted.values()]
        here = self.vpcs.get(BRIDGE)
        return Inventory(
            seats=tuple(here.wanted) if here is not None else (),
            bridge=here is not None,
            vpcs=tuple(vpc.spec for vpc in vpcs),
            interfaces=tuple(holder for holder in wanted if isinstance(holder, InterfaceSpec)),
            addresses=tuple(holder for holder in wanted if isinstance(holder, AddressSpec)),
        )

    async def traffic(self, vpc: str, interface: str) -> Traffic | None:
        return Traffic() if vpc in self.vpcs and interface in self.vpcs[vpc].holders else None

    async def start_fault(self, vpc: str, interface: str, fault: Fault) -> None:
        checks.fault(fault)
        self._called("start_fault", interface)
        self._holding(vpc, interface).faults.setdefault((interface, fault.name), fault)

    async def stop_fault(self, vpc: str, interface: str, name: str) -> None:
        self._called("stop_fault", interface)
        self._holding(vpc, interface).faults.pop((interface, name), None)

    async def faults(self, vpc: str, interface: str) -> frozenset[str]:
        return frozenset(name for holder, name in self._holding(vpc, interface).faults if holder == interface)

    def _holding(self, vpc: str, interface: str) -> Vpc:
        if interface not in self._vpc(vpc).holders:
            raise PortError("unknown_interface", f"The interface {interface} is not on this node.")
        return self._vpc(vpc)

    def can_reach(
        self, source: str | None, address: str, port: int, protocol: str = "tcp", own: str | None = None
    ) -> bool:
        """Whether a connection would be let through. `source` is an interface's or address's id; None is the host.
        `own`: the address to connect from, of those that it holds."""
        return Reach(self).asked(source, address, port, protocol, own)

    def _vpc(self, vpc: str) -> Vpc:
        if vpc not in self.vpcs:
            raise PortError("unknown_vpc", f"The VPC {vpc} is not on this node: ensure_vpc comes first.")
        return self.vpcs[vpc]

    def _path(self, identifier: str) -> Path:
        return self.settings.run_dir / "netns" / identifier
