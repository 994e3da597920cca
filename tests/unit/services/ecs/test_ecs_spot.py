"""Spot tasks give way to others: who, and how it is told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.plan.spot import CODE, REASON, Occupant, Room, giving_way
from tests.unit.services.ecs.world import NETWORK, SCOPE, World, definition, world

OCCUPANTS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 9)), max_size=6)
ROOMS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), OCCUPANTS), max_size=4)


def rooms(drawn: list[tuple[int, int, list[tuple[int, int, int]]]]) -> list[Room]:
    return [
        Room(
            node=f"n{n}",
            cpu=cpu,
            memory=memory,
            spot=tuple(
                Occupant(id=f"n{n}-{i}", cpu=c, memory=m, created_at=float(at)) for i, (c, m, at) in enumerate(spot)
            ),
        )
        for n, (cpu, memory, spot) in enumerate(drawn)
    ]


@given(st.integers(1, 5), st.integers(1, 5), ROOMS)
def test_whoever_goes_leaves_room_enough_and_nobody_goes_for_nothing(cpu: int, memory: int, drawn: Any) -> None:
    there = rooms(drawn)
    gone = giving_way(cpu, memory, 1, there)
    homes = {id_.partition("-")[0] for id_ in gone}
    fits = [room for room in there if room.cpu >= cpu and room.memory >= memory]
    if fits:
        assert gone == ()
        return
    could = [
        room
        for room in there
        if room.cpu + sum(o.cpu for o in room.spot) >= cpu and room.memory + sum(o.memory for o in room.spot) >= memory
    ]
    assert bool(gone) == bool(could)
    if not gone:
        return
    (home,) = homes
    (room,) = (room for room in there if room.node == home)
    left = [o for o in room.spot if o.id in gone]
    assert room.cpu + sum(o.cpu for o in left) >= cpu
    assert room.memory + sum(o.memory for o in left) >= memory
    stay = [o for o in room.spot if o.id not in gone]
    assert all(o.created_at >= s.created_at for o in left for s in stay), "the youngest go first"
    fewer = sorted(left, key=lambda o: (-o.created_at, o.id))[:-1]
    enough = room.cpu + sum(o.cpu for o in fewer) >= cpu and room.memory + sum(o.memory for o in fewer) >= memory
    assert not enough, "one of them went for nothing"


@given(st.integers(1, 4), ROOMS)
def test_nobody_goes_twice(count: int, drawn: Any) -> None:
    gone = giving_way(2, 2, count, rooms(drawn))
    assert len(set(gone)) == len(gone)


def test_what_is_free_is_given_once() -> None:
    spot = tuple(Occupant(id=f"s{n}", cpu=2, memory=2, created_at=float(n)) for n in range(3))
    assert giving_way(2, 2, 3, [Room(node="n", cpu=2, memory=2, spot=spot)]) == ("s2", "s1")


async def crowded(w: World) -> None:
    """The one node is full of Spot tasks: eight of them."""
    await w.ecs.create_cluster(clusterName="c")
    await w.ecs.put_cluster_capacity_providers(
        cluster="c", capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    await w.ecs.register_task_definition(**definition(cpu="256", memory="512"))
    w.change_node("node-1", cpu=32)  # eight of them: a Fargate task reserves a part of its size
    ran = await w.ecs.run_task(
        cluster="c",
        taskDefinition="web",
        count=8,
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        networkConfiguration=NETWORK,
    )
    assert len(ran["tasks"]) == 8
    await w.settle()


def interrupted(w: World) -> int:
    return sum(task.stop_code == CODE and task.stopped_reason == REASON for task in w.store.all(tasks))


async def test_a_task_on_demand_displaces_one_of_spot_and_is_told_to_try_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await crowded(w)
        asked: dict[str, Any] = {
            "cluster": "c",
            "taskDefinition": "web",
            "count": 2,
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
        }
        w.auto = False  # what is interrupted takes its time
        first = await w.ecs.run_task(**asked)
        assert first["tasks"] == []
        assert "2 Spot tasks are being interrupted to make room: try again" in first["failures"][0]["detail"]
        again = await w.ecs.run_task(**asked)
        assert interrupted(w) == 2, "what is ending leaves room enough"
        assert "Spot" not in again["failures"][0]["detail"]
        for task in w.store.all(tasks):
            if task.desired == "STOPPED":
                w.report(task.id, "stopped")
        await w.settle()
        assert len((await w.ecs.run_task(**asked))["tasks"]) == 2


async def test_a_service_on_demand_gets_its_room_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await crowded(w)
        await w.ecs.create_service(
            cluster="c",
            serviceName="s",
            taskDefinition="web",
            desiredCount=3,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
        )
        await w.settle()
        states = Counter((task.capacity_provider, task.status) for task in w.store.all(tasks))
        assert states == {("FARGATE_SPOT", "RUNNING"): 5, ("FARGATE_SPOT", "STOPPED"): 3, ("", "RUNNING"): 3}
        assert interrupted(w) == 3


async def test_spot_does_not_displace_spot(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await crowded(w)
        ran = await w.ecs.run_task(
            cluster="c",
            taskDefinition="web",
            capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
            networkConfiguration=NETWORK,
        )
        assert len(ran["failures"]) == 1
        assert interrupted(w) == 0


async def test_a_task_that_could_not_run_there_anyway_displaces_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await crowded(w)
        await w.ecs.register_task_definition(**definition("arm", runtimePlatform={"cpuArchitecture": "ARM64"}))
        ran = await w.ecs.run_task(
            cluster="c", taskDefinition="arm", launchType="FARGATE", networkConfiguration=NETWORK
        )
        assert len(ran["failures"]) == 1
        assert interrupted(w) == 0


async def test_an_interrupted_task_is_described_as_such(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await crowded(w)
        await w.ecs.run_task(cluster="c", taskDefinition="web", launchType="FARGATE", networkConfiguration=NETWORK)
        await w.settle()
        (one,) = (task for task in w.store.all(tasks) if task.stop_code == CODE)
        told = (await w.ecs.describe_tasks(cluster="c", tasks=[one.id]))["tasks"][0]
        assert (told["stopCode"], told["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")
        assert one.scope == SCOPE
