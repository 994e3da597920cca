"""Account settings: whose they are, what counts, and who may say so."""

from pathlib import Path
from typing import Any

import botocore.session
import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import workloads
from hatoba.gateway.call import Principal
from hatoba.services.ecs.model.account import DEFAULTS, account_settings
from tests.unit.services.ecs.world import NETWORK, SCOPE, World, container, definition, world

ACCOUNT = SCOPE.account
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ALICE = f"arn:aws:iam::{ACCOUNT}:role/alice"
BOB = f"arn:aws:iam::{ACCOUNT}:role/bob"
SHIPS = "arn:aws:iam::123456789012:role/web"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/deploy"


def as_(w: World, kind: Any, arn: str, role: str | None = None) -> Any:
    """ECS, as somebody sees it."""
    who = Principal(kind=kind, account=ACCOUNT, arn=arn, id="x", role=role)
    return w.plane.door(SCOPE, "test", who).ecs


async def effective(ecs: Any, name: str, **fields: Any) -> str:
    (one,) = (await ecs.list_account_settings(effectiveSettings=True, name=name, **fields))["settings"]
    return str(one["value"])


def test_every_name_of_the_model_has_a_default() -> None:
    model = botocore.session.get_session().get_service_model("ecs")
    assert set(DEFAULTS) == set(model.shape_for("SettingName").enum)


