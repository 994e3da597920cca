"""The bytes that a tag meant when a service was deployed: what every one of its tasks runs, whenever it starts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hatoba.fleet import model as fleet
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.test_ecs_deployments import BREAKER, A, newest, revision
from tests.unit.services.ecs.test_ecs_services import create
from tests.unit.services.ecs.world import ROLE, World, container, definition, world

B = "sha256:" + "b" * 64


def pulled(w: World) -> dict[str, str]:
    """By task that is wanted: what its node is told to pull."""
    return {x.id: x.containers[0].image.reference for x in w.store.all(fleet.workloads) if x.want == "running"}


async def test_a_task_that_is_replaced_runs_the_same_bytes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ecr.tags["us-east-1", "web", "1"] = A
        await create(w)
        assert set(pulled(w).values()) == {A}
        assert w.ecr.asked == 1
        w.ecr.tags["us-east-1", "web", "1"] = B
        w.clock.advance(3600)
        victim = next(iter(pulled(w)))
        w.report(victim, "stopped", exit_code=1)
        await w.settle()
        assert victim not in pulled(w)
        assert list(pulled(w).values()) == [A, A]
        found = await revision(w, (await newest(w))["targetServiceRevision"]["arn"])
        assert found["containerImages"] == [{"containerName": "web", "image": "localhost:4566/web:1", "imageDigest": A}]
        await w.ecs.update_service(service="web", forceNewDeployment=True)
        await w.settle()
        assert list(pulled(w).values()) == [B, B]
        assert w.ecr.asked == 2


async def test_rolling_back_brings_the_old_bytes_back(tmp_path: Path) -> None:
    """The same definition, a tag that moved to a broken image: only digests tell the two apart."""
    async with world(tmp_path) as w:
        w.ecr.tags["us-east-1", "web", "1"] = A
        limits = {"minimumHealthyPercent": 0, "maximumPercent": 100}
        await create(w, deploymentConfiguration={**BREAKER, **limits})
        w.ecr.tags["us-east-1", "web", "1"] = B
        w.auto = False
        await w.ecs.update_service(service="web", forceNewDeployment=True)
        for _ in range(20):
            await w.settle()
            for x in w.store.all(fleet.workloads):
                broken = x.containers[0].image.reference == B
                if x.want == "stopped" or broken:
                    w.report(x.id, "stopped", exit_code=1)
                else:
                    w.report(x.id, "running")
            await w.settle()
            await w.pass_time(16)
        assert (await newest(w))["status"] == "ROLLBACK_SUCCESSFUL"
        assert list(pulled(w).values()) == [A, A]


@pytest.mark.parametrize(
    ("fields", "expected", "asked"),
    [
        ({"versionConsistency": "disabled"}, "1", 0),
        ({"image": "docker.io/library/web:1"}, "1", 0),
        ({"image": f"localhost:4566/web@{B}"}, B, 0),
        ({"image": "localhost:4566/123456789012/eu-west-1/far:1"}, B, 1),
        ({"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/far:1"}, B, 1),
        ({"image": "999999999999.dkr.ecr.us-east-1.amazonaws.com/web:1"}, "1", 0),
    ],
)
async def test_which_tags_are_resolved(tmp_path: Path, fields: dict[str, Any], expected: str, asked: int) -> None:
    async with world(tmp_path) as w:
        w.ecr.tags["us-east-1", "web", "1"] = A
        w.ecr.tags["eu-west-1", "far", "1"] = B
        await w.ecs.register_task_definition(
            **definition("one", executionRoleArn=ROLE, containerDefinitions=[container(**fields)])
        )
        await create(w, taskDefinition="one", desiredCount=1)
        assert list(pulled(w).values()) == [expected]
        assert w.ecr.asked == asked


async def test_an_image_that_comes_late_is_resolved_then(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.auto = False
        await create(w, desiredCount=1)
        assert list(pulled(w).values()) == ["1"]
        w.ecr.tags["us-east-1", "web", "1"] = A
        (task,) = w.store.all(tasks)
        w.report(task.id, "stopped", error="image-not-found", detail="none", exit_code=None)
        await w.settle()
        assert list(pulled(w).values()) == [A]


async def test_a_deployment_that_comes_while_tags_are_looked_up_waits_for_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ecr.tags |= {("us-east-1", "web", "1"): A, ("us-east-1", "web", "2"): B}
        await create(w)
        await w.ecs.register_task_definition(**definition())
        newer = container(image="localhost:4566/web:2")
        await w.ecs.register_task_definition(**definition(containerDefinitions=[newer]))
        w.ecr.gate = asyncio.Event()
        await w.ecs.update_service(service="web", taskDefinition="web:2")
        await w.ecr.held.wait()
        await w.ecs.update_service(service="web", taskDefinition="web:3")
        w.ecr.gate.set()
        await w.settle()
        assert list(pulled(w).values()) == [B, B]
        assert {task.pins["web"] for task in w.store.all(tasks)} <= {A, B}
