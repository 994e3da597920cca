"""Forgets task definitions that were deleted, once no task, no service and no task set refers to them."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.keys import Key
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import forget_tags
from hatoba.reconcile import Wake
from hatoba.services.ecs.model.service import Service, services
from hatoba.services.ecs.model.task import Task, tasks
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.model.task_set import TaskSet, task_sets
from hatoba.store import Change


class DefinitionController:
    name = "ecs.definitions"

    def __init__(self, platform: Platform) -> None:
        self._store = platform.store
        self.wakes: tuple[Wake, ...] = (
            Wake(definitions, self._if_leaving),
            Wake(tasks, self._by_task),
            Wake(services, self._by_service),
            Wake(task_sets, self._by_task_set),
        )

    def keys(self) -> Iterable[Key]:
        return [d.key for d in self._store.all(definitions) if d.status == "DELETE_IN_PROGRESS"]

    @staticmethod
    def _if_leaving(change: Change[Definition]) -> Iterable[Key]:
        return (change.key,) if change.after is not None and change.after.status == "DELETE_IN_PROGRESS" else ()

    @staticmethod
    def _by_task(change: Change[Task]) -> Iterable[Key]:
        if change.after is not None or change.before is None:
            return ()
        return (definitions.key(change.key.scope, change.before.definition),)

    @staticmethod
    def _by_service(change: Change[Service]) -> Iterable[Key]:
        before = change.before.definitions if change.before else set()
        after = change.after.definitions if change.after else set()
        return [definitions.key(change.key.scope, id_) for id_ in before - after]

    @staticmethod
    def _by_task_set(change: Change[TaskSet]) -> Iterable[Key]:
        if change.after is not None or change.before is None:
            return ()
        return (definitions.key(change.key.scope, change.before.deployment.revision.definition),)

    async def reconcile(self, key: Key) -> float | None:
        with self._store.tx() as tx:
            definition = tx.get(definitions, key)
            if definition is None or definition.status != "DELETE_IN_PROGRESS":
                return None
            where = (key.scope, key.id)
            of_services = tx.count(services, "definition", where) or tx.count(task_sets, "definition", where)
            if not of_services and not tx.count(tasks, "definition", where):
                forget_tags(tx, key.scope, definition.arn)
                tx.forget(definitions, key)
        return None
