"""Lifecycle hooks that are functions: what they are told, every answer that they may give, and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.test_ecs_deployments import update
from tests.unit.services.ecs.test_ecs_services import described, live, messages
from tests.unit.services.ecs.test_ecs_shifts import over, start, strategy, weighed
from tests.unit.services.ecs.world import ROLE, World

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:judge"


class FakeLambda:
    """Answers what it is told to, in order; the last answer again and again."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.events: list[Any] = []
        self.callers: set[str | None] = set()
        self.room = Service("lambda")
        self.room.operation(self.invoke)

    async def invoke(self, req: Any, call: Call) -> Any:
        if req["FunctionName"] != FUNCTION:
            raise AwsError("Function not found", code="ResourceNotFoundException", status=404)
        self.events.append(json.loads(req["Payload"]))
        self.callers.add(call.principal.role)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, dict) and "FunctionError" in answer:
            return {"StatusCode": 200, "Payload": b'{"errorMessage":"no"}', **answer}
        return {"StatusCode": 200, "Payload": answer if isinstance(answer, bytes) else json.dumps(answer).encode()}


def hook(*stages: str, **fields: Any) -> dict[str, Any]:
    return {"lifecycleHooks": [{"hookTargetArn": FUNCTION, "roleArn": ROLE, "lifecycleStages": list(stages), **fields}]}


async def deploy(w: World, configuration: dict[str, Any]) -> None:
    """The second version, with the hooks: the first one had none."""
    await start(w)
    await w.ecs.update_service(service="web", deploymentConfiguration=configuration)
    await update(w)


async def opened(path: Path, function: FakeLambda | None) -> World:
    w = World(path)
    if function is not None:
        w.rooms.append(function.room)
    await w.open()
    w.add_node()
    return w


async def test_a_function_is_told_where_the_deployment_is_and_lets_it_go_on(tmp_path: Path) -> None:
    function = FakeLambda({"hookStatus": "SUCCEEDED"})
    w = await opened(tmp_path, function)
    try:
        stages = ("POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
        await deploy(w, strategy(**hook(*stages, hookDetails={"colour": "green"})))
        found = await over(w)
        assert found["status"] == "SUCCESSFUL"
        assert [event["lifecycleStage"] for event in function.events] == list(stages)
        target, (source,) = found["targetServiceRevision"]["arn"], found["sourceServiceRevisions"]
        first, test, production = function.events
        shown = found["lifecycleHookDetails"]
        assert first == {
            "executionDetails": {
                "testTrafficWeights": {},
                "productionTrafficWeights": {},
                "serviceArn": found["serviceArn"],
                "targetServiceRevisionArn": target,
            },
            "executionId": shown[0]["hookId"],
            "lifecycleStage": "POST_SCALE_UP",
            "resourceArn": found["serviceDeploymentArn"],
            "hookDetails": {"colour": "green"},
        }
        weights = {source["arn"]: 0.0, target: 100.0}
        assert test["executionDetails"]["testTrafficWeights"] == weights
        assert test["executionDetails"]["productionTrafficWeights"] == {}
        assert production["executionDetails"]["productionTrafficWeights"] == weights
        assert {one["status"] for one in shown} == {"SUCCEEDED"}
        assert {one["targetArn"] for one in shown} == {FUNCTION}
        assert function.callers == {ROLE}
    finally:
        await w.close()


async def test_a_function_that_is_not_done_is_called_again_when_it_says(tmp_path: Path) -> None:
    waits = {"hookStatus": "IN_PROGRESS"}
    function = FakeLambda({**waits, "callBackDelay": 7, "hookDetails": {"run": 1}}, waits, {"hookStatus": "SUCCEEDED"})
    w = await opened(tmp_path, function)
    try:
        await deploy(w, strategy(**hook("POST_SCALE_UP")))
        await w.pass_time(6.9)
        assert len(function.events) == 1
        await w.crash()
        assert len(function.events) == 1
        await w.pass_time(0.1)
        assert len(function.events) == 2
        assert function.events[1]["hookDetails"] == {"run": 1}
        await w.pass_time(29.9)
        assert len(function.events) == 2
        await w.pass_time(0.1)
        assert len({event["executionId"] for event in function.events}) == 1
        assert (await over(w))["status"] == "SUCCESSFUL"
    finally:
        await w.close()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"hookStatus": "FAILED"}, "the function answered FAILED"),
        ({}, "HookStatus must not be null"),
        (None, "HookStatus must not be null"),
        (b"nonsense", "not JSON"),
        ({"hookStatus": "MAYBE"}, "the hookStatus 'MAYBE'"),
        ({"FunctionError": "Unhandled"}, "ended with an error"),
    ],
)
@pytest.mark.parametrize("stage", ["POST_SCALE_UP", "POST_PRODUCTION_TRAFFIC_SHIFT"])
async def test_a_function_that_says_no_rolls_back(tmp_path: Path, answer: Any, why: str, stage: str) -> None:
    w = await opened(tmp_path, FakeLambda(answer))
    try:
        await start(w)
        before = {task.id for task in w.store.all(tasks)}
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(**hook(stage)))
        await update(w)
        found = await over(w)
        assert found["status"] == "ROLLBACK_SUCCESSFUL"
        assert why in found["statusReason"]
        assert weighed(w)[-1:] == (["100:0"] if stage.startswith("POST_PRODUCTION") else [])
        assert {task.id for task in w.store.all(tasks) if task.status == "RUNNING"} == before
        assert any(why in message for message in messages(await described(w)))
    finally:
        await w.close()


