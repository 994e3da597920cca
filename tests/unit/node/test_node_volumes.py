"""What a workload's volumes and its limit of storage come to on the node."""

from __future__ import annotations

from pathlib import Path

from hatoba.core.records import replace
from hatoba.core.virtual import run
from hatoba.fleet.model import MountWanted, VolumeWanted, Workload
from hatoba.node import translate
from hatoba.node.metadata import views
from hatoba.runtime.base import Failure, Usage, Volume
from tests.unit.node.machine import Machine
from tests.unit.node.pieces import container, workload
from tests.unit.node.test_metadata_endpoint import running

GIB = 1 << 30
MOUNTS = tuple(MountWanted(target=f"/{name}", volume=name) for name in ("plain", "fast", "kept", "plain"))
FAST = VolumeWanted(name="fast", filesystem="tmpfs", options="size=1m")
KEPT = VolumeWanted(name="kept", shared=True, labels={"of": "team"})


def test_plain_volumes_go_with_the_workload_and_shared_ones_stay() -> None:
    wanted = container(mounts=MOUNTS)
    task = workload("t1", wanted, volumes=("plain", "unused"), driver_volumes=(FAST, KEPT))
    assert [translate.volume(volume, "t1") for volume in translate.volumes(task, wanted)] == [
        Volume(name="plain", group="t1"),
        Volume(name="fast", group="t1", filesystem="tmpfs", options="size=1m"),
        Volume(name="kept", labels={"of": "team"}),
    ]


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
