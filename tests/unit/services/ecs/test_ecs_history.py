"""How long service deployments, revisions and the definitions that they need are kept."""

from pathlib import Path

import pytest

from hatoba.fleet import model as fleet
from hatoba.services.ecs.model import service_deployment as history
from hatoba.services.ecs.model.service import services
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.task_definition import definitions
from tests.unit.services.ecs.test_ecs_deployments import BREAKER, fail_new_tasks, update
from tests.unit.services.ecs.test_ecs_services import create
from tests.unit.services.ecs.world import SCOPE, world


async def test_history_is_bounded_and_goes_with_its_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 3)
    async with world(tmp_path) as w:
        await create(w)
        for _ in range(6):
            await w.ecs.update_service(service="web", forceNewDeployment=True)
            await w.settle()
        assert len(w.store.all(history.deployments)) == 3
        assert 3 <= len(w.store.all(history.revisions)) <= 4  # and the source of the oldest
        await w.ecs.delete_service(service="web", force=True)
        await w.settle()
        await create(w)
        assert len(w.store.all(history.deployments)) == 1
        assert len(w.store.all(history.revisions)) == 1


async def test_what_a_rollback_needs_outlives_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 1)
    async with world(tmp_path) as w:
        await create(w, deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100})
        worked = w.store.all(history.revisions)[0].key
        w.auto = False
        for task in w.store.all(tasks):
            w.report(task.id, "stopped")
        await w.settle()
        for _ in range(3):
            await w.ecs.update_service(service="web", forceNewDeployment=True)
            await w.settle()
            for task in w.store.all(tasks):
                w.report(task.id, "stopped")
            await w.settle()
        assert len(w.store.all(history.deployments)) == 1
        assert w.store.get(history.revisions, worked) is not None


async def test_a_definition_that_a_rollback_needs_is_not_forgotten(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        limits = {"minimumHealthyPercent": 0, "maximumPercent": 100}
        await create(w, deploymentConfiguration={**BREAKER, **limits})
        w.auto = False
        await update(w)
        for task in w.store.all(tasks):
            w.report(task.id, "stopped")
        await w.settle()
        await w.ecs.deregister_task_definition(taskDefinition="web:1")
        await w.ecs.delete_task_definitions(taskDefinitions=["web:1"])
        for task in w.store.all(tasks):
            if task.status == "STOPPED":
                with w.store.tx() as tx:
                    tx.forget(tasks, task.key)
        await w.settle()
        assert w.store.find(definitions, SCOPE, "web:0000000001") is not None
        await fail_new_tasks(w)
        service = w.store.find(services, SCOPE, "default/web")
        assert service is not None
        assert service.primary.revision.definition == "web:0000000001"
        assert any(x.containers[0].image.name == "localhost:4566/web:1" for x in w.store.all(fleet.workloads))


async def test_deleting_a_service_ends_its_deployment(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.auto = False
        await create(w)
        await w.ecs.delete_service(service="web", force=True)
        await w.settle()
        (record,) = w.store.all(history.deployments)
        assert (record.status, record.reason) == (
            "STOPPED",
            "Service deployment stopped because the service is being deleted.",
        )
