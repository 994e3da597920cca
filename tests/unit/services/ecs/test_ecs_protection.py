"""Scale-in protection: a task that says it is busy is left alone by scaling in and deployments, while it is."""

from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Percents
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.plan.rollout import words
from hatoba.services.ecs.plan.rollout.seen import see
from hatoba.services.ecs.plan.rollout.steps import moves
from tests.unit.services.ecs.test_ecs_rollout import NOW, service, task
from tests.unit.services.ecs.test_ecs_services import create, described, live, messages, stable
from tests.unit.services.ecs.world import NETWORK, World, container, definition, world


def running(w: World) -> list[str]:
    return sorted(one.id for one in w.store.all(tasks) if one.status == "RUNNING")


async def protect(w: World, *ids: str, **fields: Any) -> Any:
    wanted = {"protectionEnabled": True, **fields}
    answer = await w.ecs.update_task_protection(cluster="default", tasks=list(ids), **wanted)
    await w.settle()
    return answer


async def test_scaling_in_takes_the_others_and_waits_for_the_protected(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=3)
        first, second, _ = running(w)
        answer = await protect(w, first, second, expiresInMinutes=10)
        assert [one["protectionEnabled"] for one in answer["protectedTasks"]] == [True, True]
        assert answer["protectedTasks"][0]["expirationDate"] == w.clock.now() + 600
        await w.ecs.update_service(service="web", desiredCount=1)
        await w.settle()
        assert running(w) == [first, second]
        told = messages(await described(w))
        blocked = [text for text in told if "The number of protected tasks are more than the desired count" in text]
        assert len(blocked) == 1
        assert told[-1] == blocked[0]
        await w.pass_time(599)
        assert running(w) == [first, second]
        await w.pass_time(1)
        assert len(running(w)) == 1
        assert stable(await described(w))
        assert messages(await described(w))[-1].endswith("has reached a steady state.")


async def test_giving_protection_up_lets_it_go_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=1)
        (only,) = running(w)
        await protect(w, only)
        await w.ecs.update_service(service="web", desiredCount=0)
        await w.settle()
        assert running(w) == [only]
        answer = await protect(w, only, protectionEnabled=False)
        assert answer["protectedTasks"][0]["protectionEnabled"] is False
        assert "expirationDate" not in answer["protectedTasks"][0]
        assert running(w) == []


async def test_a_deployment_leaves_protected_tasks_until_they_are_done(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=2)
        busy, _ = running(w)
        await protect(w, busy)
        await w.ecs.register_task_definition(**definition())
        await w.ecs.update_service(service="web", taskDefinition="web")
        await w.settle()
        assert live(w) == {("1", "RUNNING"): 1, ("2", "RUNNING"): 2}
        service = await described(w)
        assert [one["rolloutState"] for one in service["deployments"]] == ["IN_PROGRESS", "COMPLETED"]
        await w.pass_time(7200)
        assert live(w) == {("2", "RUNNING"): 2}
        assert (await described(w))["deployments"][0]["rolloutState"] == "COMPLETED"


