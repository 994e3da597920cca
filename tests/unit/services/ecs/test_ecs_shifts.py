"""Deployments that shift traffic, on real controllers: stages, weights, groups that swap, and every way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model.shift import Stage
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.fake_elb import GROUP, OTHER_GROUP, RULE, TEST_RULE
from tests.unit.services.ecs.test_ecs_deployments import fail_new_tasks, listed, newest, revision, update
from tests.unit.services.ecs.test_ecs_services import create, described, live, messages, stable
from tests.unit.services.ecs.test_ecs_views import check
from tests.unit.services.ecs.world import ROLE, World, world

ADVANCED = {
    "alternateTargetGroupArn": OTHER_GROUP,
    "productionListenerRule": RULE,
    "testListenerRule": TEST_RULE,
    "roleArn": ROLE,
}
SHIFTED = [{"targetGroupArn": GROUP, "containerName": "web", "containerPort": 8080, "advancedConfiguration": ADVANCED}]
PAUSE = {"targetType": "PAUSE"}


def strategy(name: str = "BLUE_GREEN", **fields: Any) -> dict[str, Any]:
    return {"strategy": name, "bakeTimeInMinutes": 0, **fields}


def pause(*stages: str, **fields: Any) -> dict[str, Any]:
    return {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": list(stages), **fields}]}


async def start(w: World, configuration: dict[str, Any] | None = None, **fields: Any) -> Any:
    """A service whose first deployment has succeeded."""
    created = await create(w, loadBalancers=SHIFTED, deploymentConfiguration=configuration or strategy(), **fields)
    assert (await newest(w))["status"] == "SUCCESSFUL"
    w.elb.history.clear()
    return created


async def over(w: World, seconds: float = 5.0, turns: int = 40) -> Any:
    """Time goes on until the deployment is over."""
    for _ in range(turns):
        found = await newest(w)
        if found["status"] in ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"):
            return found
        await w.pass_time(seconds)
    raise AssertionError(await newest(w))


def weighed(w: World, rule: str = RULE) -> list[str]:
    return [what.split()[1] for kind, what in w.elb.history if kind == "weigh" and what.startswith(rule[-1])]


def stages_of(service: Any) -> list[str]:
    told = (message.rpartition("lifecycle stage ")[2] for message in messages(service) if "lifecycle stage" in message)
    return [stage.rstrip(".") for stage in told]


async def groups(w: World) -> set[str]:
    """Where healthy targets are."""
    return {group for (group, _, _), state in w.elb.states.items() if state == "healthy"}


async def resume(w: World, **fields: Any) -> None:
    found = await newest(w)
    (hook,) = [one for one in found["lifecycleHookDetails"] if one["status"] == "AWAITING_ACTION"]
    arn = found["serviceDeploymentArn"]
    await w.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"], **fields)
    await w.settle()


async def test_blue_green_goes_through_its_stages_and_the_groups_change_roles(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        created = await start(w)
        assert created["loadBalancers"] == SHIFTED
        assert w.elb.rules[RULE] == {GROUP: 100, OTHER_GROUP: 0}
        await update(w)
        found = await newest(w)
        assert (found["status"], found["lifecycleStage"]) == ("IN_PROGRESS", "BAKE_TIME")
        assert live(w) == {("1", "RUNNING"): 2, ("2", "RUNNING"): 2}
        assert await groups(w) == {GROUP, OTHER_GROUP}
        found = await over(w)
        assert (found["status"], found["lifecycleStage"]) == ("SUCCESSFUL", "CLEAN_UP")
        assert weighed(w) == weighed(w, TEST_RULE) == ["0:100"]
        assert live(w) == {("2", "RUNNING"): 2}
        service = await described(w)
        assert stable(service)
        assert stages_of(service)[-9:] == list(get_args(Stage)[2:])
        shown = await revision(w, found["targetServiceRevision"]["arn"])
        assert shown["resolvedConfiguration"]["loadBalancers"] == [
            {"targetGroupArn": OTHER_GROUP, "productionListenerRule": RULE}
        ]
        await update(w)
        await over(w)
        assert weighed(w) == ["0:100", "100:0"]
        assert await groups(w) == {GROUP}
        assert (await described(w))["loadBalancers"] == SHIFTED


async def test_test_traffic_comes_first_and_weights_are_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w)
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(**pause("POST_TEST_TRAFFIC_SHIFT")))
        await update(w)
        found = await newest(w)
        assert found["lifecycleStage"] == "POST_TEST_TRAFFIC_SHIFT"
        assert (weighed(w), weighed(w, TEST_RULE)) == ([], ["0:100"])
        check("service-deployment-paused", found)
        service = await described(w)
        shown = await revision(w, found["targetServiceRevision"]["arn"])
        members = ("loadBalancers", "deployments", "deploymentConfiguration", "currentServiceRevisions")
        check("service-shifting", {**{name: service[name] for name in members}, "revision": shown})
        assert "is paused at the lifecycle stage POST_TEST_TRAFFIC_SHIFT until" in messages(service)[-1]
        await resume(w)
        assert weighed(w) == ["0:100"]
        (source,) = (await newest(w))["sourceServiceRevisions"]
        assert (source["requestedProductionTrafficWeight"], source["requestedTestTrafficWeight"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (
            strategy("LINEAR", linearConfiguration={"stepPercent": 40.0, "stepBakeTimeInMinutes": 1}),
            ["60:40", "20:80", "0:100"],
        ),
        (
            strategy("CANARY", canaryConfiguration={"canaryPercent": 0.5, "canaryBakeTimeInMinutes": 1}),
            ["995:5", "0:100"],
        ),
    ],
)
async def test_steps_with_a_bake_between_them(
    tmp_path: Path, configuration: dict[str, Any], expected: list[str]
) -> None:
    async with world(tmp_path) as w:
        await start(w, configuration)
        await update(w)
        for number, weights in enumerate(expected):
            assert weighed(w) == expected[: number + 1]
            if weights != "0:100":
                await w.pass_time(59)
                assert weighed(w) == expected[: number + 1]
                assert (await newest(w))["lifecycleStage"] == "PRODUCTION_TRAFFIC_SHIFT"
                await w.pass_time(1)
        assert (await over(w))["status"] == "SUCCESSFUL"


async def test_the_old_revision_stays_for_the_bake_time(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w, strategy(bakeTimeInMinutes=2))
        await update(w)
        await w.pass_time(119)
        assert live(w) == {("1", "RUNNING"): 2, ("2", "RUNNING"): 2}
        assert (await newest(w))["lifecycleStage"] == "BAKE_TIME"
        await w.pass_time(1)
        assert (await newest(w))["lifecycleStage"] == "CLEAN_UP"
        assert (await over(w))["status"] == "SUCCESSFUL"


async def test_nothing_is_shifted_to_tasks_that_do_not_serve(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w)
        w.elb.slow = True
        await update(w)
        await w.pass_time(60)
        assert (await newest(w))["lifecycleStage"] == "SCALE_UP"
        assert weighed(w) == []
        new = [task for task in w.store.all(tasks) if task.definition.endswith("2")]
        assert new[0].eni is not None
        w.elb.become(new[0].eni.address, "healthy")
        await w.settle()
        assert weighed(w) == []
        assert new[1].eni is not None
        w.elb.become(new[1].eni.address, "healthy")
        await w.settle()
        assert weighed(w) == ["0:100"]


STAGES = (
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", ["hook", "stop", "timeout"])
async def test_a_roll_back_from_every_stage_moves_the_traffic_first(tmp_path: Path, stage: str, way: str) -> None:
    async with world(tmp_path) as w:
        await start(w)
        before = {task.id for task in w.store.all(tasks)}
        hook = pause(stage, timeoutConfiguration={"timeoutInMinutes": 10})
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(**hook))
        await update(w)
        paused = await newest(w)
        (run,) = paused["lifecycleHookDetails"]
        assert (run["status"], run["timeoutAction"]) == ("AWAITING_ACTION", "ROLLBACK")
        if way == "hook":
            await resume(w, action="ROLLBACK")
        elif way == "stop":
            await w.ecs.stop_service_deployment(serviceDeploymentArn=paused["serviceDeploymentArn"])
            await w.settle()
        else:
            await w.pass_time(600)
        assert w.elb.rules[RULE] == w.elb.rules[TEST_RULE] == {GROUP: 100, OTHER_GROUP: 0}
        if "TRAFFIC_SHIFT" in stage:
            assert live(w)["2", "RUNNING"] == 2, "they go once the traffic has left them"
        found = await over(w)
        assert found["status"] == "ROLLBACK_SUCCESSFUL"
        assert {task.id for task in w.store.all(tasks) if task.status == "RUNNING"} == before
        assert stable(await described(w))
        (hook_shown,) = found["lifecycleHookDetails"]
        assert hook_shown["status"] == ("TIMED_OUT" if way == "timeout" else "FAILED")


async def test_a_pause_that_times_out_may_go_on(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w)
        hook = pause("POST_SCALE_UP", timeoutConfiguration={"timeoutInMinutes": 1, "action": "CONTINUE"})
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(**hook))
        await update(w)
        assert (await newest(w))["lifecycleStage"] == "POST_SCALE_UP"
        await w.pass_time(60)
        assert (await over(w))["status"] == "SUCCESSFUL"


async def test_a_broken_version_is_undone_by_the_circuit_breaker_and_never_had_traffic(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w, strategy(deploymentCircuitBreaker={"enable": True, "rollback": True}))
        before = {task.id for task in w.store.all(tasks)}
        w.auto = False
        await update(w)
        await fail_new_tasks(w)
        found = await over(w)
        assert (found["status"], found["deploymentCircuitBreaker"]["status"]) == ("ROLLBACK_SUCCESSFUL", "TRIGGERED")
        assert weighed(w) == []
        assert {task.id for task in w.store.all(tasks) if task.status == "RUNNING"} == before


async def test_tasks_of_both_revisions_are_replaced_while_traffic_is_shared(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w, strategy("CANARY", canaryConfiguration={"canaryPercent": 10, "canaryBakeTimeInMinutes": 60}))
        await update(w)
        assert weighed(w) == ["90:10"]
        for number in ("1", "2"):
            victim = next(task for task in w.store.all(tasks) if task.definition.endswith(number))
            w.report(victim.id, "stopped", exit_code=1)
            await w.settle()
            await w.pass_time(2)
        assert live(w) == {("1", "RUNNING"): 2, ("2", "RUNNING"): 2}
        await w.ecs.update_service(service="web", desiredCount=3)
        await w.settle()
        assert live(w) == {("1", "RUNNING"): 3, ("2", "RUNNING"): 3}


async def test_an_aborted_shift_leaves_everything_as_it_is_and_the_next_one_puts_it_in_order(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        canary = {"canaryPercent": 10, "canaryBakeTimeInMinutes": 60}
        await start(w, strategy("CANARY", canaryConfiguration=canary))
        await update(w)
        arn = (await newest(w))["serviceDeploymentArn"]
        await w.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ABORT")
        await w.settle()
        await w.pass_time(600)
        assert (await newest(w))["status"] == "STOPPED"
        assert live(w) == {("1", "RUNNING"): 2, ("2", "RUNNING"): 2}
        assert w.elb.rules[RULE] == {GROUP: 90, OTHER_GROUP: 10}
        with pytest.raises(t.InvalidParameterException, match="cannot be ROLLING"):
            await w.ecs.update_service(
                service="web", forceNewDeployment=True, deploymentConfiguration={"strategy": "ROLLING"}
            )
        await update(w)
        found = await newest(w)
        assert found["lifecycleStage"] == "RECONCILE_SERVICE"
        assert weighed(w) == ["90:10", "100:0"]
        assert len(found["sourceServiceRevisions"]) == 2
        await w.pass_time(5)
        assert live(w)["2", "RUNNING"] == 0
        await w.pass_time(5)
        assert weighed(w) == ["90:10", "100:0", "90:10"]
        assert live(w) == {("1", "RUNNING"): 2, ("3", "RUNNING"): 2}


async def test_a_newer_deployment_takes_the_place_of_one_that_has_traffic(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w, strategy("LINEAR", linearConfiguration={"stepPercent": 50, "stepBakeTimeInMinutes": 60}))
        await update(w)
        assert weighed(w) == ["50:50"]
        await update(w)
        assert weighed(w) == ["50:50", "100:0"]
        await w.pass_time(5)
        await w.pass_time(5)
        assert weighed(w) == ["50:50", "100:0", "50:50"]
        await w.pass_time(3600)
        assert (await over(w))["status"] == "SUCCESSFUL"
        assert [one["status"] for one in await listed(w)] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]
        assert live(w) == {("3", "RUNNING"): 2}


@pytest.mark.parametrize("stage", STAGES)
async def test_after_a_crash_it_goes_on_where_it_was(tmp_path: Path, stage: str) -> None:
    async with world(tmp_path) as w:
        await start(w)
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(**pause(stage)))
        await update(w)
        before = await newest(w)
        await w.crash()
        assert await newest(w) == before
        await resume(w)
        await w.crash()
        assert (await over(w))["status"] == "SUCCESSFUL"
        assert weighed(w) == ["0:100"]


async def test_a_rule_that_is_gone_holds_up_the_shift_and_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w)
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(**pause("POST_SCALE_UP")))
        await update(w)
        kept = w.elb.rules.pop(RULE)
        await resume(w)
        assert any("was unable to shift traffic" in message for message in messages(await described(w)))
        assert live(w)["1", "RUNNING"] == 2
        w.elb.rules[RULE] = kept
        await w.pass_time(5)
        assert (await over(w))["status"] == "SUCCESSFUL"


async def test_without_a_load_balancer_the_stages_are_passed_all_the_same(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, deploymentConfiguration=strategy())
        await update(w)
        assert live(w) == {("1", "RUNNING"): 2, ("2", "RUNNING"): 2}
        assert (await over(w))["status"] == "SUCCESSFUL"
        assert live(w) == {("2", "RUNNING"): 2}
        assert weighed(w) == []


async def test_the_strategy_changes_and_the_traffic_stays_where_it_is(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w)
        await update(w)
        await over(w)
        assert await groups(w) == {OTHER_GROUP}
        await w.ecs.update_service(service="web", deploymentConfiguration={"strategy": "ROLLING"})
        await update(w)
        await over(w)
        assert await groups(w) == {OTHER_GROUP}, "a rolling update replaces tasks where they are"
        assert weighed(w) == ["0:100"]
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy())
        await update(w)
        await over(w)
        assert await groups(w) == {GROUP}
        assert weighed(w) == ["0:100", "100:0"]


async def test_deleting_a_service_in_the_middle_of_a_shift(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w)
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(**pause("POST_SCALE_UP")))
        await update(w)
        await w.ecs.delete_service(service="web", force=True)
        await w.settle()
        await w.pass_time(2)
        assert (await newest(w))["status"] == "STOPPED"
        assert live(w) == {}
