"""What clients are told, whole: golden files beside this test. `HATOBA_GOLDEN=write` renews them."""

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.fleet import model as fleet
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Eni, Network, Task, tasks
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.plan import launch
from hatoba.services.ecs.plan.definition.check import register
from hatoba.services.ecs.plan.images import image
from hatoba.services.ecs.plan.workload import workload
from tests.unit.services.ecs.test_ecs_services import BALANCED, create
from tests.unit.services.ecs.world import ROLE, SCOPE, World, container, definition, world

GOLDEN = Path(__file__).parent / "golden"


_IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|\b[0-9a-f]{21}\b|\b\d{19}\b")


def check(name: str, shape: Any) -> None:
    """Ids that chance gave are numbered in the order in which they appear."""
    text = msgspec.json.format(msgspec.json.encode(shape, enc_hook=repr), indent=2).decode() + "\n"
    numbers: dict[str, str] = {}
    text = _IDS.sub(lambda match: numbers.setdefault(match[0], f"<id {len(numbers) + 1}>"), text)
    path = GOLDEN / f"{name}.json"
    if os.environ.get("HATOBA_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; look at it, then HATOBA_GOLDEN=write"


async def running_service(w: World) -> Any:
    w.auto = False
    await create(w, loadBalancers=BALANCED, desiredCount=1, enableECSManagedTags=True, propagateTags="SERVICE")
    (task,) = w.store.all(tasks)
    w.clock.advance(1.5)
    w.report(task.id, "running")
    await w.settle()
    return task.arn


async def test_a_running_task(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn = await running_service(w)
        check("task-running", (await w.ecs.describe_tasks(tasks=[arn], include=["TAGS"])))


async def test_a_stopped_task(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn = await running_service(w)
        w.clock.advance(10)
        w.report(arn.rpartition("/")[2], "stopped", exit_code=1)
        await w.settle()
        check("task-stopped", (await w.ecs.describe_tasks(tasks=[arn])))


async def test_a_service(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await running_service(w)
        await w.ecs.register_task_definition(**definition())
        w.clock.advance(5)
        await w.ecs.update_service(service="web", taskDefinition="web")
        await w.settle()
        check("service-rolling", (await w.ecs.describe_services(services=["web"])))


async def test_a_definition(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        check("task-definition", (await w.ecs.register_task_definition(**definition(taskRoleArn=ROLE))))


async def test_a_cluster_and_an_instance(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await running_service(w)
        include = ["SETTINGS", "STATISTICS", "TAGS", "CONFIGURATIONS", "ATTACHMENTS"]
        check("cluster", (await w.ecs.describe_clusters(include=include)))
        check("instance", (await w.ecs.describe_container_instances(containerInstances=["node-1"])))


def full() -> tuple[Task, Definition]:
    """A task whose container has a value in every member that the node hears of."""
    one = container(
        cpu=128,
        memory=256,
        memoryReservation=128,
        entryPoint=["/bin/web"],
        command=["serve"],
        environment=[{"name": "A", "value": "1"}],
        workingDirectory="/srv",
        user="1000:1000",
        readonlyRootFilesystem=True,
        pseudoTerminal=True,
        dockerLabels={"team": "blue"},
        dockerSecurityOptions=["no-new-privileges"],
        stopTimeout=5,
        startTimeout=60,
        mountPoints=[
            {"sourceVolume": "data", "containerPath": "/data"},
            {"sourceVolume": "host", "containerPath": "/host", "readOnly": True},
        ],
        linuxParameters={
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "devices": [{"hostPath": "/dev/fuse", "permissions": ["read"]}],
            "initProcessEnabled": True,
            "sharedMemorySize": 8,
            "tmpfs": [{"containerPath": "/run", "size": 16, "mountOptions": ["noexec"]}],
            "maxSwap": 64,
            "swappiness": 10,
        },
        ulimits=[{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
        systemControls=[{"namespace": "net.core.somaxconn", "value": "1024"}],
        healthCheck={"command": ["CMD-SHELL", "true"], "interval": 5},
        restartPolicy={"enabled": True, "ignoredExitCodes": [0, 3], "restartAttemptPeriod": 60},
        logConfiguration={
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/web",
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "web",
            },
        },
    )
    side = container(
        "side",
        essential=False,
        memory=64,
        image="alpine",
        portMappings=[],
        volumesFrom=[{"sourceContainer": "web", "readOnly": True}],
        dependsOn=[{"containerName": "web", "condition": "HEALTHY"}],
    )
    registered = register(
        definition(  # type: ignore[arg-type]
            requiresCompatibilities=["EC2"],
            containerDefinitions=[one, side],
            volumes=[{"name": "data"}, {"name": "host", "host": {"sourcePath": "/srv/data"}}],
            taskRoleArn=ROLE,
        )
    )
    record = Definition(
        key=definitions.key(SCOPE, "web:0000000001"),
        family="web",
        revision=1,
        content=registered.content,
        compatibilities=registered.compatibilities,
        requires=registered.requires,
        registered_at=1.0,
        registered_by="me",
    )
    wish = launch.Wish(
        cluster="default",
        definition=record,
        launch_type="EC2",
        group="family:web",
        network=Network(subnets=("subnet-a",)),
    )
    task = launch.task(wish, SCOPE, "0" * 32, "node-1", "subnet-a", wish.reserve(Settings()), 2.0)
    eni = Eni(id="eni-1", subnet="subnet-a", vpc="vpc-1", address="172.31.0.4", mac="02:00:00:00:00:01", zone="a")
    return msgspec.structs.replace(task, eni=eni), record


def test_a_workload() -> None:
    task, record = full()
    made = workload(task, record, Settings())
    assert isinstance(made, fleet.Workload)
    check("workload", made)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("web", ("registry-1.docker.io", "library/web", "latest", "https")),
        ("team/web:1", ("registry-1.docker.io", "team/web", "1", "https")),
        ("docker.io/web@sha256:ab", ("registry-1.docker.io", "library/web", "sha256:ab", "https")),
        ("localhost:4566/web:1", ("", "web", "1", "https")),
        ("localhost:4566/123456789012/eu-west-1/a/b", ("", "123456789012/eu-west-1/a/b", "latest", "https")),
        ("localhost:5000/web", ("localhost:5000", "web", "latest", "http")),
        ("registry.example:8443/a/b:2", ("registry.example:8443", "a/b", "2", "https")),
        ("1" * 12 + ".dkr.ecr.eu-west-1.amazonaws.com/web:3", ("", "1" * 12 + "/eu-west-1/web", "3", "https")),
    ],
)
def test_images(reference: str, expected: tuple[str, str, str, str]) -> None:
    found = image(reference, ("localhost:4566",))
    assert (found.host, found.repository, found.reference, found.scheme) == expected
    assert found.name == reference
