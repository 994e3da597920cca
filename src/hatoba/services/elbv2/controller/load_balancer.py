"""Looks after one load balancer: its interfaces, the node that carries it, its name, and its end.

The record comes first and says what is wanted; then interfaces are made, then a node is told. On the way out it is the
other way round: the node is told first, then the interfaces go, then the record.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.fleet.carriers import choose
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import forget_tags
from hatoba.reconcile import Wake
from hatoba.services.elbv2 import deliveries
from hatoba.services.elbv2.carried import carrier, publish, publish_fronts, publish_name, said, withdraw
from hatoba.services.elbv2.controller import interfaces
from hatoba.services.elbv2.model.authentication import signers
from hatoba.services.elbv2.model.balancer import LoadBalancer, State, load_balancers
from hatoba.services.elbv2.model.group import TargetGroup, group_by_arn, target_groups
from hatoba.services.elbv2.model.listener import users_of
from hatoba.services.elbv2.plan.attributes import across_zones
from hatoba.store import Change, Store, Tx

NO_NODE = "No node is there to carry the load balancer"


class LoadBalancerController:
    name = "elbv2.load_balancers"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store: Store = platform.store
        self.wakes: tuple[Wake, ...] = (
            Wake(load_balancers, lambda change: (change.key,)),
            Wake(fleet.balancer_statuses, self._by_status),
            Wake(fleet.nodes, self._by_node),
            Wake(fleet.target_statuses, self._by_target),
            Wake(target_groups, self._by_group),
        )

    def keys(self) -> Iterable[Key]:
        return [record.key for record in self._store.all(load_balancers)]

    def _by_status(self, change: Change[fleet.BalancerStatus]) -> Iterable[Key]:
        if _word(change.before) == _word(change.after):
            return ()
        return [record.key for record in self._store.index(load_balancers, "id", change.key.id)]

    def _by_node(self, change: Change[fleet.Node]) -> Iterable[Key]:
        return self.keys() if _usable(change.before) != _usable(change.after) else ()

    def _by_target(self, change: Change[fleet.TargetStatus]) -> Iterable[Key]:
        """Health decides where a name leads, where zones are not crossed."""
        status = change.after or change.before
        group = None if status is None else group_by_arn(self._store, status.group)
        if group is None or (change.before and change.before.state) == (change.after and change.after.state):
            return ()
        users = users_of(self._store, group)
        return [balancer.key for balancer in users if not across_zones(balancer, group)]

    def _by_group(self, change: Change[TargetGroup]) -> Iterable[Key]:
        before, after = change.before, change.after
        if before is None or after is None or before.attributes == after.attributes:
            return ()
        return [balancer.key for balancer in users_of(self._store, after)]

    async def reconcile(self, key: Key) -> float | None:
        record = self._store.get(load_balancers, key)
        if record is None:
            return None
        if record.deleting:
            await self._remove(record)
            return None
        if record.kind == "gateway":
            self._note(key, "active", "")  # nothing is carried
            return None
        if not interfaces.fitting(record):
            await self._provide(record)
        self._carry(key)
        await self._release(key)
        return None

    async def _provide(self, record: LoadBalancer) -> None:
        aws = self._platform.door(record.scope, "elbv2")
        try:
            provided = await interfaces.provide(aws, record)
        except AwsError as error:
            if record.state == "provisioning":
                self._note(record.key, "failed", error.message)
            raise  # it is tried again, and may come to work: a subnet gets room, a group is removed
        wanted = {interface.subnet for interface in provided}
        with self._store.tx() as tx:
            now = tx.get(load_balancers, record.key)
            if now is not None:
                others = tuple(one for one in now.interfaces if one.subnet not in wanted)
                tx.put(load_balancers, replace(now, interfaces=(*others, *provided)))

    def _note(self, key: Key, state: State, reason: str) -> None:
        with self._store.tx() as tx:
            record = tx.get(load_balancers, key)
            if record is not None and (record.state, record.reason) != (state, reason):
                tx.put(load_balancers, replace(record, state=state, reason=reason))

    def _carry(self, key: Key) -> None:
        """Gives it to a node, and writes down what the node says."""
        with self._store.tx() as tx:
            record = tx.get(load_balancers, key)
            if record is None or record.deleting or not record.complete:
                return
            node = _choose(tx, record)
            if node is not None:
                publish(tx, record, node=node)
                publish_name(tx, record)
                publish_fronts(tx, record)
            state, reason = _state(tx, record)
            if (record.state, record.reason) != (state, reason):
                tx.put(load_balancers, replace(record, state=state, reason=reason))

    async def _release(self, key: Key) -> None:
        """Interfaces in subnets that it has left. The node has been told before."""
        record = self._store.get(load_balancers, key)
        if record is None or not record.complete or len(record.interfaces) == len(record.attached):
            return
        kept = frozenset(place.subnet for place in record.places)
        await interfaces.remove(self._platform.door(record.scope, "elbv2"), record, keep=kept)
        with self._store.tx() as tx:
            now = tx.get(load_balancers, key)
            if now is not None and now.places == record.places:
                tx.put(load_balancers, replace(now, interfaces=now.attached))

    async def _remove(self, record: LoadBalancer) -> None:
        with self._store.tx() as tx:
            withdraw(tx, record)
            deliveries.end(tx, record, self._platform.clock.now())
        await interfaces.remove(self._platform.door(record.scope, "elbv2"), record)
        with self._store.tx() as tx:
            forget_tags(tx, record.scope, record.arn)
            if (signer := tx.find(signers, record.scope, record.id)) is not None:
                tx.forget(signers, signer.key)
            tx.forget(load_balancers, record.key)


def _word(status: fleet.BalancerStatus | None) -> tuple[str, bool, str] | None:
    """What of a node's word counts for the balancer's state: which version is in force does not."""
    return None if status is None else (status.node, status.applied > 0, status.error)


def _usable(node: fleet.Node | None) -> tuple[str, bool] | None:
    return None if node is None else (node.state, node.schedulable)


def _choose(tx: Tx, record: LoadBalancer) -> str | None:
    current = carrier(tx, record)
    nodes = tx.all(fleet.nodes)
    same = {node.id for node in nodes if tx.count(fleet.balancers, "node_network", (node.id, record.vpc))}
    return choose(nodes, None if current is None else current.node, same)


def _state(tx: Tx, record: LoadBalancer) -> tuple[State, str]:
    """Once it has been active it can be impaired, but is never again provisioning."""
    carried = carrier(tx, record)
    if carried is None:
        return "provisioning", NO_NODE
    been: State = "active" if record.state in ("active", "active_impaired") else "provisioning"
    worse: State = "active_impaired" if been == "active" else "provisioning"
    node = tx.find(fleet.nodes, fleet.FLEET, carried.node)
    if node is None or node.state != "ready":
        return worse, NO_NODE
    status = said(tx, carried)
    if status is None:
        return been, ""
    if status.error:
        return worse, status.error
    return "active" if status.applied else been, ""
