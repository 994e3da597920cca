"""Volumes, mount points and devices of a container, in the words of the fleet."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import DeviceWanted, MountWanted
from hatoba.services.ecs.model.task_definition import Definition

MIB = 1 << 20


def device(device: t.Device) -> DeviceWanted:
    letters = {"read": "r", "write": "w", "mknod": "m"}
    permissions = "".join(letters[p] for p in device.get("permissions") or ("read", "write", "mknod"))
    return DeviceWanted(
        host_path=device["hostPath"], container_path=device.get("containerPath") or "", permissions=permissions
    )


def host_path(volume: t.Volume) -> str:
    return (volume.get("host") or {}).get("sourcePath") or ""


def mounts(c: t.ContainerDefinition, definition: Definition) -> tuple[MountWanted, ...]:
    by_name = {container["name"]: container for container in definition.containers}
    volumes: dict[str, t.Volume] = {volume["name"]: volume for volume in definition.content["volumes"]}
    found = [(point, bool(point.get("readOnly"))) for point in c["mountPoints"]]
    for source in c["volumesFrom"]:
        other = by_name[source["sourceContainer"]]
        found += [(point, bool(source.get("readOnly"))) for point in other["mountPoints"]]
    wanted = [_mount(point, read_only, volumes[point["sourceVolume"]]) for point, read_only in found]
    for tmpfs in (c.get("linuxParameters") or {}).get("tmpfs") or ():
        options = tuple(tmpfs.get("mountOptions") or ())
        wanted.append(MountWanted(target=tmpfs["containerPath"], tmpfs=True, size=tmpfs["size"] * MIB, options=options))
    return tuple(wanted)


def _mount(point: t.MountPoint, read_only: bool, volume: t.Volume) -> MountWanted:
    path = host_path(volume)
    return MountWanted(
        target=point["containerPath"], source=path, volume="" if path else volume["name"], read_only=read_only
    )
