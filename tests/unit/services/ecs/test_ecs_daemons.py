"""Daemons: one task on every instance that is there for them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.services.ecs.model.service import Deployment, Percents, Revision, Service, services
from hatoba.services.ecs.model.task import Task, tasks
from hatoba.services.ecs.plan.rollout import arith
from hatoba.services.ecs.plan.rollout.daemon import daemon_moves, sized
from hatoba.services.ecs.plan.rollout.seen import Seen, see
from tests.unit.services.ecs.test_ecs_placement import register, running
from tests.unit.services.ecs.world import NETWORK, World, definition, world


async def start(w: World, **fields: Any) -> Any:
    asked = {"serviceName": "agent", "taskDefinition": "ec2", "schedulingStrategy": "DAEMON", **fields}
    answer = await w.ecs.create_service(**asked)
    await w.settle()
    return answer["service"]


async def described(w: World) -> Any:
    return (await w.ecs.describe_services(services=["agent"]))["services"][0]


async def test_one_on_each_instance_as_they_come_and_go(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        await register(w)
        made = await start(w)
        assert made["schedulingStrategy"] == "DAEMON"
        assert await running(w, "agent") == {"node-1": 1, "node-2": 1}
        w.add_node("node-3")
        await w.settle()
        assert await running(w, "agent") == {"node-1": 1, "node-2": 1, "node-3": 1}
        await w.ecs.update_container_instances_state(containerInstances=["node-1"], status="DRAINING")
        w.change_node("node-2", state="lost", seen_at=1.0)
        await w.settle()
        assert await running(w, "agent") == {"node-3": 1}
        service = await described(w)
        assert (service["desiredCount"], service["runningCount"]) == (1, 1)
        await w.ecs.update_container_instances_state(containerInstances=["node-1"], status="ACTIVE")
        w.change_node("node-2", state="ready")
        await w.settle()
        assert await running(w, "agent") == {"node-1": 1, "node-2": 1, "node-3": 1}
        assert (await described(w))["deployments"][0]["rolloutState"] == "COMPLETED"
        assert len((await w.ecs.list_services(schedulingStrategy="DAEMON"))["serviceArns"]) == 1
        assert (await w.ecs.list_services(schedulingStrategy="REPLICA"))["serviceArns"] == []
        await w.ecs.delete_service(service="agent")  # its count cannot be set to nothing, so it need not be
        await w.settle()
        assert await running(w, "agent") == {}


async def test_a_daemon_keeps_to_its_constraints(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        await register(w)
        await start(w, placementConstraints=[{"type": "memberOf", "expression": "attribute:gpu exists"}])
        assert (await described(w))["desiredCount"] == 0
        await w.ecs.put_attributes(attributes=[{"name": "gpu", "targetId": "node-2"}])
        await w.settle()
        assert await running(w, "agent") == {"node-2": 1}
        await w.ecs.delete_attributes(attributes=[{"name": "gpu", "targetId": "node-2"}])
        await w.settle()
        assert await running(w, "agent") == {}


async def test_a_full_instance_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        w.add_node("node-0", cpu=100)
        await register(w)
        await start(w)
        assert await running(w, "agent") == {"node-1": 1, "node-2": 1}
        service = await described(w)
        assert service["desiredCount"] == 3
        assert any("node-0) has insufficient CPU units available" in e["message"] for e in service["events"])
        w.change_node("node-0", cpu=2048)
        await w.settle()
        assert await running(w, "agent") == {"node-1": 1, "node-2": 1, "node-0": 1}


async def test_a_new_version_takes_the_place_of_the_old_one_on_each_instance(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        await register(w)
        await start(w)
        before = set((await w.ecs.list_tasks(serviceName="agent"))["taskArns"])
        await register(w)
        await w.ecs.update_service(service="agent", taskDefinition="ec2")
        await w.settle()
        assert await running(w, "agent") == {"node-1": 1, "node-2": 1}
        assert not before & set((await w.ecs.list_tasks(serviceName="agent"))["taskArns"])
        assert len((await described(w))["deployments"]) == 1


async def test_what_a_daemon_cannot_be(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await register(w)
        await w.ecs.register_task_definition(**definition())
        for fields, why in (
            ({"desiredCount": 2}, "does not support a desired count"),
            ({"placementStrategy": [{"type": "random"}]}, "does not support placement strategies"),
            (
                {"taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": NETWORK},
                "do not support the DAEMON strategy",
            ),
        ):
            with pytest.raises(t.InvalidParameterException, match=why):
                await start(w, **fields)
        await start(w)
        with pytest.raises(t.InvalidParameterException, match="does not support a desired count"):
            await w.ecs.update_service(service="agent", desiredCount=3)


# --- properties ----------------------------------------------------------------------------------------------------

HERE = Scope("aws", "1", "r")
NODES = tuple("abcd")


def daemon(minimum: int, maximum: int) -> Service:
    revision = Revision(definition="d:1", launch_type="EC2")
    deployments = tuple(
        Deployment(id=id_, status=status, revision=revision, desired=0, created_at=0.0, updated_at=0.0)  # type: ignore[arg-type]
        for id_, status in (("new", "PRIMARY"), ("old", "ACTIVE"))
    )
    return Service(
        key=services.key(HERE, "c/s"),
        cluster="c",
        name="s",
        desired=0,
        created_at=0.0,
        deployments=deployments,
        daemon=True,
        percents=Percents(minimum=minimum, maximum=maximum),
    )


def task(number: int, node: str, deployment: str, status: str, desired: str = "RUNNING") -> Task:
    return Task(
        key=tasks.key(HERE, f"{number:032x}"),
        cluster="c",
        definition="d:1",
        launch_type="EC2",
        group="service:s",
        created_at=float(number),
        service="c/s",
        deployment=deployment,
        node=node,
        status=status,  # type: ignore[arg-type]
        desired=desired,  # type: ignore[arg-type]
        started_at=0.0,
    )


THERE = st.lists(
    st.tuples(
        st.sampled_from(NODES),
        st.sampled_from(["new", "old"]),
        st.sampled_from(["PENDING", "RUNNING", "RUNNING"]),
        st.sampled_from(["RUNNING", "RUNNING", "STOPPED"]),
    ),
    max_size=8,
)


def looked_at(service: Service, there: list[Task]) -> list[Seen]:
    return [see(service, one, {}, 100.0) for one in there]


def test_no_more_are_stopped_at_once_than_may_be_missing() -> None:
    """Of four, at most two where half has to serve; an instance that is no longer there for it does not count."""
    instances = frozenset(NODES)
    service = sized(daemon(50, 100), instances)
    there = [task(number, node, "old", "RUNNING") for number, node in enumerate((*NODES, "gone"))]
    moves = daemon_moves(service, looked_at(service, there), instances, 100.0)
    stopped = {int(stop.task, 16) for stop in moves.stop}
    assert (len(stopped), 4 in stopped, moves.on) == (3, True, ())
    beside = sized(daemon(100, 150), instances)
    moves = daemon_moves(beside, looked_at(beside, there[:4]), instances, 100.0)
    assert (moves.on, moves.stop) == (("a", "b"), ())


@given(
    THERE,
    st.frozensets(st.sampled_from(NODES)),
    st.sampled_from([(0, 100), (50, 100), (75, 100), (100, 200), (50, 150)]),
)
@settings(deadline=None)
def test_daemons_converge_within_their_percentages(
    drawn: list[tuple[str, str, str, str]], instances: frozenset[str], percents: tuple[int, int]
) -> None:
    """Nodes do what they are told at once: whatever was there, soon there is one new task on each, and no other."""
    service = sized(daemon(*percents), instances)
    there = [task(number, *each) for number, each in enumerate(drawn)]
    for turn in range(40):
        seen = looked_at(service, there)
        moves = daemon_moves(service, seen, instances, 100.0)
        stopped = {stop.task for stop in moves.stop}
        assert len(set(moves.on)) == len(moves.on) == moves.start
        assert set(moves.on) <= instances
        if moves.start:
            assert sum(one.occupies for one in seen) + moves.start <= arith.upper(service.desired, percents[1])
        healthy = [one for one in seen if one.condition == "healthy" and one.task.node in instances]
        serving = {one.task.node for one in healthy}
        kept = {one.task.node for one in healthy if one.id not in stopped}
        if len(kept) < len(serving):
            assert len(kept) >= arith.lower(service.desired, percents[0])
        staying = Counter(one.task.node for one in seen if one.counts and one.id not in stopped)
        if moves.stuck:  # no room to start beside it, and none may be spared
            assert arith.upper(service.desired, percents[1]) <= len(seen)
            assert arith.lower(service.desired, percents[0]) >= len(serving)
            return
        if not moves.stop and not moves.start and all(one.condition == "healthy" for one in seen):
            assert staying == dict.fromkeys(instances, 1)
            assert all(one.task.deployment == "new" for one in seen if one.counts)
            assert len(seen) == len(instances)
            return
        # All that was asked for has happened.
        there = [one for one in there if one.id not in stopped and one.desired == "RUNNING"]
        there = [task(int(one.id, 16), one.node, one.deployment or "", "RUNNING") for one in there]
        there += [task(100 + 10 * turn + number, node, "new", "PENDING") for number, node in enumerate(moves.on)]
    raise AssertionError("it does not converge")
