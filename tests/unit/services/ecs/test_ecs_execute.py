"""ExecuteCommand's decisions: which container, and where the session is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.fleet.model import workloads
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.ecs.model.task import Container, Task, tasks
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.plan import execute
from tests.unit.services.ecs.world import NETWORK, ROLE, SCOPE, World, container
from tests.unit.services.ecs.world import definition as web

HERE = Scope("aws", "123456789012", "us-east-1")


def task(*containers: Container, **more: Any) -> Task:
    known = Task(
        key=tasks.key(HERE, "t"),
        cluster="default",
        definition="web:1",
        launch_type="FARGATE",
        group="",
        created_at=0.0,
        execute=True,
        status="RUNNING",
        containers=containers,
    )
    return replace(known, **more)


APP, SIDE = (Container(name=name, status="RUNNING", runtime_id=name) for name in ("app", "side"))


def test_the_container_that_is_meant() -> None:
    assert execute.container(task(APP), None) is APP
    assert execute.container(task(APP, SIDE), "side") is SIDE


@pytest.mark.parametrize(
    ("of", "name", "said"),
    [
        (task(APP, SIDE), None, "must be specified for tasks containing multiple containers: one of app, side"),
        (task(APP), "other", "The container other is not part of the task"),
        (task(APP, execute=False), None, "was not enabled when the task was run"),
        (task(replace(APP, status="PENDING")), None, "agent isn’t running"),
        (task(APP, desired="STOPPED", status="DEACTIVATING"), None, "the task is DEACTIVATING"),
        (task(APP, status="STOPPED"), None, "the task is STOPPED"),
    ],
)
def test_what_cannot_be_entered(of: Task, name: str | None, said: str) -> None:
    with pytest.raises(t.InvalidParameterException, match=said):
        execute.container(of, name)


def definition(log: dict[str, Any] | None) -> Definition:
    container: dict[str, Any] = {"name": "app", "image": "i"} | ({"logConfiguration": log} if log else {})
    content = {"containerDefinitions": [container]}
    return Definition(
        key=definitions.key(HERE, "web:1"),
        family="web",
        revision=1,
        content=content,
        compatibilities=(),
        requires=(),
        registered_at=0.0,
        registered_by="",
    )


AWSLOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "/web"}}


@pytest.mark.parametrize(
    ("cluster", "log", "group"),
    [
        ({}, AWSLOGS, "/web"),
        ({"executeCommandConfiguration": {}}, AWSLOGS, "/web"),
        ({"executeCommandConfiguration": {"logging": "DEFAULT"}}, AWSLOGS, "/web"),
        ({}, None, ""),
        ({}, {"logDriver": "fluentd", "options": {}}, ""),
        ({"executeCommandConfiguration": {"logging": "NONE"}}, AWSLOGS, ""),
        (
            {
                "executeCommandConfiguration": {
                    "logging": "OVERRIDE",
                    "logConfiguration": {"cloudWatchLogGroupName": "/audit", "cloudWatchEncryptionEnabled": False},
                }
            },
            AWSLOGS,
            "/audit",
        ),
    ],
)
def test_where_a_session_is_kept(cluster: dict[str, Any], log: dict[str, Any] | None, group: str) -> None:
    assert execute.kept(cluster, definition(log), "app").group == group


def test_a_session_is_kept_in_a_bucket_too() -> None:
    def parameters(**wanted: Any) -> dict[str, list[str]]:
        cluster = {"executeCommandConfiguration": {"logging": "OVERRIDE", "logConfiguration": wanted}}
        return execute.kept(cluster, definition(AWSLOGS), "app").parameters

    assert parameters(s3BucketName="b", s3EncryptionEnabled=True) == {"s3BucketName": ["b"]}
    assert parameters(s3BucketName="b", s3KeyPrefix="p", cloudWatchLogGroupName="/g") == {
        "cloudWatchLogGroupName": ["/g"],
        "s3BucketName": ["b"],
        "s3KeyPrefix": ["p"],
    }
    assert parameters(s3KeyPrefix="p", cloudWatchLogGroupName="/g") == {"cloudWatchLogGroupName": ["/g"]}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"kmsKeyId": "alias/x"}, "KMS key"),
        ({"logging": "OVERRIDE", "logConfiguration": {"cloudWatchEncryptionEnabled": True}}, "encrypted log groups"),
    ],
)
def test_what_cannot_be_had_is_refused_rather_than_left_out(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(t.InvalidParameterException, match=said):
        execute.kept({"executeCommandConfiguration": wanted}, definition(AWSLOGS), "app")


def test_a_configuration_that_cannot_be_meant_is_refused_at_once() -> None:
    for wrong in ({"logging": "SOMETIMES"}, {"logging": "OVERRIDE"}, {"logging": "OVERRIDE", "logConfiguration": {}}):
        with pytest.raises(t.InvalidParameterException):
            execute.checked({"executeCommandConfiguration": wrong})
    bucket = {"executeCommandConfiguration": {"logging": "OVERRIDE", "logConfiguration": {"s3BucketName": "b"}}}
    assert execute.checked(bucket) == bucket, "kept as it is: definitions work unchanged"
    assert execute.checked(None) == {}


# --- the operation, with a small Systems Manager


class FakeSsm:
    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.connected = True
        self.room = Service("ssm")
        self.room.operation(self.start_session)

    async def start_session(self, req: Any, call: Call) -> Any:
        self.asked.append((call.principal.arn, req))
        if not self.connected:
            raise AwsError(f"{req['Target']} is not connected.", code="TargetNotConnected")
        return {"SessionId": "ecs-execute-command-1", "TokenValue": "secret", "StreamUrl": "ws://here:1/v1/x?role=y"}


async def test_a_session_is_started_in_the_callers_name(tmp_path: Path) -> None:
    ssm = FakeSsm()
    made = World(tmp_path)
    made.rooms = [ssm.room]
    await made.open()
    made.add_node()
    try:
        options = {"awslogs-group": "/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "w"}
        log = {"logDriver": "awslogs", "options": options}
        containers = [container(logConfiguration=log)]
        await made.ecs.register_task_definition(
            **web(containerDefinitions=containers, executionRoleArn=ROLE, taskRoleArn=ROLE)
        )
        run = {"taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": NETWORK}
        (started,) = (await made.ecs.run_task(**run, enableExecuteCommand=True))["tasks"]
        await made.settle()
        (seen,) = (await made.ecs.describe_tasks(tasks=[started["taskArn"]]))["tasks"]
        (agent,) = seen["containers"][0]["managedAgents"]
        assert (agent["name"], agent["lastStatus"]) == ("ExecuteCommandAgent", "RUNNING")
        assert made.store.find(workloads, SCOPE, started["taskArn"].rpartition("/")[2]).execute  # type: ignore[union-attr]

        asked = {"task": started["taskArn"], "command": "sh -c 'a b'", "interactive": True}
        answer = await made.ecs.execute_command(**asked)
        assert answer["session"] == {
            "sessionId": "ecs-execute-command-1",
            "streamUrl": "ws://here:1/v1/x?role=y",
            "tokenValue": "secret",
        }
        assert (answer["containerName"], answer["taskArn"]) == ("web", started["taskArn"])
        ((principal, request),) = ssm.asked
        assert principal.endswith("/test"), "whoever asked ECS asks Systems Manager"
        id_ = started["taskArn"].rpartition("/")[2]
        assert request["Target"] == f"ecs:default_{id_}_{id_}-1"
        assert request["Parameters"] == {"command": ["sh -c 'a b'"], "cloudWatchLogGroupName": ["/web"]}

        ssm.connected = False
        with pytest.raises(t.TargetNotConnectedException, match="The node of the task is not connected"):
            await made.ecs.execute_command(**asked)
        for wrong, code in (
            ({"interactive": False}, t.InvalidParameterException),
            ({"command": " "}, t.InvalidParameterException),
            ({"command": "'"}, t.InvalidParameterException),
            ({"cluster": "nowhere"}, t.ClusterNotFoundException),
            ({"task": "0" * 32}, t.InvalidParameterException),
        ):
            with pytest.raises(code):
                await made.ecs.execute_command(**asked | wrong)
    finally:
        await made.close()
