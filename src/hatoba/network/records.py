"""What the fabric was asked for, on a tmpfs of its own beside the namespaces: intent first, then the act.

    RUN_DIR/vpcs/<vpc>/vpc.json, policies.json, acls.json, peers.json, routing.json, guests.json, instances.json,
                       fronts.json, entries.json, locals.json, interfaces/<id>.json, addresses/<id>.json
    RUN_DIR/claim.json            the pool claimed on the host
    RUN_DIR/publics.json          public addresses on other nodes
    RUN_DIR/netns/<id>            the namespaces, of routers and of interfaces

Whatever a crash leaves half made has a record here, because the record came first and goes last.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from hatoba.core.files import swap_file
from hatoba.network import syscalls
from hatoba.network.base import (
    BRIDGE,
    Acl,
    AddressSpec,
    InterfaceSpec,
    Inventory,
    Peer,
    PolicySet,
    RemotePublic,
    Settings,
    VpcSpec,
)
from hatoba.network.beyond import Entry, Front, Gateway, Guest, Instance, Routing
from hatoba.network.hosted import Ends, Hosted
from hatoba.network.names import checked

T = TypeVar("T")


class RouterRecord(msgspec.Struct, frozen=True, kw_only=True):
    spec: VpcSpec
    transit: str  # its uplink's address
    ends: Ends | None = None  # since balancers have spoken to ports of the host under their clients' addresses

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of the node's that it has."""
        return (self.transit,) if self.ends is None else (self.transit, self.ends.own, self.ends.bridge)


def public_addresses(holder: InterfaceSpec | AddressSpec | Gateway) -> frozenset[str]:
    """Its own, and those of what it holds besides."""
    besides = (each.public for each in holder.further) if isinstance(holder, InterfaceSpec) else ()
    return frozenset(public for public in (holder.public, *besides) if public is not None)