async def test_protection_does_not_save_from_anything_else(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.auto = False
        checked = container(healthCheck={"command": ["CMD", "true"]})
        await w.ecs.register_task_definition(**definition("checked", containerDefinitions=[checked]))
        await create(w, taskDefinition="checked", desiredCount=1)
        (sick,) = w.store.all(tasks)
        w.report(sick.id, "running", health="healthy")
        await w.settle()
        await protect(w, sick.id)
        w.report(sick.id, "running", health="unhealthy")
        await w.settle()
        fresh = next(one for one in w.store.all(tasks) if one.id != sick.id)
        w.report(fresh.id, "running", health="healthy")
        await w.settle()
        ended = w.store.get(tasks, sick.key)
        assert ended is not None
        assert ended.desired == "STOPPED"
        await protect(w, fresh.id)
        await w.ecs.delete_service(service="web", force=True)
        await w.settle()
        ended = w.store.get(tasks, fresh.key)
        assert ended is not None
        assert ended.desired == "STOPPED"


async def test_asking(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=2)
        first, second = running(w)
        await protect(w, first)
        arns = {one.id: one.arn for one in w.store.all(tasks)}
        answer = await w.ecs.get_task_protection(cluster="default", tasks=[first, arns[second], "f" * 32])
        assert answer == {
            "protectedTasks": [
                {"taskArn": arns[first], "protectionEnabled": True, "expirationDate": w.clock.now() + 7200},
                {"taskArn": arns[second], "protectionEnabled": False},
            ],
            "failures": [{"arn": arns[first][:-32] + "f" * 32, "reason": "MISSING"}],
        }
        w.clock.advance(7200)
        answer = await w.ecs.get_task_protection(cluster="default", tasks=[first])
        assert answer["protectedTasks"] == [{"taskArn": arns[first], "protectionEnabled": False}]


async def test_only_what_runs_for_a_service_can_be_protected(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=1)
        (serving,) = running(w)
        started = await w.ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=NETWORK)
        alone = started["tasks"][0]["taskArn"]
        await w.ecs.stop_task(task=serving)
        answer = await protect(w, alone, serving)
        assert answer["protectedTasks"] == []
        assert [one["reason"] for one in answer["failures"]] == ["TASK_NOT_VALID", "TASK_NOT_VALID"]
        assert all(one.protected_until is None for one in w.store.all(tasks))


@pytest.mark.parametrize(
    "fields", [{"expiresInMinutes": 0}, {"expiresInMinutes": 2881}, {"tasks": []}, {"tasks": ["a"] * 11}]
)
async def test_what_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    async with world(tmp_path) as w:
        await w.ecs.create_cluster()
        wanted = {"cluster": "default", "tasks": ["a"], "protectionEnabled": True, **fields}
        with pytest.raises(t.InvalidParameterException):
            await w.ecs.update_task_protection(**wanted)
        with pytest.raises(AwsError):
            await w.ecs.get_task_protection(cluster="default")


def test_the_newest_go_first_but_for_the_protected() -> None:
    one = service(1, Percents(), balanced=False, deployments=1)
    there = [task(number, 1, "healthy", balanced=False)[0] for number in range(4)]
    there[0] = replace(there[0], protected_until=NOW + 5)
    step = moves(one, [see(one, each, {}, NOW) for each in there], NOW)
    assert [stop.task for stop in step.stop] == [each.id for each in there[1:]]
    assert (step.kept, step.again_at) == ((), None)
    there = [replace(each, protected_until=NOW + 5 + at) for at, each in enumerate(there)]
    step = moves(one, [see(one, each, {}, NOW) for each in there], NOW)
    assert step.stop == ()
    assert len(step.kept) == 3
    assert step.again_at == NOW + 5
    assert words.protected("ecs-svc/1").startswith("was unable to reach steady state because task set (ecs-svc/1) was")


def test_what_serves_stays_while_only_what_is_protected_could_take_its_place() -> None:
    one = service(1, Percents(minimum=100, maximum=200), balanced=False, deployments=1)
    serving = task(0, 1, "healthy", balanced=False)[0]
    coming = replace(task(1, 1, "pending", balanced=False)[0], protected_until=NOW + 5)
    step = moves(one, [see(one, each, {}, NOW) for each in (serving, coming)], NOW)
    assert step.stop == ()


def test_a_deployment_that_waits_for_the_protected_does_not_blame_its_limits() -> None:
    one = service(2, Percents(minimum=50, maximum=100), balanced=False)
    there = [replace(task(n, 1, "healthy", balanced=False)[0], protected_until=NOW + 5) for n in range(2)]
    step = moves(one, [see(one, each, {}, NOW) for each in there], NOW)
    assert (step.start, step.stop, step.stuck) == (0, (), False)
    assert [each.id for each in step.kept] == [each.id for each in there]
