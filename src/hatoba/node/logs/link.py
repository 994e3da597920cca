"""The agent's connection to the spooler: starts one when there is none, and again when it has died."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hatoba
from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup
from hatoba.node.logs import protocol

log = logging.getLogger(__name__)

_ATTEMPTS = 50
_PAUSE = 0.1


class SpoolerLink:
    """`connected` is called after every connection made: say `add` then. `heard` gets the spooler's messages."""

    def __init__(self, root: Path, connected: Callable[[], None], heard: Callable[[list[str]], None]) -> None:
        self._root = root
        self._connected = connected
        self._heard = heard
        self._socket: socket.socket | None = None
        self._unsent: list[bytes] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._tasks = TaskGroup("spooler")
        self.restarts = 0

    async def start(self) -> None:
        """Raises `PortError` when no spooler can be started."""
        for _ in range(_ATTEMPTS):
            if await self._connect():
                return
            await self._launch()
        raise PortError("SpoolerFailed", f"the log spooler does not start; it says: {self._last_words()}")

    async def _connect(self) -> bool:
        # Through a descriptor: the path itself may be longer than a socket's name can be.
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            made.connect(f"/proc/self/fd/{folder}/{protocol.SOCKET}")
        except OSError:
            made.close()
            return False
        finally:
            os.close(folder)
        made.setblocking(False)
        self._socket = made
        asyncio.get_running_loop().add_reader(made, self._readable)
        self._connected()
        return True

    async def _launch(self) -> None:
        """Returns when the spooler listens, or has ended."""
        ready, theirs = os.pipe()
        try:
            self._process = await asyncio.to_thread(self._spawn, theirs)
        finally:
            os.close(theirs)
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(ready, done.set)  # readable at its end: the spooler closes it
        try:
            await done.wait()
        finally:
            loop.remove_reader(ready)
            os.close(ready)
        if self._process.poll() is not None:
            await asyncio.sleep(_PAUSE)  # another one holds the root, and is about to listen or to end

    def _spawn(self, ready: int) -> subprocess.Popen[bytes]:
        package = Path(hatoba.__file__).parent.parent
        with open(self._root / "spooler.log", "ab") as words:
            # Without site-packages: it needs none, and starts faster and smaller.
            return subprocess.Popen(
                [sys.executable, "-S", "-P", "-m", "hatoba.node.logs.spooler", str(self._root), str(ready)],
                env={"PYTHONPATH": str(package), "PATH": os.environ.get("PATH", os.defpath)},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                pass_fds=[ready],
                start_new_session=True,
            )

    def _last_words(self) -> str:
        words = (self._root / "spooler.log").read_text(errors="replace").strip()
        return words.rsplit("\n", 1)[-1] or "nothing"

    @property
    def pid(self) -> int | None:
        """Of the spooler, when this agent started it."""
        return self._process.pid if self._process is not None else None

    def send(self, *fields: str | int) -> None:
        """Dropped when there is no connection: whoever matters says it again when there is one."""
        if self._socket is None:
            return
        self._unsent.append(protocol.pack(*fields))
        if len(self._unsent) == 1:
            self._writable()

    def _writable(self) -> None:
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        while self._unsent:
            try:
                self._socket.send(self._unsent[0])
            except BlockingIOError:
                loop.add_writer(self._socket, self._writable)
                return
            except OSError:
                return  # it is gone: reading will say so
            self._unsent.pop(0)
        loop.remove_writer(self._socket)

    def _readable(self) -> None:
        while self._socket is not None:
            try:
                message = self._socket.recv(protocol.MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._disconnect()
                log.warning("the log spooler has died: starting another one")
                self.restarts += 1
                self._tasks.start(self.start(), "restart")
                return
            self._heard(protocol.unpack(message))

    def _disconnect(self) -> None:
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None
        self._unsent.clear()
        if self._process is not None:
            self._process.poll()

    async def close(self) -> None:
        """Leaves the spooler to itself."""
        await self._tasks.close()
        self._disconnect()

    async def stop_running(self) -> None:
        """Ends the spooler that runs for this root, if one does."""
        if await self._connect():
            await self.stop()

    async def stop(self) -> None:
        """Ends the spooler, and waits until it has."""
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            self._socket.setblocking(False)
            loop.remove_reader(self._socket)
            ended = asyncio.Event()

            def readable() -> None:
                assert self._socket is not None
                try:
                    if self._socket.recv(protocol.MESSAGE_BYTES):
                        return
                except BlockingIOError:
                    return
                except OSError:
                    pass
                ended.set()

            loop.add_reader(self._socket, readable)
            self.send("stop")
            await ended.wait()
        await self.close()
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
