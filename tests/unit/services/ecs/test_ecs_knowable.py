"""What a node is told so that a task can know it: where it is, what it belongs to, whether it may fail on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.services.ecs.model.task import Eni, Task, tasks
from hatoba.services.ecs.model.task_definition import definitions
from hatoba.services.ecs.plan.workload.metadata import metadata
from tests.unit.services.ecs.world import NETWORK, SCOPE, World, container, definition, world


async def placed(w: World, launch_type: str = "FARGATE", **fields: Any) -> tuple[Task, dict[str, str]]:
    await w.ecs.create_cluster()
    await w.ecs.register_task_definition(**definition(requiresCompatibilities=["FARGATE", "EC2"], **fields))
    await w.ecs.run_task(taskDefinition="web", launchType=launch_type, networkConfiguration=NETWORK)
    await w.settle()
    (task,) = w.store.all(tasks)
    found = w.store.find(fleet.workloads, SCOPE, task.id)
    assert found is not None
    return task, found.metadata


async def test_where_it_is_and_what_it_belongs_to(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        task, known = await placed(w)
        assert known["TaskARN"] == task.arn
        assert known["Cluster"] == "arn:aws:ecs:us-east-1:123456789012:cluster/default"
        assert (known["Family"], known["Revision"], known["LaunchType"]) == ("web", "1", "FARGATE")
        assert (known["Group"], known["VPCID"], known["AvailabilityZone"]) == ("family:web", "vpc-1", "us-east-1a")
        assert known["ContainerARN:web"].startswith("arn:aws:ecs:us-east-1:123456789012:container/default/")
        assert "ContainerInstanceARN" not in known, "Fargate has none"


async def test_an_instances_task_knows_its_instance(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, known = await placed(w, "EC2")
        assert known["ContainerInstanceARN"].endswith(":container-instance/default/node-1")


@pytest.mark.parametrize("wanted", [True, False, None])
async def test_only_a_definition_that_says_so_lets_its_tasks_fail_on_purpose(tmp_path: Path, wanted: Any) -> None:
    async with world(tmp_path) as w:
        fields = {} if wanted is None else {"enableFaultInjection": wanted}
        task, known = await placed(w, **fields)
        assert known.get("FaultInjectionEnabled") == ("true" if wanted else None)
        told = await w.ecs.describe_task_definition(taskDefinition="web")
        assert told["taskDefinition"].get("enableFaultInjection") == wanted
        known_definition = w.store.find(definitions, SCOPE, task.definition)
        assert known_definition is not None
        outside = metadata(replace(task, launch_type="EXTERNAL"), known_definition)
        assert "FaultInjectionEnabled" not in outside, "external instances have no such API"


async def test_the_zone_has_an_id_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        task, _ = await placed(w)
        known_definition = w.store.find(definitions, SCOPE, task.definition)
        assert known_definition is not None
        eni = Eni(id="e", subnet="s", vpc="v", address="10.0.0.1", mac="02:00:00:00:00:01", zone_id="use1-az2")
        assert metadata(replace(task, eni=eni), known_definition)["AvailabilityZoneID"] == "use1-az2"


async def test_a_task_without_an_interface_is_where_its_instance_is(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.create_cluster()
        await w.ecs.register_task_definition(
            **definition(networkMode="bridge", requiresCompatibilities=["EC2"], containerDefinitions=[container()])
        )
        await w.ecs.run_task(taskDefinition="web", launchType="EC2")
        await w.settle()
        (task,) = w.store.all(tasks)
        (found,) = w.store.all(fleet.workloads)
        (told,) = (await w.ecs.describe_tasks(tasks=[task.arn]))["tasks"]
        (instance,) = (await w.ecs.list_container_instances())["containerInstanceArns"]
        (there,) = (await w.ecs.describe_container_instances(containerInstances=[instance]))["containerInstances"]
        zone = next(a["value"] for a in there["attributes"] if a["name"] == "ecs.availability-zone")
        assert told["availabilityZone"] == found.metadata["AvailabilityZone"] == zone
