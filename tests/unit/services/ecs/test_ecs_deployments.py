"""Service deployments and revisions: their whole story as clients are told it, and the bytes that a tag meant."""

from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.core.errors import AwsError
from hatoba.fleet import model as fleet
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.test_ecs_services import create, described, live, messages, stable
from tests.unit.services.ecs.test_ecs_views import check
from tests.unit.services.ecs.world import World, container, definition, world

A = "sha256:" + "a" * 64
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


async def listed(w: World, **fields: Any) -> list[Any]:
    """Newest first."""
    return list((await w.ecs.list_service_deployments(service="web", **fields))["serviceDeployments"])


async def newest(w: World) -> Any:
    arn = (await listed(w))[0]["serviceDeploymentArn"]
    (found,) = (await w.ecs.describe_service_deployments(serviceDeploymentArns=[arn]))["serviceDeployments"]
    return found


async def revision(w: World, arn: str) -> Any:
    (found,) = (await w.ecs.describe_service_revisions(serviceRevisionArns=[arn]))["serviceRevisions"]
    return found


async def update(w: World, **fields: Any) -> Any:
    """To a new revision of the definition."""
    await w.ecs.register_task_definition(**definition(**fields))
    updated = (await w.ecs.update_service(service="web", taskDefinition="web"))["service"]
    await w.settle()
    return updated


async def fail_new_tasks(w: World, revision: str = "2", rounds: int = 8) -> None:
    for _ in range(rounds):
        for task in w.store.all(tasks):
            if task.definition.endswith(revision):
                w.report(task.id, "stopped", error="image-not-found", detail="none", exit_code=None)
        await w.settle()
        await w.pass_time(16)


