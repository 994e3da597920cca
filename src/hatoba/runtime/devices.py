"""The host's device nodes that a container asks for, and all of them for a privileged one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from hatoba.runtime.base import Device
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.oci import DeviceNode

_NOT_SHARED = {"/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue", "/dev/console", "/dev/tty", "/dev/ptmx"}


def resolve(devices: Iterable[Device], *, privileged: bool) -> list[DeviceNode]:
    nodes = {node.path: node for node in _all("/dev")} if privileged else {}
    for device in devices:
        for node in _asked(device):
            nodes[node.path] = node
    return list(nodes.values())


def _asked(device: Device) -> list[DeviceNode]:
    """One node, or all below a directory."""
    target = device.container_path or device.host_path
    if os.path.isdir(device.host_path):
        below = _all(device.host_path)
        return [_moved(node, device.host_path, target, device.permissions) for node in below]
    node = _node(device.host_path)
    if node is None:
        raise failure(Failure.CONTAINER_SPEC, f"{device.host_path} is not a device")
    return [_moved(node, device.host_path, target, device.permissions)]


def _moved(node: DeviceNode, source: str, target: str, permissions: str) -> DeviceNode:
    path = target + node.path.removeprefix(source)
    return DeviceNode(
        path=path, type=node.type, major=node.major, minor=node.minor, mode=node.mode, permissions=permissions
    )


def _node(path: str) -> DeviceNode | None:
    try:
        found = os.stat(path)
    except OSError as error:
        raise failure(Failure.CONTAINER_SPEC, f"device {path}: {error.strerror}") from error
    kinds = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}
    kind = kinds.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        return None
    major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
    return DeviceNode(path=path, type=kind, major=major, minor=minor, mode=stat.S_IMODE(found.st_mode))


def _all(folder: str) -> list[DeviceNode]:
    found = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.path):
        if entry.path in _NOT_SHARED or entry.is_symlink():
            continue
        if entry.is_dir():
            found += _all(entry.path)
        elif (node := _node(entry.path)) is not None:
            found.append(node)
    return found
