"""What the event bus is told: exact shapes, at least once, in order, none lost in a crash; nothing without a bus."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.ecs.model.outgoing import outgoing
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.plan import happenings
from hatoba.services.ecs.plan.rollout import words
from tests.unit.services.ecs.test_ecs_services import create
from tests.unit.services.ecs.test_ecs_views import check
from tests.unit.services.ecs.world import NETWORK, World, definition

ARN = "arn:aws:ecs:us-east-1:123456789012:service/default/web"


class Bus:
    """A room that keeps what it is told, unless it is told to fail."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.calls: list[int] = []
        self.by: set[str] = set()
        self.down: AwsError | None = None
        self.codes: list[str] = []  # of the next entries; "" is success
        self.room = Service("events")
        self.room.operation(self.put_events)

    async def put_events(self, req: Any, call: Call) -> Any:
        self.calls.append(len(req["Entries"]))
        self.by.add(call.principal.arn)
        if self.down is not None:
            raise self.down
        results = []
        for entry in req["Entries"]:
            code = self.codes.pop(0) if self.codes else ""
            if not code:
                self.told.append({**entry, "Detail": json.loads(entry["Detail"])})
            results.append({"ErrorCode": code, "ErrorMessage": code} if code else {"EventId": str(len(self.told))})
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def details(self, type_: str) -> list[dict[str, Any]]:
        return [event["Detail"] for event in self.told if event["DetailType"] == type_]

    def names(self, type_: str = "ECS Service Action") -> list[str]:
        return [detail["eventName"] for detail in self.details(type_)]


@asynccontextmanager
async def listening(path: Path, **options: Any) -> AsyncIterator[tuple[World, Bus]]:
    w, bus = World(path, **options), Bus()
    w.rooms = [*w.rooms, bus.room]
    await w.open()
    w.add_node()
    await w.ecs.create_cluster()
    await w.settle()
    bus.told.clear()
    try:
        yield w, bus
    finally:
        await w.close()


async def run(w: World, launch_type: str = "FARGATE", **fields: Any) -> str:
    await w.ecs.register_task_definition(**definition(requiresCompatibilities=["FARGATE", "EC2"]))
    answer = await w.ecs.run_task(
        taskDefinition="web", launchType=launch_type, networkConfiguration=NETWORK, startedBy="me", **fields
    )
    await w.settle()
    return str(answer["tasks"][0]["taskArn"])


async def test_every_turn_of_a_task_in_its_order(tmp_path: Path) -> None:
    async with listening(tmp_path, auto=False) as (w, bus):
        arn = await run(w)
        w.report(arn.rpartition("/")[2], "running")
        await w.settle()
        await w.ecs.stop_task(task=arn, reason="enough")
        await w.settle()
        w.report(arn.rpartition("/")[2], "stopped")
        await w.settle()
        told = bus.details("ECS Task State Change")
        turns = [(detail["lastStatus"], detail["desiredStatus"]) for detail in told]
        assert list(dict.fromkeys(turns)) == [
            ("PROVISIONING", "RUNNING"),
            ("PENDING", "RUNNING"),
            ("RUNNING", "RUNNING"),
            ("STOPPING", "STOPPED"),
            ("DEPROVISIONING", "STOPPED"),
            ("STOPPED", "STOPPED"),
        ]
        versions = [detail["version"] for detail in told]
        assert versions == sorted(set(versions)), "each says more than the one before"
        assert {tuple(event["Resources"]) for event in bus.told} == {(arn,)}
        assert {event["Source"] for event in bus.told} == {"aws.ecs"}
        assert bus.by == {"arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForECS/ecs"}
        assert w.store.all(outgoing) == []
        check("event-task-running", next(event for event in bus.told if event["Detail"]["lastStatus"] == "RUNNING"))
        check("event-task-stopped", bus.told[-1])