class Records:
    def __init__(self, run_dir: Path) -> None:
        self._root = run_dir
        self._vpcs = run_dir / "vpcs"
        self.namespaces = run_dir / "netns"

    def prepare(self) -> None:
        syscalls.make_shared(self._root)
        for folder in (self._vpcs, self.namespaces):
            folder.mkdir(exist_ok=True, mode=0o700)

    def holders(self, vpc: str) -> list[InterfaceSpec | AddressSpec | Gateway]:
        """Whoever may have a public address here."""
        gateways = (gateway for gateway in self.routing(vpc).gateways if not gateway.node)
        return [*self.interfaces(vpc), *self.addresses(vpc), *gateways]

    def publics(self, vpc: str) -> dict[str, str]:
        """The public addresses of those here → who has each."""
        return {public: holder.id for holder in self.holders(vpc) for public in public_addresses(holder)}

    def inventory(self) -> Inventory:
        all_ = [record.spec for record in self.routers()]
        vpcs = tuple(spec for spec in all_ if spec.id != BRIDGE)
        return Inventory(
            vpcs=vpcs,
            interfaces=tuple(spec for vpc in vpcs for spec in self.interfaces(vpc.id)),
            addresses=tuple(spec for vpc in vpcs for spec in self.addresses(vpc.id)),
            seats=tuple(seat.id for seat in self.interfaces(BRIDGE)),
            bridge=len(vpcs) < len(all_),
        )

    def clear(self) -> None:
        """Forgets everything, the namespaces' names included."""
        syscalls.remove_shared(self._root)

    def namespace(self, identifier: str) -> Path:
        return self.namespaces / checked(identifier)

    def put_router(self, record: RouterRecord) -> None:
        _write(self._vpc(record.spec.id) / "vpc.json", record)

    def routers(self) -> list[RouterRecord]:
        found = (_read(folder / "vpc.json", RouterRecord) for folder in _entries(self._vpcs))
        return [record for record in found if record is not None]

    def router(self, vpc: str) -> RouterRecord:
        record = _read(self._vpc(vpc) / "vpc.json", RouterRecord)
        assert record is not None, "it comes first and goes last"
        return record

    def forget_router(self, vpc: str) -> None:
        shutil.rmtree(self._vpc(vpc), ignore_errors=True)

    def put_claim(self, pool: str) -> None:
        _write(self._root / "claim.json", pool)

    def claim(self) -> str | None:
        """The pool that an earlier process of this instance has claimed on the host."""
        return _read(self._root / "claim.json", str)

    def put_policies(self, vpc: str, policies: tuple[PolicySet, ...]) -> None:
        _write(self._vpc(vpc) / "policies.json", policies)

    def policies(self, vpc: str) -> tuple[PolicySet, ...]:
        return _read(self._vpc(vpc) / "policies.json", tuple[PolicySet, ...]) or ()

    def put_acls(self, vpc: str, acls: tuple[Acl, ...]) -> None:
        _write(self._vpc(vpc) / "acls.json", acls)

    def acls(self, vpc: str) -> tuple[Acl, ...]:
        return _read(self._vpc(vpc) / "acls.json", tuple[Acl, ...]) or ()

    def put_peers(self, vpc: str, peers: tuple[Peer, ...]) -> None:
        _write(self._vpc(vpc) / "peers.json", peers)

    def peers(self, vpc: str) -> tuple[Peer, ...]:
        return _read(self._vpc(vpc) / "peers.json", tuple[Peer, ...]) or ()

    def put_routing(self, vpc: str, routing: Routing) -> None:
        _write(self._vpc(vpc) / "routing.json", routing)

    def routing(self, vpc: str) -> Routing:
        return _read(self._vpc(vpc) / "routing.json", Routing) or Routing()

    def put_guests(self, vpc: str, guests: tuple[Guest, ...]) -> None:
        _write(self._vpc(vpc) / "guests.json", guests)

    def guests(self, vpc: str) -> tuple[Guest, ...]:
        return _read(self._vpc(vpc) / "guests.json", tuple[Guest, ...]) or ()

    def instances(self, vpc: str) -> tuple[Instance, ...]:
        return _read(self._vpc(vpc) / "instances.json", tuple[Instance, ...]) or ()

    def fronts(self, vpc: str) -> tuple[Front, ...]:
        return _read(self._vpc(vpc) / "fronts.json", tuple[Front, ...]) or ()

    def entries(self, vpc: str) -> tuple[Entry, ...]:
        return _read(self._vpc(vpc) / "entries.json", tuple[Entry, ...]) or ()

    def hosted(self, record: RouterRecord, settings: Settings) -> Hosted:
        vpc = record.spec.id
        return Hosted(
            host=settings.host_address,
            underlay=settings.underlay,
            instances=self.instances(vpc),
            fronts=self.fronts(vpc),
            entries=self.entries(vpc),
            ends=record.ends,
        )

    def put_hosted(self, vpc: str, before: Hosted, after: Hosted) -> None:
        """But for what stands for the VPC on the host, which is the router's own."""
        if before.instances != after.instances:
            _write(self._vpc(vpc) / "instances.json", after.instances)
        if before.fronts != after.fronts:
            _write(self._vpc(vpc) / "fronts.json", after.fronts)
        if before.entries != after.entries:
            _write(self._vpc(vpc) / "entries.json", after.entries)

    def put_locals(self, vpc: str, given: dict[str, str]) -> None:
        """Interface → its link-local address towards the router."""
        _write(self._vpc(vpc) / "locals.json", given)

    def locals(self, vpc: str) -> dict[str, str]:
        return _read(self._vpc(vpc) / "locals.json", dict[str, str]) or {}

    def put_interface(self, spec: InterfaceSpec) -> None:
        _write(self._vpc(spec.vpc) / "interfaces" / f"{checked(spec.id)}.json", spec)

    def forget_interface(self, vpc: str, interface: str) -> None:
        (self._vpc(vpc) / "interfaces" / f"{checked(interface)}.json").unlink(missing_ok=True)

    def interface(self, vpc: str, interface: str) -> InterfaceSpec | None:
        return _read(self._vpc(vpc) / "interfaces" / f"{checked(interface)}.json", InterfaceSpec)

    def interfaces(self, vpc: str) -> list[InterfaceSpec]:
        return list(_all(self._vpc(vpc) / "interfaces", InterfaceSpec))

    def put_address(self, spec: AddressSpec) -> None:
        _write(self._vpc(spec.vpc) / "addresses" / f"{checked(spec.id)}.json", spec)

    def forget_address(self, vpc: str, address_id: str) -> None:
        (self._vpc(vpc) / "addresses" / f"{checked(address_id)}.json").unlink(missing_ok=True)

    def addresses(self, vpc: str) -> list[AddressSpec]:
        return list(_all(self._vpc(vpc) / "addresses", AddressSpec))

    def put_publics(self, publics: tuple[RemotePublic, ...]) -> None:
        _write(self._root / "publics.json", publics)

    def remote_publics(self) -> tuple[RemotePublic, ...]:
        return _read(self._root / "publics.json", tuple[RemotePublic, ...]) or ()

    def _vpc(self, vpc: str) -> Path:
        return self._vpcs / checked(vpc)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _all(folder: Path, kind: type[T]) -> Iterator[T]:
    for path in _entries(folder):
        if path.suffix == ".json" and (record := _read(path, kind)) is not None:
            yield record


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None


def _write(path: Path, record: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    swap_file(path, msgspec.json.encode(record))