async def test_ones_own_then_the_accounts_then_the_default(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        root, alice, bob = as_(w, "root", ROOT), as_(w, "role", "alice", ALICE), as_(w, "role", "bob", BOB)
        assert await effective(alice, "containerInsights") == "disabled"
        put = await root.put_account_setting_default(name="containerInsights", value="enhanced")
        assert put["setting"] == {
            "name": "containerInsights",
            "value": "enhanced",
            "principalArn": ROOT,
            "type": "user",
        }
        await alice.put_account_setting(name="containerInsights", value="enabled")
        assert [await effective(x, "containerInsights") for x in (root, alice, bob)] == [
            "enhanced",
            "enabled",
            "enhanced",
        ]
        (own,) = (await alice.list_account_settings())["settings"]
        assert (own["value"], own["principalArn"]) == ("enabled", ALICE)
        assert (await bob.list_account_settings())["settings"] == []
        deleted = await alice.delete_account_setting(name="containerInsights")
        assert deleted["setting"]["value"] == "enhanced"
        assert await effective(alice, "containerInsights") == "enhanced"
        await root.put_account_setting(name="containerInsights", value="disabled")  # the same record
        assert await effective(bob, "containerInsights") == "disabled"


async def test_a_session_has_the_settings_of_its_role(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first = as_(w, "role", f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/one", ROLE)
        other = as_(w, "role", f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/two", ROLE)
        await first.put_account_setting(name="awsvpcTrunking", value="enabled")
        assert await effective(other, "awsvpcTrunking") == "enabled"
        assert await effective(as_(w, "root", ROOT), "awsvpcTrunking", principalArn=ROLE) == "enabled"


async def test_only_root_speaks_for_others(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        root, alice = as_(w, "root", ROOT), as_(w, "role", "alice", ALICE)
        await root.put_account_setting(name="tagResourceAuthorization", value="off", principalArn=BOB)
        assert await effective(as_(w, "role", "bob", BOB), "tagResourceAuthorization") == "off"
        assert await effective(alice, "tagResourceAuthorization") == "on"
        await alice.put_account_setting(name="tagResourceAuthorization", value="on", principalArn=ALICE)
        for arn in (BOB, ROOT):
            with pytest.raises(t.InvalidParameterException, match="root user"):
                await alice.put_account_setting(name="tagResourceAuthorization", value="off", principalArn=arn)
        for arn in ("bob", "arn:aws:iam::999999999999:root", f"arn:aws:s3:::{ACCOUNT}"):
            with pytest.raises(t.InvalidParameterException, match="is not valid"):
                await root.list_account_settings(principalArn=arn)
        with pytest.raises(t.InvalidParameterException, match="root user"):
            await alice.put_account_setting(name="fargateTaskRetirementWaitPeriod", value="14")
        await root.put_account_setting(name="fargateTaskRetirementWaitPeriod", value="14")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("containerInsights", "loud"),
        ("fargateTaskRetirementWaitPeriod", "8"),
        ("guardDutyActivate", "on"),
        ("defaultLogDriverMode", "enabled"),
        ("tagResourceAuthorization", "enabled"),
    ],
)
async def test_values_that_make_no_sense(tmp_path: Path, name: str, value: str) -> None:
    async with world(tmp_path) as w:
        with pytest.raises(t.InvalidParameterException, match="Invalid value"):
            await as_(w, "root", ROOT).put_account_setting(name=name, value=value)
        assert w.store.all(account_settings) == []


@pytest.mark.parametrize("name", ["serviceLongArnFormat", "taskLongArnFormat", "containerInstanceLongArnFormat"])
async def test_there_is_no_way_back_to_short_arns(tmp_path: Path, name: str) -> None:
    async with world(tmp_path) as w:
        root = as_(w, "root", ROOT)
        for value in ("enabled", "on"):
            assert (await root.put_account_setting_default(name=name, value=value))["setting"]["value"] == value
        for value in ("disabled", "off"):
            with pytest.raises(t.InvalidParameterException, match="You can no longer disable Long Arn settings"):
                await root.put_account_setting(name=name, value=value)


TO_WEB = {"awslogs-group": "web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
LOGGED: dict[str, Any] = {"logDriver": "awslogs", "options": TO_WEB}


def modes(w: World) -> list[str]:
    """Of the workloads, in the order in which they were handed over."""
    found = sorted(w.store.all(workloads), key=lambda workload: workload.version)
    return [(c.log.options["mode"] if c.log else "") for workload in found for c in workload.containers]


async def test_logs_are_delivered_as_whoever_starts_the_task_has_set(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        root, alice = as_(w, "root", ROOT), as_(w, "role", "alice", ALICE)
        plain = {"executionRoleArn": SHIPS, "containerDefinitions": [container(logConfiguration=LOGGED)]}
        await root.register_task_definition(**definition(**plain))
        run = {"taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": NETWORK}
        await root.run_task(**run)
        await w.settle()
        assert modes(w) == ["non-blocking"]
        await root.put_account_setting_default(name="defaultLogDriverMode", value="blocking")
        await alice.put_account_setting(name="defaultLogDriverMode", value="non-blocking")
        await root.run_task(**run)
        await w.settle()
        await alice.run_task(**run)
        await w.settle()
        assert sorted(modes(w)) == ["blocking", "non-blocking", "non-blocking"]


async def test_a_services_tasks_go_by_who_made_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        session = as_(w, "role", f"arn:aws:sts::{ACCOUNT}:assumed-role/bob/one", BOB)
        await session.put_account_setting(name="defaultLogDriverMode", value="blocking")
        own = {**LOGGED, "options": {**TO_WEB, "mode": "non-blocking"}}
        containers = [container(logConfiguration=LOGGED), container("own", logConfiguration=own, portMappings=[])]
        await session.register_task_definition(**definition(executionRoleArn=SHIPS, containerDefinitions=containers))
        await session.create_service(
            serviceName="web",
            taskDefinition="web",
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
        )
        await w.settle()
        assert modes(w) == ["blocking", "non-blocking"]


async def test_pages_and_filters(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        root = as_(w, "root", ROOT)
        first = await root.list_account_settings(effectiveSettings=True)
        second = await root.list_account_settings(effectiveSettings=True, nextToken=first["nextToken"])
        assert [s["name"] for s in (*first["settings"], *second["settings"])] == sorted(DEFAULTS)
        found = await root.list_account_settings(effectiveSettings=True, name="guardDutyActivate", value="off")
        assert [s["type"] for s in found["settings"]] == ["aws_managed"]
        with pytest.raises(t.InvalidParameterException, match="name to filter by value"):
            await root.list_account_settings(value="off")
        with pytest.raises(t.InvalidParameterException, match="maxResults"):
            await root.list_account_settings(maxResults=11)


async def test_a_new_cluster_follows_the_setting(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        root = as_(w, "root", ROOT)
        await root.put_account_setting_default(name="containerInsights", value="enabled")
        made = (await root.create_cluster(clusterName="a"))["cluster"]
        assert made["settings"] == [{"name": "containerInsights", "value": "enabled"}]
        off = [{"name": "containerInsights", "value": "disabled"}]
        assert (await root.create_cluster(clusterName="b", settings=off))["cluster"]["settings"] == off
