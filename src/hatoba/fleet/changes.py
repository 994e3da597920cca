"""Which items of which nodes a change may have altered: no more than it concerns, so that its cost does not grow with
the fleet.

What is part of a network concerns the nodes that have the network, an interface those that hold it. Every node is
asked only where every node has a part in it: public addresses, which each routes to where they are, names that
everybody sees, and networks that come, go or are peered, which is rare.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from hatoba.core.keys import Scope
from hatoba.fleet import model as m
from hatoba.fleet.needed import Ref, beside, holders
from hatoba.store import Change
from hatoba.store.store import View


class Touched(NamedTuple):
    """An item that may have changed: on one node, on those that have a network, or (neither given) on every node."""

    ref: Ref
    node: str | None = None
    network: str | None = None


def touched(view: View, change: Change[Any]) -> Iterator[Touched]:
    """What comes with a network is not named: it follows (`needed.along`)."""
    scope, id_ = change.key.scope, change.key.id
    for record in (change.before, change.after):
        match record:
            case m.Workload():
                yield Touched(Ref("workload", scope, id_), record.node)
                if record.network and record.interface and not _same_place(change):
                    yield from _placed(view, scope, record.node, record.network, (record.interface,))
            case m.Balancer():
                yield Touched(Ref("balancer", scope, id_), record.node)
                if not _same_place(change):
                    yield from _placed(view, scope, record.node, record.network, record.interfaces)
                for node in _entered_otherwise(change):
                    yield from _placed(view, scope, node, record.network, ())
            case m.Gateway():
                yield from _placed(view, scope, record.node, record.network, (record.interface,))
                yield Touched(Ref("network", scope, record.network), network=record.network)
            case m.Credential():
                yield Touched(Ref("credential", scope, id_), record.node)
            case m.Interface():
                yield from _of_interface(view, scope, id_, record.network)
                if record.all_public:
                    yield Touched(Ref("public", scope, id_))
                if view.count(m.gateways, "interface", id_):
                    yield Touched(Ref("network", scope, record.network), network=record.network)
            case m.Certificate():
                for balancer in view.index(m.balancers, "certificate", (*scope, id_)):
                    yield Touched(Ref("balancer", scope, balancer.id), balancer.node)
            case m.Node():
                yield from _of_node(view, change, id_)
            case m.Network() | m.Peering() | m.PolicySet() | m.Zone():
                yield from _of_networks(view, change, record)


def _entered_otherwise(change: Change[Any]) -> set[str]:
    """The nodes that have to let in other load balancers, or by other ports, than before."""
    ends = [record for record in (change.before, change.after) if record is not None]
    if len(ends) == 2 and len({(record.entries, record.node, record.network) for record in ends}) == 1:
        return set()
    return {entry.node for record in ends for entry in record.entries}


def _of_networks(
    view: View, change: Change[Any], record: m.Network | m.Peering | m.PolicySet | m.Zone
) -> Iterator[Touched]:
    scope, id_ = change.key.scope, change.key.id
    match record:
        case m.Network():
            known = change.before is not None and change.after is not None
            yield Touched(Ref("network", scope, id_), network=id_ if known else None)
        case m.Peering():
            for end in record.networks:
                yield from (Touched(ref) for ref in beside(view, end))
                yield from (Touched(Ref("network", n.scope, n.id)) for n in view.index(m.networks, "id", end))
        case m.PolicySet():
            yield Touched(Ref("policy", scope, id_), network=record.network)
        case m.Zone():
            yield Touched(Ref("zone", scope, id_), network=record.network or None)


def _of_node(view: View, change: Change[Any], node: str) -> Iterator[Touched]:
    """Load balancers that have ports of it for targets are told when it comes or goes, or has another agent; when it is
    elsewhere from now on, all nodes begin anew."""
    if change.before is None or change.after is None or change.before.protocol != change.after.protocol:
        for balancer in view.index(m.balancers, "target", node):
            yield Touched(Ref("balancer", balancer.scope, balancer.id), balancer.node)


def _placed(view: View, scope: Scope, node: str, network: str, interfaces: Iterable[str]) -> Iterator[Touched]:
    """Something came to a node or left it, with its network and interfaces."""
    for ref in (Ref("network", scope, network), *beside(view, network)):
        yield Touched(ref, node)
    for interface in interfaces:
        yield Touched(Ref("interface", scope, interface), node)
        yield from _of_interface(view, scope, interface, network)
        record = view.find(m.interfaces, scope, interface)
        if record is not None and record.all_public:
            yield Touched(Ref("public", scope, interface))


def _of_interface(view: View, scope: Scope, interface: str, network: str) -> Iterator[Touched]:
    # Whoever takes an interface over takes it away from somebody, who claims it as well.
    for node in {node for node, _ in holders(view, interface)}:
        yield Touched(Ref("interface", scope, interface), node)
    yield Touched(Ref("peer", scope, interface), network=network)


def _same_place(change: Change[Any]) -> bool:
    """The record's node, network and interfaces, and what is known of these, are what they were: only its own item
    changed."""
    before, after = change.before, change.after
    if before is None or after is None or before.node != after.node or before.network != after.network:
        return False
    if isinstance(after, m.Workload):
        return bool(before.interface == after.interface)
    return _shown(before) == _shown(after)


def _shown(balancer: m.Balancer) -> tuple[object, ...]:
    """What others than its own item tell of it."""
    return balancer.interfaces, balancer.open, balancer.inside, balancer.fronting
