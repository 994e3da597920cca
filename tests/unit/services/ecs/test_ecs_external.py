"""Services that somebody else deploys: what may be said and changed of them, and how they change hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.task_set import task_sets
from tests.unit.services.ecs import test_ecs_shifts as shifts
from tests.unit.services.ecs.test_ecs_services import BALANCED, create, described
from tests.unit.services.ecs.test_ecs_task_sets import change, external, refused, running, task_set
from tests.unit.services.ecs.world import NETWORK, definition, world

ONLY_EXTERNAL = (
    "Amazon ECS only supports task set management on services configured to use external deployment controllers."
)
SEVERAL = (
    "Updating the deployment controller is not supported when there are multiple tasksets in the service. Please "
    "ensure your service has only one taskset and try again."
)


# --- the service alone


async def test_a_service_without_task_sets_runs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        made = await external(w, healthCheckGracePeriodSeconds=30)
        assert made["deploymentController"] == {"type": "EXTERNAL"}
        assert made["taskSets"] == made["deployments"] == made["loadBalancers"] == []
        assert not {"taskDefinition", "launchType", "networkConfiguration", "currentServiceDeployment"} & set(made)
        assert (await described(w))["healthCheckGracePeriodSeconds"] == 30
        assert w.store.all(tasks) == []
        assert (await w.ecs.list_services(launchType="FARGATE"))["serviceArns"] == []
        assert len((await w.ecs.list_services())["serviceArns"]) == 1
        (cluster,) = (await w.ecs.describe_clusters(include=["STATISTICS"]))["clusters"]
        assert cluster["activeServicesCount"] == 1


async def test_only_the_name_is_needed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        made = (await w.ecs.create_service(serviceName="web", deploymentController={"type": "EXTERNAL"}))["service"]
        assert (made["desiredCount"], made["schedulingStrategy"]) == (0, "REPLICA")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"taskDefinition": "web"}, "TaskDefinition must be blank."),
        ({"launchType": "FARGATE"}, "LaunchType must be blank."),
        ({"loadBalancers": BALANCED}, "LoadBalancers must be blank."),
        ({"networkConfiguration": NETWORK}, "NetworkConfiguration must be blank."),
        ({"schedulingStrategy": "DAEMON"}, "The EXTERNAL deployment controller type is not supported for services"),
        (
            {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}},
            "Deployment circuit breaker feature is only supported with ECS deployment controller.",
        ),
    ],
)
async def test_what_belongs_to_task_sets_is_not_said_of_the_service(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    async with world(tmp_path) as w:
        asked = w.ecs.create_service(serviceName="web", deploymentController={"type": "EXTERNAL"}, **fields)
        await refused("InvalidParameterException", words, asked)


async def test_task_sets_are_for_external_controllers_only(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        for operation, fields in (
            ("create_task_set", {"taskDefinition": "web"}),
            ("describe_task_sets", {}),
            ("delete_task_set", {"taskSet": "ecs-svc/1"}),
        ):
            asked = getattr(w.ecs, operation)(cluster="default", service="web", **fields)
            await refused("InvalidParameterException", ONLY_EXTERNAL, asked)


# --- what may be changed of the service


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"taskDefinition": "new"}, "Unable to update task definition on services with an EXTERNAL deployment"),
        ({"networkConfiguration": NETWORK}, "Unable to update network parameters on services with an EXTERNAL"),
        ({"loadBalancers": BALANCED}, "Unable to update load balancers on services with an EXTERNAL"),
        ({"forceNewDeployment": True}, "Cannot force a new deployment on services with an EXTERNAL"),
        ({"deploymentConfiguration": {"maximumPercent": 150}}, "Unable to update deployment configuration"),
    ],
)
async def test_what_task_sets_decide_is_not_updated(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    async with world(tmp_path) as w:
        await external(w)
        await refused("InvalidParameterException", words, w.ecs.update_service(service="web", **fields))


async def test_what_may_be_updated_is(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w)
        after = await w.ecs.update_service(
            service="web",
            desiredCount=7,
            healthCheckGracePeriodSeconds=9,
            enableECSManagedTags=True,
            propagateTags="SERVICE",
            placementStrategy=[{"type": "random"}],
        )
        shown = after["service"]
        assert (shown["desiredCount"], shown["healthCheckGracePeriodSeconds"]) == (7, 9)
        assert (shown["enableECSManagedTags"], shown["propagateTags"]) == (True, "SERVICE")
        assert shown["placementStrategy"] == [{"type": "random"}]


# --- CODE_DEPLOY, and changing hands


async def test_codedeploy_starts_with_a_primary_task_set(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        made = await create(w, loadBalancers=BALANCED, deploymentController={"type": "CODE_DEPLOY"})
        (blue,) = made["taskSets"]
        assert (blue["status"], blue["scale"]["value"]) == ("PRIMARY", 100.0)
        assert (made["deployments"], made["deploymentController"]) == ([], {"type": "CODE_DEPLOY"})
        shown = await described(w)
        assert (shown["runningCount"], shown["taskSets"][0]["stabilityStatus"]) == (2, "STEADY_STATE")
        words = (
            "Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy "
            "to trigger a new deployment."
        )
        asked = w.ecs.update_service(service="web", taskDefinition="web")
        await refused("InvalidParameterException", words, asked)
        await w.ecs.update_service(service="web", deploymentConfiguration={"maximumPercent": 150})
        green = await task_set(w, externalId="d-123")
        assert (green["startedBy"], green["externalId"]) == ("CODE_DEPLOY", "d-123")
        assert len(running(w, green["id"])) == 2


async def test_codedeploy_needs_a_load_balancer(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        asked = create(w, deploymentController={"type": "CODE_DEPLOY"})
        await refused("InvalidParameterException", "must use an Application Load Balancer", asked)


async def test_a_service_is_handed_over_and_taken_back_while_its_tasks_run(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        before = {t.id for t in w.store.all(tasks)}
        given = (await w.ecs.update_service(service="web", deploymentController={"type": "EXTERNAL"}))["service"]
        (blue,) = given["taskSets"]
        assert (blue["status"], blue["computedDesiredCount"], given["deployments"]) == ("PRIMARY", 2, [])
        await w.settle()
        assert set(running(w, blue["id"])) == before
        back = (await w.ecs.update_service(service="web", deploymentController={"type": "ECS"}))["service"]
        (deployment,) = back["deployments"]
        assert (deployment["id"], deployment["status"]) == (blue["id"], "PRIMARY")
        assert "taskSets" not in back
        await w.settle()
        assert set(running(w, blue["id"])) == before
        assert w.store.all(task_sets) == []


async def test_what_shifts_traffic_is_left_behind(tmp_path: Path) -> None:
    """A service that has been through a blue/green deployment, with the roles of its groups changed."""
    async with world(tmp_path) as w:
        await shifts.start(w)
        await w.ecs.register_task_definition(**definition())
        await w.ecs.update_service(service="web", taskDefinition="web")
        await w.settle()
        await shifts.over(w)
        await w.pass_time(5)
        before = {t.id: [x.group for x in t.targets] for t in w.store.all(tasks) if t.status == "RUNNING"}
        given = (await w.ecs.update_service(service="web", deploymentController={"type": "EXTERNAL"}))["service"]
        (blue,) = given["taskSets"]
        assert [b["targetGroupArn"] for b in blue["loadBalancers"]] == next(iter(before.values()))
        assert "advancedConfiguration" not in blue["loadBalancers"][0]
        assert given["deploymentConfiguration"]["strategy"] == "ROLLING"
        await w.settle()
        assert {t.id for t in w.store.all(tasks) if t.status == "RUNNING"} == set(before)


async def test_taking_back_may_bring_a_new_version(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 2)
        blue = await task_set(w)
        await change(w, "update_service_primary_task_set", primaryTaskSet=blue["id"])
        await w.ecs.update_service(service="web", deploymentController={"type": "ECS"}, taskDefinition="new")
        await w.settle()
        shown = await described(w)
        assert shown["taskDefinition"].endswith("/new:1")
        assert len(shown["deployments"]) == 1
        assert running(w, blue["id"]) == []
        assert shown["runningCount"] == 2


async def test_changing_hands_wants_one_primary_task_set(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        back = {"service": "web", "deploymentController": {"type": "ECS"}}
        await refused("InvalidParameterException", "requires a primary taskset", w.ecs.update_service(**back))
        blue = await task_set(w)
        await refused("InvalidParameterException", "requires a primary taskset", w.ecs.update_service(**back))
        await change(w, "update_service_primary_task_set", primaryTaskSet=blue["id"])
        await task_set(w, family="new")
        await refused("InvalidParameterException", SEVERAL, w.ecs.update_service(**back))


async def test_a_service_in_the_middle_of_a_rollout_is_not_handed_over(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        w.auto = False
        await w.ecs.update_service(service="web", forceNewDeployment=True)
        asked = w.ecs.update_service(service="web", deploymentController={"type": "EXTERNAL"})
        await refused("InvalidParameterException", SEVERAL, asked)