async def test_without_a_lambda_service_the_hook_fails_and_says_so(tmp_path: Path) -> None:
    w = await opened(tmp_path, None)
    try:
        await deploy(w, strategy(**hook("POST_SCALE_UP")))
        found = await over(w)
        assert found["status"] == "ROLLBACK_SUCCESSFUL"
        assert "lambda.Invoke is an operation of AWS that Hatoba does not implement yet" in found["statusReason"]
        assert live(w) == {("1", "RUNNING"): 2}
    finally:
        await w.close()


async def test_a_role_that_does_not_let_ecs_act_fails_the_hook(tmp_path: Path) -> None:
    w = await opened(tmp_path, FakeLambda({"hookStatus": "SUCCEEDED"}))
    try:
        await deploy(w, strategy(**hook("POST_SCALE_UP", roleArn=ROLE + "0")))
        found = await over(w)
        assert found["status"] == "ROLLBACK_SUCCESSFUL"
        assert "not authorized to perform: sts:AssumeRole" in found["statusReason"]
    finally:
        await w.close()


async def test_shifts_call_their_functions_on_the_way_back_too_and_nothing_stops_it(tmp_path: Path) -> None:
    function = FakeLambda({"hookStatus": "SUCCEEDED"}, {"hookStatus": "FAILED"})
    w = await opened(tmp_path, function)
    try:
        stages = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT")
        await deploy(w, strategy(**hook(*stages)))
        found = await over(w)
        assert found["status"] == "ROLLBACK_SUCCESSFUL"
        told = [event["lifecycleStage"] for event in function.events]
        assert told == [
            "TEST_TRAFFIC_SHIFT",
            "PRODUCTION_TRAFFIC_SHIFT",
            "PRODUCTION_TRAFFIC_SHIFT",
            "TEST_TRAFFIC_SHIFT",
        ]
        (source,) = found["sourceServiceRevisions"]
        assert function.events[2]["executionDetails"]["productionTrafficWeights"][source["arn"]] == 100.0
    finally:
        await w.close()


async def test_every_step_of_a_shift_asks_before_it_is_made(tmp_path: Path) -> None:
    function = FakeLambda({"hookStatus": "SUCCEEDED"})
    w = await opened(tmp_path, function)
    try:
        linear = {"stepPercent": 50.0, "stepBakeTimeInMinutes": 0}
        await deploy(w, strategy("LINEAR", linearConfiguration=linear, **hook("PRE_PRODUCTION_TRAFFIC_SHIFT")))
        assert (await over(w))["status"] == "SUCCESSFUL"
        assert len(function.events) == 2
        assert weighed(w) == ["50:50", "0:100"]
    finally:
        await w.close()
