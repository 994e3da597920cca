"""ARNs of both formats: the long ones are told, the short ones of 2018 are understood wherever an ARN is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.ecs.test_ecs_services import create
from tests.unit.services.ecs.test_ecs_task_sets import external, refused, task_set
from tests.unit.services.ecs.world import SCOPE, World, world

PREFIX = f"arn:aws:ecs:{SCOPE.region}:{SCOPE.account}"


async def ids(w: World) -> tuple[str, str, str]:
    """Short ARNs of a task, its service and an instance."""
    await create(w, desiredCount=1)
    (task,) = (await w.ecs.list_tasks())["taskArns"]
    return f"{PREFIX}:task/{task.rpartition('/')[2]}", f"{PREFIX}:service/web", f"{PREFIX}:container-instance/node-1"


async def test_what_is_told_names_the_cluster(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=1)
        (task,) = (await w.ecs.describe_tasks(tasks=(await w.ecs.list_tasks())["taskArns"]))["tasks"]
        assert task["taskArn"].startswith(f"{PREFIX}:task/default/")
        assert (await w.ecs.list_services())["serviceArns"] == [f"{PREFIX}:service/default/web"]
        assert (await w.ecs.list_container_instances())["containerInstanceArns"] == [
            f"{PREFIX}:container-instance/default/node-1"
        ]


async def test_short_arns_are_understood(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        task, service, instance = await ids(w)
        ecs = w.ecs
        assert (await ecs.describe_tasks(tasks=[task]))["failures"] == []
        assert (await ecs.describe_services(services=[service]))["failures"] == []
        assert (await ecs.describe_container_instances(containerInstances=[instance]))["failures"] == []
        assert (await ecs.list_tasks(containerInstance=instance))["taskArns"] == []  # it runs on Fargate
        assert (await ecs.update_service(service=service, desiredCount=1))["service"]["desiredCount"] == 1
        assert (await ecs.list_service_deployments(service=service))["serviceDeployments"]
        answer = await ecs.update_task_protection(cluster="default", tasks=[task], protectionEnabled=False)
        assert answer["failures"] == []
        assert (await ecs.get_task_protection(cluster="default", tasks=[task]))["failures"] == []
        attribute = {"name": "stack", "value": "x", "targetType": "container-instance", "targetId": instance}
        assert (await ecs.put_attributes(attributes=[attribute]))["attributes"]
        await ecs.update_container_instances_state(containerInstances=[instance], status="ACTIVE")
        assert (await ecs.stop_task(task=task))["task"]["desiredStatus"] == "STOPPED"
        assert (await ecs.delete_service(service=service, force=True))["service"]["status"] == "DRAINING"


async def test_an_arn_of_another_cluster_is_not_taken_for_one_of_this(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ids(w)
        await w.ecs.create_cluster(clusterName="other")
        asked = w.ecs.describe_services(cluster="other", services=[f"{PREFIX}:service/default/web"])
        await refused("InvalidParameterException", "Your cluster is other", asked)


@pytest.mark.parametrize(
    ("here", "elsewhere", "words"),
    [
        (SCOPE.region, "eu-west-3", "Invalid Region in ARN"),
        ("arn:aws:", "arn:aws-cn:", "Invalid Region in ARN"),
        (SCOPE.account, "210987654321", f"Identifier is for account 210987654321. Your account is {SCOPE.account}"),
    ],
)
async def test_an_arn_of_elsewhere_is_not_taken_for_what_has_its_name_here(
    tmp_path: Path, here: str, elsewhere: str, words: str
) -> None:
    async with world(tmp_path) as w:
        short, service, instance = (arn.replace(here, elsewhere) for arn in await ids(w))
        task = short.replace("task/", "task/default/")
        cluster, definition = (
            service.replace("service/web", of) for of in ("cluster/default", "task-definition/web:1")
        )
        provider = cluster.replace("cluster/default", "capacity-provider/FARGATE")
        before = w.store.seq
        for asked in (
            w.ecs.delete_cluster(cluster=cluster),
            w.ecs.describe_clusters(clusters=[cluster]),
            w.ecs.put_cluster_capacity_providers(
                cluster="default", capacityProviders=[provider], defaultCapacityProviderStrategy=[]
            ),
            w.ecs.deregister_task_definition(taskDefinition=definition),
            w.ecs.describe_task_definition(taskDefinition=definition),
            w.ecs.run_task(cluster=cluster, taskDefinition="web"),
            w.ecs.run_task(taskDefinition=definition),
            w.ecs.stop_task(task=task),
            w.ecs.stop_task(task=short),
            w.ecs.describe_tasks(tasks=[task]),
            w.ecs.describe_services(services=[service]),
            w.ecs.delete_service(service=service, force=True),
            w.ecs.deregister_container_instance(containerInstance=instance, force=True),
        ):
            await refused("InvalidParameterException", words, asked)
        assert w.store.seq == before


async def test_an_arn_made_of_an_arn(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        twice = f"{PREFIX}:cluster/{PREFIX}:cluster/default"
        for asked in (
            w.ecs.describe_clusters(clusters=[twice]),
            w.ecs.list_tasks(cluster=twice),
            w.ecs.describe_services(services=[f"{PREFIX}:service/a/b/c"]),
        ):
            await refused("InvalidParameterException", "Invalid identifier: Unexpected number of separators", asked)


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_tagging_wants_the_long_format(tmp_path: Path, which: int) -> None:
    async with world(tmp_path) as w:
        short = (await ids(w))[which]
        for operation, fields in (
            ("tag_resource", {"tags": [{"key": "a", "value": "b"}]}),
            ("untag_resource", {"tagKeys": ["a"]}),
            ("list_tags_for_resource", {}),
        ):
            asked = getattr(w.ecs, operation)(resourceArn=short, **fields)
            await refused("InvalidParameterException", "Long arn format must be used for tagging operations", asked)


async def test_task_sets_are_tagged_too(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 0)
        made = await task_set(w)
        team: dict[str, Any] = {"tags": [{"key": "team", "value": "web"}]}
        await w.ecs.tag_resource(resourceArn=made["taskSetArn"], **team)
        assert (await w.ecs.list_tags_for_resource(resourceArn=made["taskSetArn"]))["tags"] == team["tags"]
        gone = made["taskSetArn"].replace("ecs-svc/", "ecs-svc/9")
        await refused("ResourceNotFoundException", "not found", w.ecs.tag_resource(resourceArn=gone, **team))


async def test_services_by_namespace(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        asked = w.ecs.list_services_by_namespace(namespace="internal")
        await refused("NamespaceNotFoundException", "internal", asked)
        asked = w.ecs.list_services_by_namespace(namespace=f"{PREFIX}:cluster/default")
        await refused("InvalidParameterException", "not the ARN of a namespace", asked)
        await w.ecs.create_cluster(clusterName="a", serviceConnectDefaults={"namespace": "internal"})
        assert (await w.ecs.list_services_by_namespace(namespace="internal"))["serviceArns"] == []
