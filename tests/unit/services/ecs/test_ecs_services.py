"""Services on real controllers: rolling updates, health, draining, failure, and crashes in between."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.core.errors import AwsError
from hatoba.fleet import model as fleet
from hatoba.services.ecs.model.service import services
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.world import GROUP, NETWORK, SCOPE, World, container, definition, world

BALANCED = [{"targetGroupArn": GROUP, "containerName": "web", "containerPort": 8080}]


async def create(w: World, **fields: Any) -> Any:
    await w.ecs.register_task_definition(**definition())
    wanted = {
        "serviceName": "web",
        "taskDefinition": "web",
        "desiredCount": 2,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        **fields,
    }
    created = (await w.ecs.create_service(**wanted))["service"]
    await w.settle()
    return created


async def described(w: World, name: str = "web") -> Any:
    (service,) = (await w.ecs.describe_services(services=[name]))["services"]
    return service


def messages(service: Any) -> list[str]:
    """Oldest first, without ids of tasks and deployments."""
    return [event["message"] for event in reversed(service["events"])]


def live(w: World) -> Counter[tuple[str, str]]:
    """(revision, status) of everything that is not over."""
    return Counter((task.definition[-1], task.status) for task in w.store.all(tasks) if task.status != "STOPPED")


def stable(service: Any) -> bool:
    """What `aws ecs wait services-stable` waits for."""
    return len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"]


async def test_a_service_comes_to_a_steady_state(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        created = await create(w)
        assert (created["runningCount"], created["deployments"][0]["rolloutState"]) == (0, "IN_PROGRESS")
        service = await described(w)
        assert stable(service)
        (deployment,) = service["deployments"]
        assert deployment["rolloutState"] == "COMPLETED"
        assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} completed."
        told = messages(service)
        assert told[0].startswith("(service web) has started 2 tasks: (task ")
        assert told[1:] == [
            f"(service web) (deployment {deployment['id']}) deployment completed.",
            "(service web) has reached a steady state.",
        ]
        ids = (await w.ecs.list_tasks(serviceName="web"))["taskArns"]
        assert len(ids) == 2
        (task, _) = (await w.ecs.describe_tasks(tasks=ids))["tasks"]
        assert (task["group"], task["startedBy"]) == ("service:web", deployment["id"])


async def test_a_dead_task_is_replaced_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        w.clock.advance(3600)
        victim = w.store.all(tasks)[0]
        w.report(victim.id, "stopped", exit_code=1)
        await w.settle()
        assert live(w) == {("1", "RUNNING"): 2}
        assert stable(await described(w))
        assert messages(await described(w))[-1] == "(service web) has reached a steady state."


async def test_unhealthy_containers_are_replaced(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.auto = False
        checked = container(healthCheck={"command": ["CMD", "true"]})
        await w.ecs.register_task_definition(**definition("checked", containerDefinitions=[checked]))
        await create(w, taskDefinition="checked", desiredCount=1)
        (first,) = w.store.all(tasks)
        w.report(first.id, "running")
        await w.settle()
        assert (await described(w))["deployments"][0]["rolloutState"] == "IN_PROGRESS"
        w.report(first.id, "running", health="healthy")
        await w.settle()
        assert (await described(w))["deployments"][0]["rolloutState"] == "COMPLETED"
        w.report(first.id, "running", health="unhealthy")
        await w.settle()
        (second,) = (task for task in w.store.all(tasks) if task.id != first.id)
        w.report(second.id, "running", health="healthy")
        await w.settle()
        ended = w.store.get(tasks, first.key)
        assert ended is not None
        assert (ended.desired, ended.stopped_reason) == ("STOPPED", "Task failed container health checks")


async def test_scaling_to_zero_and_deleting(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        with pytest.raises(t.InvalidParameterException, match="cannot be stopped while it is scaled above 0"):
            await w.ecs.delete_service(service="web")
        await w.ecs.update_service(service="web", desiredCount=0)
        await w.settle()
        assert live(w) == {}
        (task, _) = w.store.all(tasks)
        assert (task.stop_code, task.stopped_reason) == (
            "ServiceSchedulerInitiated",
            f"Scaling activity initiated by (deployment {task.deployment})",
        )
        gone = (await w.ecs.delete_service(service="web"))["service"]
        assert gone["status"] == "DRAINING"
        await w.settle()
        assert (await described(w))["status"] == "INACTIVE"
        assert (await w.ecs.list_services())["serviceArns"] == []
        with pytest.raises(t.ServiceNotFoundException):
            await w.ecs.delete_service(service="web")
        with pytest.raises(t.ServiceNotActiveException):
            await w.ecs.update_service(service="web", desiredCount=1)
        again = await create(w)
        assert again["status"] == "ACTIVE"
        assert stable(await described(w))


async def test_tasks_that_never_start_are_tried_ever_more_slowly(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.auto = False
        await create(w, desiredCount=1)
        for _ in range(6):
            for task in w.store.all(tasks):
                w.report(task.id, "stopped", error="image-not-found", detail="no such image", exit_code=None)
            await w.settle()
        count = len(w.store.all(tasks))
        assert count == 2  # one is replaced at once, then it waits
        service = await described(w)
        assert service["deployments"][0]["failedTasks"] == 2
        assert "(service web) was unable to place a task. Reason: CannotPullContainerError: no such image." in messages(
            service
        )
        await w.pass_time(1.0)
        assert len(w.store.all(tasks)) == 3
        w.auto = True
        await w.ecs.update_service(service="web", forceNewDeployment=True)
        await w.settle()
        for workload in w.store.all(fleet.workloads):
            w.report(workload.id, "running" if workload.want == "running" else "stopped")
        await w.settle()
        assert stable(await described(w))
        assert (await described(w))["deployments"][0]["failedTasks"] == 0


async def test_a_crash_loop_does_not_spin(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=1)
        for _ in range(20):
            for task in w.store.all(tasks):
                w.report(task.id, "stopped", exit_code=1)
            await w.settle()
        assert len(w.store.all(tasks)) == 2


@pytest.mark.parametrize("rollback", [False, True])
async def test_the_circuit_breaker(tmp_path: Path, rollback: bool) -> None:
    async with world(tmp_path) as w:
        breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": rollback}}
        await create(w, deploymentConfiguration=breaker)
        first = (await described(w))["deployments"][0]["id"]
        w.auto = False
        await w.ecs.register_task_definition(**definition())
        await w.ecs.update_service(service="web", taskDefinition="web")
        await w.settle()
        for _ in range(8):
            for task in w.store.all(tasks):
                if task.definition.endswith("2"):
                    w.report(task.id, "stopped", error="image-not-found", detail="none", exit_code=None)
            await w.settle()
            await w.pass_time(16)
        service = await described(w)
        assert live(w) == {("1", "RUNNING"): 2}
        if rollback:
            (deployment,) = service["deployments"]
            assert deployment["taskDefinition"].endswith("web:1")
            assert (deployment["id"], deployment["rolloutState"]) == (first, "COMPLETED")
            assert any("rolling back to deployment" in text for text in messages(service))
        else:
            failed, still = service["deployments"]
            assert (failed["status"], failed["rolloutState"]) == ("PRIMARY", "FAILED")
            assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
            assert (still["id"], still["runningCount"]) == (first, 2)


async def test_a_lost_node_is_replaced_by_another(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        await create(w, desiredCount=4)
        on = Counter(task.node for task in w.store.all(tasks))
        assert on == {"node-1": 2, "node-2": 2}
        w.change_node("node-1", state="lost")
        await w.settle()
        assert Counter(task.node for task in w.store.all(tasks) if task.status == "RUNNING") == {"node-2": 4}
        assert stable(await described(w))


async def test_what_cannot_be_placed_waits_for_room(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.change_node("node-1", schedulable=False)
        await create(w)
        assert live(w) == {}
        told = messages(await described(w))
        assert told == [
            "(service web) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again "
            "later or in a different availability zone (no capacity: 1 node is draining)."
        ]
        w.change_node("node-1", schedulable=True)
        await w.settle()
        assert stable(await described(w))


async def test_nothing_is_written_when_nothing_changes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, loadBalancers=BALANCED)
        before = w.store.seq
        w.runner.look_at_everything()
        await w.settle()
        assert w.store.seq == before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"serviceName": "no good"}, "Service name contains invalid characters"),
        ({"clientToken": "x" * 37}, "Invalid clientToken. Up to 36 ASCII characters"),
        ({"role": "ecsServiceRole"}, "You cannot specify an IAM role for services that require a service linked role"),
        ({"desiredCount": -1}, "DesiredCount must be between"),
        ({"healthCheckGracePeriodSeconds": 5}, "Health check grace period is only valid"),
        ({"deploymentConfiguration": {"maximumPercent": 100}}, "Both maximumPercent and minimumHealthyPercent"),
        ({"loadBalancers": [{**BALANCED[0], "containerName": "x"}]}, "The container x does not exist"),
        ({"loadBalancers": [{**BALANCED[0], "containerPort": 1}]}, "did not have a container port 1 defined"),
        ({"loadBalancers": [{**BALANCED[0], "targetGroupArn": GROUP + "0"}]}, "does not exist"),
        ({"networkConfiguration": {}}, "Network Configuration must be provided"),
    ],
)
async def test_what_create_service_refuses(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    async with world(tmp_path) as w:
        with pytest.raises(AwsError, match=message):
            await create(w, **fields)
        assert w.store.all(services) == []


async def test_two_updates_at_once_both_take_effect(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        await w.ecs.register_task_definition(**definition())
        other = {"awsvpcConfiguration": {"subnets": ["subnet-b"]}}
        await asyncio.gather(
            w.ecs.update_service(service="web", networkConfiguration=other),
            w.ecs.update_service(service="web", taskDefinition="web"),
            w.ecs.update_service(service="web", desiredCount=3),
        )
        await w.settle()
        service = await described(w)
        assert service["taskDefinition"].endswith("web:2")
        assert service["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-b"]
        assert (service["runningCount"], len(service["deployments"])) == (3, 1)


async def test_creating_twice(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, clientToken="once")
        await create(w, clientToken="once", taskDefinition="web")
        with pytest.raises(t.InvalidParameterException, match="Creation of service was not idempotent"):
            await create(w)
        assert len(w.store.all(services)) == 1


async def test_events_are_kept_to_the_newest_hundred(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=1)
        for count in range(2, 60):
            await w.ecs.update_service(service="web", desiredCount=1 + count % 2)
            await w.settle()
        service = await described(w)
        assert len(service["events"]) == 100
        assert service["events"][0]["message"] == "(service web) has reached a steady state."
        assert w.store.find(services, SCOPE, "default/web")
