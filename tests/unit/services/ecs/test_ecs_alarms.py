"""CloudWatch alarms that judge deployments, early success, and the bake time of rolling updates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.test_ecs_deployments import newest, update
from tests.unit.services.ecs.test_ecs_services import create, described, live, messages, stable
from tests.unit.services.ecs.test_ecs_shifts import over, start, strategy, weighed
from tests.unit.services.ecs.world import World, world


class FakeCloudWatch:
    def __init__(self) -> None:
        self.states = {"errors": "OK", "latency": "OK"}
        self.asked = 0
        self.period = 10
        self.room = Service("cloudwatch")
        self.room.operation(self.describe_alarms)

    async def describe_alarms(self, req: Any, call: Call) -> Any:
        self.asked += 1
        known = {name: self.states[name] for name in req["AlarmNames"] if name in self.states}
        shape = {"Period": self.period, "EvaluationPeriods": 2}
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": state, **shape} for name, state in known.items()]}


def alarms(*names: str, rollback: bool = True) -> dict[str, Any]:
    return {"alarms": {"alarmNames": list(names or ("errors", "latency")), "enable": True, "rollback": rollback}}


async def opened(path: Path, watcher: FakeCloudWatch) -> World:
    w = World(path)
    w.rooms.append(watcher.room)
    await w.open()
    w.add_node()
    return w


async def test_an_alarm_after_the_traffic_was_shifted_brings_it_back(tmp_path: Path) -> None:
    watcher = FakeCloudWatch()
    w = await opened(tmp_path, watcher)
    try:
        await start(w, strategy(bakeTimeInMinutes=0))
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(bakeTimeInMinutes=5, **alarms()))
        await update(w)
        found = await newest(w)
        assert found["alarms"] == {"status": "MONITORING", "alarmNames": ["errors", "latency"]}
        assert weighed(w) == ["0:100"]
        watcher.states["latency"] = "ALARM"
        await w.pass_time(5)
        assert weighed(w) == ["0:100", "100:0"]
        found = await over(w)
        assert found["status"] == "ROLLBACK_SUCCESSFUL"
        assert found["alarms"]["status"] == "TRIGGERED"
        assert found["alarms"]["triggeredAlarmNames"] == ["latency"]
        assert "the CloudWatch alarm latency is in the ALARM state" in found["statusReason"]
        asked = watcher.asked
        await w.pass_time(60)
        assert watcher.asked == asked, "nobody is asked when nothing is deployed"
    finally:
        await w.close()


async def test_an_alarm_that_was_there_before_says_nothing(tmp_path: Path) -> None:
    watcher = FakeCloudWatch()
    watcher.states["errors"] = "ALARM"
    w = await opened(tmp_path, watcher)
    try:
        await start(w)
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(bakeTimeInMinutes=1, **alarms()))
        await update(w)
        assert (await over(w))["status"] == "SUCCESSFUL"
        assert (await newest(w))["alarms"]["status"] == "MONITORING_COMPLETE"
    finally:
        await w.close()


@pytest.mark.parametrize("rollback", [True, False])
async def test_a_rolling_update_is_watched_for_as_long_as_its_alarms_look_back(tmp_path: Path, rollback: bool) -> None:
    watcher = FakeCloudWatch()
    w = await opened(tmp_path, watcher)
    try:
        await create(w)
        await w.ecs.update_service(service="web", deploymentConfiguration=alarms(rollback=rollback))
        await update(w)
        await w.pass_time(15)
        assert live(w) == {("2", "RUNNING"): 2}
        assert (await newest(w))["status"] == "IN_PROGRESS", "two periods of ten seconds"
        watcher.states["errors"] = "ALARM"
        await w.pass_time(5)
        found = await over(w)
        assert found["status"] == ("ROLLBACK_SUCCESSFUL" if rollback else "STOPPED")
        assert found["deploymentCircuitBreaker"]["status"] == "DISABLED"
        assert live(w) == {("1" if rollback else "2", "RUNNING"): 2}
    finally:
        await w.close()


async def test_a_rolling_update_without_an_alarm_succeeds_after_its_bake_time(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        await w.ecs.update_service(service="web", deploymentConfiguration={"bakeTimeInMinutes": 1})
        await update(w)
        await w.pass_time(59)
        assert (await newest(w))["status"] == "IN_PROGRESS"
        await w.crash()
        await w.pass_time(1)
        assert (await newest(w))["status"] == "SUCCESSFUL"


@pytest.mark.parametrize("there", [True, False])
async def test_alarms_that_cannot_be_read_are_told_once_and_nothing_is_held_up(tmp_path: Path, there: bool) -> None:
    w = await opened(tmp_path, FakeCloudWatch()) if there else World(tmp_path)
    if not there:
        await w.open()
        w.add_node()
    try:
        await start(w)
        await w.ecs.update_service(
            service="web", deploymentConfiguration=strategy(bakeTimeInMinutes=1, **alarms("errors", "missing"))
        )
        await update(w)
        assert (await over(w))["status"] == "SUCCESSFUL"
        told = [message for message in messages(await described(w)) if "CloudWatch" in message]
        assert len(told) == 1
        assert ("there is no alarm missing." if there else "cloudwatch.DescribeAlarms is an operation") in told[0]
    finally:
        await w.close()


def early(cleanup: str, percent: int = 50) -> dict[str, Any]:
    criteria = {"enable": True, "healthyPercent": percent, "sourceServiceRevisionCleanup": cleanup}
    return {"earlySuccessCriteria": criteria, "minimumHealthyPercent": 50}


@pytest.mark.parametrize("cleanup", ["BLOCKING", "DEFERRED"])
async def test_early_success(tmp_path: Path, cleanup: str) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=4, deploymentConfiguration=early(cleanup))
        w.auto = False
        await update(w)
        new = [task for task in w.store.all(tasks) if task.definition.endswith("2")]
        w.report(new[0].id, "running")
        await w.settle()
        assert (await newest(w))["status"] == "IN_PROGRESS"
        w.report(new[1].id, "running")
        await w.settle()
        found = await newest(w)
        assert found["status"] == ("IN_PROGRESS" if cleanup == "BLOCKING" else "SUCCESSFUL")
        if cleanup == "BLOCKING":
            leaving = [t for t in w.store.all(tasks) if t.definition.endswith("1") and t.desired == "STOPPED"]
            assert len(leaving) == 4, "two healthy ones are what minimumHealthyPercent asks for"
        for task in w.store.all(tasks):
            if task.desired == "STOPPED":
                w.report(task.id, "stopped")
        await w.settle()
        assert (await newest(w))["status"] == "SUCCESSFUL"
        w.auto = True
        for task in w.store.all(tasks):
            w.report(task.id, "running" if task.desired == "RUNNING" else "stopped")
        await w.settle()
        await w.pass_time(1)
        assert live(w) == {("2", "RUNNING"): 4}
        assert stable(await described(w))
