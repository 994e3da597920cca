"""Volumes, mount points and devices, and how much a task may store, in the words of the fleet."""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import DeviceWanted, MountWanted, VolumeWanted
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition

MIB, GIB = 1 << 20, 1 << 30
FARGATE_STORAGE = 20  # GiB, where nothing is said


def device(device: t.Device) -> DeviceWanted:
    letters = {"read": "r", "write": "w", "mknod": "m"}
    permissions = "".join(letters[p] for p in device.get("permissions") or ("read", "write", "mknod"))
    return DeviceWanted(
        host_path=device["hostPath"], container_path=device.get("containerPath") or "", permissions=permissions
    )


def host_path(volume: t.Volume) -> str:
    return (volume.get("host") or {}).get("sourcePath") or ""


def storage(task: Task, definition: Definition) -> int | None:
    """GiB that a task may store: what Fargate promises, and no more. An instance's disk is everybody's on it."""
    if task.launch_type != "FARGATE":
        return None
    wanted = task.overrides.get("ephemeralStorage") or definition.content.get("ephemeralStorage") or {}
    return int(wanted.get("sizeInGiB", FARGATE_STORAGE))


def volumes(definition: Definition) -> tuple[tuple[str, ...], tuple[VolumeWanted, ...]]:
    """The names of the plain ones, and those that docker's driver `local` makes, or that stay."""
    plain: list[str] = []
    made: list[VolumeWanted] = []
    for volume in definition.content["volumes"]:
        docker = volume.get("dockerVolumeConfiguration")
        if docker is not None:
            made.append(_made(volume["name"], docker))
        elif not host_path(volume):
            plain.append(volume["name"])
    return tuple(plain), tuple(made)


def _made(name: str, docker: t.DockerVolumeConfiguration) -> VolumeWanted:
    shared, options = docker.get("scope", "task") == "shared", docker.get("driverOpts") or {}
    return VolumeWanted(
        name=name,
        shared=shared,
        provision=bool(docker.get("autoprovision")) if shared else True,
        filesystem=options.get("type", ""),
        device=options.get("device", ""),
        options=options.get("o", ""),
        labels=dict(docker.get("labels") or {}),
    )


def mounts(c: t.ContainerDefinition, definition: Definition) -> tuple[MountWanted, ...]:
    kinds: dict[str, t.Volume] = {volume["name"]: volume for volume in definition.content["volumes"]}
    points = _points(c, {container["name"]: container for container in definition.containers}, frozenset())
    wanted = [_mount(point, read_only, kinds[point["sourceVolume"]]) for point, read_only in points.values()]
    for tmpfs in (c.get("linuxParameters") or {}).get("tmpfs") or ():
        options = tuple(tmpfs.get("mountOptions") or ())
        wanted.append(MountWanted(target=tmpfs["containerPath"], tmpfs=True, size=tmpfs["size"] * MIB, options=options))
    return tuple(wanted)


def _points(
    c: t.ContainerDefinition, by_name: Mapping[str, t.ContainerDefinition], seen: frozenset[str]
) -> dict[str, tuple[t.MountPoint, bool]]:
    """By target: those of the containers it names, and theirs; its own go before them. As docker, nothing that is
    read-only there becomes writable here."""
    found: dict[str, tuple[t.MountPoint, bool]] = {}
    for source in c["volumesFrom"]:
        other, read_only = source["sourceContainer"], bool(source.get("readOnly"))
        if other not in seen:
            for target, (point, already) in _points(by_name[other], by_name, seen | {c["name"]}).items():
                found[target] = point, already or read_only
    own = {point["containerPath"]: (point, bool(point.get("readOnly"))) for point in c["mountPoints"]}
    return own | {target: taken for target, taken in found.items() if target not in own}


def _mount(point: t.MountPoint, read_only: bool, volume: t.Volume) -> MountWanted:
    path = host_path(volume)
    return MountWanted(
        target=point["containerPath"], source=path, volume="" if path else volume["name"], read_only=read_only
    )
