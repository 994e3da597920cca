"""What a task definition may say of limits, volumes and devices; what of it reaches the node; what no node has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import VolumeWanted, workloads
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.plan.definition.check import register
from hatoba.services.ecs.plan.workload.lifecycle import health
from hatoba.services.ecs.plan.workload.volumes import mounts, volumes
from tests.unit.services.ecs.world import NETWORK, SCOPE, container, definition, world

EC2: dict[str, Any] = {"requiresCompatibilities": ["EC2"]}


def volume(**fields: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "data", **fields}]}


def recorded(**fields: Any) -> Definition:
    registered = register(definition(**fields))  # type: ignore[arg-type]
    return Definition(
        key=definitions.key(SCOPE, "web:0000000001"),
        family="web",
        revision=1,
        content=registered.content,
        compatibilities=registered.compatibilities,
        requires=registered.requires,
        registered_at=1.0,
        registered_by="me",
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (30.0, 5.0, 3, 0.0)),
        ({"interval": 6, "timeout": 2, "retries": 10, "startPeriod": 300}, (6.0, 2.0, 10, 300.0)),
    ],
)
def test_a_health_check_is_passed_on_with_its_defaults(given: dict[str, Any], expected: tuple[float, ...]) -> None:
    registered = register(
        definition(containerDefinitions=[container(healthCheck={"command": ["CMD", "true"], **given})])
    )  # type: ignore[arg-type]
    found = health(registered.content["containerDefinitions"][0])
    assert found is not None
    assert (found.interval, found.timeout, found.retries, found.start_period) == expected
    assert found.command == ("CMD", "true")


def gpu(**fields: Any) -> dict[str, Any]:
    return {
        "containerDefinitions": [container(memory=64, resourceRequirements=[{"type": "GPU", "value": "2", **fields}])]
    }


def one(**fields: Any) -> dict[str, Any]:
    return {"containerDefinitions": [container(memory=64, **fields)]}


PLATFORM = {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
WINDOWS = {"cpuArchitecture": "X86_64", "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}
MPS = {"nvidiaMps": {"memory": 1024, "maxComputePercent": 50}}
LACKING: list[tuple[dict[str, Any], str, str]] = [
    (gpu(), "RESOURCE:GPU", "lacks GPUs (need 2)"),
    (gpu(sharingStrategy=MPS), "RESOURCE:GPU", "lacks GPUs (need 2)"),
    (one(resourceRequirements=[{"type": "NeuronDevice", "value": "1"}]), "ATTRIBUTE", "NeuronDevice"),
    ({"runtimePlatform": PLATFORM}, "ATTRIBUTE", "is not aarch64"),
    ({"runtimePlatform": WINDOWS}, "ATTRIBUTE", "WINDOWS_SERVER_2022_CORE"),
    (one(credentialSpecs=["credentialspec:arn:aws:s3:::x/y"]), "ATTRIBUTE", "ecs.capability.gmsa"),
    (one(credentialSpecs=["credentialspecdomainless:arn:aws:s3:::x/y"]), "ATTRIBUTE", "ecs.capability.gmsa-domainless"),
    (one(dockerSecurityOptions=["apparmor:docker-default"]), "ATTRIBUTE", "com.amazonaws.ecs.capability.apparmor"),
    (one(dockerSecurityOptions=["label:type:x"]), "ATTRIBUTE", "com.amazonaws.ecs.capability.selinux"),
    (volume(dockerVolumeConfiguration={"driver": "rexray"}) | one(), "ATTRIBUTE", "docker-plugin.rexray"),
]


@pytest.mark.parametrize(("fields", "code", "words"), LACKING)
async def test_what_no_node_has_is_refused_by_its_name(
    tmp_path: Path, fields: dict[str, Any], code: str, words: str
) -> None:
    async with world(tmp_path) as w:
        wanted = definition("wants", **EC2, **fields)
        await w.ecs.register_task_definition(**{k: v for k, v in wanted.items() if v is not None})
        answer = await w.ecs.run_task(taskDefinition="wants", launchType="EC2", networkConfiguration=NETWORK)
        assert answer["tasks"] == []
        (failure,) = answer["failures"]
        assert failure["reason"] == code
        assert words in failure["detail"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"ephemeralStorage": {"sizeInGiB": 201}}, "EphemeralStorage size should be at most 200."),
    (volume(dockerVolumeConfiguration={"scope": "shared"}), "do not support dockerVolumeConfiguration"),
    (
        {**EC2, **volume(dockerVolumeConfiguration={"scope": "task", "autoprovision": True})},
        "autoprovision is only used if the scope is shared",
    ),
    (
        {**EC2, **volume(host={"sourcePath": "/x"}, dockerVolumeConfiguration={"scope": "task"})},
        "one configuration only",
    ),
    (one(linuxParameters={"capabilities": {"add": ["SYS_ADMIN"]}}), "SYS_ADMIN is not allowed on Fargate."),
    (one(linuxParameters={"swappiness": 0}), "do not support swappiness"),
    ({**EC2, **one(linuxParameters={"swappiness": 101})}, "The 'swappiness' value must be between 0 and 100."),
    ({**EC2, **one(linuxParameters={"maxSwap": -1})}, "The 'maxSwap' value must not be negative."),
    ({**EC2, **one(linuxParameters={"sharedMemorySize": 0})}, "The 'sharedMemorySize' value must be greater than 0."),
    (
        {**EC2, **one(linuxParameters={"tmpfs": [{"containerPath": "x", "size": 1}]})},
        "The tmpfs containerPath 'x' must be an absolute path.",
    ),
    (
        {**EC2, **one(linuxParameters={"tmpfs": [{"containerPath": "/x", "size": 1, "mountOptions": ["fast"]}]})},
        "The tmpfs mount option 'fast' is not valid.",
    ),
    ({**EC2, **one(linuxParameters={"devices": [{"hostPath": "x"}]})}, "must be an absolute path"),
    ({**EC2, **one(dockerSecurityOptions=["seccomp:x"])}, "The dockerSecurityOptions value 'seccomp:x' is not valid."),
    ({**EC2, **one(credentialSpecs=["a", "b"])}, "At most one of credentialSpecs"),
    ({**EC2, **gpu(value="none")}, "must be a whole number greater than 0"),
    (one(startTimeout=1), "Fargate requires that 'startTimeout' be between 2 and 120 seconds."),
    (one(stopTimeout=1), "Fargate requires that 'stopTimeout' be between 2 and 120 seconds."),
]


@pytest.mark.parametrize(("fields", "words"), REFUSED, ids=[words[:50] for _, words in REFUSED])
def test_what_is_out_of_bounds_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(t.ClientException) as refused:
        register(definition(**fields))  # type: ignore[arg-type]
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("launch_type", "wanted", "override", "gib"),
    [
        ("FARGATE", None, None, 20),
        ("FARGATE", 30, None, 30),
        ("FARGATE", 30, 40, 40),
        ("EC2", 30, None, None),  # an instance's disk is everybody's on it
    ],
)
async def test_how_much_a_task_may_store_is_told_to_its_node(
    tmp_path: Path, launch_type: str, wanted: int | None, override: int | None, gib: int | None
) -> None:
    async with world(tmp_path) as w:
        more = {"ephemeralStorage": {"sizeInGiB": wanted}} if wanted else {}
        await w.ecs.register_task_definition(**definition(**more))
        overrides = {"ephemeralStorage": {"sizeInGiB": override}} if override else {}
        await w.ecs.run_task(
            taskDefinition="web", launchType=launch_type, overrides=overrides, networkConfiguration=NETWORK
        )
        await w.settle()
        (workload,) = w.store.all(workloads)
        assert workload.storage == (gib * 1024**3 if gib else None)
        (arn,) = (await w.ecs.list_tasks())["taskArns"]
        (task,) = (await w.ecs.describe_tasks(tasks=[arn]))["tasks"]
        assert task.get("ephemeralStorage") == ({"sizeInGiB": gib} if gib else None)


@pytest.mark.parametrize("option", ["size=1m,mode=700", "bind"])
def test_what_docker_s_driver_local_takes_reaches_the_node(option: str) -> None:
    docker = {"scope": "shared", "autoprovision": True, "labels": {"a": "b"}}
    docker["driverOpts"] = {"type": "tmpfs", "device": "tmpfs", "o": option}
    record = recorded(**EC2, **volume(dockerVolumeConfiguration=docker))
    plain, (made,) = volumes(record)
    assert plain == ()
    assert made == VolumeWanted(
        name="data", shared=True, filesystem="tmpfs", device="tmpfs", options=option, labels={"a": "b"}
    )
    assert "ecs.capability.docker-plugin.local" in record.requires


def test_volumes_of_other_containers_are_taken_over_as_docker_does() -> None:
    """Also what those have from others; read-only stays read-only; what is its own goes before."""

    def mount(volume: str, target: str, **more: Any) -> dict[str, Any]:
        return {"sourceVolume": volume, "containerPath": target, **more}

    def source(name: str, **more: Any) -> list[dict[str, Any]]:
        return [{"sourceContainer": name, **more}]

    a = container("a", portMappings=[], mountPoints=[mount("one", "/one", readOnly=True), mount("two", "/two")])
    b = container("b", portMappings=[], volumesFrom=source("a"), mountPoints=[mount("three", "/two")])
    c = container("c", portMappings=[], volumesFrom=source("b", readOnly=True))
    record = recorded(containerDefinitions=[a, b, c], volumes=[{"name": name} for name in ("one", "two", "three")])
    found = {d["name"]: {(m.target, m.volume, m.read_only) for m in mounts(d, record)} for d in record.containers}
    assert found["b"] == {("/one", "one", True), ("/two", "three", False)}
    assert found["c"] == {("/one", "one", True), ("/two", "three", True)}
