"""The agent's side of the service: started, found again, told what is wanted, started again when it dies, ended.

It is there while some rule wants it, in the network namespace of its VPC and without any capability. What it is told is
in its memory only: a new agent tells it anew, and so is a new process told before it listens. One of another version of
Hatoba is replaced: the new one takes its place, and what was under way may finish.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc
import grpc.aio
import msgspec

import hatoba
from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup
from hatoba.proxy import launches
from hatoba.proxy.launches import Running
from hatoba.proxy.server import LONGEST_SOCKET_PATH
from hatoba.proxy.signin.service import CONTROL, COUNT, NOTE, SOCKET, TELL
from hatoba.proxy.signin.words import SignIns, Told

log = logging.getLogger(__name__)

_counted = msgspec.msgpack.Decoder(dict[str, SignIns]).decode
_PATIENCE = 30.0  # seconds until it listens, on a busy machine
_TELLING = 5.0
_KEPT_ENVIRONMENT = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")  # whom OpenSSL trusts is the machine's business


class SignInProcess:
    """`directory` is that of the VPC's Envoy; `netns` the path of a network namespace, None for the present one;
    `resolver` the address that says what names mean, "" for the machine's own way."""

    def __init__(self, *, directory: Path, netns: str | None, resolver: str = "") -> None:
        self.socket = directory / SOCKET
        self._directory = directory
        self._netns = netns
        self._resolver = resolver
        self._told = Told()
        self._running: Running | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._acting = asyncio.Lock()
        self._tasks = TaskGroup("signin")
        self._watch: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running is not None else None

    async def follow(self, told: Told) -> None:
        """Returns once the service acts by it; there is one if there is anything to act by. Raises `PortError`."""
        async with self._acting:
            if self._running is None:
                self._running = _found(self._directory)
            if not told.sites and self._running is None:
                return
            unchanged = told == self._told
            self._told = told
            if self._running is None or not launches.alive(self._running):
                await self._launch()
            elif self._running.form != self._form:
                before = self._running
                await self._launch()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(before.pid, signal.SIGTERM)
            elif not unchanged:
                await self._tell()
            if self._watch is None or self._watch.done():
                self._watch = self._tasks.start(self._keep(), "watch")

    async def rest(self) -> None:
        """Ends it when nothing is wanted of it any more: once Envoy no longer asks."""
        if not self._told.sites:
            await self.stop()

    async def release(self) -> None:
        """Watches no longer; it runs on."""
        await self._tasks.close()

    async def stop(self) -> None:
        """Ends it, also one that this object has not started, and takes away what it left."""
        await self._tasks.close()
        running = self._running or _found(self._directory)
        self._running, self._watch, self._told = None, None, Told()
        if running is not None:
            await launches.end(running)
        if self._child is not None:
            self._child.wait()
            self._child = None
        for left in self._directory.glob("signin*"):
            left.unlink(missing_ok=True)

    @functools.cached_property
    def _form(self) -> str:
        """Tells versions apart: of Hatoba, and of what it is started with."""
        folder = Path(__file__).parent
        sources = " ".join(f"{file.name} {file.stat().st_mtime_ns}" for file in sorted(folder.glob("*.py")))
        told = f"{hatoba.__version__} {sys.executable} {self._resolver} {sources}"
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()

    # --- the process

    async def _launch(self) -> None:
        if len(str(self.socket)) + 12 > LONGEST_SOCKET_PATH:
            raise PortError("Start", f"The path {self.socket} is too long for a socket.")
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._child is not None:
            self._child.poll()
        ready, theirs = os.pipe()
        try:
            child = await asyncio.to_thread(self._spawn, theirs)
        except OSError as error:
            os.close(ready)
            raise PortError("Start", f"The sign-in service cannot be started: {error}") from error
        finally:
            os.close(theirs)
        self._child = child
        await _closed(ready)
        self._running = _found(self._directory)
        if self._running is None or self._running.pid != child.pid:
            self._running = None
            child.kill()
            child.wait()
            raise PortError("Start", f"The sign-in service does not start: {self._last_words()}")

    def _spawn(self, ready: int) -> subprocess.Popen[bytes]:
        arguments = [str(self._directory), self._form, self._resolver, str(ready)]
        command = [sys.executable, "-P", "-m", "hatoba.proxy.signin.service", *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", *command]
        if self._netns:
            command = ["nsenter", f"--net={self._netns}", *command]
        environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        environment["PYTHONPATH"] = str(Path(hatoba.__file__).parent.parent)
        with open(self._directory / "signin.log", "wb") as words:
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                pass_fds=[ready],
                start_new_session=True,
                cwd="/",
            )
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(msgspec.msgpack.encode(self._told))
            child.stdin.close()
        return child

    async def counted(self) -> Mapping[str, SignIns]:
        """What came of it, by balancer; nothing where nobody is there to be asked."""
        if self._running is None:
            return {}
        try:
            return _counted(await self._ask(COUNT, b""))
        except PortError:
            return {}  # it is just being started again

    async def _tell(self) -> None:
        await self._ask(TELL, msgspec.msgpack.encode(self._told))

    async def _ask(self, what: str, body: bytes) -> bytes:
        async with grpc.aio.insecure_channel(f"unix:{self.socket}") as channel:
            ask = channel.unary_unary(f"/{CONTROL}/{what}", bytes, bytes)
            try:
                answer: bytes = await ask(body, timeout=_TELLING)
            except grpc.aio.AioRpcError as error:
                raise PortError("Timeout", f"The sign-in service does not listen: {error.details()}") from error
        return answer

    async def _keep(self) -> None:
        """Starts it again when it ends; more slowly when it keeps ending."""
        pause = 0.05
        loop = asyncio.get_running_loop()
        while True:
            running, began = self._running, loop.time()
            if running is not None:
                await launches.ended(running.pid)
            async with self._acting:
                if not self._told.sites:
                    return
                if self._running is not running:
                    continue  # another one has taken its place
                pause = 0.05 if loop.time() - began > 10 else min(pause * 2, 5.0)
                log.warning("the sign-in service in %s ended: %s", self._directory, self._last_words())
                await asyncio.sleep(pause)
                self.restarts += 1
                try:
                    await self._launch()
                except PortError as error:
                    log.error("%s", error.message)

    def _last_words(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            text = (self._directory / "signin.log").read_text(errors="replace").strip()
            return text.rsplit("\n", 1)[-1] or "nothing"
        return "nothing"


def _found(directory: Path) -> Running | None:
    """The one that runs there."""
    try:
        running = msgspec.json.decode((directory / NOTE).read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError, RecursionError):
        return None
    return running if launches.alive(running) else None


async def _closed(ready: int) -> None:
    """Returns when the other end is closed, or has been waited for long enough; takes the descriptor."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_reader(ready, done.set)
    try:
        async with asyncio.timeout(_PATIENCE):
            await done.wait()
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(ready)
        os.close(ready)
