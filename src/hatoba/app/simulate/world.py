"""The control plane of a simulation: real store, rooms, scheduler and controllers, in memory and on the loop's time."""

from __future__ import annotations

from typing import Any

from hatoba.app.rooms import SHARED
from hatoba.app.simulate.fleet import SimulatedFleet
from hatoba.app.simulate.scenario import Scenario
from hatoba.core.clock import LoopClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.fleet.reports import StatusSweeper
from hatoba.gateway.access import EverythingPasses, KnownKeys
from hatoba.gateway.plane import ControlPlane
from hatoba.reconcile import Runner
from hatoba.services import ecs as ecs_room
from hatoba.services.ec2.api import ec2
from hatoba.services.ec2.model import TABLES as EC2
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ecs.model.cluster import clusters
from hatoba.services.ecs.model.service import Service, services
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.usage import Usage
from hatoba.services.iam import model as iam_model
from hatoba.services.iam.api import iam
from hatoba.services.sts import model as sts_model
from hatoba.services.sts.api import sts
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal

ACCOUNT = "123456789012"
TABLES = (*SHARED, *ecs_room.TABLES, *EC2, *iam_model.TABLES, *sts_model.TABLES)


class World:
    """Inside a running loop only. Its rooms are those that a task without a load balancer needs."""

    def __init__(self, scenario: Scenario) -> None:
        self.scope = Scope("aws", ACCOUNT, scenario.region)
        self.clock = LoopClock()
        ids, sealer = SeededIds(scenario.seed), Sealer(b"simulated" + bytes(23))
        self.store = Store(MemoryJournal(MemoryDisk(kept=1)), TABLES, sealer)
        self.store.open()
        plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=ids,
            pager=Pager(sealer),
            rooms=[ecs_room.ecs, ec2, iam, sts],
            identities=KnownKeys(),
            authorizer=EverythingPasses(),
        )
        settings = ecs_room.Settings()
        plane.provide(ecs_room.Settings, settings)
        plane.provide(PublicPool, PublicPool())
        StatusSweeper(self.store)
        self.fleet = SimulatedFleet(self.store, self.clock, SeededIds(scenario.seed + 1), scenario.images)
        for machines in scenario.nodes:
            self.fleet.join(machines)
        self.runner = Runner(self.store, self.clock, ecs_room.controllers(plane, settings))
        self.runner.start()
        self.ecs: Any = plane.door(self.scope, "simulate").ecs

    async def close(self) -> None:
        await self.runner.close()
        self.store.close()

    @property
    def services(self) -> list[Service]:
        return [service for service in self.store.all(services) if service.status == "ACTIVE"]

    @property
    def running(self) -> int:
        """Tasks, of services or not."""
        found = self.store.all(clusters)
        return sum(self.store.count(tasks, "counted", (cluster.key[:3], cluster.id, "running")) for cluster in found)

    @property
    def settled(self) -> bool:
        """Nothing is under way; what a service still lacks it cannot have, and says why."""
        if self.fleet.busy or not self.runner.idle:
            return False
        return all(service.steady or service.blocked for service in self.services)

    @property
    def usage(self) -> Usage:
        """What every node has in use."""
        return self.store.tally(tasks, Usage)
