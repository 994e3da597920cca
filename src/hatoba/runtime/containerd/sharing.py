"""Namespaces that several containers share, held by a container of our own that has no image and does nothing.

It is pid 1 of the shared processes: it reaps what they leave, and none of them takes the others along when it ends. Its
root has nothing in it but its own static binary, because /proc/1/root leads there from every container of the group.
"""

from __future__ import annotations

import shutil

from hatoba.runtime.base import ContainerSpec, Shared
from hatoba.runtime.containerd.settings import Settings
from hatoba.runtime.stubs.types.mount_pb2 import Mount

_PROGRAM = "pause"


def holder(group: str) -> str:
    """The id of the container that holds a group's namespaces."""
    return f"{group}.shared"


def spec(group: str) -> ContainerSpec:
    return ContainerSpec(
        id=holder(group),
        image="",
        args=(f"/{_PROGRAM}", "-P"),
        group=group,
        cap_drop=("ALL",),
        no_new_privileges=True,
        read_only_root=True,
    )


def shared(pid: int) -> Shared:
    return Shared(pidns=f"/proc/{pid}/ns/pid", ipcns=f"/proc/{pid}/ns/ipc")


def root(settings: Settings) -> list[Mount]:
    """The mounts of its root, made when it is not there."""
    program = settings.bare / _PROGRAM
    if not program.exists():
        settings.bare.mkdir(mode=0o755, exist_ok=True)
        draft = program.with_suffix(".new")
        shutil.copyfile(settings.pause, draft)
        draft.chmod(0o755)
        draft.rename(program)
    return [Mount(type="bind", source=str(settings.bare), options=["rbind", "rw"])]
