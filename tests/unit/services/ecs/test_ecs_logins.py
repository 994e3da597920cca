"""Whose permissions a task's images are pulled with: its execution role's, or ECS' own."""

from __future__ import annotations

from pathlib import Path

from hatoba.core.secret import Secret
from hatoba.fleet import model as fleet
from hatoba.services.ecs.controller.logins import TRUST_SECONDS
from tests.unit.services.ecs.test_ecs_tasks import run
from tests.unit.services.ecs.world import ROLE, SCOPE, World, container, definition

LINKED = f"arn:aws:iam::{SCOPE.account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"


def password(w: World) -> Secret | None:
    (workload,) = w.store.scan(fleet.workloads, SCOPE)
    return workload.containers[0].image.password


async def start(w: World, role: str | None) -> None:
    more = {} if role is None else {"executionRoleArn": role}
    containers = [container(image="localhost:4566/app:v1")]
    await w.ecs.register_task_definition(**definition(containerDefinitions=containers, **more))
    w.ecr.give_logins()
    w.add_node()
    await run(w)
    await w.settle()


async def test_images_are_pulled_as_the_execution_role(tmp_path: Path) -> None:
    w = World(tmp_path)
    await w.open()
    try:
        await start(w, ROLE)
        assert [who.role for who in w.ecr.logins] == [ROLE]
        assert password(w) == Secret(ROLE)
        assert max(w.sts.lasting) == 3600  # the password ends with the session: time enough for a large image
        await run(w)
        await w.settle()
        assert len(w.ecr.logins) == 1  # shared
        w.clock.advance(TRUST_SECONDS)
        await run(w)
        await w.settle()
        assert len(w.ecr.logins) == 2  # it may have been made anew
    finally:
        await w.close()


async def test_without_one_as_ecs(tmp_path: Path) -> None:
    w = World(tmp_path)
    await w.open()
    try:
        await start(w, None)
        assert [who.role for who in w.ecr.logins] == [LINKED]
        assert password(w) == Secret(LINKED)
    finally:
        await w.close()
