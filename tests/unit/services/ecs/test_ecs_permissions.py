"""What a user needs beside the operation itself: to pass roles, and to tag at creation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Principal
from hatoba.services.iam.model import USER, User, users
from tests.unit.services.ecs.world import ROLE, SCOPE, World, definition, world


def allow(*actions: str, on: str = "*", **condition: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    return {**found, "Condition": condition} if condition else found


def passing(to: str, on: str = ROLE) -> dict[str, Any]:
    return allow("iam:PassRole", on=on, StringEquals={"iam:PassedToService": to})


def acting(w: World, *statements: dict[str, Any]) -> Any:
    """ECS, as a user who may do this."""
    key = users.key(SCOPE.everywhere(), "dev")
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    with w.store.tx() as tx:
        tx.forget(users, key)
        user = tx.put(users, User(key=key, name="dev", unique="AIDADEV", created=0.0, inline={"own": text}))
    who = Principal(kind="user", account=SCOPE.account, arn=USER.arn(user), id=user.unique)
    return w.plane.door(SCOPE, "test", who).ecs


async def refused(operation: Any, **params: Any) -> str:
    with pytest.raises(AwsError) as caught:
        await operation(**params)
    assert caught.value.code == "AccessDeniedException"
    return caught.value.message


async def test_a_task_definitions_roles_have_to_be_passed_to_tasks(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        given = definition(taskRoleArn=ROLE, executionRoleArn=ROLE)
        words = await refused(acting(w, allow("ecs:*")).register_task_definition, **given)
        assert words == (
            f"User: arn:aws:iam::{SCOPE.account}:user/dev is not authorized to perform: iam:PassRole "
            f"on resource: {ROLE} because no identity-based policy allows the iam:PassRole action"
        )
        for wrong in (passing("ec2.amazonaws.com"), passing("ecs-tasks.amazonaws.com", on=ROLE + "2")):
            await refused(acting(w, allow("ecs:*"), wrong).register_task_definition, **given)
        may = acting(w, allow("ecs:*"), passing("ecs-tasks.amazonaws.com"))
        made = (await may.register_task_definition(**given))["taskDefinition"]
        assert made["revision"] == 1, "what was refused wrote nothing"
        assert (await acting(w, allow("ecs:*")).register_task_definition(**definition()))["taskDefinition"]


async def test_a_role_is_passed_again_with_every_run(tmp_path: Path) -> None:
    """Or who may run tasks could have the permissions of any role that somebody else has put into a definition."""
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition(taskRoleArn=ROLE))
        await w.ecs.register_task_definition(**definition(family="plain"))
        run: dict[str, Any] = {
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        }
        runs = acting(w, allow("ecs:RunTask"))
        await refused(runs.run_task, taskDefinition="web", **run)
        await refused(runs.run_task, taskDefinition="plain", overrides={"taskRoleArn": ROLE}, **run)
        await w.ecs.register_task_definition(**definition(family="pulls", executionRoleArn=ROLE))
        for family, name in (("web", "taskRoleArn"), ("pulls", "executionRoleArn")):  # an empty one overrides nothing
            await refused(runs.run_task, taskDefinition=family, overrides={name: ""}, **run)
        assert (await runs.run_task(taskDefinition="plain", **run))["tasks"]
        may = acting(w, allow("ecs:RunTask"), passing("ecs-tasks.amazonaws.com"))
        assert (await may.run_task(taskDefinition="web", **run))["tasks"]
        assert (await may.run_task(taskDefinition="plain", overrides={"taskRoleArn": ROLE}, **run))["tasks"]


async def test_tags_at_creation_are_seen_and_can_be_demanded(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        tagged = allow("ecs:CreateCluster", StringEquals={"aws:RequestTag/team": "a"})
        given = [{"key": "team", "value": "a"}]
        words = await refused(acting(w, tagged).create_cluster, clusterName="c", tags=given)
        assert "is not authorized to perform: ecs:TagResource on resource: " in words
        tagging = allow("ecs:TagResource", StringEquals={"ecs:CreateAction": "CreateCluster"})
        may = acting(w, tagged, tagging)
        await refused(may.create_cluster, clusterName="c")
        await refused(may.create_cluster, clusterName="c", tags=[{"key": "team", "value": "b"}])
        assert (await may.create_cluster(clusterName="c", tags=[{"key": "team", "value": "a"}]))["cluster"]
        only = allow(
            "ecs:CreateCluster",
            **{"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}, "Null": {"aws:TagKeys": "false"}},
        )
        extra = [{"key": "team", "value": "a"}, {"key": "more", "value": "a"}]
        await refused(acting(w, only, tagging).create_cluster, clusterName="d", tags=extra)
        assert (await acting(w, only, tagging).create_cluster(clusterName="d", tags=extra[:1]))["cluster"]


async def test_a_resources_tags_decide_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn = (await w.ecs.create_cluster(clusterName="c"))["cluster"]["clusterArn"]
        may = acting(w, allow("ecs:DeleteCluster", StringEquals={"aws:ResourceTag/team": "${aws:username}"}))
        await refused(may.delete_cluster, cluster="c")
        await w.ecs.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "dev"}])
        assert (await may.delete_cluster(cluster="c"))["cluster"]["status"] == "INACTIVE"
