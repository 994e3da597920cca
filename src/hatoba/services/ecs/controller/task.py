"""Looks after one task: interface → workload on its node → what the node says → released. Then `memory` has it.

Each activation folds in what the node reported and takes the next step that is due. What it makes has names derived
from the task's id, so a step that was interrupted is simply taken again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.fleet.model import (
    FLEET,
    ZONE,
    Credential,
    Node,
    WorkloadStatus,
    credentials,
    nodes,
    workload_statuses,
    workloads,
)
from hatoba.gateway.call import Platform, Principal
from hatoba.gateway.tags import tags_of
from hatoba.placement import Assignment
from hatoba.reconcile import Wake
from hatoba.services.ecs.controller import interface
from hatoba.services.ecs.controller.log_streams import LogStreams
from hatoba.services.ecs.controller.logins import ExecutionRoles, Logins, with_login
from hatoba.services.ecs.controller.secrets import Reader, Unavailable
from hatoba.services.ecs.model.instance import instance_of
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import RANK, Eni, Task, tasks
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.placing import assign
from hatoba.services.ecs.plan import facts, lifecycle, reasons, secret_files, sites
from hatoba.services.ecs.plan.launch import Wish
from hatoba.services.ecs.plan.secrets import Injected
from hatoba.services.ecs.plan.workload import NOTHING, credential_id, execution_role, role, workload
from hatoba.store import Change, Tx

SESSION_SECONDS = 3600
RENEW_BEFORE = 1200.0  # seconds before role credentials expire: earlier than the SDKs ask for new ones
_WORKLOAD = "iam::aws:contextProvider/HatobaWorkload"
LONGEST_PROVISIONING = 300.0


class Given(NamedTuple):
    """What a task is given before it starts; an error in the place of what was refused."""

    eni: Eni | BaseException | None
    credential: Credential | BaseException | None
    login: Secret | BaseException
    trusted: Principal | BaseException | None
    injected: Injected | BaseException
    logged: BaseException | None

    def in_the_way(self, task: Task, definition: Definition) -> str | None:
        """Why the task cannot start. Without a login to our registry it may: its images may be elsewhere."""
        if isinstance(self.eni, AwsError) and task.network is not None:
            return reasons.eni(task.subnet, task.network.public, self.eni.code)
        if isinstance(self.trusted, AwsError):
            return reasons.role(execution_role(task, definition) or "")
        if isinstance(self.credential, AwsError):
            return reasons.role(role(task, definition) or "")
        return next((str(each) for each in (self.injected, self.logged) if isinstance(each, Unavailable)), None)


class TaskController:
    name = "ecs.tasks"

    def __init__(self, platform: Platform, settings: Settings) -> None:
        self._platform = platform
        self._store = platform.store
        self._settings = settings
        self._logins = Logins(platform)
        self._executions = ExecutionRoles(platform)
        self._streams = LogStreams(platform, self._executions)
        self._reader = Reader(platform)
        self.wakes: tuple[Wake, ...] = (
            Wake(tasks, lambda change: (change.key,)),
            Wake(workload_statuses, self._reported),
            Wake(nodes, self._on_node),
        )

    def keys(self) -> Iterable[Key]:
        return [task.key for task in self._store.index(tasks, "live", True)]

    @staticmethod
    def _reported(change: Change[WorkloadStatus]) -> Iterable[Key]:
        return (tasks.key(change.key.scope, change.key.id),)

    def _on_node(self, change: Change[Node]) -> Iterable[Key]:
        before, after = change.before, change.after
        if before is not None and after is not None and before.state == after.state:
            return ()
        return [task.key for task in self._store.index(tasks, "node", change.key.id)]

    async def reconcile(self, key: Key) -> float | None:
        task = self._observe(key)
        if task is None or task.status == "STOPPED":
            return None
        if task.desired == "RUNNING" and not task.launched:
            await self._launch(task)
            return None
        if task.status == "DEPROVISIONING":
            # Another task may get its address next: its target must be out, and its node have let go of it.
            if task.balancing not in ("joining", "joined") and self._store.get(workloads, _workload(task)) is None:
                await self._release(task)
            return None
        if task.renew_at is not None and RANK[task.status] <= RANK["STOPPING"]:
            return await self._renew(task, task.renew_at)
        return None

    # --- what the node says

    def _observe(self, key: Key) -> Task | None:
        """Folds the node's report into the task, and tells the node what that means for the workload."""
        now = self._platform.clock.now()
        with self._store.tx() as tx:
            task = tx.get(tasks, key)
            if task is None or task.status == "STOPPED":
                return task
            status = tx.get(workload_statuses, workload_statuses.key(key.scope, key.id))
            seen = facts.observe(task, status, now) if status is not None and task.launched else task
            if task.launched and not seen.lost and _node_lost(tx, task):
                seen = lifecycle.lose(seen)
            seen = lifecycle.settle(seen, now)
            if seen.launched and RANK[seen.status] >= RANK["STOPPING"]:
                _halt(tx, seen)
            if seen.status == "DEPROVISIONING" and _over(seen, status):
                _withdraw(tx, seen)
            return tx.put(tasks, seen) if seen != task else task

    # --- getting it to run

    async def _launch(self, task: Task) -> None:
        definition = self._store.find(definitions, task.scope, task.definition)
        assert definition is not None, "a definition with tasks is not forgotten"
        now = self._platform.clock.now()
        late = reasons.ENI_TIMEOUT if now - task.created_at > LONGEST_PROVISIONING else None
        if late is not None:
            self._end(task, late)
            return
        task = self._note_files(task, definition)
        given = Given(
            *await asyncio.gather(
                self._interface(task),
                self._credential(task, definition),
                self._logins.password(task.scope, execution_role(task, definition), task.arn),
                self._executions.session(task.scope, execution_role(task, definition), task.arn),
                self._reader.read(task, definition),
                self._streams.open(task, definition),
                return_exceptions=True,
            )
        )
        for outcome in given:
            if isinstance(outcome, BaseException) and not _refused(outcome):
                raise outcome
        self._start(task, definition, given)

    def _note_files(self, task: Task, definition: Definition) -> Task:
        """Which secret files it is to have, before they are read: so no change of what they are made of is missed."""
        asked = secret_files.asked(tags_of(self._store, task.scope, task.arn))
        noted = replace(task, file_tags=asked)
        noted = replace(noted, reads=self._reader.reads(noted, definition))
        if noted == task:
            return task
        with self._store.tx() as tx:
            return tx.put(tasks, noted)

    async def _interface(self, task: Task) -> Eni | None:
        if task.network is None:
            return None
        return task.eni or await interface.create(self._platform.door(task.scope, "ecs"), task)

    async def _credential(self, task: Task, definition: Definition) -> Credential | None:
        arn = role(task, definition)
        if not arn:
            return None
        found = await self._platform.door(task.scope, "ecs", source=task.arn).sts.assume_role(
            RoleArn=arn,
            RoleSessionName=task.id,
            DurationSeconds=SESSION_SECONDS,
            # They end with the task's workload, however long they were to last.
            ProvidedContexts=[{"ProviderArn": f"arn:{task.key.partition}:{_WORKLOAD}", "ContextAssertion": task.id}],
        )
        given = found["Credentials"]
        return Credential(
            key=credentials.key(task.scope, credential_id(task)),
            workload=task.id,
            node=task.node,
            role=arn,
            access_key=given["AccessKeyId"],
            secret_key=Secret(given["SecretAccessKey"]),
            token=Secret(given["SessionToken"]),
            expires=given["Expiration"],
        )

    def _start(self, task: Task, definition: Definition, given: Given) -> None:
        """Hands the workload to its node; or ends the task, for the reason that stands in the way."""
        now = self._platform.clock.now()
        with self._store.tx() as tx:
            current = tx.get(tasks, task.key)
            assert current is not None
            if isinstance(given.eni, Eni):
                current = replace(current, eni=given.eni)
            if (why := given.in_the_way(task, definition)) is not None:
                current = lifecycle.end(current, "TaskFailedToStart", why)
            elif current.desired == "RUNNING":
                current = self._hand_over(tx, current, definition, given)
            tx.put(tasks, lifecycle.settle(current, now))

    def _hand_over(self, tx: Tx, task: Task, definition: Definition, given: Given) -> Task:
        if _node_lost(tx, task):
            task = replace(task, node="")
            wish = Wish(
                cluster=task.cluster,
                definition=definition,
                launch_type=task.launch_type,
                group=task.group,
                overrides=task.overrides,
                placement=task.placement,
                capacity_provider=task.capacity_provider,
            )
            (answer,) = assign(tx, wish, 1, self._settings)
            if not isinstance(answer, Assignment):
                return lifecycle.end(task, "TaskFailedToStart", f"ResourceInitializationError: {answer.words()}")
            task = replace(task, node=answer.node)
        task = replace(task, zone=task.eni.zone if task.eni is not None else _zone(tx, task))
        injected = given.injected if isinstance(given.injected, Injected) else NOTHING
        wanted = workload(task, definition, self._settings, injected)
        tx.put(workloads, with_login(wanted, given.login) if isinstance(given.login, Secret) else wanted)
        if isinstance(given.credential, Credential):
            task = replace(task, renew_at=given.credential.expires - RENEW_BEFORE)
            tx.write(credentials, replace(given.credential, node=task.node))
        return replace(task, launched=True)

    def _end(self, task: Task, reason: str) -> None:
        with self._store.tx() as tx:
            current = tx.get(tasks, task.key)
            if current is not None:
                ended = lifecycle.end(current, "TaskFailedToStart", reason)
                tx.put(tasks, lifecycle.settle(ended, self._platform.clock.now()))

    async def _renew(self, task: Task, when: float) -> float:
        """Role credentials are renewed before they expire, for as long as something may use them."""
        if self._platform.clock.now() < when:
            return when
        definition = self._store.find(definitions, task.scope, task.definition)
        assert definition is not None
        credential = await self._credential(task, definition)
        assert credential is not None
        with self._store.tx() as tx:
            current = tx.get(tasks, task.key)
            if current is not None and not current.released:
                tx.write(credentials, credential)
                tx.put(tasks, replace(current, renew_at=credential.expires - RENEW_BEFORE))
        return credential.expires - RENEW_BEFORE

    # --- its end

    async def _release(self, task: Task) -> None:
        """Nothing of it runs any more: gives back its interface."""
        if task.network is not None:
            await interface.delete(self._platform.door(task.scope, "ecs"), task)
        with self._store.tx() as tx:
            current = tx.get(tasks, task.key)
            if current is None:
                return
            released = replace(current, released=True, renew_at=None)
            tx.put(tasks, lifecycle.settle(released, self._platform.clock.now()))


