"""What each node must have: every item is a pure function of the tables, so a change renews exactly what it touches.

    needed(view, node, ref)   → the item's body, or None when the node must not have it
    along(view, network)      → what comes and goes with a network
    everything(view, node)    → all of a node's items: a snapshot

A node has the workloads, credentials and balancers that are its own, the interfaces they use, those interfaces'
networks with their policies and names, and where the networks' other interfaces are (peers). Networks that are peered
come together: what is sent from one into the other is led into it on the node that it comes from. `changes` says which
items a change may have altered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from hatoba.core.keys import Scope
from hatoba.fleet import model as m
from hatoba.fleet.items import (
    BalancerItem,
    CertificateShown,
    CredentialItem,
    EntryPart,
    GatewayPart,
    InterfaceItem,
    NetworkItem,
    PeerItem,
    PolicyItem,
    PublicItem,
    ZoneItem,
)
from hatoba.fleet.messages import ENTRIES_SINCE, Kind, encode
from hatoba.store import Table
from hatoba.store.store import View


class Ref(NamedTuple):
    """Names an item: the record's id within its scope (zones: the scope is part of what they are found by)."""

    kind: Kind
    scope: Scope
    id: str


def holders(view: View, interface: str) -> Iterator[tuple[str, Kind | None]]:
    """The nodes that hold an interface, and what it is there for; None: a NAT gateway, which is part of its network.

    While it moves there may be two: the first counts.
    """
    for workload in view.index(m.workloads, "interface", interface):
        yield workload.node, "workload"
    for balancer in view.index(m.balancers, "interface", interface):
        yield balancer.node, "balancer"
    for gateway in view.index(m.gateways, "interface", interface):
        yield gateway.node, None


def _holder(view: View, interface: str) -> tuple[str, Kind | None] | None:
    return next(holders(view, interface), None)


def peered(view: View, network: str) -> list[str]:
    """The networks that are peered with one."""
    found = (peering.networks for peering in view.index(m.peerings, "network", network))
    return sorted(one if other == network else other for one, other in found)


def _has_network(view: View, node: str, scope: Scope, network: str) -> bool:
    if view.find(m.networks, scope, network) is None:
        return False
    return any(_is_used(view, node, each) for each in (network, *peered(view, network)))


def _is_used(view: View, node: str, network: str) -> bool:
    """Something on the node is in it, or load balancers in it speak to ports of the node for their clients."""
    tables: tuple[Table[Any], ...] = (m.workloads, m.balancers, m.gateways)
    used = any(view.count(table, "node_network", (node, network)) for table in tables)
    return used or bool(view.count(m.balancers, "entered", (node, network)))


def _address(view: View, node: str) -> str:
    record = view.find(m.nodes, m.FLEET, node)
    return record.address if record else ""


def _is_somebodys(view: View, node: str) -> bool:
    """It belongs to one account, and learns nothing of what all share."""
    record = view.find(m.nodes, m.FLEET, node)
    return record is not None and bool(record.account)


# --- one item ------------------------------------------------------------------------------------------------------


def _workload(view: View, node: str, ref: Ref) -> m.Workload | None:
    record = view.find(m.workloads, ref.scope, ref.id)
    return record if record and record.node == node else None


def _credential(view: View, node: str, ref: Ref) -> CredentialItem | None:
    record = view.find(m.credentials, ref.scope, ref.id)
    if record is None or record.node != node:
        return None
    return CredentialItem(
        workload=record.workload,
        role=record.role,
        access_key=record.access_key,
        secret_key=record.secret_key,
        token=record.token,
        expires=record.expires,
    )


def _balancer(view: View, node: str, ref: Ref) -> BalancerItem | None:
    record = view.find(m.balancers, ref.scope, ref.id)
    if record is None or record.node != node:
        return None
    return BalancerItem(
        network=record.network,
        interfaces=record.interfaces,
        spec=record.spec,
        version=record.version,
        certificates=tuple(_shown(view, record)),
        secrets=record.secrets,
        nodes=dict(_targets(view, node, record)),
        hearing=tuple(sorted({entry.node for entry in record.entries if _hears(view, entry.node)} - {node})),
    )


