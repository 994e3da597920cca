"""What a workload's volumes and its limit of storage come to on the node."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatoba.core.records import replace
from hatoba.core.virtual import run
from hatoba.fleet.model import Limit, MountWanted, VolumeWanted, Workload
from hatoba.node import translate
from hatoba.node.metadata import views
from hatoba.runtime.base import ImageConfig, Stdio, Usage, Volume
from hatoba.runtime.failures import Failure
from tests.unit.node.machine import Machine
from tests.unit.node.pieces import container, workload
from tests.unit.node.test_metadata_endpoint import running
from tests.unit.node.test_translate import PLACE

GIB = 1 << 30
MOUNTS = tuple(MountWanted(target=f"/{name}", volume=name) for name in ("plain", "fast", "kept", "plain"))
FAST = VolumeWanted(name="fast", filesystem="tmpfs", options="size=1m")
KEPT = VolumeWanted(name="kept", shared=True, labels={"of": "team"})


def test_plain_volumes_go_with_the_workload_and_shared_ones_stay() -> None:
    wanted = container(mounts=MOUNTS)
    task = workload("t1", wanted, volumes=("plain", "unused"), driver_volumes=(FAST, KEPT))
    assert [translate.volume(volume, "t1") for volume in translate.volumes(task, wanted, ImageConfig())] == [
        Volume(name="plain", group="t1"),
        Volume(name="fast", group="t1", filesystem="tmpfs", options="size=1m"),
        Volume(name="kept", labels={"of": "team"}),
    ]


def test_what_an_image_calls_a_volume_stays_writable_below_a_read_only_root() -> None:
    image = ImageConfig(volumes=("/data", "/var/cache"))
    wanted = container(mounts=(MountWanted(target="/data/", volume="plain"),), read_only_root=True)
    task = workload("t1", wanted, volumes=("plain",))
    made = translate.volumes(task, wanted, image)
    assert len(made) == 2
    spec = translate.container_spec(task, wanted, image, "sha256:1", PLACE, Stdio())
    shown = {mount.target: mount.source for mount in spec.mounts if mount.kind == "volume"}
    assert shown == {"/data/": "plain", "/var/cache": made[1].name}
    other = container("other", read_only_root=True)
    assert made[1] not in translate.volumes(task, other, image)
    assert len(translate.volumes(task, container(mounts=wanted.mounts), image)) == 1


@pytest.mark.parametrize(
    ("launch_type", "ulimits", "expected"),
    [
        ("FARGATE", (), [("nofile", 65535, 65535)]),
        ("FARGATE", (Limit(name="core", soft=0, hard=0),), [("nofile", 65535, 65535), ("core", 0, 0)]),
        ("FARGATE", (Limit(name="nofile", soft=9, hard=10),), [("nofile", 9, 10)]),
        ("EC2", (), []),
    ],
)
def test_limits_are_added_to_those_of_the_launch_type(
    launch_type: str, ulimits: tuple[Limit, ...], expected: list[tuple[str, int, int]]
) -> None:
    wanted = container(ulimits=ulimits)
    task = workload("t1", wanted, metadata={"LaunchType": launch_type})
    spec = translate.container_spec(task, wanted, ImageConfig(), "sha256:1", PLACE, Stdio())
    assert [(limit.name, limit.soft, limit.hard) for limit in spec.ulimits] == expected


def test_an_interactive_container_has_an_input_that_never_ends(tmp_path: Path) -> None:
    machine = _on_a_machine(tmp_path, workload("t1", container(interactive=True), container("other")))
    stdin = machine.host.containers["t1-web"].spec.stdio.stdin
    assert Path(stdin).is_fifo()
    assert machine.host.containers["t1-other"].spec.stdio.stdin == ""


def _on_a_machine(folder: Path, task: Workload) -> Machine:
    async def main() -> Machine:
        machine = Machine.make(folder)
        await machine.start()
        machine.want(task)
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state in ("running", "stopped"))
        await machine.kill()
        return machine

    return run(main())


def test_the_runtime_is_told_of_both_before_the_container_starts(tmp_path: Path) -> None:
    wanted = container(mounts=MOUNTS)
    task = workload("t1", wanted, volumes=("plain",), driver_volumes=(FAST, KEPT), storage=21 * GIB)
    machine = _on_a_machine(tmp_path, task)
    assert machine.running() == ["t1-web"]
    assert set(machine.host.volumes) == {("t1", "plain"), ("t1", "fast"), ("", "kept")}
    assert machine.host.storage == {"t1": Usage(used=0, limit=21 * GIB)}


def test_a_volume_that_is_not_to_be_made_has_to_be_there(tmp_path: Path) -> None:
    kept = VolumeWanted(name="kept", shared=True, provision=False)
    task = workload("t1", container(mounts=(MountWanted(target="/kept", volume="kept"),)), driver_volumes=(kept,))
    machine = _on_a_machine(tmp_path, task)
    (status,) = machine.status("t1").containers
    assert status.error == Failure.VOLUME
    assert status.detail == "volume detection failed, volume 'kept' does not exist and autoprovision is set to false"


def test_a_path_of_the_host_is_made_as_docker_does(tmp_path: Path) -> None:
    source = tmp_path / "srv" / "new"
    task = workload("t1", container(mounts=(MountWanted(target="/data", source=str(source)),)))
    machine = _on_a_machine(tmp_path / "node", task)
    assert machine.running() == ["t1-web"]
    assert source.is_dir()


def test_the_metadata_endpoint_tells_what_is_used_where_there_is_a_limit() -> None:
    unlimited = views.About(held=running(workload("t1")))
    limited = replace(unlimited, storage=Usage(used=3 * (1 << 20) + 5, limit=20 * GIB))
    assert views.task(limited, 4)["EphemeralStorageMetrics"] == {"Utilized": 3, "Reserved": 20480}
    assert "EphemeralStorageMetrics" not in views.task(unlimited, 4)
    assert "EphemeralStorageMetrics" not in views.task(limited, 3)
