"""Services with external controllers: task sets on real controllers, from their making to their end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.services.ecs.model.service_deployment import revisions
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.task_definition import definitions
from hatoba.services.ecs.model.task_set import task_sets
from tests.unit.services.ecs.test_ecs_services import BALANCED, described, messages
from tests.unit.services.ecs.world import GROUP, NETWORK, World, definition, world


async def external(w: World, desired: int = 2, **fields: Any) -> Any:
    for family in ("web", "new"):
        await w.ecs.register_task_definition(**definition(family))
    made = await w.ecs.create_service(
        serviceName="web", desiredCount=desired, deploymentController={"type": "EXTERNAL"}, **fields
    )
    await w.settle()
    return made["service"]


async def task_set(w: World, scale: float | None = 100.0, family: str = "web", **fields: Any) -> Any:
    wanted: dict[str, Any] = {
        "cluster": "default",
        "service": "web",
        "taskDefinition": family,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        **fields,
    }
    if scale is not None:
        wanted["scale"] = {"value": scale, "unit": "PERCENT"}
    made = (await w.ecs.create_task_set(**wanted))["taskSet"]
    await w.settle()
    return made


async def sets(w: World, *ids: str, **fields: Any) -> list[Any]:
    asked = {"taskSets": list(ids)} if ids else {}
    found: list[Any] = (await w.ecs.describe_task_sets(cluster="default", service="web", **asked, **fields))["taskSets"]
    return found


async def change(w: World, operation: str, **fields: Any) -> Any:
    answer = await getattr(w.ecs, operation)(cluster="default", service="web", **fields)
    await w.settle()
    return answer["taskSet"]


def running(w: World, name: str) -> list[str]:
    return [t.id for t in w.store.all(tasks) if t.deployment == name and t.status == "RUNNING"]


async def refused(code: str, words: str, call: Any) -> None:
    with pytest.raises(AwsError) as error:
        await call
    assert error.value.code == code, error.value
    assert words in error.value.message, error.value.message


# --- making and scaling


async def test_a_task_set_is_scaled_to_zero_unless_it_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 4)
        made = await task_set(w, None, externalId="release-7", tags=[{"key": "team", "value": "web"}])
        assert made["scale"] == {"value": 0.0, "unit": "PERCENT"}
        assert (made["status"], made["stabilityStatus"], made["externalId"]) == ("ACTIVE", "STABILIZING", "release-7")
        assert made["taskSetArn"].endswith(f":task-set/default/web/{made['id']}")
        assert "startedBy" not in made
        (found,) = await sets(w)
        assert (found["computedDesiredCount"], found["stabilityStatus"]) == (0, "STEADY_STATE")
        assert "tags" not in found
        (found,) = await sets(w, made["taskSetArn"], include=["TAGS"])
        assert found["tags"] == [{"key": "team", "value": "web"}]


async def test_its_tasks_are_real_ones_and_the_scale_decides_how_many(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 3)
        made = await task_set(w, 50)
        assert made["computedDesiredCount"] == 2
        ids = running(w, made["id"])
        assert len(ids) == 2
        (task, _) = (await w.ecs.describe_tasks(tasks=ids))["tasks"]
        assert (task["group"], task["startedBy"]) == ("service:web", made["id"])
        (found,) = await sets(w)
        assert (found["runningCount"], found["pendingCount"]) == (2, 0)
        assert found["stabilityStatus"] == "STEADY_STATE"
        await change(w, "update_task_set", taskSet=made["id"], scale={"value": 100, "unit": "PERCENT"})
        assert len(running(w, made["id"])) == 3
        await w.ecs.update_service(service="web", desiredCount=5)
        await w.settle()
        assert len(running(w, made["id"])) == 5
        scaled = await change(w, "update_task_set", taskSet=made["id"], scale={"value": 0, "unit": "PERCENT"})
        assert scaled["stabilityStatus"] == "STABILIZING"
        assert running(w, made["id"]) == []


async def test_more_is_wanted_than_runs_is_not_steady(tmp_path: Path) -> None:
    """The service's count has just been changed: its controllers have not looked yet."""
    async with world(tmp_path) as w:
        await external(w, 1)
        made = await task_set(w)
        w.auto = False
        await w.ecs.update_service(service="web", desiredCount=2)
        (found,) = await sets(w, made["id"])
        assert (found["computedDesiredCount"], found["stabilityStatus"]) == (2, "STABILIZING")


