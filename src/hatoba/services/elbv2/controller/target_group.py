"""Looks after one target group: drops the targets whose deregistration delay is over.

The deadline is in the target's record, so a restart finds it again. What nodes said of targets that are gone is
forgotten with them, also when it comes late.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.keys import Key
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.elbv2.carried import publish_group
from hatoba.services.elbv2.model import arns
from hatoba.services.elbv2.model.group import Target, TargetGroup, target_groups, targets, targets_of
from hatoba.services.elbv2.model.instance import instance_named
from hatoba.store import Change, Store
from hatoba.store.store import View


class TargetGroupController:
    name = "elbv2.target_groups"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store: Store = platform.store
        self.wakes: tuple[Wake, ...] = (
            Wake(target_groups, lambda change: (change.key,) if change.after is None else ()),
            Wake(targets, self._by_target),
            Wake(fleet.target_statuses, self._by_status),
            Wake(fleet.nodes, self._by_node),
        )

    def keys(self) -> Iterable[Key]:
        draining = {_group_key(target) for target in self._store.all(targets) if target.draining_until is not None}
        instances = [group for group in self._store.all(target_groups) if group.kind == "instance"]
        said = {_key_of(status.group) for status in self._store.all(fleet.target_statuses)}
        return {*draining, *(group.key for group in instances), *(key for key in said if key is not None)}

    def _by_target(self, change: Change[Target]) -> Iterable[Key]:
        """Registering needs nothing more; deregistering and forgetting do."""
        before, after = change.before, change.after
        if before is not None and (after is None or after.draining_until is not None or after.name != before.name):
            yield _group_key(before)

    def _by_status(self, change: Change[fleet.TargetStatus]) -> Iterable[Key]:
        """A first word on a target may come after the target was dropped."""
        if change.before is None and change.after is not None and (key := _key_of(change.after.group)) is not None:
            yield key

    def _by_node(self, change: Change[fleet.Node]) -> Iterable[Key]:
        """An instance that is no more, or goes by another id: its ports are deregistered."""
        before, after = change.before, change.after
        if before is None or (after is not None and after.instance == before.instance):
            return ()
        return [_group_key(target) for target in self._store.index(targets, "address", before.instance)]

    async def reconcile(self, key: Key) -> float | None:
        now = self._platform.clock.now()
        with self._store.tx() as tx:
            group = tx.get(target_groups, key)
            known = [] if group is None else targets_of(tx, group)
            over = [target for target in known if _drained(target, now) or _terminated(tx, group, target)]
            for target in over:
                tx.forget(targets, target.key)
            if group is not None and over:
                publish_group(tx, group)
            left = [target for target in known if target not in over]
            names = {target.name for target in left}
            for status in tx.index(fleet.target_statuses, "group", arns.make(key.scope, arns.TARGET_GROUP, key.id)):
                if status.target not in names:
                    tx.forget(fleet.target_statuses, status.key)
        return min((target.draining_until for target in left if target.draining_until is not None), default=None)


def _drained(target: Target, now: float) -> bool:
    return target.draining_until is not None and target.draining_until <= now


def _terminated(view: View, group: TargetGroup | None, target: Target) -> bool:
    return group is not None and group.kind == "instance" and instance_named(view, target.address) is None


def _group_key(target: Target) -> Key:
    return target_groups.key(target.scope, target.group)


def _key_of(group: str) -> Key | None:
    parsed = arns.parse(group)
    return None if parsed is None or parsed[1] != arns.TARGET_GROUP else target_groups.key(parsed[0], parsed[2])
