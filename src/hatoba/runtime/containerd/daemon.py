"""The containerd process of one instance: started detached, found again after a restart of ours, stopped for good.

It lives in a mount namespace of its own: containers' mounts do not slow down the host's, vanish with the last process,
and crun (1.8 refuses the hybrid layout) sees no /sys/fs/cgroup/unified there. One that died is followed by one in the
same namespace, where the disks and volumes of those that live on are mounted. It lives in a cgroup of its own: stopping
the service that started it leaves it alone, and `stop` finds every shim and container by looking there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

from hatoba.core.errors import Refused
from hatoba.runtime import groups
from hatoba.runtime.cgroups import Cgroups
from hatoba.runtime.containerd import memory
from hatoba.runtime.containerd.leftovers import remove_tree
from hatoba.runtime.containerd.settings import Settings

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_SHIM = "containerd-shim"  # as the kernel knows it, in 15 characters

# What a plain container platform never asks for; each costs start time, and cri opens ports besides.
_DISABLED = (
    "io.containerd.grpc.v1.cri",
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.tracing.processor.v1.otlp",
)

# Cgroups first, while all of their trees can be seen; then the mount namespace.
_JOIN = """
cd /
for tree in $TREES; do echo $$ > "$tree/cgroup.procs" || exit 97; done
unset TREES
exec "$@"
"""
_LAUNCH = """
[ -z "$UNIFIED" ] || umount -l "$UNIFIED" || exit 98
unset UNIFIED
exec "$@"
"""


def config(settings: Settings) -> str:
    """containerd's config.toml. Collecting garbage after every 100 changes, its default, would stop us every second."""
    disabled = "\n".join(f'    "{name}",' for name in _DISABLED)
    return f"""version = 2
root = "{settings.data}/root"
state = "{settings.state}"
oom_score = -999
disabled_plugins = [
{disabled}
]

[grpc]
  address = "{settings.socket}"

[debug]
  level = "warn"

[plugins."io.containerd.gc.v1.scheduler"]
  mutation_threshold = 2000
  schedule_delay = "100ms"
  startup_delay = "10s"
"""


class Daemon:
    """`ensure` it, and watch `died`; or `stop` it with all that it runs."""

    def __init__(self, settings: Settings, cgroups: Cgroups) -> None:
        self._settings = settings
        self._cgroups = cgroups
        self.pid = 0

    async def ensure(self) -> bool:
        """Adopt the one that runs, or start one; whether it was started. Raises `Refused`."""
        pid = self._running()
        if pid:
            self.pid = pid
            return False
        try:
            self.pid = await self._start()
        except OSError as error:  # the directories
            raise Refused(f"containerd cannot be started: {error}") from error
        return True

    async def died(self) -> None:
        """Returns when the process has ended."""
        await _ended(self.pid)

    def _running(self) -> int:
        """The pid of a containerd started before, 0 if there is none. A number used anew by another is not it."""
        try:
            pid_text, started = self._settings.pid_file.read_text().split()
        except (OSError, ValueError):
            return 0
        return int(pid_text) if _start_time(int(pid_text)) == started else 0

    async def _start(self) -> int:
        settings = self._settings
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o711)
        settings.run.mkdir(parents=True, exist_ok=True, mode=0o711)
        if not self._survivor():  # those that live on have their files where they are
            memory.ensure(settings.run)
        settings.config.write_text(config(settings))
        notify = settings.run / "notify.sock"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as ready:
            ready.bind(str(notify))
            pid = self._spawn(notify)
            ended = asyncio.ensure_future(_ended(pid))
            said = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(ready, 4096))
            try:
                done, _ = await asyncio.wait({ended, said}, timeout=_START_SECONDS, return_when="FIRST_COMPLETED")
            finally:
                said.cancel()
                ended.cancel()
                notify.unlink(missing_ok=True)
        if said not in done:
            raise self._failure(pid, ended in done)
        settings.pid_file.write_text(f"{pid} {_start_time(pid)}\n")
        return pid

    def _spawn(self, notify: Path) -> int:
        """Detached: no object of ours stands for the process, so none can end it when we end."""
        settings = self._settings
        trees = groups.make_tracked(self._cgroups, settings.home)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "NOTIFY_SOCKET": str(notify),
            "XDG_RUNTIME_DIR": str(settings.run),  # where shims write what an exec is to run: it may hold secrets
            "TREES": " ".join(trees),
            "UNIFIED": "" if (survivor := self._survivor()) else self._cgroups.unified,
        }
        own = ["unshare", "--mount", "--propagation", "slave"]
        if survivor:
            own = ["nsenter", f"--mount=/proc/{survivor}/ns/mnt"]
        launch = ["sh", "-c", _JOIN, "sh", *own, "--", "sh", "-c", _LAUNCH, "sh"]
        command = [*launch, settings.containerd, "--config", str(settings.config)]
        files: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(settings.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in _inherited()),
        ]
        try:
            return os.posix_spawnp(command[0], command, environment, file_actions=files, setsid=True)
        except OSError as error:
            raise Refused(f"containerd cannot be started: {error}. Install containerd and util-linux.") from error

    def _survivor(self) -> int:
        """A shim of the containerd before: it lives where that one did. 0 when there is none."""
        for pid in groups.processes(self._cgroups, self._settings.home):
            if _name(pid) == _SHIM:
                return pid
        return 0

    def _failure(self, pid: int, ended: bool) -> Refused:
        if not ended:
            os.kill(pid, signal.SIGKILL)
            return Refused(f"containerd did not get ready within {_START_SECONDS:.0f} s; see {self._settings.log}")
        lines = self._settings.log.read_text(errors="replace").splitlines()
        return Refused(f"containerd cannot be started: {lines[-1] if lines else 'it ended without a word'}")

    async def stop(self) -> None:
        """End containerd and everything it runs, and take away what they leave: sockets, mounts, cgroups."""
        bundles = self._settings.bundles
        ids = [entry.name for entry in os.scandir(bundles)] if os.access(bundles, os.R_OK) else []
        pid = self._running()
        if pid:
            await _end(pid)
        await groups.kill(self._cgroups, self._settings.cgroup_parent)
        await groups.remove_when_empty(self._cgroups, self._settings.cgroup_parent)
        for id in ids:
            self._settings.shim_socket(id).unlink(missing_ok=True)
        await asyncio.to_thread(memory.release, self._settings.run)
        await asyncio.to_thread(remove_tree, self._settings.run)
        self.pid = 0


async def _ended(pid: int) -> None:
    """Returns when a process has ended; reaps it if it is our own child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await _readable(descriptor)
    finally:
        os.close(descriptor)
    _reap(pid)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # another process of ours has started it
        os.waitpid(pid, os.WNOHANG)


def _inherited() -> list[int]:
    """Descriptors that a child would get from us, beyond the first three: whoever started us may wait for their end."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return found


async def _end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await _readable(descriptor)
        except TimeoutError:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            await _readable(descriptor)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)
    _reap(pid)


async def _readable(descriptor: int) -> None:
    """A pidfd becomes readable when its process ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _start_time(pid: int) -> str:
    """When the process started, in ticks since boot: with the pid it names a process for good. "" when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state == "Z" else fields[18]
