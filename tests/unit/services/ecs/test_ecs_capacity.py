"""Capacity providers: which strategies are valid, the exact shares, and the providers there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.aws.shapes import ecs as t
from hatoba.fleet import model as fleet
from hatoba.services.ecs.plan.capacity import checked, providers, usable
from tests.unit.services.ecs.world import NETWORK, World, definition, world


def item(name: str, **fields: int) -> dict[str, Any]:
    return {"capacityProvider": name, **fields}


STRATEGIES = st.lists(st.integers(0, 9), min_size=1, max_size=4).flatmap(
    lambda weights: st.tuples(st.just(weights), st.integers(0, len(weights) - 1), st.integers(0, 12))
)


@given(STRATEGIES, st.integers(0, 60), st.integers(0, 60))
@settings(deadline=None)
def test_bases_are_filled_and_the_rest_is_shared_exactly(
    drawn: tuple[list[int], int, int], count: int, rounds: int
) -> None:
    weights, based, base = drawn
    strategy = [item(f"p{n}", weight=weight, base=base if n == based else 0) for n, weight in enumerate(weights)]
    chosen = providers(strategy, (), count)
    taken = Counter(chosen)
    assert len(chosen) == count
    assert chosen[: min(base, count)] == [f"p{based}"] * min(base, count)
    whole = sum(weights)
    if whole:
        # Whole rounds of the weights are shared out to the task; in between everybody has its share, rounded down.
        shared = Counter(providers(strategy, (), base + rounds % 8 * whole))
        assert [shared[f"p{n}"] for n in range(len(weights))] == [
            (base if n == based else 0) + rounds % 8 * weight for n, weight in enumerate(weights)
        ]
        for n, weight in enumerate(weights):
            beyond = taken[f"p{n}"] - (min(base, count) if n == based else 0)
            assert beyond >= max(0, count - base) * weight // whole
            assert weight or beyond == 0
    # Deciding one at a time, or after a restart, comes to the same.
    there: list[str] = []
    for _ in range(min(count, 20)):
        there += providers(strategy, there, 1)
    assert there == chosen[:20]


def test_great_numbers_are_shared_exactly_too() -> None:
    taken = Counter(providers([item("a", weight=1), item("b", weight=999, base=7)], ["b"] * 99_907, 1))
    assert taken == {"a": 1}
    assert providers([item("a", weight=1), item("b", weight=1)], (), 3) == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ([item("a", base=1, weight=1), item("b", base=1, weight=1)], "Only one capacity provider"),
        ([item("a", weight=1), item("a", weight=1)], "twice"),
        ([item(f"p{n}", weight=1) for n in range(21)], "at most 20"),
        ([item("a"), item("b")], "weight greater than 0"),
    ],
)
def test_strategies_that_are_refused(strategy: Any, why: str) -> None:
    with pytest.raises(t.InvalidParameterException, match=why):
        usable(strategy)


def test_strategies_that_are_not() -> None:
    assert usable([item("a")]) == (item("a", weight=0, base=0),)
    assert len(checked([item("a"), item("b")])) == 2  # a cluster may have it as its default; nothing runs by it


async def put(w: World, providers_: list[str], strategy: list[dict[str, Any]]) -> Any:
    return await w.ecs.put_cluster_capacity_providers(
        cluster="c", capacityProviders=providers_, defaultCapacityProviderStrategy=strategy
    )


async def test_a_clusters_providers(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.create_cluster(clusterName="c")
        await w.ecs.register_task_definition(**definition())
        arn = (await w.ecs.describe_capacity_providers())["capacityProviders"][0]["capacityProviderArn"]
        both = [item("FARGATE", base=1, weight=1), item("FARGATE_SPOT", weight=3)]
        answer = await put(w, [arn, "FARGATE_SPOT"], both)
        assert answer["cluster"]["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
        for wrong, why in (
            (["FARGATE", "mine"], "'mine' does not exist"),
            (["FARGATE"], "not associated with the cluster"),
        ):
            with pytest.raises(t.InvalidParameterException, match=why):
                await put(w, wrong, both)
        ran = await w.ecs.run_task(cluster="c", taskDefinition="web", count=9, networkConfiguration=NETWORK)
        assert Counter(task["capacityProviderName"] for task in ran["tasks"]) == {"FARGATE": 3, "FARGATE_SPOT": 6}
        with pytest.raises(t.ResourceInUseException):
            await put(w, ["FARGATE"], [])
        for task in ran["tasks"]:
            await w.ecs.stop_task(cluster="c", task=task["taskArn"])
        await put(w, ["FARGATE"], [])
        await w.ecs.create_service(
            cluster="c",
            serviceName="web",
            taskDefinition="web",
            desiredCount=0,
            capacityProviderStrategy=[item("FARGATE")],
            networkConfiguration=NETWORK,
        )
        with pytest.raises(t.ResourceInUseException):
            await put(w, [], [])


async def test_a_strategy_of_nothing_but_zeros_runs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.create_cluster(clusterName="c")
        await w.ecs.register_task_definition(**definition())
        await put(w, ["FARGATE", "FARGATE_SPOT"], [item("FARGATE"), item("FARGATE_SPOT")])
        with pytest.raises(t.InvalidParameterException, match="weight greater than 0"):
            await w.ecs.run_task(cluster="c", taskDefinition="web", networkConfiguration=NETWORK)


GROUP_ARN = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:uuid:autoScalingGroupName/workers"
GROUP = {"autoScalingGroupArn": GROUP_ARN}
SMALL = {
    "family": "small",
    "networkMode": "host",
    "containerDefinitions": [{"name": "web", "image": "localhost:4566/web:1", "memory": 64}],
}


async def test_what_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        scaled = {**GROUP, "managedScaling": {"status": "ENABLED"}}
        with pytest.raises(t.UnsupportedFeatureException, match="Managed scaling is not available"):
            await w.ecs.create_capacity_provider(name="mine", autoScalingGroupProvider=scaled)
        protected = {**GROUP, "managedTerminationProtection": "ENABLED"}
        with pytest.raises(t.InvalidParameterException, match="managed scaling must be enabled"):
            await w.ecs.create_capacity_provider(name="mine", autoScalingGroupProvider=protected)
        with pytest.raises(t.InvalidParameterException, match="Auto Scaling group ARN is not valid"):
            await w.ecs.create_capacity_provider(
                name="mine", autoScalingGroupProvider={"autoScalingGroupArn": "workers"}
            )
        with pytest.raises(t.InvalidParameterException, match='cannot be prefixed with "aws", "ecs", or "fargate"'):
            await w.ecs.create_capacity_provider(name="Fargate2", autoScalingGroupProvider=GROUP)
        with pytest.raises(t.InvalidParameterException, match="needs either"):
            await w.ecs.create_capacity_provider(name="mine")
        with pytest.raises(t.InvalidParameterException, match="FARGATE is reserved and cannot be deleted"):
            await w.ecs.delete_capacity_provider(capacityProvider="FARGATE")
        with pytest.raises(t.InvalidParameterException, match="'mine' does not exist"):
            await w.ecs.update_capacity_provider(name="mine")
        first = await w.ecs.describe_capacity_providers(maxResults=1)
        second = await w.ecs.describe_capacity_providers(maxResults=1, nextToken=first["nextToken"])
        assert [a["capacityProviders"][0]["name"] for a in (first, second)] == ["FARGATE", "FARGATE_SPOT"]
        assert "nextToken" not in second


async def test_a_provider_of_a_group_from_its_making_to_its_end(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        tags = [{"key": "team", "value": "red"}]
        made = await w.ecs.create_capacity_provider(name="workers", autoScalingGroupProvider=GROUP, tags=tags)
        provider = made["capacityProvider"]
        assert (provider["status"], provider["type"], provider["tags"]) == ("ACTIVE", "EC2_AUTOSCALING", tags)
        settings_ = provider["autoScalingGroupProvider"]
        assert settings_["managedScaling"]["status"] == "DISABLED"
        assert settings_["managedDraining"] == "ENABLED"
        with pytest.raises(t.InvalidParameterException, match="already exists"):
            await w.ecs.create_capacity_provider(name="workers", autoScalingGroupProvider=GROUP)
        changed = await w.ecs.update_capacity_provider(
            name="workers", autoScalingGroupProvider={"managedDraining": "DISABLED"}
        )
        assert changed["capacityProvider"]["autoScalingGroupProvider"]["managedDraining"] == "DISABLED"
        await w.ecs.create_cluster(clusterName="c")
        await put(w, ["workers"], [])
        with pytest.raises(t.InvalidParameterException, match="associated with a cluster \\(c\\)"):
            await w.ecs.delete_capacity_provider(capacityProvider=provider["capacityProviderArn"])
        await put(w, [], [])
        deleted = await w.ecs.delete_capacity_provider(capacityProvider=provider["capacityProviderArn"])
        assert deleted["capacityProvider"]["updateStatus"] == "DELETE_COMPLETE"
        found = await w.ecs.describe_capacity_providers(capacityProviders=["workers"])
        assert (found["capacityProviders"], [f["reason"] for f in found["failures"]]) == ([], ["MISSING"])


async def grouped(w: World) -> None:
    """Two providers with a node each, and one node that is of none."""
    w.add_node("node-2")
    w.add_node("node-3")
    w.change_node("node-2", attributes={"hatoba.group": "workers"})
    await w.ecs.create_cluster(clusterName="c")
    await w.ecs.put_attributes(
        cluster="c", attributes=[{"name": "hatoba.group", "value": "others", "targetId": "node-3"}]
    )
    await w.ecs.create_capacity_provider(name="workers", autoScalingGroupProvider=GROUP)
    await w.ecs.create_capacity_provider(
        name="others", autoScalingGroupProvider={"autoScalingGroupArn": GROUP_ARN.replace("workers", "others")}
    )
    await put(w, ["workers", "others", "FARGATE"], [])
    await w.ecs.register_task_definition(**SMALL)


def where(tasks: list[Any]) -> Counter[tuple[str, str]]:
    return Counter((task["capacityProviderName"], task["containerInstanceArn"].rpartition("/")[2]) for task in tasks)


async def test_tasks_go_to_the_instances_of_their_provider(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await grouped(w)
        strategy = [item("workers", base=2, weight=1), item("others", weight=1)]
        ran = await w.ecs.run_task(cluster="c", taskDefinition="small", count=6, capacityProviderStrategy=strategy)
        assert where(ran["tasks"]) == {("workers", "node-2"): 4, ("others", "node-3"): 2}
        assert {task["launchType"] for task in ran["tasks"]} == {"EC2"}
        listed = await w.ecs.describe_container_instances(cluster="c", containerInstances=["node-2", "node-1"])
        names = [one.get("capacityProviderName") for one in listed["containerInstances"]]
        assert names == ["workers", None]
        await w.ecs.create_service(
            cluster="c",
            serviceName="s",
            taskDefinition="small",
            desiredCount=4,
            capacityProviderStrategy=[item("others", weight=1)],
        )
        await w.settle()
        arns = (await w.ecs.list_tasks(cluster="c", serviceName="s"))["taskArns"]
        served = (await w.ecs.describe_tasks(cluster="c", tasks=arns))["tasks"]
        assert where(served) == {("others", "node-3"): 4}


async def test_a_group_without_room_is_not_helped_out_by_others(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await grouped(w)
        w.change_node("node-3", memory=100 << 20)
        ran = await w.ecs.run_task(
            cluster="c", taskDefinition="small", count=3, capacityProviderStrategy=[item("others", weight=1)]
        )
        assert where(ran["tasks"]) == {("others", "node-3"): 1}
        assert len(ran["failures"]) == 2
        assert "attribute:hatoba.group == others" in ran["failures"][0]["detail"]


async def test_fargate_and_groups_do_not_mix(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await grouped(w)
        with pytest.raises(t.InvalidParameterException, match="cannot contain a mix of capacity providers"):
            await w.ecs.run_task(
                cluster="c",
                taskDefinition="small",
                capacityProviderStrategy=[item("workers", weight=1), item("FARGATE", weight=1)],
            )


async def test_external_nodes_take_external_tasks_and_no_others(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("far")
        w.change_node("far", attributes={"ecs.capability.external": ""})
        await w.ecs.create_cluster(clusterName="c")
        await w.ecs.register_task_definition(**SMALL)
        await w.ecs.register_task_definition(**definition())

        async def nodes_of(**asked: Any) -> set[str]:
            ran = await w.ecs.run_task(cluster="c", count=4, **asked)
            assert ran["failures"] == []
            ids = [task["taskArn"].rpartition("/")[2] for task in ran["tasks"]]
            await w.settle()
            return {workload.node for workload in w.store.all(fleet.workloads) if workload.id in ids}

        assert await nodes_of(taskDefinition="small", launchType="EXTERNAL") == {"far"}
        assert await nodes_of(taskDefinition="small", launchType="EC2") == {"node-1"}
        assert await nodes_of(taskDefinition="web", launchType="FARGATE", networkConfiguration=NETWORK) == {"node-1"}
        (there,) = (await w.ecs.describe_container_instances(cluster="c", containerInstances=["far"]))[
            "containerInstances"
        ]
        assert there["runningTasksCount"] == 4
        with pytest.raises(t.InvalidParameterException, match="does not support launch_type EXTERNAL"):
            await w.ecs.run_task(cluster="c", taskDefinition="web", launchType="EXTERNAL", networkConfiguration=NETWORK)
        balanced: dict[str, Any] = {
            "cluster": "c",
            "taskDefinition": "small",
            "launchType": "EXTERNAL",
            "loadBalancers": [{"targetGroupArn": "g", "containerName": "web", "containerPort": 8080}],
        }
        with pytest.raises(t.InvalidParameterException, match="load balancing is not supported"):
            await w.ecs.create_service(serviceName="s", desiredCount=1, **balanced)
        await w.ecs.create_service(cluster="c", serviceName="s", deploymentController={"type": "EXTERNAL"})
        with pytest.raises(t.InvalidParameterException, match="load balancing is not supported"):
            await w.ecs.create_task_set(service="s", **balanced)
