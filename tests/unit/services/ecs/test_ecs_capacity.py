"""Capacity providers: which strategies are valid, the exact shares, and the providers there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.aws.shapes import ecs as t
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


async def test_what_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        group = {"autoScalingGroupArn": "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:name/g"}
        with pytest.raises(t.UnsupportedFeatureException, match="autoScalingGroupProvider is not available"):
            await w.ecs.create_capacity_provider(name="mine", autoScalingGroupProvider=group)
        with pytest.raises(t.InvalidParameterException, match='cannot be prefixed with "aws", "ecs", or "fargate"'):
            await w.ecs.create_capacity_provider(name="Fargate2", autoScalingGroupProvider=group)
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