def _hears(view: View, node: str) -> bool:
    """An older agent does not know what it would be told of entries."""
    record = view.find(m.nodes, m.FLEET, node)
    return record is not None and record.protocol >= ENTRIES_SINCE


def _targets(view: View, node: str, balancer: m.Balancer) -> Iterator[tuple[str, str]]:
    for id_ in balancer.targets:
        record = view.find(m.nodes, m.FLEET, id_)
        if record is not None and (id_ == node or record.address):
            yield id_, "" if id_ == node else record.address


def _shown(view: View, balancer: m.Balancer) -> Iterator[CertificateShown]:
    for id_ in balancer.certificates:
        record = view.find(m.certificates, balancer.scope, id_)
        record = record or view.find(m.certificates, balancer.scope.everywhere(), id_)
        if record is not None:
            yield CertificateShown(id=id_, chain=record.chain, private_key=record.private_key)


def _interface(view: View, node: str, ref: Ref) -> InterfaceItem | None:
    record = view.find(m.interfaces, ref.scope, ref.id)
    holder = _holder(view, ref.id)
    if record is None or holder is None or holder[0] != node or holder[1] is None:
        return None
    carried = view.index(m.balancers, "interface", ref.id) if holder[1] == "balancer" else []
    return InterfaceItem(
        network=record.network,
        address=record.address,
        mac=record.mac,
        gateway=record.gateway,
        prefix=record.prefix,
        groups=record.groups,
        public=record.public,
        egress=record.egress,
        balancer=holder[1] == "balancer",
        open=any(each.open for each in carried),
        further=(*record.further, *record.blocks),
        publics=record.publics,
        address6=record.address6,
        prefix6=record.prefix6,
        egress6="none" if any(each.inside for each in carried) else record.egress6,
    )


def _network(view: View, node: str, ref: Ref) -> NetworkItem | None:
    record = view.find(m.networks, ref.scope, ref.id)
    if record is None or not _has_network(view, node, ref.scope, ref.id):
        return None
    return NetworkItem(
        cidrs=record.cidrs,
        vni=record.vni,
        resolver=record.resolver,
        region=ref.scope.region,
        acls=record.acls,
        dns=record.dns,
        hostnames=record.hostnames,
        domain=record.domain,
        servers=record.servers,
        subnets=record.subnets,
        gateways=tuple(_gateways(view, node, ref)),
        peerings=tuple(peered(view, ref.id)),
        endpoints=record.endpoints,
        entries=tuple(_entries(view, node, ref.id)),
        gated=record.gated,
    )


def _entries(view: View, node: str, network: str) -> Iterator[EntryPart]:
    """Of load balancers that this node carries itself, it knows."""
    for balancer in view.index(m.balancers, "entered", (node, network)):
        for entry in balancer.entries if balancer.node != node else ():
            if entry.node == node:
                yield EntryPart(balancer=entry.balancer, port=entry.port, protocol=entry.protocol)


def _gateways(view: View, node: str, network: Ref) -> Iterator[GatewayPart]:
    for gateway in view.index(m.gateways, "network", network.id):
        interface = view.find(m.interfaces, network.scope, gateway.interface)
        where = "" if gateway.node == node else _address(view, gateway.node)
        if interface is not None and (where or gateway.node == node):
            yield GatewayPart(id=gateway.id, address=interface.address, public=interface.public, node=where)


def _policy(view: View, node: str, ref: Ref) -> PolicyItem | None:
    record = view.find(m.policy_sets, ref.scope, ref.id)
    if record is None or not _has_network(view, node, ref.scope, record.network):
        return None
    return PolicyItem(network=record.network, ingress=record.ingress, egress=record.egress)


