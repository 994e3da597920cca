"""Cgroups of our own: limits for a group of containers (all of a task), and what is swept when they go.

`group_files` is pure; the rest writes to the kernel's files, which takes microseconds.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from contextlib import suppress

from hatoba.runtime.base import Resources
from hatoba.runtime.cgroups import Cgroups, Layout, read
from hatoba.runtime.failures import Failure, failure

_ROUNDS, _ROUND_SECONDS = 500, 0.02
_CONTROLLERS = ("+cpu", "+cpuset", "+io", "+memory", "+pids")


def group_files(layout: Layout, resources: Resources, swap: bool = True) -> list[tuple[str, str, str]]:
    """The (controller, file, value) writes that make a cgroup have these limits, in an order the kernel accepts."""
    return _files_v2(resources) if layout == "v2" else _files_v1(resources, swap)


def _files_v1(r: Resources, swap: bool) -> list[tuple[str, str, str]]:
    files: list[tuple[str, str, str]] = []
    if r.cpu_shares is not None:
        files.append(("cpu", "cpu.shares", str(max(2, r.cpu_shares))))
    if r.cpu_quota is not None:
        files += [("cpu", "cpu.cfs_period_us", str(r.cpu_period)), ("cpu", "cpu.cfs_quota_us", str(r.cpu_quota))]
    if r.memory is not None:
        files.append(("memory", "memory.limit_in_bytes", str(r.memory)))
        if swap and r.memory_swap != -1:
            files.append(("memory", "memory.memsw.limit_in_bytes", str(r.memory_swap or r.memory)))
    if r.memory_reservation is not None:
        files.append(("memory", "memory.soft_limit_in_bytes", str(r.memory_reservation)))
    if r.pids is not None:
        files.append(("pids", "pids.max", str(r.pids)))
    return files


def weight(shares: int) -> int:
    """CPU shares (2…262144) as a v2 weight (1…10000), by the mapping that OCI runtimes use."""
    shares = min(max(shares, 2), 262144)
    return 1 + (shares - 2) * 9999 // 262142


def _files_v2(r: Resources) -> list[tuple[str, str, str]]:
    files: list[tuple[str, str, str]] = []
    if r.cpu_shares is not None:
        files.append(("cpu", "cpu.weight", str(weight(r.cpu_shares))))
    if r.cpu_quota is not None:
        files.append(("cpu", "cpu.max", f"{r.cpu_quota} {r.cpu_period}"))
    if r.memory is not None:
        files.append(("memory", "memory.max", str(r.memory)))
        if r.memory_swap != -1:
            files.append(("memory", "memory.swap.max", str((r.memory_swap or r.memory) - r.memory)))
    if r.memory_reservation is not None:
        files.append(("memory", "memory.low", str(r.memory_reservation)))
    if r.pids is not None:
        files.append(("pids", "pids.max", str(r.pids)))
    return files


def set_group(cgroups: Cgroups, cgroup: str, resources: Resources) -> None:
    """Make the cgroup in every tree that its limits need, and write them."""
    files = group_files(cgroups.layout, resources, cgroups.swap)
    try:
        if cgroups.layout == "v2":
            _make_v2(cgroups.trees[""], cgroup)
        for controller, file, value in files:
            folder = cgroups.path(controller, cgroup)
            os.makedirs(folder, exist_ok=True)
            _writelimit(folder, file, value)
    except OSError as error:
        raise failure(Failure.CONTAINER_SPEC, f"cgroup {cgroup}: {error}") from error


def _writelimit(folder: str, file: str, value: str) -> None:
    """Raising memory and swap together: the kernel wants swap first then, and memory first when lowering."""
    path = f"{folder}/{file}"
    try:
        _write(path, value)
    except OSError as error:
        if file != "memory.limit_in_bytes" or error.errno not in (errno.EINVAL, errno.EBUSY):
            raise
        _write(f"{folder}/memory.memsw.limit_in_bytes", value)
        _write(path, value)


def _write(path: str, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def _make_v2(root: str, cgroup: str) -> None:
    """Every level on the way must hand its controllers down."""
    folder = root
    for name in cgroup.strip("/").split("/"):
        for controller in _CONTROLLERS:
            with suppress(OSError):  # one that the machine lacks; the limit's own write will tell
                _write(f"{folder}/cgroup.subtree_control", controller)
        folder = f"{folder}/{name}"
        os.makedirs(folder, exist_ok=True)


def remove(cgroups: Cgroups, cgroup: str) -> bool:
    """Take an empty cgroup, and the empty ones below it, out of every tree. Whether nothing of it is left."""
    for root in cgroups.roots:
        for folder, _, _ in os.walk(root + cgroup, topdown=False):
            with suppress(OSError):  # gone, or in use: then whoever uses it removes it
                os.rmdir(folder)
    return not any(os.path.isdir(root + cgroup) for root in cgroups.roots)


def make_tracked(cgroups: Cgroups, cgroup: str) -> list[str]:
    """A cgroup that limits nothing, for processes to be found again; its directories, one for each tree to join.

    In v1 that is the pids tree, and systemd's own: which it looks at when it ends a service. Where there is a v2 tree
    beside it, that too, because packet rules know processes by it.
    """
    trees = [""] if cgroups.layout == "v2" else [name for name in ("pids", "name=systemd") if name in cgroups.trees]
    folders = [cgroups.trees[tree] + cgroup for tree in trees]
    if cgroups.layout == "hybrid":
        folders.append(cgroups.unified + cgroup)
    for folder in folders:
        os.makedirs(folder, exist_ok=True)
    return folders


def processes(cgroups: Cgroups, cgroup: str) -> set[int]:
    """Every process in a cgroup or below it."""
    found: set[int] = set()
    for root in cgroups.roots:
        for folder, _, _ in os.walk(root + cgroup):
            found.update(map(int, read(f"{folder}/cgroup.procs").split()))
    return found


async def kill(cgroups: Cgroups, cgroup: str) -> None:
    """End every process in a cgroup or below it, also those that are born meanwhile."""
    for _ in range(_ROUNDS):
        pids = processes(cgroups, cgroup)
        if not pids:
            return
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(_ROUND_SECONDS)


async def remove_when_empty(cgroups: Cgroups, cgroup: str) -> None:
    """The kernel lets go of a dead process's cgroup a moment after its end, and tells nobody in v1."""
    for _ in range(_ROUNDS):
        if remove(cgroups, cgroup):
            return
        await asyncio.sleep(_ROUND_SECONDS)
