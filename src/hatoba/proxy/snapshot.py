"""Wanted balancers, groups and health → everything that Envoy should have. Pure; its outputs are golden files.

What did not change is remembered, not built again, so a change costs what it changes. A change of health alone needs
only what `endpoints_of` gives for the groups concerned, put in place with `replaced`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from msgspec.structs import replace

from hatoba.proxy import clusters, flows, listeners, names, routes, streams, tls
from hatoba.proxy.base import Action, Balancer, Forward, Health, Listener, TargetGroup, Wanted
from hatoba.proxy.resource import Resource, Snapshot, remembered, snapshot_of
from hatoba.proxy.signin import envoy
from hatoba.proxy.sticky import known


def snapshot(
    wanted: Wanted, health: Mapping[str, Mapping[str, Health]], *, sign_in: str = "", tracer: str = ""
) -> Snapshot:
    """`health` is by group id, then target id; a target that is not in it gets no requests yet. `sign_in`: the socket
    of the service that is asked where users must sign in. `tracer`: the module that writes the trace header, "" where
    there is none."""
    return snapshot_of(_resources(wanted, health, sign_in, tracer))


def replaced(before: Snapshot, endpoints: Iterable[Resource]) -> Snapshot:
    """With these endpoints in the place of older ones."""
    return {**before, "endpoints": {**before["endpoints"], **{each.name: each for each in endpoints}}}


def endpoints_of(wanted: Wanted, changed: Set[str], health: Mapping[str, Mapping[str, Health]]) -> Iterator[Resource]:
    """The endpoints in which these groups' targets stand."""
    groups = {group.id: group for group in wanted.groups}
    for balancer in wanted.balancers:
        for listener in _carried_out(balancer):
            if balancer.kind == "network" and not changed.isdisjoint(_named(listener)):
                yield from flows.endpoints(balancer, listener, groups, health)
    for id_, balancer in _asked_by_name(wanted).items():
        if id_ in groups and id_ in changed:
            yield clusters.endpoints(groups[id_], health.get(id_, {}), balancer.zones)


def _resources(
    wanted: Wanted, health: Mapping[str, Mapping[str, Health]], sign_in: str, tracer: str
) -> Iterator[Resource]:
    groups = {group.id: group for group in wanted.groups}
    if any(balancer.signer is not None for balancer in wanted.balancers):
        yield envoy.cluster(sign_in)
    for balancer in wanted.balancers:
        if balancer.kind == "network":
            yield from _network(balancer, groups, health)
            continue
        named = groups_of(balancer)
        for listener in _carried_out(balancer):
            yield listeners.listener(balancer, listener, tracer)
            if listener.tls is not None and listener.tls.clients is not None:
                yield tls.verification(names.clients(balancer.id, listener.id), listener.tls.clients)
            there = frozenset(known(groups[id_]) for id_ in named if id_ in groups)
            yield routes.routes(balancer, listener, there, tracer)
        for id_ in named:
            if id_ in groups:
                yield clusters.cluster(balancer, groups[id_])
    for id_, balancer in _asked_by_name(wanted).items():
        if id_ in groups:
            yield clusters.endpoints(groups[id_], health.get(id_, {}), balancer.zones)
    shown = {id_ for balancer in wanted.balancers for each in _carried_out(balancer) for id_ in _certificates(each)}
    for certificate in wanted.certificates:
        if certificate.id in shown:
            yield tls.secret(certificate)


def _network(
    balancer: Balancer, groups: Mapping[str, TargetGroup], health: Mapping[str, Mapping[str, Health]]
) -> Iterator[Resource]:
    for listener in _carried_out(balancer):
        yield from flows.resources(balancer, listener, groups, health)
        yield from streams.listeners(balancer, listener, groups)


def _asked_by_name(wanted: Wanted) -> dict[str, Balancer]:
    """Groups whose endpoints are a resource of their own: those of application balancers, one each."""
    return {id_: each for each in wanted.balancers if each.kind == "http" for id_ in groups_of(each)}


@remembered
def _carried_out(balancer: Balancer) -> tuple[Listener, ...]:
    """None where the balancer has no address here."""
    usable = (each for each in balancer.listeners if _unsupported(balancer, each) is None)
    return tuple(usable) if balancer.addresses else ()


@remembered
def _left_out(balancer: Balancer) -> str | None:
    for listener in balancer.listeners:
        if (why := _unsupported(balancer, listener)) is not None:
            return f"listener {listener.id} of {balancer.id}: {why}"
    return None


def _unsupported(balancer: Balancer, listener: Listener) -> str | None:
    return streams.unsupported(listener) if balancer.kind == "network" else listeners.unsupported(listener)


def _certificates(listener: Listener) -> tuple[str, ...]:
    return listener.tls.certificates if listener.tls is not None else ()


def left_out(wanted: Wanted) -> str | None:
    """Why something of what is wanted is not in the snapshot."""
    return next((why for balancer in wanted.balancers if (why := _left_out(balancer)) is not None), None)


def users(wanted: Wanted) -> dict[str, Balancer]:
    """The groups that some listener names, each with the first balancer that does (the one that checks it)."""
    found: dict[str, Balancer] = {}
    for balancer in wanted.balancers:
        for id_ in groups_of(balancer):
            found.setdefault(id_, balancer)
    return found


@remembered
def groups_of(balancer: Balancer) -> tuple[str, ...]:
    """Ids of the groups that the balancer's listeners forward to, each once, in a stable order."""
    return tuple(sorted({id_ for listener in _carried_out(balancer) for id_ in _named(listener)}))


def _named(listener: Listener) -> set[str]:
    return {id_ for action in _actions(listener) for id_ in _targets_of(action)}


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


@remembered
def _askable(group: TargetGroup) -> TargetGroup:
    """Targets are asked in the way in which they get requests."""
    return replace(group, health_check=replace(group.health_check, version=group.protocol_version))