def _peer(view: View, node: str, ref: Ref) -> PeerItem | None:
    record = view.find(m.interfaces, ref.scope, ref.id)
    holder = _holder(view, ref.id)
    if record is None or holder is None or holder[0] == node or not _has_network(view, node, ref.scope, record.network):
        return None
    where = _address(view, holder[0])
    if not where:
        return None
    return PeerItem(
        network=record.network,
        address=record.address,
        node=where,
        groups=record.groups,
        further=(*record.further, *record.blocks),
        address6=record.address6,
        fronting=any(balancer.fronting for balancer in view.index(m.balancers, "interface", ref.id)),
    )


def _public(view: View, node: str, ref: Ref) -> PublicItem | None:
    record = view.find(m.interfaces, ref.scope, ref.id)
    holder = _holder(view, ref.id)
    if record is None or holder is None or holder[0] == node or _is_somebodys(view, node):
        return None
    where, publics = _address(view, holder[0]), record.all_public
    return PublicItem(address=publics[0], node=where, further=publics[1:]) if where and publics else None


def _zone(view: View, node: str, ref: Ref) -> ZoneItem | None:
    record = view.find(m.zones, ref.scope, ref.id)
    if record is None or (record.network and not _has_network(view, node, ref.scope, record.network)):
        return None
    return ZoneItem(network=record.network, addresses=record.addresses, ttl=record.ttl)


_BODIES: dict[Kind, Callable[[View, str, Ref], Any]] = {
    "network": _network,
    "interface": _interface,
    "policy": _policy,
    "peer": _peer,
    "public": _public,
    "workload": _workload,
    "credential": _credential,
    "balancer": _balancer,
    "zone": _zone,
}


def needed(view: View, node: str, ref: Ref) -> bytes | None:
    """The item's body, encoded; None when the node must not have it (any more)."""
    body = _BODIES[ref.kind](view, node, ref)
    return None if body is None else encode(body)


def beside(view: View, network: str) -> Iterator[Ref]:
    """The networks that come with one because they are peered."""
    for id_ in peered(view, network):
        for record in view.index(m.networks, "id", id_):
            yield Ref("network", record.scope, id_)


def along(view: View, network: Ref) -> Iterator[Ref]:
    """What comes and goes with a network on a node."""
    scope = network.scope
    where = (scope.partition, scope.account, scope.region, network.id)
    for policy in view.index(m.policy_sets, "network", where):
        yield Ref("policy", scope, policy.id)
    for interface in view.index(m.interfaces, "network", where):
        yield Ref("peer", scope, interface.id)
    for zone in view.index(m.zones, "network", network.id):
        yield Ref("zone", zone.scope, zone.id)


def everything(view: View, node: str) -> Iterable[Ref]:
    """All the items a node may need: the refs of a snapshot. Some may turn out not to be needed."""
    refs: dict[Ref, None] = {}
    for workload in view.index(m.workloads, "node", node):
        refs[Ref("workload", workload.scope, workload.id)] = None
        if workload.network and workload.interface:
            refs[Ref("network", workload.scope, workload.network)] = None
            refs[Ref("interface", workload.scope, workload.interface)] = None
    for credential in view.index(m.credentials, "node", node):
        refs[Ref("credential", credential.scope, credential.id)] = None
    for balancer in view.index(m.balancers, "node", node):
        refs[Ref("balancer", balancer.scope, balancer.id)] = None
        refs[Ref("network", balancer.scope, balancer.network)] = None
        for interface in balancer.interfaces:
            refs[Ref("interface", balancer.scope, interface)] = None
    for gateway in view.index(m.gateways, "node", node):
        refs[Ref("network", gateway.scope, gateway.network)] = None
    for balancer in view.index(m.balancers, "target", node):
        if balancer.entries:
            refs[Ref("network", balancer.scope, balancer.network)] = None
    for network in [ref for ref in refs if ref.kind == "network"]:
        refs.update(dict.fromkeys(beside(view, network.id)))
    for network in [ref for ref in refs if ref.kind == "network"]:
        refs.update(dict.fromkeys(along(view, network)))
    for zone in view.index(m.zones, "network", ""):
        refs[Ref("zone", zone.scope, zone.id)] = None
    for record in view.index(m.interfaces, "has_public", True):
        refs[Ref("public", record.scope, record.id)] = None
    return refs
