"""Chance acts on a service: deployments, scaling, dying containers, lost nodes, sick targets, crashes of ECS itself.

Whatever came together, once it is quiet there is exactly what is wanted, and nothing is left over.
"""

import asyncio
import random
from pathlib import Path

import pytest

from hatoba.fleet import model as fleet
from hatoba.services.ecs.model.service import services
from hatoba.services.ecs.model.task import RANK, tasks
from hatoba.services.ecs.plan.rollout import arith
from tests.unit.services.ecs.test_ecs_services import BALANCED, create, described, stable
from tests.unit.services.ecs.world import ROLE, SCOPE, World, definition, world


class Chaos:
    def __init__(self, w: World, seed: int) -> None:
        self.w = w
        self.chance = random.Random(seed)
        self.ranks: dict[str, int] = {}
        self.backwards: list[str] = []
        self.most = 0  # tasks that there were before the last act
        w.store.feed.subscribe(tasks, lambda change: self._watch())

    def _watch(self) -> None:
        """After every durable change: states only move forward."""
        for task in self.w.store.all(tasks):
            if RANK[task.status] < self.ranks.get(task.id, 0):
                self.backwards.append(task.id)
            self.ranks[task.id] = RANK[task.status]

    def started_within_limits(self) -> bool:
        service = self.w.store.find(services, SCOPE, "default/web")
        assert service is not None
        running = [t for t in self.w.store.all(tasks) if RANK[t.status] <= RANK["STOPPING"]]
        return len(running) <= max(arith.upper(service.desired, service.percents.maximum), self.most)

    async def act(self) -> None:
        w, chance = self.w, self.chance
        live = [task for task in w.store.all(tasks) if task.status == "RUNNING"]
        what = chance.choice(["deploy", "scale", "stop", "die", "lose", "back", "sick", "crash", "time", "time"])
        self.most = len([t for t in w.store.all(tasks) if RANK[t.status] <= RANK["STOPPING"]])
        if what == "deploy":
            await w.ecs.register_task_definition(**definition(taskRoleArn=ROLE))
            await w.ecs.update_service(service="web", taskDefinition="web")
        elif what == "scale":
            await w.ecs.update_service(service="web", desiredCount=chance.randrange(5))
        elif what == "stop" and live:
            await w.ecs.stop_task(task=chance.choice(live).id)
        elif what == "die" and live:
            w.report(chance.choice(live).id, "stopped", exit_code=137)
        elif what == "lose":
            w.change_node("node-1", state="lost")
        elif what == "back":
            w.change_node("node-1", state="ready")
        elif what == "sick" and w.elb.states:
            w.elb.become(chance.choice(sorted(w.elb.states))[1], "unhealthy")
        elif what == "crash":
            await w.crash()
            w.store.feed.subscribe(tasks, lambda change: self._watch())
            self.nodes_report_again()
        elif what == "time":
            await w.pass_time(chance.choice([0.5, 2, 30]))
        for _ in range(chance.randrange(20)):
            await asyncio.sleep(0.0003)

    def nodes_report_again(self) -> None:
        for workload in self.w.store.all(fleet.workloads):
            self.w.report(workload.id, "running" if workload.want == "running" else "stopped")


@pytest.mark.parametrize("seed", range(8))
async def test_it_always_converges(tmp_path: Path, seed: int) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        await create(w, loadBalancers=BALANCED)
        chaos = Chaos(w, seed)
        for _ in range(40):
            await chaos.act()
            assert chaos.started_within_limits()
        w.change_node("node-1", state="ready")
        await w.ecs.update_service(service="web", desiredCount=3, forceNewDeployment=True)
        for _ in range(6):
            chaos.nodes_report_again()
            await w.pass_time(2)
        service = await described(w)
        assert chaos.backwards == []
        assert stable(service), service
        live = [task for task in w.store.all(tasks) if task.status != "STOPPED"]
        assert len(live) == 3
        addresses = {task.eni.address for task in live if task.eni}
        assert {interface["PrivateIpAddress"] for interface in w.ec2.interfaces.values()} == addresses
        assert {workload.id for workload in w.store.all(fleet.workloads)} == {task.id for task in live}
        roles = {task.id for task in live if task.renew_at is not None}
        assert {credential.workload for credential in w.store.all(fleet.credentials)} == roles
        assert {place[1] for place, state in w.elb.states.items() if state == "healthy"} == addresses