def _refused(outcome: BaseException) -> bool:
    """It ends the task; anything else is tried again."""
    return isinstance(outcome, Unavailable) or (isinstance(outcome, AwsError) and outcome.status < 500)


def _node_lost(tx: Tx, task: Task) -> bool:
    node = tx.get(nodes, nodes.key(FLEET, task.node))
    return node is None or node.state == "lost"


def _zone(tx: Tx, task: Task) -> str:
    node = tx.get(nodes, nodes.key(FLEET, task.node))
    assert node is not None, "it was there when the task was placed"
    instance = instance_of(tx, task.scope, task.cluster, task.node)
    return sites.attributes(node, instance, task.key.region)[ZONE]


def _workload(task: Task) -> Key:
    return workloads.key(task.scope, task.id)


def _halt(tx: Tx, task: Task) -> None:
    wanted = tx.get(workloads, _workload(task))
    if wanted is not None and wanted.want == "running":
        tx.put(workloads, replace(wanted, want="stopped"))


def _over(task: Task, status: WorkloadStatus | None) -> bool:
    """The node has let go of everything, or is gone itself."""
    return task.lost or (status is not None and status.state in ("stopped", "lost"))


def _withdraw(tx: Tx, task: Task) -> None:
    tx.forget(workloads, _workload(task))
    for credential in tx.index(credentials, "workload", task.id):
        tx.forget(credentials, credential.key)
