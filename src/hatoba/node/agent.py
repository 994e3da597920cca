"""The agent: one dispatcher for all workloads of this node.

Events come from the session (what is wanted), the worker (what was done), the runtime (what ended) and timers. Each
goes through the step machine; what it decides is remembered, reported and performed. After a restart the agent compares
what it remembers with what the runtime has, and goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterable

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.core.tasks import TaskGroup
from hatoba.fleet import messages as msg
from hatoba.fleet.items import CredentialItem
from hatoba.fleet.model import ContainerWanted, Workload, container_id
from hatoba.node import events as step
from hatoba.node.advance import advance
from hatoba.node.health import HealthChecks, Outcome
from hatoba.node.held import Held, begin
from hatoba.node.memory import Memory
from hatoba.node.session import Session
from hatoba.node.translate import Place
from hatoba.node.wiring import Wiring
from hatoba.node.worker import Worker
from hatoba.runtime.base import Container, Event, Exited, Runtime

log = logging.getLogger(__name__)

SAMPLE_PERIOD = 10.0  # seconds between two looks at what containers use
LISTEN_RETRY = 0.5

_workload = msg.decoder(Workload)
_credential = msg.decoder(CredentialItem)


class Agent:
    """Implements `session.Listener` and `metadata.Knowledge`."""

    def __init__(self, memory: Memory, runtime: Runtime, clock: Clock) -> None:
        self._memory = memory
        self._runtime = runtime
        self._clock = clock
        self._held: dict[str, Held] = {}
        self._credentials: dict[str, CredentialItem] = {}
        self._containers: dict[str, tuple[str, str]] = {}  # runtime id → (workload, container)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks = TaskGroup("agent")
        self._health = HealthChecks(runtime, clock, self._health_changed)
        self.worker: Worker
        self.wiring: Wiring
        self.session: Session

    def bind(self, worker: Worker, wiring: Wiring, session: Session) -> None:
        """The parts that answer to the agent, made after it."""
        self.worker, self.wiring, self.session = worker, wiring, session

    # --- starting

    def recall(self) -> None:
        """Which containers are whose: output that an earlier agent left unsent needs to know before anything starts."""
        for record in self._memory.held():
            self._index(record.held)

    async def start(self) -> None:
        """Finds what an earlier agent left, and goes on."""
        items, records = self._memory.items(), self._memory.held()
        self._take_credentials(items)
        self.wiring.directly(self._memory.registry)
        self.wiring.changed(items, ())
        for record in records:  # before anything is heard, so that every event finds its workload
            self._index(record.held)
            self._held[record.held.workload.id] = replace(record.held, busy=frozenset())
        events = self._runtime.events()  # listening first, so that no exit is missed
        there = await self._there()
        for record in records:
            self._restore(record.held.workload.id, record.acknowledged, there)
        workloads = [item for item in items if item.kind == "workload"]
        known = {item.id for item in workloads}
        self.items(workloads, [msg.Gone(kind="workload", id=id_) for id_ in self._held if id_ not in known])
        self._tasks.start(self._listen(events), "events")
        self._tasks.start(self._sweep(there), "sweep")
        self._tasks.start(self._sample(), "samples")
        self.session.start()

    async def _there(self) -> dict[str, Container]:
        return {container.id: container for container in await self._runtime.containers()}

    async def _sweep(self, there: Iterable[str]) -> None:
        """What a crash left of workloads that are forgotten: containers, interfaces, networks, files."""
        for id_ in there:
            if id_ not in self._containers:
                log.warning("container %s belongs to no workload: deleting it", id_)
                await self._swept(self._runtime.delete(id_))
        await self._swept(self.wiring.sweep(lambda: {held.workload.interface for held in self._held.values()}))
        await self._swept(self.wiring.bridge.sweep(self._held))
        await self.worker.sweep(self._held)

    async def _swept(self, work: Awaitable[None]) -> None:
        try:
            await work
        except PortError as error:
            log.warning("clearing up: %s", error)

    def _restore(self, id_: str, acknowledged: int, there: dict[str, Container]) -> None:
        held = self._held[id_]
        if held.status.report > acknowledged:
            self._report(held)
        if held.network == "attached" and held.status.state != "stopped":
            self._tasks.start(self._place(held.workload), f"place {id_}")
        if held.status.state == "stopped":
            self.worker.cleaning(id_)  # it may have been interrupted
        self._compare(id_, there)
        if id_ in self._held:
            for spec in held.workload.containers:
                self._watch(self._held[id_], spec)
        self.emit(id_, step.Tick())

    def _compare(self, id_: str, there: dict[str, Container]) -> None:
        """What the runtime has, against what we know of one workload."""
        held = self._held[id_]
        found: list[step.Launched | step.Exited | step.Vanished] = []
        for status in held.status.containers:
            container = there.get(container_id(id_, status.name))
            begun = status.state in ("pulling", "pulled") or status.name in held.restarting
            if container is not None and container.state == "running" and begun:
                now = self._clock.now()  # it was done, its answer was lost
                found.append(step.Launched(status.name, container.id, status.created or now, now))
            elif container is not None and container.state == "stopped" and container.exit is not None:
                exit_ = container.exit
                found.append(step.Exited(status.name, exit_.code, exit_.at, exit_.oom))
            elif status.state == "running" and (container is None or (container.state == "created" and not begun)):
                found.append(step.Vanished(status.name))  # with the machine it was on, or by `hatoba down`
        if found:
            self.emit(id_, step.Together(tuple(found)))

    async def _place(self, workload: Workload) -> None:
        """Finds the interface of a workload that runs on, so that the metadata endpoint knows it again."""
        try:
            await self.worker.places.of(workload)
            held = self._held.get(workload.id)
            if held is None or held.network == "released":
                # It was detached while we looked for it: what was found, or made anew, goes again.
                await self.worker.places.leave(workload)
        except PortError as error:
            log.warning("the interface of %s: %s", workload.id, error)

    async def close(self) -> None:
        """The agent ends; what runs, runs on."""
        for timer in self._timers.values():
            timer.cancel()
        await self.session.close()
        await self._tasks.close()
        await self._health.close()
        await self.worker.close()
        await self.wiring.close()

    # --- what the control plane says (session.Listener)

    def welcome(self, welcome: msg.Welcome) -> None:
        self.worker.places.registry = welcome.registry
        self._memory.keep_registry(welcome.registry)
        self.wiring.directly(welcome.registry)
        for held in self._held.values():
            self._report(held)  # it may have counted us as lost

    def items(self, put: Iterable[msg.Item], gone: Iterable[msg.Gone]) -> None:
        put, gone = tuple(put), tuple(gone)
        self._take_credentials(put)
        self.wiring.changed(put, gone)
        for item in put:
            if item.kind == "workload":
                workload = _workload.decode(item.body)
                if workload.id not in self._held:
                    self._held[workload.id] = begin(workload)
                    self._index(self._held[workload.id])
                self.emit(workload.id, step.Wanted(workload))
        for name in gone:
            if name.kind == "credential":
                self._credentials.pop(name.id, None)
            elif name.kind == "workload" and name.id in self._held:
                self.emit(name.id, step.Wanted(None))

    def _take_credentials(self, items: Iterable[msg.Item]) -> None:
        for item in items:
            if item.kind == "credential":
                self._credentials[item.id] = _credential.decode(item.body)

    def acknowledged(self, kind: str, id_: str, report: int) -> None:
        if kind == "workload":
            self._memory.acknowledged(id_, report)
            self._forget_if_over(id_)

    # --- the dispatcher

    def emit(self, id_: str, event: step.Event) -> None:
        held = self._held.get(id_)
        if held is None:
            return
        after, instructions = advance(held, event, self._clock.now())
        if after.status != held.status:
            number = max(held.status.report + 1, int(self._clock.now() * 1e6))
            after = replace(after, status=replace(after.status, report=number))
        self._held[id_] = after
        if replace(after, busy=held.busy) != held:
            self._memory.keep(id_, after)
        if after.status != held.status:
            self._follow(held, after)
            self._report(after)
        self._arm(id_, after)
        for instruction in instructions:
            self.worker.perform(after, instruction, self._memory.durable)
        if after.status.state == "stopped" and held.status.state != "stopped":
            self.worker.cleaning(id_)
        self._forget_if_over(id_)

    def _report(self, held: Held) -> None:
        status = held.status
        self.session.report("workload", msg.WorkloadReport(id=held.workload.id, report=status.report, status=status))

    def _follow(self, before: Held, after: Held) -> None:
        """Starts and ends what hangs on a container's process: its health check."""
        was = {c.name: (c.state, c.started) for c in before.status.containers}
        for spec in after.workload.containers:
            status = after.container(spec.name)
            if (status.state, status.started) != was.get(spec.name):
                if status.restarts and spec.health is not None:
                    self._health.unwatch(after.workload.id, spec.name)  # another process: judged anew
                self._watch(after, spec)

    def _watch(self, held: Held, spec: ContainerWanted) -> None:
        status = held.container(spec.name)
        if spec.health is None:
            return
        if status.state == "running" and status.started is not None:
            self._health.watch(held.workload.id, spec.name, status.runtime_id, spec.health, status.started)
        else:
            self._health.unwatch(held.workload.id, spec.name)

    def _health_changed(self, workload: str, container: str, health: str, at: float) -> None:
        verdict = step.HealthChanged(container, "healthy" if health == "healthy" else "unhealthy", at)
        self.emit(workload, verdict)

    def _arm(self, id_: str, held: Held) -> None:
        timer = self._timers.pop(id_, None)
        if timer is not None:
            timer.cancel()
        if held.wake_at is not None:
            delay = max(0.0, held.wake_at - self._clock.now())
            self._timers[id_] = asyncio.get_running_loop().call_later(delay, self.emit, id_, step.Tick())

    def _forget_if_over(self, id_: str) -> None:
        """Once the control plane has forgotten a stopped workload, so does the node."""
        held = self._held.get(id_)
        if held is None or held.wanted or not held.done:
            return
        del self._held[id_]
        self._memory.forget(id_)
        self.session.withdraw("workload", id_)
        for spec in held.workload.containers:
            self._containers.pop(container_id(id_, spec.name), None)

    def _index(self, held: Held) -> None:
        for spec in held.workload.containers:
            self._containers[container_id(held.workload.id, spec.name)] = (held.workload.id, spec.name)

    # --- what the runtime says

    async def _listen(self, events: AsyncIterator[Event]) -> None:
        while True:
            try:
                async for event in events:
                    where = self._containers.get(event.id)
                    if where is not None and isinstance(event, Exited):
                        exit_ = event.exit
                        self.emit(where[0], step.Exited(where[1], exit_.code, exit_.at, exit_.oom))
            except PortError as error:
                log.warning("the runtime's events: %s", error)
            await asyncio.sleep(LISTEN_RETRY)
            events = self._runtime.events()
            await self._swept(self._catch_up())

    async def _catch_up(self) -> None:
        """Finds out what ended while nobody listened. A launch that is under way speaks for itself."""
        there = await self._there()
        for id_ in list(self._held):
            if not any(instruction.verb in ("launch", "restart") for instruction in self._held[id_].busy):
                self._compare(id_, there)

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_PERIOD)
            running = [
                (id_, c.name, c.runtime_id)
                for id_, held in self._held.items()
                for c in held.status.containers
                if c.state == "running"
            ]
            if not running:
                continue
            try:
                found = await self._runtime.stats([runtime_id for _, _, runtime_id in running])
            except PortError as error:
                log.info("samples: %s", error)
                continue
            self.session.samples(
                tuple(
                    msg.Sample(workload=id_, container=name, at=s.at, cpu_ns=s.cpu_ns, memory=s.memory)
                    for id_, name, runtime_id in running
                    if (s := found.get(runtime_id)) is not None
                )
            )

    # --- what the metadata endpoint asks (metadata.Knowledge)

    def by_address(self, network: str, address: str) -> Held | None:
        id_ = self.worker.places.by_address(network, address)
        return self._held.get(id_) if id_ else None

    def held(self, workload: str) -> Held | None:
        return self._held.get(workload)

    def place(self, workload: str) -> Place | None:
        return self.worker.places.known(workload)

    def workload_of(self, runtime_id: str) -> str | None:
        """Which workload a container belongs to."""
        where = self._containers.get(runtime_id)
        return where[0] if where else None

    def enterable(self, workload: str, container: str) -> str | None:
        """The runtime's id of a container in which something may be run from outside now."""
        held = self._held.get(workload)
        if held is None or not held.workload.execute:
            return None
        running = (c for c in held.status.containers if c.name == container and c.state == "running")
        return next((c.runtime_id for c in running), None)

    def credential(self, id_: str) -> CredentialItem | None:
        return self._credentials.get(id_)

    def last_check(self, workload: str, container: str) -> Outcome | None:
        return self._health.last(workload, container)

    async def ask(self, workload: str, what: str) -> bytes:
        return await self.session.ask(workload, what)

    @property
    def endpoint(self) -> str:
        return self.worker.places.registry

    @property
    def running(self) -> int:
        """Workloads that are not stopped."""
        return sum(held.status.state != "stopped" for held in self._held.values())