async def test_what_changes_nothing_to_be_seen_is_not_told(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        await create(w, desiredCount=1)
        await w.settle()
        (task,) = w.store.all(tasks)
        before = len(bus.details("ECS Task State Change"))
        await w.ecs.update_task_protection(cluster="default", tasks=[task.id], protectionEnabled=True)
        await w.settle()
        assert len(bus.details("ECS Task State Change")) == before


async def test_an_instance_whose_tasks_its_state_or_its_agent_changes(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        arn = await run(w, "EC2")
        told = bus.details("ECS Container Instance State Change")
        left = [r["integerValue"] for detail in told for r in detail["remainingResources"] if r["name"] == "CPU"]
        assert left == [2048 - 256]
        check("event-instance", next(e for e in bus.told if e["DetailType"].startswith("ECS Container")))
        await w.ecs.stop_task(task=arn)
        await w.settle()
        w.change_node("node-1", state="lost")
        await w.settle()
        w.change_node("node-1", seen_at=w.clock.now())
        await w.settle()
        instance = told[0]["containerInstanceArn"]
        await w.ecs.update_container_instances_state(containerInstances=[instance], status="DRAINING")
        await w.settle()
        told = bus.details("ECS Container Instance State Change")
        seen = [(detail["agentConnected"], detail["status"]) for detail in told]
        assert seen == [(True, "ACTIVE"), (True, "ACTIVE"), (False, "ACTIVE"), (False, "DRAINING")]


async def test_a_fargate_task_is_no_instances_business(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        await run(w)
        assert bus.details("ECS Container Instance State Change") == []


async def test_a_service_from_its_deployment_to_steadiness(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        await create(w, desiredCount=2)
        await w.settle()
        turns = bus.details("ECS Deployment State Change")
        id_ = turns[0]["deploymentId"]
        assert [(turn["eventName"], turn["reason"]) for turn in turns] == [
            ("SERVICE_DEPLOYMENT_IN_PROGRESS", f"ECS deployment {id_} in progress."),
            ("SERVICE_DEPLOYMENT_COMPLETED", f"ECS deployment {id_} completed."),
        ]
        assert bus.names() == ["SERVICE_STEADY_STATE"]
        await w.ecs.update_service(service="web", desiredCount=1)
        await w.settle()
        assert bus.names() == [
            "SERVICE_STEADY_STATE",
            "SERVICE_DESIRED_COUNT_UPDATED",
            "TASKS_STOPPED",
            "SERVICE_STEADY_STATE",
        ]
        check("event-deployment", next(e for e in bus.told if e["DetailType"].startswith("ECS Deployment")))
        check("event-action", next(e for e in bus.told if e["DetailType"] == "ECS Service Action"))


async def test_a_deployment_that_is_rolled_back(tmp_path: Path) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    async with listening(tmp_path) as (w, bus):
        await create(w, desiredCount=1, deploymentConfiguration=breaker)
        await w.settle()
        first = bus.details("ECS Deployment State Change")[0]["deploymentId"]
        w.auto = False
        await w.ecs.register_task_definition(**definition(cpu="512", memory="1024"))
        await w.ecs.update_service(service="web", taskDefinition="web")
        await w.settle()
        for _ in range(12):
            for task in w.store.all(tasks):
                if task.deployment != first and task.status not in ("STOPPED", "RUNNING"):
                    w.report(task.id, "stopped", started=None, exit_code=None, error="image-not-found", detail="no")
            await w.pass_time(20)
        turns = [
            (turn["eventType"], turn["eventName"], turn["reason"])
            for turn in bus.details("ECS Deployment State Change")
        ]
        failed = next(turn for turn in turns if turn[1] == "SERVICE_DEPLOYMENT_FAILED")
        assert failed == ("ERROR", "SERVICE_DEPLOYMENT_FAILED", words.BREAKER)
        assert ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", words.breaker_rolling_back(first)) in turns
        assert "SERVICE_TASK_START_IMPAIRED" in bus.names()


async def test_no_room_is_an_error_that_names_what_lacks(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        w.change_node("node-1", cpu=128)
        await w.settle()
        await create(w, desiredCount=1, launchType="EC2")
        await w.settle()
        (error,) = (d for d in bus.details("ECS Service Action") if d["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE")
        assert (error["eventType"], error["reason"]) == ("ERROR", "RESOURCE:CPU")
        assert error["containerInstanceArns"] == [
            "arn:aws:ecs:us-east-1:123456789012:container-instance/default/node-1"
        ]


# --- at least once


async def test_a_crash_loses_no_event(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        bus.down = AwsError("not now", code="InternalException", status=500)
        arn = await run(w)
        assert (bus.told, len(w.store.all(outgoing)) > 2) == ([], True)
        await w.crash()
        bus.down = None
        await w.pass_time(60)
        turns = [detail["lastStatus"] for detail in bus.details("ECS Task State Change")]
        assert list(dict.fromkeys(turns)) == ["PROVISIONING", "PENDING", "RUNNING"]
        assert bus.details("ECS Task State Change")[-1]["taskArn"] == arn
        assert w.store.all(outgoing) == []


async def test_what_fails_for_now_waits_and_so_does_all_that_follows_of_it(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        bus.codes = ["", "ThrottlingException"]
        await run(w)
        await w.pass_time(60)
        told = bus.details("ECS Task State Change")
        versions = [detail["version"] for detail in told]
        assert versions == sorted(versions), "none overtakes another"
        assert told[-1]["lastStatus"] == "RUNNING"


async def test_what_is_never_taken_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        bus.codes = ["MalformedDetail"]
        await run(w)
        turns = [detail["lastStatus"] for detail in bus.details("ECS Task State Change")]
        assert turns[0] != "PROVISIONING"
        assert turns[-1] == "RUNNING"
        assert w.store.all(outgoing) == []


async def test_many_at_a_time(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        bus.down = AwsError("not now", code="InternalException", status=500)
        await create(w, desiredCount=14)
        await w.settle()
        bus.down, bus.calls = None, []
        await w.pass_time(60)
        assert max(bus.calls) == 10
        assert len(bus.told) > 20
        assert w.store.all(outgoing) == []


async def test_without_a_bus_nothing_is_written(tmp_path: Path) -> None:
    w = World(tmp_path)
    await w.open()
    w.add_node()
    try:
        await w.ecs.create_cluster()
        await run(w)
        assert w.store.companions == {}
        assert w.store.all(outgoing) == []
        assert "ecs.outbox" not in w.runner.report()
    finally:
        await w.close()


@pytest.mark.parametrize("lacks", sorted(words._LACKING))
def test_every_refusal_of_the_scheduler_has_a_code(lacks: str) -> None:
    assert any(known in words._LACKING[lacks] for known in happenings._LACKING)
