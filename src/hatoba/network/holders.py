"""Who holds addresses, from the words of the port to those of the packet rules (`members.Member`). Pure."""

from __future__ import annotations

from hatoba.network import further, names
from hatoba.network.base import AddressSpec, InterfaceSpec, Peer
from hatoba.network.beyond import Guest
from hatoba.network.further import Further
from hatoba.network.members import Member


def own(holder: AddressSpec | InterfaceSpec | Peer) -> set[str]:
    """All its addresses, and its IPv6 blocks."""
    besides = (holder.address6,) if isinstance(holder, AddressSpec) else holder.networks
    return set(further.addresses(value for value in (holder.address, *besides) if value is not None))


def of_interface(spec: InterfaceSpec) -> Member:
    return Member(
        address=spec.address,
        address6=spec.address6,
        groups=spec.groups,
        device=names.port(spec.id),
        public=spec.public,
        egress=spec.egress,
        egress6=spec.egress6,
        ports=spec.ports,
        further=spec.further,
    )


def of_address(spec: AddressSpec) -> Member:
    return Member(
        open=spec.open,
        address=spec.address,
        address6=spec.address6,
        groups=spec.groups,
        public=spec.public,
        egress=spec.egress,
        egress6=spec.egress6,
    )


def of_far(far: Peer | Guest) -> Member:
    besides = tuple(Further(network=network) for network in far.further)
    return Member(
        address=far.address,
        address6=far.address6,
        groups=far.groups,
        here=False,
        further=besides,
        fronting=isinstance(far, Peer) and far.fronting,
    )


def nodes(peers: tuple[Peer, ...]) -> frozenset[str]:
    return frozenset(peer.node for peer in peers)


def key(far: Peer | Guest) -> str:
    """Cannot be an interface's id: those have no "@"."""
    first = far.address or far.address6 or ",".join(far.further)
    return f"@{first}" if isinstance(far, Peer) else f"@@{first}"
