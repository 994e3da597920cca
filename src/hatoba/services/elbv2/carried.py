"""What the fleet carries of a load balancer, written in the very transaction that changes what it follows from.

So a registered target is on its way to the proxy as soon as the registration is durable, with no activation between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hatoba.core.secret import Secret
from hatoba.fleet import model as fleet
from hatoba.proxy.base import Wanted
from hatoba.proxy.preserving import fronted, speaks
from hatoba.proxy.signin.words import CLIENT, SESSION_KEY, SIGNING_KEY
from hatoba.services.elbv2 import deliveries
from hatoba.services.elbv2.model.authentication import signers
from hatoba.services.elbv2.model.balancer import LoadBalancer, by_arn
from hatoba.services.elbv2.model.group import Target, TargetGroup, group_by_arn, target_groups, targets, targets_of
from hatoba.services.elbv2.model.instance import instance_named
from hatoba.services.elbv2.model.listener import groups_of, listeners_of, rules_of, users_of
from hatoba.services.elbv2.model.trust import trust_store_by_arn
from hatoba.services.elbv2.plan import attributes as keys
from hatoba.services.elbv2.plan import failover
from hatoba.services.elbv2.plan.flow_attributes import DENY
from hatoba.services.elbv2.plan.spec import Serving, Source, wanted
from hatoba.store import Tx
from hatoba.store.store import View


def wanted_of(view: View, balancer: LoadBalancer) -> tuple[Wanted, dict[str, Secret]]:
    """And what it speaks of and must not say."""
    serving = _serving(view, balancer)
    sources = [_source(view, group) for group in _groups(view, serving)]
    clients = {CLIENT + id_: each.client_secret for one in serving for id_, each in one.authentications}
    signer = view.find(signers, balancer.scope, balancer.id) if clients else None
    if signer is None:
        return wanted(balancer, serving, sources), {}
    own = {SESSION_KEY: signer.session, SIGNING_KEY: signer.signing}
    return wanted(balancer, serving, sources, signer.kid), {**own, **clients}


def _source(view: View, group: TargetGroup) -> Source:
    known = tuple(targets_of(view, group))
    if group.kind == "ip":
        return Source(group=group, targets=known)
    place = _place if group.kind == "alb" else _node
    return Source(group=group, targets=known, places={each.address: place(view, each.address) for each in known})


def _node(view: View, instance: str) -> str:
    """The node that an instance is, "" when it is none any more."""
    node = instance_named(view, instance)
    return node.id if node is not None else ""


def _place(view: View, reference: str) -> str:
    """Where an application load balancer is reached, "" while it is nowhere."""
    target = by_arn(view, reference)
    return next((one.address for one in target.attached), "") if target is not None else ""


def publish_fronts(tx: Tx, balancer: LoadBalancer) -> None:
    """After an application load balancer has moved: those that have it for a target."""
    for target in tx.index(targets, "address", balancer.arn):
        group = tx.find(target_groups, target.scope, target.group)
        if group is not None:
            publish_group(tx, group)


def _serving(view: View, balancer: LoadBalancer) -> list[Serving]:
    return [
        Serving(
            listener=one,
            rules=tuple(rules_of(view, one)),
            trust_store=trust_store_by_arn(view, one.mutual.trust_store) if one.mutual.trust_store else None,
        )
        for one in listeners_of(view, balancer)
    ]


def _groups(view: View, serving: Iterable[Serving]) -> list[TargetGroup]:
    named = dict.fromkeys(arn for one in serving for action in one.actions for arn in groups_of(action))
    return [group for arn in named if (group := group_by_arn(view, arn)) is not None]


def groups_in_use(view: View, balancer: LoadBalancer) -> list[TargetGroup]:
    return _groups(view, _serving(view, balancer))


def publish(tx: Tx, balancer: LoadBalancer, *, node: str | None = None) -> None:
    """Renews what a node carries; `node` gives it to one, which only the controller does."""
    key = fleet.balancers.key(balancer.scope, balancer.id)
    before = tx.get(fleet.balancers, key)
    if (before is None and node is None) or balancer.kind == "gateway":
        return  # not provisioned yet: the controller will find what is wanted then
    carried, secrets = wanted_of(tx, balancer)
    after = fleet.Balancer(
        key=key,
        node=node or (before.node if before is not None else ""),
        network=balancer.vpc,
        interfaces=tuple(interface.id for interface in balancer.attached),
        open=not balancer.groups,
        inside=keys.of_balancer(balancer)[DENY] == "true",
        fronting=speaks(carried),
        groups=tuple(group.id for group in carried.groups),
        targets=tuple(dict.fromkeys(_nodes(carried))),
        entries=tuple(_entries(carried)),
        certificates=tuple(dict.fromkeys(_certificates(carried))),
        spec=msgspec.msgpack.encode(carried),
        secrets=secrets,
    )
    deliveries.follow(tx, balancer, after.node)
    tx.renew(fleet.balancers, after)


def _nodes(carried: Wanted) -> Iterator[str]:
    return (target.node for group in carried.groups for target in group.targets if target.node)


def _entries(carried: Wanted) -> Iterator[fleet.Entry]:
    for each in sorted(fronted(carried)):
        if each.node:
            yield fleet.Entry(node=each.node, balancer=each.balancer, port=each.port, protocol=each.protocol)


def _certificates(carried: Wanted) -> Iterator[str]:
    for balancer in carried.balancers:
        for listener in balancer.listeners:
            if listener.tls is not None:
                yield from listener.tls.certificates


def publish_group(tx: Tx, group: TargetGroup) -> None:
    """After a change of a group or its targets."""
    publish_all(tx, users_of(tx, group))


def publish_all(tx: Tx, balancers: Iterable[LoadBalancer]) -> None:
    for balancer in balancers:
        publish(tx, balancer)


def publish_name(tx: Tx, balancer: LoadBalancer) -> None:
    """What its DNS name means: public addresses when it faces the internet, private ones else; whoever asks gets
    them. Those of IPv6 are what they are. Zones that have too few healthy targets, and may not use others', are left
    out."""
    key = fleet.zones.key(balancer.scope, balancer.dns_name.lower())
    fit = failover.fit(balancer.zones, _seen(tx, balancer))
    subnets = {place.subnet for place in balancer.places if place.zone in fit}
    there = [one for one in balancer.attached if one.subnet in subnets]
    four = [one.address if balancer.scheme == "internal" else one.public for one in there]
    six = [one.address6 for one in there]
    after = fleet.Zone(
        key=key,
        addresses=tuple(address for address in (*four, *six) if address is not None),
    )
    tx.renew(fleet.zones, after)


def _seen(view: View, balancer: LoadBalancer) -> Iterator[failover.Seen]:
    """The groups that keep to their zones: of others it does not matter where their targets are."""
    for group in groups_in_use(view, balancer):
        if not keys.across_zones(balancer, group):
            known = [target for target in targets_of(view, group) if target.draining_until is None]
            found = tuple((target.zone, _healthy(view, group, target)) for target in known)
            yield failover.Seen(attributes=keys.of_group(group), targets=found)


def _healthy(view: View, group: TargetGroup, target: Target) -> bool:
    status = view.find(fleet.target_statuses, fleet.FLEET, fleet.target_id(group.arn, target.name))
    return status is not None and status.state in ("healthy", "unavailable")


def withdraw(tx: Tx, balancer: LoadBalancer) -> None:
    tx.forget(fleet.balancers, fleet.balancers.key(balancer.scope, balancer.id))
    tx.forget(fleet.zones, fleet.zones.key(balancer.scope, balancer.dns_name.lower()))


def carrier(view: View, balancer: LoadBalancer) -> fleet.Balancer | None:
    return view.find(fleet.balancers, balancer.scope, balancer.id)


def said(view: View, carried: fleet.Balancer) -> fleet.BalancerStatus | None:
    """What the node that carries it says of it."""
    status = view.find(fleet.balancer_statuses, fleet.FLEET, carried.id)
    return status if status is not None and status.node == carried.node else None