async def test_the_same_token_makes_one_task_set(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        first = await task_set(w, clientToken="once")
        again = await task_set(w, clientToken="once")
        assert first["id"] == again["id"]
        assert len(w.store.all(task_sets)) == 1


async def test_five_task_sets_are_the_limit(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 0)
        for _ in range(5):
            await task_set(w)
        words = "5 deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit."
        await refused("InvalidParameterException", words, task_set(w))


@pytest.mark.parametrize("value", [-1.0, 100.5])
async def test_a_scale_is_a_percentage(tmp_path: Path, value: float) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        await refused("InvalidParameterException", "between 0 and 100", task_set(w, value))


async def test_a_task_that_dies_is_replaced_in_its_own_task_set(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        blue, green = await task_set(w), await task_set(w, family="new")
        w.clock.advance(3600)
        (victim,) = running(w, green["id"])
        w.report(victim, "stopped", exit_code=1)
        await w.settle()
        (after,) = running(w, green["id"])
        assert after != victim
        assert len(running(w, blue["id"])) == 1


async def test_a_task_set_that_keeps_failing_is_slowed_down_and_the_other_is_not(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        await task_set(w)
        w.auto = False
        bad = await task_set(w, family="new")
        for _ in range(3):
            for task in w.store.all(tasks):
                if task.deployment == bad["id"] and task.status == "PENDING":
                    w.report(task.id, "stopped", exit_code=1, started=None)
            await w.settle()
        made = [t for t in w.store.all(tasks) if t.deployment == bad["id"]]
        assert len(made) == 2  # the third waits
        await w.pass_time(2.0)
        assert len([t for t in w.store.all(tasks) if t.deployment == bad["id"]]) == 3


# --- load balancers, and which one is primary


async def test_a_task_set_joins_its_own_target_group(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 2)
        made = await task_set(w, loadBalancers=BALANCED)
        assert sorted(w.elb.states.values()) == ["healthy", "healthy"]
        other = await task_set(w, family="new")
        assert other["loadBalancers"] == []
        assert len(w.elb.states) == 2
        told = messages(await described(w))
        assert f"(service web, taskSet {made['id']}) registered 2 targets in (target-group {GROUP})" in told
        assert not any("deployment completed" in message for message in told)
        assert f"(service web, taskSet {made['id']}) has reached a steady state." in told


async def test_the_primary_task_set_is_what_the_service_shows(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        blue = await task_set(w, loadBalancers=BALANCED)
        green = await task_set(w, family="new")
        assert "taskDefinition" not in await described(w)
        chosen = await change(w, "update_service_primary_task_set", primaryTaskSet=blue["id"])
        assert chosen["status"] == "PRIMARY"
        shown = await described(w)
        assert shown["taskDefinition"].endswith("task-definition/web:1")
        assert shown["loadBalancers"][0]["targetGroupArn"] == GROUP
        assert [s["id"] for s in shown["taskSets"]] == [blue["id"], green["id"]]
        assert (await w.ecs.list_services(launchType="FARGATE"))["serviceArns"]
        await change(w, "update_service_primary_task_set", primaryTaskSet=green["taskSetArn"])
        shown = await described(w)
        assert shown["taskDefinition"].endswith("task-definition/new:1")
        assert [(s["id"], s["status"]) for s in shown["taskSets"]] == [
            (green["id"], "PRIMARY"),
            (blue["id"], "ACTIVE"),
        ]
        assert (shown["runningCount"], shown["desiredCount"]) == (2, 1)


async def test_a_stopped_target_group_member_is_drained_before_its_task_stops(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        made = await task_set(w, loadBalancers=BALANCED)
        (task,) = running(w, made["id"])
        await change(w, "update_task_set", taskSet=made["id"], scale={"value": 0, "unit": "PERCENT"})
        assert w.elb.history[-1][0] == "deregister"
        (known,) = [t for t in w.store.all(tasks) if t.id == task]
        assert known.status == "DEACTIVATING"
        await w.pass_time(2.0)
        (known,) = [t for t in w.store.all(tasks) if t.id == task]
        assert known.status == "STOPPED"


# --- the end


async def test_deleting_wants_force_while_it_serves(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        made = await task_set(w)
        delete = {"cluster": "default", "service": "web", "taskSet": made["id"]}
        await refused("InvalidParameterException", "scaled above 0", w.ecs.delete_task_set(**delete))
        await change(w, "update_service_primary_task_set", primaryTaskSet=made["id"])
        await refused("InvalidParameterException", "primary task set", w.ecs.delete_task_set(**delete))
        w.auto = False
        gone = await change(w, "delete_task_set", taskSet=made["id"], force=True)
        assert (gone["status"], gone["computedDesiredCount"]) == ("DRAINING", 0)
        await refused(
            "InvalidParameterException",
            "DRAINING",
            w.ecs.update_task_set(**delete, scale={"value": 100, "unit": "PERCENT"}),
        )
        (task,) = w.store.all(tasks)
        w.report(task.id, "stopped")
        await w.settle()
        assert w.store.all(task_sets) == w.store.all(revisions) == []
        answer = await w.ecs.describe_task_sets(cluster="default", service="web", taskSets=[made["id"]])
        assert answer["taskSets"] == []
        assert answer["failures"] == [{"arn": made["taskSetArn"], "reason": "MISSING"}]
        await refused("TaskSetNotFoundException", "wasn't found", w.ecs.delete_task_set(**delete))


async def test_a_deleted_service_takes_its_task_sets_with_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        await task_set(w)
        await task_set(w, family="new")
        await refused("InvalidParameterException", "scaled above 0", w.ecs.delete_service(service="web"))
        await w.ecs.delete_service(service="web", force=True)
        await w.settle()
        assert w.store.all(task_sets) == []
        assert (await described(w))["status"] == "INACTIVE"
        asked = w.ecs.describe_task_sets(cluster="default", service="web")
        await refused("ServiceNotActiveException", "not ACTIVE", asked)


async def test_a_service_without_task_sets_ends_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 0)
        await w.ecs.delete_service(service="web")
        await w.settle()
        assert (await described(w))["status"] == "INACTIVE"


async def test_a_definition_outlives_its_task_sets(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 0)
        made = await task_set(w)
        await w.ecs.deregister_task_definition(taskDefinition="web:1")
        await w.ecs.delete_task_definitions(taskDefinitions=["web:1"])
        await w.settle()
        assert [d.status for d in w.store.all(definitions) if d.id.startswith("web:")] == ["DELETE_IN_PROGRESS"]
        await change(w, "delete_task_set", taskSet=made["id"], force=True)
        assert not [d for d in w.store.all(definitions) if d.id.startswith("web:")]


async def test_a_crash_in_between_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 2)
        w.auto = False
        made = await task_set(w, loadBalancers=BALANCED)
        await w.crash()
        assert len(w.store.all(tasks)) == 2
        w.auto = True
        for task in w.store.all(tasks):
            w.report(task.id, "running")
        await w.settle()
        assert len(running(w, made["id"])) == 2
        (found,) = await sets(w)
        assert found["stabilityStatus"] == "STEADY_STATE"


async def test_a_new_version_beside_the_old_one_runs_the_bytes_of_its_own_tag(tmp_path: Path) -> None:
    """A tag is resolved once for each task set."""
    async with world(tmp_path) as w:
        w.ecr.tags["us-east-1", "web", "1"] = "sha256:" + "1" * 64
        await external(w, 1)
        blue = await task_set(w)
        w.ecr.tags["us-east-1", "web", "1"] = "sha256:" + "2" * 64
        green = await task_set(w)
        pins = {t.deployment: t.pins["web"][-1] for t in w.store.all(tasks)}
        assert pins == {blue["id"]: "1", green["id"]: "2"}
        w.clock.advance(3600)
        w.report(running(w, blue["id"])[0], "stopped")
        await w.settle()
        assert {t.pins["web"][-1] for t in w.store.all(tasks) if t.deployment == blue["id"]} == {"1"}


async def test_task_sets_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        w.auto = False
        await task_set(w)
        green = await task_set(w, family="new")
        assert (await described(w))["pendingCount"] == 2
        (task,) = [t for t in w.store.all(tasks) if t.deployment == green["id"]]
        w.report(task.id, "running")
        await w.settle()
        assert {s["id"] == green["id"]: s["stabilityStatus"] for s in await sets(w)} == {
            True: "STEADY_STATE",
            False: "STABILIZING",
        }
