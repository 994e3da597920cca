"""ExecuteCommand's decisions: which container, and where the session is kept."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.services.ecs.model.task import Container, Task, tasks
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.plan import execute

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


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"kmsKeyId": "alias/x"}, "KMS key"),
        ({"logging": "OVERRIDE", "logConfiguration": {"s3BucketName": "b"}}, "S3 bucket b"),
        ({"logging": "OVERRIDE", "logConfiguration": {"cloudWatchEncryptionEnabled": True}}, "encrypted log groups"),
    ],
)
def test_what_cannot_be_had_is_refused_rather_than_left_out(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(t.InvalidParameterException, match=said):
        execute.kept({"executeCommandConfiguration": wanted}, definition(AWSLOGS), "app")
