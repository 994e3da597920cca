"""What a containerd that was killed in the middle of something leaves behind, and cannot get rid of by itself.

A deletion cut short: crun has forgotten the container, its shim has not, and no call to it will ever succeed. A
creation cut short: the bundle directory is there, or crun knows the container already, so another can never be made.
All are cleared away here, and the call that met them is tried again.

A containerd that lives clears away itself what a process of ours has asked for and did not live to hear of. It is let
finish: taking the bundle from under it makes it leave the shim, or the container's own process, for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from hatoba.runtime import groups
from hatoba.runtime.cgroups import Cgroups
from hatoba.runtime.containerd.settings import Settings

_PATIENCE = 15.0  # containerd gives what it clears away ten seconds
_LOOK_AGAIN = 0.02


async def let_finish(settings: Settings, id: str, made: Callable[[], Awaitable[bool]]) -> bool:
    """Returns when containerd is at nothing any more that concerns the container: whether its task is there, of which
    `made` tells. When it takes too long, too."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while _at_it(settings, id):
                if await made():
                    return True
                await asyncio.sleep(_LOOK_AGAIN)
    return False


def _at_it(settings: Settings, id: str) -> bool:
    """A bundle that is older than containerd's configuration is of the containerd before: nobody is at that."""
    try:
        return (settings.bundles / id).stat().st_mtime >= settings.config.stat().st_mtime
    except FileNotFoundError:
        return False


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
    """And the crun that is at work for it. Looked for among the processes that this instance's containerd has
    started."""
    shim, bundle = ["-id", id, "-address", str(settings.socket)], str(settings.bundles / id)
    for pid in groups.processes(cgroups, settings.home):
        arguments = _arguments(pid)
        if bundle in arguments or any(arguments[at : at + 4] == shim for at in range(len(arguments))):
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
