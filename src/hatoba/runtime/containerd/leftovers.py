"""What a containerd that was killed in the middle of something leaves behind, and cannot get rid of by itself.

A deletion cut short: crun has forgotten the container, its shim has not, and no call to it will ever succeed. A
creation cut short: the bundle directory is there, or crun knows the container already, so another can never be made.
All are cleared away here, and the call that met them is tried again.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from hatoba.runtime import groups
from hatoba.runtime.cgroups import Cgroups
from hatoba.runtime.containerd.settings import Settings


def clear(cgroups: Cgroups, settings: Settings, id: str) -> None:
    """End the shim of a container and take its bundle away. For containers that do not run."""
    end_shim(cgroups, settings, id)
    remove_tree(settings.bundles / id)
    settings.shim_socket(id).unlink(missing_ok=True)


async def clear_crun(cgroups: Cgroups, settings: Settings, id: str, cgroup: str) -> None:
    """End what crun has made of a container whose making was given up, and let crun forget it."""
    clear(cgroups, settings, id)
    await groups.kill(cgroups, cgroup)
    remove_tree(settings.crun_state / id)


def end_shim(cgroups: Cgroups, settings: Settings, id: str) -> None:
    """Looked for among the processes that this instance's containerd has started."""
    wanted = ["-id", id, "-address", str(settings.socket)]
    for pid in groups.processes(cgroups, settings.home):
        arguments = _arguments(pid)
        if any(arguments[at : at + 4] == wanted for at in range(len(arguments))):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def remove_tree(folder: Path) -> None:
    """Our mount namespace sees no container's root here; what cannot be removed stays."""
    for path, folders, files in os.walk(folder, topdown=False):
        for name in files:
            with suppress(OSError):
                os.unlink(os.path.join(path, name))
        for name in folders:
            child = os.path.join(path, name)
            with suppress(OSError):
                os.unlink(child) if os.path.islink(child) else os.rmdir(child)
    with suppress(OSError):
        folder.rmdir()
