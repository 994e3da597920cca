"""Wanted balancers, groups and health → everything that Envoy should have. Pure; its outputs are golden files.

What did not change is remembered, not built again, so a change costs what it changes. A change of health alone needs
only the group's `clusters.endpoints`, put in place with `replaced`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from hatoba.proxy import clusters, listeners, routes, tls
from hatoba.proxy.base import Action, Balancer, Forward, Health, Listener, TargetGroup, Wanted
from hatoba.proxy.resource import Resource, Snapshot, snapshot_of
from hatoba.proxy.sticky import known


def snapshot(wanted: Wanted, health: Mapping[str, Mapping[str, Health]]) -> Snapshot:
    """`health` is by group id, then target id; a target that is not in it gets no requests yet."""
    return snapshot_of(_resources(wanted, health))


def replaced(before: Snapshot, changed: Resource) -> Snapshot:
    return {**before, changed.kind: {**before[changed.kind], changed.name: changed}}


def _resources(wanted: Wanted, health: Mapping[str, Mapping[str, Health]]) -> Iterator[Resource]:
    groups = {group.id: group for group in wanted.groups}
    for balancer in wanted.balancers:
        named = groups_of(balancer)
        for listener in _carried_out(balancer):
            yield listeners.listener(balancer, listener)
            yield routes.routes(balancer, listener, frozenset(known(groups[id_]) for id_ in named if id_ in groups))
        for id_ in named:
            if id_ in groups:
                yield clusters.cluster(balancer, groups[id_])
    for id_ in users(wanted):
        if id_ in groups:
            yield clusters.endpoints(groups[id_], health.get(id_, {}))
    shown = {id_ for balancer in wanted.balancers for each in _carried_out(balancer) for id_ in _certificates(each)}
    for certificate in wanted.certificates:
        if certificate.id in shown:
            yield tls.secret(certificate)


def _carried_out(balancer: Balancer) -> tuple[Listener, ...]:
    """None where the balancer has no address here."""
    usable = (each for each in balancer.listeners if listeners.unsupported(each) is None)
    return tuple(usable) if balancer.addresses else ()


def _certificates(listener: Listener) -> tuple[str, ...]:
    return listener.tls.certificates if listener.tls is not None else ()


def left_out(wanted: Wanted) -> str | None:
    """Why something of what is wanted is not in the snapshot."""
    for balancer in wanted.balancers:
        for listener in balancer.listeners:
            if (why := listeners.unsupported(listener)) is not None:
                return f"listener {listener.id} of {balancer.id}: {why}"
    return None


def users(wanted: Wanted) -> dict[str, Balancer]:
    """The groups that some listener names, each with the first balancer that does (the one that checks it)."""
    found: dict[str, Balancer] = {}
    for balancer in wanted.balancers:
        for id_ in groups_of(balancer):
            found.setdefault(id_, balancer)
    return found


def groups_of(balancer: Balancer) -> tuple[str, ...]:
    """Ids of the groups that the balancer's listeners forward to, each once, in a stable order."""
    named = {id_ for listener in _carried_out(balancer) for action in _actions(listener) for id_ in _targets_of(action)}
    return tuple(sorted(named))


def _actions(listener: Listener) -> Iterator[Action]:
    yield listener.default
    for rule in listener.rules:
        yield rule.action


def _targets_of(action: Action) -> Iterator[str]:
    if isinstance(action, Forward):
        for share in action.shares:
            yield share.group


def checked(wanted: Wanted) -> dict[str, tuple[TargetGroup, Balancer]]:
    """The groups whose targets must be asked, with the balancer from whose address."""
    using = users(wanted)
    return {group.id: (_askable(group), using[group.id]) for group in wanted.groups if group.id in using}


def _askable(group: TargetGroup) -> TargetGroup:
    """The checker speaks HTTP/1.1. A target that speaks HTTP/2 only is asked for a connection."""
    if group.protocol_version == "HTTP1":
        return group
    return replace(group, health_check=replace(group.health_check, protocol="TCP"))
