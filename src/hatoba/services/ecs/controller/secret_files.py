"""Keeps the secret files of running tasks what they were made of: a rotated secret is in its file within a moment.

Nothing is asked for by the clock. Rooms tell which of their resources changed, and those whose files are made of one
are found by an index; the values are then asked for at the front door, under the task's execution role. What changed
before a start of ours is not told again, so a start asks once for all. Where that is refused, the files stay as they
are, the service says so, and the slow period asks again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.fleet.model import ContainerWanted, FilesWanted, workloads
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.ecs.controller.secrets import Reader, Unavailable
from hatoba.services.ecs.model.service import add_events, services
from hatoba.services.ecs.model.task import RANK, Task, tasks
from hatoba.services.ecs.model.task_definition import definitions
from hatoba.services.ecs.plan.rollout import words
from hatoba.services.ecs.plan.secrets import known_as
from hatoba.store import Change

log = logging.getLogger(__name__)


class SecretFiles:
    """One key for each task that has files."""

    name = "ecs.secret_files"

    def __init__(self, platform: Platform) -> None:
        self._store = platform.store
        self._clock = platform.clock
        self._reader = Reader(platform)
        self._early: set[Key] = set()  # something changed while their values were being read
        self._refused: set[Key] = set()
        self._started = False
        self.wakes = (Wake(tasks, self._launched),)

    def keys(self) -> Iterable[Key]:
        if self._started:
            return list(self._refused)
        self._started = True
        return [task.key for task in self._store.index(tasks, "reading", True)]

    def hear(self, arn: str) -> Iterable[Key]:
        return [task.key for name in known_as(arn) for task in self._store.index(tasks, "reads", name)]

    def _launched(self, change: Change[Task]) -> Iterable[Key]:
        return (change.key,) if change.key in self._early and change.after and change.after.launched else ()

    async def reconcile(self, key: Key) -> float | None:
        task = self._store.get(tasks, key)
        if task is None or task.desired == "STOPPED" or RANK[task.status] >= RANK["STOPPING"]:
            self._early.discard(key)
            self._refused.discard(key)
            return None
        if not task.launched:
            self._early.add(key)
            return None
        self._early.discard(key)
        definition = self._store.find(definitions, task.scope, task.definition)
        assert definition is not None, "a definition with tasks is not forgotten"
        try:
            files = await self._reader.files(task, definition)
        except Unavailable as error:
            self._tell_refused(task, str(error))
            return None
        self._refused.discard(key)
        self._hand_over(task, files)
        return None

    def _hand_over(self, task: Task, files: dict[str, dict[str, Secret]]) -> None:
        with self._store.tx() as tx:
            workload = tx.find(workloads, task.scope, task.id)
            if workload is None:
                return
            containers = tuple(_refreshed(container, files) for container in workload.containers)
            if containers != workload.containers:
                tx.put(workloads, replace(workload, containers=containers))

    def _tell_refused(self, task: Task, why: str) -> None:
        """Once, until it is allowed again."""
        if task.key in self._refused:
            return
        self._refused.add(task.key)
        log.warning("the secret files of %s stay as they are: %s", task.arn, why)
        with self._store.tx() as tx:
            service = tx.find(services, task.scope, task.service) if task.service else None
            if service is not None:
                tx.put(services, add_events(tx, service, [words.not_refreshed(task.id, why)], self._clock.now()))


def _refreshed(container: ContainerWanted, files: dict[str, dict[str, Secret]]) -> ContainerWanted:
    """Its files with what they are now, as a version of their own if that is something else."""
    known, now = container.files, files.get(container.name)
    if known is None or now is None or known.contents.keys() != now.keys() or known.contents == now:
        return container
    return replace(container, files=FilesWanted(version=known.version + 1, contents=now))
