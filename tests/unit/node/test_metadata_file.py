"""The file about a container: complete when it starts, for tasks on instances, and only where it is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from hatoba.core.records import replace
from hatoba.fleet.model import PortBinding
from hatoba.node import metadata_file, translate
from hatoba.node.translate import Place
from hatoba.runtime.base import ImageConfig, Stdio
from tests.unit.node.pieces import container, workload

PLACE = Place(netns="n", address="10.0.0.7", servers=("10.0.0.2",), files=Path("/t"), registry="r", told_by_file=True)
META = {
    "Cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
    "TaskARN": "arn:aws:ecs:us-east-1:123456789012:task/default/t1",
    "ContainerInstanceARN": "arn:aws:ecs:us-east-1:123456789012:container-instance/default/n1",
    "Family": "web",
    "Revision": "3",
    "LaunchType": "EC2",
    "AvailabilityZone": "us-east-1b",
}


def told(**fields: Any) -> dict[str, Any]:
    wanted = container("web", ports=((80, "tcp"),))
    text = metadata_file.text(
        workload("t1", wanted, metadata=META, **fields),
        wanted,
        container_id="t1-web",
        digest="sha256:1",
        addresses=("10.0.0.7",),
    )
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


def test_what_stands_in_it() -> None:
    assert told() == {
        "Cluster": "default",
        "ContainerInstanceARN": META["ContainerInstanceARN"],
        "TaskARN": META["TaskARN"],
        "TaskDefinitionFamily": "web",
        "TaskDefinitionRevision": "3",
        "ContainerID": "t1-web",
        "ContainerName": "web",
        "DockerContainerName": "/ecs-web-3-web-t1",
        "ImageID": "sha256:1",
        "ImageName": "web:1",
        "PortMappings": [{"ContainerPort": 80, "HostPort": 80, "BindIp": "0.0.0.0", "Protocol": "tcp"}],
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.0.7"]}],
        "MetadataFileStatus": "READY",
        "AvailabilityZone": "us-east-1b",
    }


def test_on_the_bridge_its_ports_are_those_that_the_node_chose() -> None:
    wanted = container("web", ports=((80, "tcp"),))
    text = metadata_file.text(
        workload("t1", wanted, metadata=META, network=None, interface=None, network_mode="bridge"),
        wanted,
        container_id="t1-web",
        digest="sha256:1",
        addresses=("172.17.0.2",),
        bindings=(PortBinding(container=80, host=32768), PortBinding(container=9000, host=40000, count=2)),
    )
    found = msgspec.json.decode(text)
    ports = [(port["ContainerPort"], port["HostPort"]) for port in found["PortMappings"]]
    assert ports == [(80, 32768), (9000, 40000), (9001, 40001)]
    assert found["Networks"] == [{"NetworkMode": "bridge", "IPv4Addresses": ["172.17.0.2"]}]


def test_the_environment_leads_to_the_file_that_is_mounted() -> None:
    task = workload("t1", container("web"), metadata=META)
    spec = translate.container_spec(task, task.containers[0], ImageConfig(), "sha256:1", PLACE, Stdio())
    given = dict(pair.partition("=")[::2] for pair in spec.env)
    file = given["ECS_CONTAINER_METADATA_FILE"]
    (mount,) = (mount for mount in spec.mounts if file.startswith(mount.target + "/"))
    assert (mount.source, mount.read_only) == ("/t/web/metadata", True)
    assert file.endswith(f"/{metadata_file.NAME}")
    assert metadata_file.path("t1", "web") != metadata_file.path("t1", "side") != metadata_file.path("t2", "side")


def test_it_is_there_only_where_it_is_wanted_and_never_on_fargate() -> None:
    for place, launch_type in ((replace(PLACE, told_by_file=False), "EC2"), (PLACE, "FARGATE")):
        task = workload("t1", container("web"), metadata=META | {"LaunchType": launch_type})
        spec = translate.container_spec(task, task.containers[0], ImageConfig(), "sha256:1", place, Stdio())
        assert not [mount for mount in spec.mounts if mount.target.startswith(metadata_file.FOLDER)]
        assert not [pair for pair in spec.env if pair.startswith("ECS_CONTAINER_METADATA_FILE=")]
