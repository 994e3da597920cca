"""Clusters, capacity providers, container instances, account settings."""

from collections import Counter
from pathlib import Path

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model.cluster import clusters
from hatoba.services.ecs.plan.capacity import providers
from tests.unit.services.ecs.world import NETWORK, definition, world


async def test_the_life_of_a_cluster(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        made = (await w.ecs.create_cluster(clusterName="blue", tags=[{"key": "a", "value": "b"}]))["cluster"]
        assert (made["status"], made["tags"]) == ("ACTIVE", [{"key": "a", "value": "b"}])
        again = (await w.ecs.create_cluster(clusterName="blue"))["cluster"]
        assert again == made
        await w.ecs.update_cluster_settings(
            cluster="blue", settings=[{"name": "containerInsights", "value": "enabled"}]
        )
        answer = await w.ecs.describe_clusters(
            clusters=["blue", "red", made["clusterArn"]], include=["SETTINGS", "STATISTICS", "TAGS", "ATTACHMENTS"]
        )
        (failure,) = answer["failures"]
        assert failure == {"arn": made["clusterArn"].replace("blue", "red"), "reason": "MISSING"}
        assert answer["clusters"][0]["settings"] == [{"name": "containerInsights", "value": "enabled"}]
        assert {"name": "runningFargateTasksCount", "value": "0"} in answer["clusters"][0]["statistics"]
        assert (await w.ecs.list_clusters())["clusterArns"] == [made["clusterArn"]]
        deleted = (await w.ecs.delete_cluster(cluster="blue"))["cluster"]
        assert deleted["status"] == "INACTIVE"
        assert (await w.ecs.list_clusters())["clusterArns"] == []
        assert deleted["registeredContainerInstancesCount"] == 0
        for asked in (w.ecs.delete_cluster(cluster="blue"), w.ecs.list_services(cluster="blue")):
            with pytest.raises(t.ClusterNotFoundException, match="The referenced cluster was inactive"):
                await asked
        with pytest.raises(t.ClusterNotFoundException, match="Cluster not found"):
            await w.ecs.list_services(cluster="red")
        assert (await w.ecs.create_cluster(clusterName="blue"))["cluster"]["status"] == "ACTIVE"
        with pytest.raises(t.InvalidParameterException):
            await w.ecs.create_cluster(clusterName="no good")


async def test_the_default_cluster_is_there_when_it_is_used(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        assert (await w.ecs.list_tasks())["taskArns"] == []
        assert w.store.all(clusters) == []  # reading makes nothing
        (cluster,) = (await w.ecs.describe_clusters())["clusters"]
        assert (cluster["clusterName"], cluster["registeredContainerInstancesCount"]) == ("default", 1)


async def test_a_cluster_that_is_used_is_not_deleted(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition())
        start = {"taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": NETWORK}
        (task,) = (await w.ecs.run_task(**start))["tasks"]
        await w.settle()
        (cluster,) = (await w.ecs.describe_clusters(include=["STATISTICS"]))["clusters"]
        assert cluster["runningTasksCount"] == 1
        with pytest.raises(t.ClusterContainsTasksException):
            await w.ecs.delete_cluster(cluster="default")
        await w.ecs.stop_task(task=task["taskArn"])
        await w.settle()
        await w.ecs.create_service(serviceName="web", desiredCount=0, **start)
        with pytest.raises(t.ClusterContainsServicesException):
            await w.ecs.delete_cluster(cluster="default")
        await w.ecs.delete_service(service="web")
        await w.settle()
        await w.ecs.delete_cluster(cluster="default")


async def test_capacity_providers(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.create_cluster(clusterName="spot")
        await w.ecs.put_cluster_capacity_providers(
            cluster="spot",
            capacityProviders=["FARGATE", "FARGATE_SPOT"],
            defaultCapacityProviderStrategy=[
                {"capacityProvider": "FARGATE", "base": 1},
                {"capacityProvider": "FARGATE_SPOT", "weight": 1},
            ],
        )
        await w.ecs.register_task_definition(**definition())
        ran = await w.ecs.run_task(cluster="spot", taskDefinition="web", count=3, networkConfiguration=NETWORK)
        assert [task["capacityProviderName"] for task in ran["tasks"]] == ["FARGATE", "FARGATE_SPOT", "FARGATE_SPOT"]
        assert {task["launchType"] for task in ran["tasks"]} == {"FARGATE"}
        await w.ecs.create_service(
            cluster="spot", serviceName="web", taskDefinition="web", desiredCount=3, networkConfiguration=NETWORK
        )
        await w.settle()
        arns = (await w.ecs.list_tasks(cluster="spot", serviceName="web"))["taskArns"]
        tasks = (await w.ecs.describe_tasks(cluster="spot", tasks=arns))["tasks"]
        assert Counter(task["capacityProviderName"] for task in tasks) == {"FARGATE": 1, "FARGATE_SPOT": 2}
        with pytest.raises(t.InvalidParameterException, match="not associated with the cluster"):
            await w.ecs.run_task(
                taskDefinition="web",
                capacityProviderStrategy=[{"capacityProvider": "FARGATE"}],
                networkConfiguration=NETWORK,
            )
        answer = await w.ecs.describe_capacity_providers(capacityProviders=["FARGATE", "mine"])
        assert [found["name"] for found in answer["capacityProviders"]] == ["FARGATE"]
        assert answer["failures"][0]["reason"] == "MISSING"


def test_a_strategy_by_weights() -> None:
    strategy = [{"capacityProvider": "a", "weight": 1, "base": 2}, {"capacityProvider": "b", "weight": 3}]
    chosen = providers(strategy, (), 10)
    assert chosen[:2] == ["a", "a"]
    assert chosen.count("b") == 6
    assert providers(strategy, ["a", "a", "a", "b", "b"], 1) == ["b"]
    assert providers(strategy, ["b"] * 9, 3) == ["a", "a", "a"]
    assert providers((), (), 2) == ["", ""]


async def test_container_instances(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2", cpu=1024)
        w.change_node("node-2", schedulable=False)
        arns = (await w.ecs.list_container_instances())["containerInstanceArns"]
        assert [arn.rpartition("/")[2] for arn in arns] == ["node-1", "node-2"]
        assert (await w.ecs.list_container_instances(status="DRAINING"))["containerInstanceArns"] == arns[1:]
        answer = await w.ecs.describe_container_instances(containerInstances=[*arns, "node-9"])
        assert [found["status"] for found in answer["containerInstances"]] == ["ACTIVE", "DRAINING"]
        cpu = answer["containerInstances"][1]["registeredResources"][0]
        assert (cpu["name"], cpu["integerValue"]) == ("CPU", 1024)
        assert answer["failures"][0]["reason"] == "MISSING"
