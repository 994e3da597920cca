"""The whole control plane and its nodes in one loop, on virtual time, from one seed.

Real: the store, the rooms `ecs`, `ec2`, `elbv2`, `iam` and `sts` with their controllers, placement, fleet, both ends of
the nodes' sessions, the agents. Simulated: journals, connections, containers, networks, proxies, and time.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from hatoba.core.clock import LoopClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.fleet import messages as msg
from hatoba.fleet import model as fleet
from hatoba.fleet.enrol import Enrolments
from hatoba.fleet.incoming import Incoming
from hatoba.fleet.reports import StatusSweeper
from hatoba.fleet.session import Sessions
from hatoba.gateway.access import KnownKeys, root
from hatoba.gateway.call import idempotent
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.network.base import BRIDGE, InterfaceSpec
from hatoba.network.simulated import Underlay
from hatoba.reconcile import Runner
from hatoba.runtime.base import ContainerSpec
from hatoba.runtime.simulated import Behaviour, Delays, SimulatedHost
from hatoba.services import ecs as ecs_room
from hatoba.services import elbv2 as elbv2_room
from hatoba.services.ec2.api import ec2
from hatoba.services.ec2.model import TABLES as EC2
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ecs.model.service import Service, services
from hatoba.services.ecs.model.task import Task, tasks
from hatoba.services.ecs.model.task_set import sets_of
from hatoba.services.ecs.plan.task_sets import computed
from hatoba.services.iam import model as iam_model
from hatoba.services.iam.api import iam
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.sts import model as sts_model
from hatoba.services.sts.api import sts
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal
from tests.simulation.node import SimulatedNode
from tests.simulation.watch import Watch

HERE = Scope("aws", "123456789012", "us-east-1")
TABLES = (
    *fleet.TABLES,
    tags,
    idempotent,
    *ecs_room.TABLES,
    *EC2,
    *elbv2_room.TABLES,
    *iam_model.TABLES,
    *sts_model.TABLES,
)
LEASE = 20.0
WARM_UP = 0.5  # seconds from a container's start until it answers


class World:
    def __init__(self, folder: Path, seed: int, *, nodes: int = 3, period: float | None, hints: bool) -> None:
        self.random = random.Random(seed)
        self.clock = LoopClock()
        self._ids = SeededIds(seed)
        self._sealer = Sealer(b"k" * 32)
        self._period, self._hints = period, hints
        self._disk = MemoryDisk()
        self.crash_codes: dict[str, int] = {}  # image → code with which its containers end soon
        self.sessions: Sessions | None = None
        underlay = Underlay()
        self.nodes = [
            SimulatedNode(
                f"node-{number}",
                number,
                folder=folder,
                host=self._host(),
                underlay=underlay,
                clock=self.clock,
                sessions=lambda: self.sessions,
                answers=self._answers,
                seed=seed * 100 + number,
            )
            for number in range(nodes)
        ]
        self.watch = Watch(self.nodes)
        self.watch.trusted = frozenset(node.id for node in self.nodes)

    def _host(self) -> SimulatedHost:
        delays = Delays(pull=0.2, create=0.02, start=0.01, delete=0.01)
        return SimulatedHost(self.clock, behave=self._behave, delays=delays)

    def _behave(self, spec: ContainerSpec) -> Behaviour:
        for name, code in self.crash_codes.items():
            if f"IMAGE={name}" in spec.env:
                return Behaviour(runs=1.0, code=code)
        return Behaviour(stopping=self.random.uniform(0.0, 1.0))

    def _answers(self, address: str, port: int) -> int | None:
        for node in self.nodes:
            for container in node.host.containers.values():
                if container.state != "running" or self.clock.now() < container.started_at + WARM_UP:
                    continue
                name = container.spec.netns.rpartition("/")[2]
                if any(holder.id == name and holder.address == address for holder in node.holders()):
                    return 200
        return None

    # --- the control plane

    async def start(self) -> None:
        self.store = Store(MemoryJournal(self._disk), TABLES, self._sealer, failed=lambda error: None)
        self.store.open()
        if not self.store.all(fleet.nodes):
            self._join()
        self.watch.attach(self.store)
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=self._ids,
            pager=Pager(self._sealer),
            rooms=[ecs_room.ecs, ec2, elbv2_room.elbv2, iam, sts],
            identities=KnownKeys(),
            authorizer=PolicyAuthorizer(self.store),
            strict=True,
        )
        settings = ecs_room.Settings(stopped_tasks_kept=1e6)
        self.plane.provide(ecs_room.Settings, settings)
        self.plane.provide(PublicPool, PublicPool())
        sweeper = StatusSweeper(self.store)
        sweeper.sweep()
        self.sessions = Sessions(
            self.store,
            self.clock,
            cast(Enrolments, None),  # nobody joins here
            Incoming(self.store, self._ingest),
            region=HERE.region,
            registry="localhost:4566",
            lease=LEASE,
        )
        self.sessions.watch()
        controllers = (*ecs_room.controllers(self.plane, settings), *elbv2_room.controllers(self.plane))
        self.runner = Runner(self.store, self.clock, controllers, period=self._period, hints=self._hints)
        self.runner.start()

    def _join(self) -> None:
        with self.store.tx() as tx:
            for node in self.nodes:
                key = fleet.nodes.key(fleet.FLEET, node.id)
                record = fleet.Node(
                    key=key, name=node.id, number=node.number, address="", cpu=0, memory=0, state="lost"
                )
                tx.put(fleet.nodes, record)

    async def _ingest(self, workload: fleet.Workload, logs: msg.Logs) -> None:
        raise AssertionError("no output here")

    async def kill(self) -> None:
        """The control plane is gone at once; what was not on disk never was."""
        assert self._disk.holder is not None
        self._disk.holder.lost()
        sessions, self.sessions = self.sessions, None
        for node in self.nodes:
            node.link.drop()
        assert sessions is not None
        await self.runner.close()
        await sessions.close()

    async def crash(self, down: float = 0.0) -> None:
        await self.kill()
        await asyncio.sleep(down)
        await self.start()

    async def open(self) -> None:
        await self.start()
        for node in self.nodes:
            await node.start()
        await self.until(lambda: len(self.sessions.connected) == len(self.nodes) if self.sessions else False)

    async def close(self) -> None:
        await self.kill()
        for node in self.nodes:
            if node.up:
                await node.kill()

    @property
    def aws(self) -> Any:
        return self.plane.door(HERE, "test", root("aws", HERE.account))

    # --- waiting

    async def until(self, condition: Callable[[], Any], seconds: float = 600.0) -> None:
        """Looks ten times a (virtual) second; what must hold is checked each time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition():
            self.watch.check()
            if loop.time() > end:
                raise TimeoutError(f"it never came true: {self.picture()}")
            await asyncio.sleep(0.1)
        self.watch.check()

    async def wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            self.watch.check()
            await asyncio.sleep(0.1)

    def picture(self) -> str:
        alive = [
            f"{t.id[:6]} {t.status}/{t.desired} on {t.node}" for t in self.store.all(tasks) if t.status != "STOPPED"
        ]
        wanted = [(s.name, s.desired, s.blocked) for s in self.store.all(services)]
        return f"services {wanted}, tasks {alive}, failing {self.runner.report()}"

    # --- how it ends

    def steady(self) -> bool:
        return self.served() and self.tidy()

    def served(self) -> bool:
        """Every service has what it wants, of the newest revision, and nothing else."""
        for service in self.store.all(services):
            if service.status == "INACTIVE":
                continue
            alive = [t for t in self.store.all(tasks) if t.service == service.id and t.status != "STOPPED"]
            if service.controller != "ECS":
                if not self.parted(service, alive):
                    return False
                continue
            good = [t for t in alive if t.status == "RUNNING" and t.deployment == service.primary.id]
            if len(alive) != len(good) or len(good) != service.desired or len(service.deployments) > 1:
                return False
            if service.primary.rollout != "COMPLETED":
                return False
        return all(self.true(task) for task in self.store.all(tasks) if task.status == "RUNNING")

    def parted(self, service: Service, alive: list[Task]) -> bool:
        """Every task set has its part, and what has been deleted has gone."""
        sets = sets_of(self.store, service)
        good = Counter(task.deployment for task in alive if task.status == "RUNNING")
        wanted = Counter({one.name: computed(service.desired, one.scale) for one in sets})
        return len(alive) == good.total() and +good == +wanted and all(one.status != "DRAINING" for one in sets)

    def tidy(self) -> bool:
        """Nodes hold nothing of tasks that are over."""
        alive = [task for task in self.store.all(tasks) if task.status != "STOPPED"]
        interfaces, ids = {task.eni.id for task in alive if task.eni}, {task.id for task in alive}
        held = {h.id for node in self.nodes for h in node.holders() if isinstance(h, InterfaceSpec)}
        containers = {id_.partition("-")[0] for node in self.nodes for id_ in node.host.containers}
        seats = {seat.id.partition("-")[0] for node in self.nodes for seat in node.seats()}
        return held <= interfaces and containers <= ids and seats <= ids

    def true(self, task: Task) -> bool:
        """What is called running does run, on its node and on no other."""
        where = [
            node.id
            for node in self.nodes
            for id_, container in node.host.containers.items()
            if id_.startswith(task.id) and container.state == "running"
        ]
        return where == [task.node] * len(task.containers)

    def leftovers(self) -> list[str]:
        """What is left of tasks, in the records and on the nodes."""
        left = [f"workload {w.id}" for w in self.store.all(fleet.workloads)]
        left += [f"status {s.id}" for s in self.store.all(fleet.workload_statuses)]
        left += [f"interface {i.id}" for i in self.store.all(fleet.interfaces)]
        left += [f"credential {c.id}" for c in self.store.all(fleet.credentials)]
        left += [f"balancer {b.id}" for b in self.store.all(fleet.balancers)]
        left += [f"target {t.id}" for t in self.store.all(fleet.target_statuses)]
        for node in self.nodes:
            left += [f"{node.id} container {id_}" for id_ in node.host.containers]
            left += [f"{node.id} group {id_}" for id_ in node.host.groups]
            left += [f"{node.id} interface {holder.id}" for holder in node.holders()]
            left += [f"{node.id} vpc {id_}" for id_ in node.fabric.vpcs if id_ != BRIDGE]  # which stays
            left += [f"{node.id} seat {seat.id}" for seat in node.seats()]
            left += [f"{node.id} processes of {id_}" for id_ in node.host.shared]
        return left
