"""Services behind a load balancer: joining, draining, health, and crashes in between."""

import asyncio
from pathlib import Path

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.fleet import model as fleet
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.test_ecs_services import BALANCED, create, described, live, messages, stable
from tests.unit.services.ecs.world import GROUP, definition, world


async def test_a_rolling_update_behind_a_load_balancer(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, loadBalancers=BALANCED)
        old = {task.eni.address for task in w.store.all(tasks) if task.eni}
        assert {place[1] for place in w.elb.states} == old
        await w.ecs.register_task_definition(**definition())
        w.elb.history.clear()
        await w.ecs.update_service(service="web", taskDefinition="web")
        await w.settle()
        # The new ones serve, the old ones drain: nothing is stopped before it is drained.
        assert live(w) == {("2", "RUNNING"): 2, ("1", "DEACTIVATING"): 2}
        assert [what for what, _ in w.elb.history] == ["register"] * 2 + ["deregister"] * 2
        assert {address for what, address in w.elb.history if what == "deregister"} == old
        for address in old:
            w.elb.become(address, None)
        await w.settle()
        assert live(w) == {("2", "RUNNING"): 2}
        service = await described(w)
        assert stable(service)
        told = [text for text in messages(service) if "(task " not in text]
        assert told[-4:] == [
            "(service web) has begun draining connections on 2 tasks.",
            f"(service web) deregistered 2 targets in (target-group {GROUP})",
            f"(service web) (deployment {service['deployments'][0]['id']}) deployment completed.",
            "(service web) has reached a steady state.",
        ]


async def test_draining_ends_with_the_delay_even_without_a_hint(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.elb.delay = "30"
        await create(w, loadBalancers=BALANCED)
        await w.ecs.update_service(service="web", desiredCount=1)
        await w.settle()
        assert live(w) == {("1", "RUNNING"): 1, ("1", "DEACTIVATING"): 1}
        await w.pass_time(29)
        assert live(w)[("1", "DEACTIVATING")] == 1
        await w.crash()
        await w.pass_time(1.5)
        assert live(w) == {("1", "RUNNING"): 1}


async def test_new_tasks_must_be_healthy_before_old_ones_go(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, loadBalancers=BALANCED)
        w.elb.slow = True
        await w.ecs.register_task_definition(**definition())
        await w.ecs.update_service(service="web", taskDefinition="web")
        await w.settle()
        assert live(w) == {("1", "RUNNING"): 2, ("2", "RUNNING"): 2}
        new = sorted(a for (_, a, _), state in w.elb.states.items() if state == "initial")
        w.elb.become(new[0], "healthy")
        await w.settle()
        assert live(w) == {("1", "RUNNING"): 1, ("1", "DEACTIVATING"): 1, ("2", "RUNNING"): 2}


async def test_unhealthy_targets_are_replaced_start_first_after_the_grace_period(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, loadBalancers=BALANCED, healthCheckGracePeriodSeconds=60)
        address = next(iter(w.elb.states))[1]
        w.elb.become(address, "unhealthy")
        await w.settle()
        assert live(w) == {("1", "RUNNING"): 2}
        await w.pass_time(61)
        assert live(w) == {("1", "RUNNING"): 2, ("1", "DEACTIVATING"): 1}
        w.elb.become(address, None)
        await w.settle()
        stopped = [task for task in w.store.all(tasks) if task.status == "STOPPED"]
        assert [task.stopped_reason for task in stopped] == [f"Task failed ELB health checks in (target-group {GROUP})"]
        assert stable(await described(w))


async def test_force_delete_drains_the_load_balancer(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, loadBalancers=BALANCED)
        await w.ecs.delete_service(service="web", force=True)
        await w.settle()
        assert live(w) == {("1", "DEACTIVATING"): 2}
        with pytest.raises(t.InvalidParameterException, match="still Draining"):
            await create(w)
        await w.pass_time(2)
        assert live(w) == {}
        assert w.ec2.interfaces == {}
        assert (await described(w))["status"] == "INACTIVE"
        await w.pass_time(w.settings.inactive_services_kept)
        assert (await w.ecs.describe_services(services=["web"]))["failures"][0]["reason"] == "MISSING"


async def test_a_target_group_that_is_gone_is_said_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, loadBalancers=BALANCED)
        w.elb.gone = True
        await w.ecs.update_service(service="web", desiredCount=3)
        await w.settle()
        assert live(w) == {("1", "RUNNING"): 2, ("1", "ACTIVATING"): 1}
        told = [text for text in messages(await described(w)) if "unable to register" in text]
        assert told == [f"(service web) was unable to register targets in (target-group {GROUP}): it is gone"]
        await w.ecs.delete_service(service="web", force=True)
        await w.settle()
        await w.pass_time(2)
        assert live(w) == {}


async def test_a_target_that_somebody_took_out_is_put_back(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, loadBalancers=BALANCED)
        (address, *_) = [place[1] for place in w.elb.states]
        w.elb.become(address, None)
        await w.settle()
        assert len(w.elb.states) == 2
        assert stable(await described(w))


async def test_an_address_is_given_back_only_after_its_target_is_out(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, loadBalancers=BALANCED, desiredCount=1)
        (victim,) = w.store.all(tasks)
        assert victim.eni is not None
        w.ec2.history = w.elb.history
        w.elb.history.clear()
        w.report(victim.id, "stopped", exit_code=1)
        await w.settle()
        ends = [what for what, where in w.elb.history if where in (victim.eni.address, victim.eni.id)]
        assert ends == ["deregister", "delete"]


async def test_stop_task_of_a_service_drains_first(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, loadBalancers=BALANCED)
        victim = w.store.all(tasks)[0]
        await w.ecs.stop_task(task=victim.id)
        await w.settle()
        assert live(w) == {("1", "RUNNING"): 2, ("1", "DEACTIVATING"): 1}


@pytest.mark.slow
async def test_crashes_in_the_middle_of_a_deployment(tmp_path: Path) -> None:
    for moment in range(0, 24, 2):
        (tmp_path / str(moment)).mkdir()
        async with world(tmp_path / str(moment)) as w:
            await create(w, loadBalancers=BALANCED)
            await w.ecs.register_task_definition(**definition())
            await w.ecs.update_service(service="web", taskDefinition="web")
            for _ in range(moment):
                await asyncio.sleep(0.0005)
            await w.crash()
            for workload in w.store.all(fleet.workloads):
                w.report(workload.id, "running" if workload.want == "running" else "stopped")
            await w.settle()
            await w.pass_time(2)
            await w.pass_time(2)
            assert live(w) == {("2", "RUNNING"): 2}
            assert stable(await described(w))
            assert len(w.ec2.interfaces) == 2
            assert len(w.store.all(fleet.workloads)) == 2
            serving = {a for (_, a, _), state in w.elb.states.items() if state == "healthy"}
            assert serving == {task.eni.address for task in w.store.all(tasks) if task.eni and task.status == "RUNNING"}
