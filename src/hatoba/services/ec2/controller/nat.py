"""Looks after one NAT gateway: the node that has it, and when it is forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.fleet.carriers import choose
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import forget_tags
from hatoba.reconcile import Wake
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.nat import SHOWN, NatGateway, carried, nat_gateways
from hatoba.store import Change, Tx


class NatGatewayController:
    name = "ec2.nat_gateways"

    def __init__(self, platform: Platform) -> None:
        self._store = platform.store
        self._clock = platform.clock
        self.wakes: tuple[Wake, ...] = (
            Wake(nat_gateways, lambda change: (change.key,)),
            Wake(fleet.nodes, self._by_node),
        )

    def keys(self) -> Iterable[Key]:
        return [gateway.key for gateway in self._store.all(nat_gateways)]

    def _by_node(self, change: Change[fleet.Node]) -> Iterable[Key]:
        before, after = change.before, change.after
        if before is None or after is None or (before.state, before.schedulable) != (after.state, after.schedulable):
            return self.keys()
        return ()

    async def reconcile(self, key: Key) -> float | None:
        gateway = self._store.get(nat_gateways, key)
        if gateway is None:
            return None
        if gateway.ended is None:
            self._carry(key)
            return None
        due = gateway.ended + SHOWN
        if self._clock.now() < due:
            return due
        with self._store.tx() as tx:
            forget_tags(tx, gateway.scope, arn(gateway.scope, gateway.id))
            tx.forget(nat_gateways, key)
        return None

    def _carry(self, key: Key) -> None:
        with self._store.tx() as tx:
            gateway = tx.get(nat_gateways, key)
            if gateway is None or gateway.ended is not None or gateway.interface is None:
                return
            there = carried(tx, gateway)
            node = _choose(tx, gateway, there)
            if node is None or (there is not None and there.node == node):
                return
            new = fleet.Gateway(
                key=fleet.gateways.key(gateway.scope, gateway.id),
                node=node,
                network=gateway.vpc,
                interface=gateway.interface,
            )
            tx.put(fleet.gateways, replace(there, node=node) if there is not None else new)


def _choose(tx: Tx, gateway: NatGateway, there: fleet.Gateway | None) -> str | None:
    nodes = tx.all(fleet.nodes)
    same = {node.id for node in nodes if _is_used(tx, node.id, gateway.vpc)}
    return choose(nodes, None if there is None else there.node, same)


def _is_used(tx: Tx, node: str, network: str) -> bool:
    at = (node, network)
    return tx.count(fleet.gateways, "node_network", at) + tx.count(fleet.workloads, "node_network", at) > 0