async def test_the_first_deployment(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        created = await create(w)
        (brief,) = await listed(w)
        assert created["currentServiceDeployment"] == brief["serviceDeploymentArn"]
        assert brief["status"] == "SUCCESSFUL"
        found = await newest(w)
        assert found["sourceServiceRevisions"] == []
        target = found["targetServiceRevision"]
        assert (target["requestedTaskCount"], target["runningTaskCount"], target["pendingTaskCount"]) == (2, 2, 0)
        number = target["arn"].rpartition("/")[2]
        assert (await described(w))["deployments"][0]["id"] == f"ecs-svc/{number}"
        assert created["currentServiceRevisions"] == [{**target, "runningTaskCount": 0}]
        assert found["createdAt"] <= found["startedAt"] <= found["finishedAt"]
        assert "rollback" not in found


async def test_a_rolling_update_in_the_middle_and_at_its_end(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ecr.tags["us-east-1", "web", "1"] = A
        await create(w)
        w.auto = False
        await update(w)
        found = await newest(w)
        assert found["status"] == "IN_PROGRESS"
        (source,) = found["sourceServiceRevisions"]
        assert (source["requestedTaskCount"], source["runningTaskCount"]) == (2, 2)
        assert found["targetServiceRevision"]["pendingTaskCount"] == 2
        shown = await w.ecs.describe_service_revisions(
            serviceRevisionArns=[source["arn"], found["targetServiceRevision"]["arn"]]
        )
        assert [one["taskDefinition"][-5:] for one in shown["serviceRevisions"]] == ["web:1", "web:2"]
        check("service-deployment", {"deployment": found, **shown})
        current = (await described(w))["currentServiceRevisions"]
        assert [one["arn"] for one in current] == [found["targetServiceRevision"]["arn"], source["arn"]]
        for workload in w.store.all(fleet.workloads):
            w.report(workload.id, "running")
        await w.settle()
        w.auto = True
        for workload in w.store.all(fleet.workloads):
            w.report(workload.id, "running" if workload.want == "running" else "stopped")
        await w.settle()
        assert (await newest(w))["status"] == "SUCCESSFUL"
        assert stable(await described(w))


async def test_a_newer_deployment_takes_the_place_of_one_that_is_under_way(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        w.auto = False
        await update(w)
        await update(w)
        statuses = [one["status"] for one in await listed(w)]
        assert statuses == ["IN_PROGRESS", "STOPPED", "SUCCESSFUL"]
        stopped = (await listed(w))[1]
        assert "newer service deployment" in stopped["statusReason"]
        assert len((await newest(w))["sourceServiceRevisions"]) == 2


async def test_a_change_of_the_count_is_no_deployment(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        await w.ecs.update_service(service="web", desiredCount=3)
        await w.settle()
        assert len(await listed(w)) == 1
        await w.ecs.update_service(service="web", forceNewDeployment=True)
        assert len(await listed(w)) == 2


async def test_the_circuit_breaker_rolls_back_and_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        created = await create(w, deploymentConfiguration=BREAKER)
        before = {task.id for task in w.store.all(tasks)}
        source = created["currentServiceRevisions"][0]["arn"]
        w.auto = False
        await update(w)
        assert (await newest(w))["deploymentCircuitBreaker"] == {
            "status": "MONITORING",
            "failureCount": 0,
            "threshold": 3,
        }
        await fail_new_tasks(w)
        found = await newest(w)
        assert found["status"] == "ROLLBACK_SUCCESSFUL"
        assert found["statusReason"] == (
            "Service deployment rolled back because the circuit breaker threshold was exceeded."
        )
        assert found["rollback"]["serviceRevisionArn"] == source
        assert found["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
        assert found["deploymentCircuitBreaker"]["failureCount"] >= 3
        assert {task.id for task in w.store.all(tasks) if task.status == "RUNNING"} == before
        assert stable(await described(w))


async def test_without_rollback_it_stops(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
        await create(w, deploymentConfiguration=breaker)
        w.auto = False
        await update(w)
        await fail_new_tasks(w)
        found = await newest(w)
        assert found["status"] == "STOPPED"
        assert found["stoppedAt"] == found["finishedAt"]
        assert "rollback" not in found
        assert found["deploymentCircuitBreaker"]["status"] == "TRIGGERED"


async def test_a_rollback_that_fails_too(tmp_path: Path) -> None:
    """All tasks of what worked are gone by then, and it does not start any more either."""
    async with world(tmp_path) as w:
        limits = {"minimumHealthyPercent": 0, "maximumPercent": 100}
        await create(w, deploymentConfiguration={**BREAKER, **limits})
        w.auto = False
        await update(w)
        for _ in range(30):
            for task in w.store.all(tasks):
                w.report(task.id, "stopped", error="image-not-found", detail="none", exit_code=None)
            await w.settle()
            await w.pass_time(16)
        found = await newest(w)
        assert found["status"] == "ROLLBACK_FAILED"
        assert (await described(w))["deployments"][0]["rolloutState"] == "FAILED"


@pytest.mark.parametrize(
    ("threshold", "desired", "expected"),
    [
        ({"type": "COUNT", "value": 1}, 2, 1),
        ({"type": "UNBOUNDED_PERCENT", "value": 50}, 2, 1),
        ({"type": "BOUNDED_PERCENT", "value": 100}, 2, 3),
        (None, 4, 3),
    ],
)
async def test_every_kind_of_threshold(
    tmp_path: Path, threshold: dict[str, Any] | None, desired: int, expected: int
) -> None:
    async with world(tmp_path) as w:
        breaker: dict[str, Any] = {"enable": True, "rollback": True}
        if threshold is not None:
            breaker["thresholdConfiguration"] = threshold
        created = await create(w, desiredCount=desired, deploymentConfiguration={"deploymentCircuitBreaker": breaker})
        told = created["deploymentConfiguration"]["deploymentCircuitBreaker"]
        assert told["thresholdConfiguration"] == threshold or {"type": "BOUNDED_PERCENT", "value": 50}
        w.auto = False
        await update(w)
        failed = 0
        while (await newest(w))["status"] == "IN_PROGRESS" and failed < 10:
            one = next(x for x in w.store.all(tasks) if x.definition.endswith("2") and x.status != "STOPPED")
            w.report(one.id, "stopped", error="image-not-found", detail="none", exit_code=None)
            failed += 1
            await w.settle()
            await w.pass_time(300)
        assert failed == expected
        assert (await newest(w))["deploymentCircuitBreaker"]["threshold"] == expected


@pytest.mark.parametrize("threshold", [{"type": "COUNT", "value": 0}, {"type": "BOUNDED_PERCENT", "value": 101}])
async def test_thresholds_that_make_no_sense(tmp_path: Path, threshold: dict[str, Any]) -> None:
    async with world(tmp_path) as w:
        breaker = {"enable": True, "rollback": True, "thresholdConfiguration": threshold}
        with pytest.raises(t.InvalidParameterException, match="circuit breaker threshold"):
            await create(w, deploymentConfiguration={"deploymentCircuitBreaker": breaker})


@pytest.mark.parametrize("reset", [True, False])
async def test_a_healthy_task_forgives_the_failures_unless_it_may_not(tmp_path: Path, reset: bool) -> None:
    async with world(tmp_path) as w:
        breaker = {"enable": True, "rollback": True, "resetOnHealthyTask": reset}
        await create(w, desiredCount=2, deploymentConfiguration={"deploymentCircuitBreaker": breaker})
        w.auto = False
        await update(w)
        first, second = (x for x in w.store.all(tasks) if x.definition.endswith("2"))
        w.report(first.id, "stopped", error="image-not-found", detail="none", exit_code=None)
        await w.settle()
        assert (await described(w))["deployments"][0]["failedTasks"] == 1
        w.report(second.id, "running")
        await w.settle()
        await w.pass_time(1)
        assert (await described(w))["deployments"][0]["failedTasks"] == (0 if reset else 1)


async def test_a_process_that_ends_at_once_is_a_failure_too(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        checked = container(healthCheck={"command": ["CMD", "true"]})
        await create(w, deploymentConfiguration=BREAKER)
        w.auto = False
        await update(w, containerDefinitions=[checked])
        for _ in range(8):
            for task in w.store.all(tasks):
                if task.definition.endswith("2"):
                    w.report(task.id, "running")
                    await w.settle()
                    w.report(task.id, "stopped", exit_code=1)
            await w.settle()
            await w.pass_time(16)
        assert (await newest(w))["status"] == "ROLLBACK_SUCCESSFUL"
        assert live(w) == {("1", "RUNNING"): 2}


@pytest.mark.parametrize("kind", ["ABORT", "ROLLBACK", None])
async def test_stopping_a_deployment(tmp_path: Path, kind: str | None) -> None:
    async with world(tmp_path) as w:
        await create(w)
        before = {task.id for task in w.store.all(tasks)}
        w.auto = False
        await update(w)
        arn = (await newest(w))["serviceDeploymentArn"]
        stop = {"stopType": kind} if kind else {}
        assert (await w.ecs.stop_service_deployment(serviceDeploymentArn=arn, **stop))["serviceDeploymentArn"] == arn
        asked = (await newest(w))["status"]
        assert asked == ("STOP_REQUESTED" if kind == "ABORT" else "ROLLBACK_REQUESTED")
        with pytest.raises(t.ConflictException):
            await w.ecs.stop_service_deployment(serviceDeploymentArn=arn)
        await w.settle()
        for task in w.store.all(tasks):
            if task.desired == "STOPPED":
                w.report(task.id, "stopped")
        await w.settle()
        found = await newest(w)
        service = await described(w)
        assert before <= {task.id for task in w.store.all(tasks) if task.status == "RUNNING"}
        if kind == "ABORT":
            assert (found["status"], service["deployments"][0]["rolloutState"]) == ("STOPPED", "FAILED")
            assert live(w)["2", "PENDING"] + live(w)["2", "PROVISIONING"] == 2  # nothing is taken back
        else:
            assert found["status"] == "ROLLBACK_SUCCESSFUL"
            assert live(w) == {("1", "RUNNING"): 2}
            assert stable(service)
            assert any("rolling back to deployment ecs-svc/" in text for text in messages(service))
        with pytest.raises(t.ConflictException):
            await w.ecs.stop_service_deployment(serviceDeploymentArn=arn)


async def test_what_cannot_be_stopped(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.auto = False
        await create(w)
        arn = (await newest(w))["serviceDeploymentArn"]
        with pytest.raises(t.ConflictException, match="no completed service revision"):
            await w.ecs.stop_service_deployment(serviceDeploymentArn=arn)
        with pytest.raises(t.ServiceDeploymentNotFoundException):
            await w.ecs.stop_service_deployment(serviceDeploymentArn=arn + "x")
        for wrong in ("web", arn.replace("service-deployment", "service"), arn.rpartition("/")[0]):
            with pytest.raises(t.InvalidParameterException):
                await w.ecs.stop_service_deployment(serviceDeploymentArn=wrong)


async def test_filters_and_pages(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        for _ in range(4):
            await w.pass_time(10)
            await w.ecs.update_service(service="web", forceNewDeployment=True)
            await w.settle()
        every = [one["serviceDeploymentArn"] for one in await listed(w)]
        times = [one["createdAt"] for one in await listed(w)]
        assert len(every) == 5
        assert times == sorted(times, reverse=True)
        seen: list[str] = []
        token: dict[str, str] = {}
        while True:
            answer = await w.ecs.list_service_deployments(service="web", maxResults=2, **token)
            seen += [one["serviceDeploymentArn"] for one in answer["serviceDeployments"]]
            if "nextToken" not in answer:
                break
            token = {"nextToken": answer["nextToken"]}
        assert seen == every
        assert await listed(w, status=["PENDING"]) == []
        assert len(await listed(w, createdAt={"after": times[1]})) == 2
        assert len(await listed(w, createdAt={"before": times[1]})) == 4
        with pytest.raises(AwsError):
            await w.ecs.list_service_deployments(service="web", maxResults=101)
        with pytest.raises(t.ServiceNotFoundException):
            await w.ecs.list_service_deployments(service="other")


async def test_what_is_not_there_is_a_failure_each(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        found = await newest(w)
        for operation, member, arn in (
            (w.ecs.describe_service_deployments, "serviceDeploymentArns", found["serviceDeploymentArn"]),
            (w.ecs.describe_service_revisions, "serviceRevisionArns", found["targetServiceRevision"]["arn"]),
        ):
            answer = await operation(**{member: [arn, arn, arn + "0"]})
            assert answer["failures"] == [{"arn": arn + "0", "reason": "MISSING"}]
            with pytest.raises(t.InvalidParameterException):
                await operation(**{member: []})
            with pytest.raises(t.InvalidParameterException):
                await operation(**{member: [arn] * 21})


async def test_nothing_is_lost_when_ecs_dies_in_the_middle(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, deploymentConfiguration=BREAKER)
        w.auto = False
        await update(w)
        before = (await newest(w))["status"]
        await w.crash()
        assert (await newest(w))["status"] == before == "IN_PROGRESS"
        await fail_new_tasks(w)
        await w.crash()
        assert (await newest(w))["status"] == "ROLLBACK_SUCCESSFUL"


async def test_a_version_that_nothing_checks_has_to_stay_up_before_the_old_one_goes(tmp_path: Path) -> None:
    async with world(tmp_path, settings=Settings(unchecked_wait=5.0)) as w:
        await create(w, deploymentConfiguration=BREAKER)
        assert stable(await described(w))  # the first one takes nobody's place
        before = {task.id for task in w.store.all(tasks)}
        await update(w)
        assert live(w) == {("1", "RUNNING"): 2, ("2", "RUNNING"): 2}
        assert (await newest(w))["status"] == "IN_PROGRESS"
        await w.pass_time(4.9)
        assert live(w) == {("1", "RUNNING"): 2, ("2", "RUNNING"): 2}
        for _ in range(4):  # it crashes on starting, again and again
            for task in w.store.all(tasks):
                if task.definition.endswith("2"):
                    w.report(task.id, "stopped", exit_code=1)
            await w.settle()
            await w.pass_time(4)
        assert (await newest(w))["status"] == "ROLLBACK_SUCCESSFUL"
        assert {task.id for task in w.store.all(tasks) if task.status == "RUNNING"} == before
        await update(w)
        await w.pass_time(5)
        assert live(w) == {("3", "RUNNING"): 2}
        assert (await newest(w))["status"] == "SUCCESSFUL"
