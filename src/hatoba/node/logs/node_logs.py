"""All container output of a node, for its agent.

    pipes = await logs.open(container_id, options)     # give them to the runtime as stdout and stderr
    await logs.announce(container_id)                  # may the stream be written to? creates it
    await logs.drain(container_id)                     # after the runtime has let go of the container

What is open is noted on disk: an agent that restarts goes on with all of it, whether it knows the container or not.

    ROOT/<container>/{stdout,stderr}   the FIFOs           ROOT/<container>/{out,err}/   their spools
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import msgspec

from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.core.secret import Sealer
from hatoba.core.tasks import TaskGroup, end
from hatoba.node.logs import drivers
from hatoba.node.logs.batch import Send
from hatoba.node.logs.drivers import Sink
from hatoba.node.logs.lane import Lane
from hatoba.node.logs.link import SpoolerLink
from hatoba.node.logs.options import Options
from hatoba.node.logs.shipper import Shipper
from hatoba.node.logs.spool import end_offset

log = logging.getLogger(__name__)

_OPTIONS = "options"
_LANES = {"out": "stdout", "err": "stderr"}  # a spool's folder: its FIFO


class Pipes(NamedTuple):
    """The FIFOs' paths. They exist until `drain` has returned."""

    stdout: str
    stderr: str


class _Open:
    """A container whose output is being shipped. `held` are reading ends that nobody reads from: they keep what is in
    the pipes alive while a spooler has died and the runtime has let go."""

    def __init__(
        self, shipper: Shipper, running: asyncio.Task[None], held: list[int], sink: Sink | None = None
    ) -> None:
        self.held = held
        self.shipper = shipper
        self.sink = sink  # None: the control plane takes it
        self.running = running
        self.unread = set(shipper.lanes)  # whose FIFO the spooler has not opened yet
        self.ready = asyncio.Event()
        self.ending = False
        self.spools = set(shipper.lanes)  # that are still there
        self.removing = False
        self.removed = asyncio.Event()


class NodeLogs:
    """One per agent. `start` before anything else."""

    def __init__(self, root: Path, send: Send, key: Path | None = None) -> None:
        """`key` is the file of the key that drivers' settings are sealed with: they may hold secrets."""
        self._root = root
        self._sealer = Sealer.from_file(key or root / "key")
        self._send = send
        self._open: dict[str, _Open] = {}
        self._tasks = TaskGroup("logs")
        self.spooler = SpoolerLink(root, self._connected, self._heard)

    async def start(self) -> None:
        """Finds or starts the spooler, and goes on with what was open. Raises `PortError`."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in sorted(self._root.iterdir()):
            try:
                options = self._unsealed(msgspec.msgpack.decode((folder / _OPTIONS).read_bytes(), type=Options))
            except NotADirectoryError:
                continue
            except FileNotFoundError:
                _clear(folder)  # was being made or cleared away when the agent ended
                continue
            self._ship(folder.name, options)
        await self.spooler.start()

    @property
    def containers(self) -> list[str]:
        """Whose output is not wholly shipped and cleared away yet."""
        return list(self._open)

    async def open(self, container_id: str, options: Options) -> Pipes:
        """Makes the pipes, and returns when the spooler reads them: from then on, what is written is not lost even if
        the writer closes them at once. Asked again for the same container, it gives the same ones. Raises
        `PortError` when the disk does not let it."""
        folder = self._root / container_id
        pipes = Pipes(*(str(folder / fifo) for fifo in _LANES.values()))
        if container_id not in self._open:
            try:
                _make(folder, pipes, self._sealed(options))
            except OSError as error:
                raise PortError("LogsFailed", f"the log spool of {container_id} cannot be made: {error}") from error
            self._ship(container_id, options)
            self._add(container_id)
        await self._open[container_id].ready.wait()
        return pipes

    def _sealed(self, options: Options) -> Options:
        return replace(options, settings=self._sealer.seal(options.settings)) if options.settings else options

    def _unsealed(self, options: Options) -> Options:
        return replace(options, settings=self._sealer.unseal(options.settings)) if options.settings else options

    async def announce(self, container_id: str) -> None:
        """Raises `Rejected` when the control plane will not take this container's logs, `PortError` when it cannot be
        asked."""
        await self._open[container_id].shipper.announce()

    async def drain(self, container_id: str) -> None:
        """Ships all that is left, and clears away. To be called when the runtime has closed the FIFOs. Waits as long
        as the control plane takes no logs, and for another taker as long as its driver says; given up, it can be called
        again."""
        if (found := self._open.get(container_id)) is None:
            return
        found.ending = True
        for key in found.shipper.lanes:
            self.spooler.send("end", key)
        await self._shipped(found)
        found.removing = True
        self._remove(found)
        await found.removed.wait()
        await self._release(found)
        await asyncio.to_thread(_clear, self._root / container_id)
        self._open.pop(container_id, None)

    async def _shipped(self, found: _Open) -> None:
        shipper = found.shipper
        try:
            async with asyncio.timeout(shipper.options.patience):
                await asyncio.shield(found.running)
        except TimeoutError:
            await end(found.running)
            left = sum(max(0, (lane.end or lane.read) - lane.stored) for lane in shipper.lanes.values())
            log.warning("%d bytes of the output of container %s are lost: nobody took them", left, shipper.container_id)
            shipper.close()

    async def close(self) -> None:
        """Stops shipping. The spooler goes on spooling."""
        await self._let_go()
        await self.spooler.close()

    async def stop(self) -> None:
        """Ends the spooler too: nobody takes the containers' output any more."""
        await self._let_go()
        await self.spooler.stop()

    async def _let_go(self) -> None:
        await self._tasks.close()
        for found in self._open.values():
            await self._release(found)

    @staticmethod
    async def _release(found: _Open) -> None:
        while found.held:
            os.close(found.held.pop())
        if found.sink is not None:
            await found.sink.close()

    def _ship(self, container_id: str, options: Options) -> None:
        lanes = {
            f"{container_id}/{lane}": Lane(
                str(self._root / container_id / lane), f"{container_id}/{fifo}", options.new_event
            )
            for lane, fifo in _LANES.items()
        }
        sink = drivers.sink(options) if options.settings else None
        shipper = Shipper(container_id, options, lanes, sink.send if sink else self._send, self._stored)
        held = [
            os.open(self._root / container_id / fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            for fifo in _LANES.values()
        ]
        self._open[container_id] = _Open(shipper, self._tasks.start(shipper.run(), container_id), held, sink)

    def _stored(self, key: str, stored: int, read: int) -> None:
        self.spooler.send("ack", key, stored, read)

    def _add(self, container_id: str) -> None:
        found = self._open[container_id]
        for lane, fifo in _LANES.items():
            options = found.shipper.options
            self.spooler.send("add", f"{container_id}/{lane}", f"{container_id}/{fifo}", options.limit, options.mode)
            if found.ending:
                self.spooler.send("end", f"{container_id}/{lane}")

    def _remove(self, found: _Open) -> None:
        for key in found.spools:
            self.spooler.send("remove", key)

    # --- what the spooler says

    def _connected(self) -> None:
        for container_id, found in self._open.items():
            if found.removing:
                self._remove(found)
            else:
                self._add(container_id)
                found.shipper.reconnected()

    def _heard(self, message: list[str]) -> None:
        verb, key, *fields = message
        found = self._open.get(key.partition("/")[0])
        if found is None or key not in found.shipper.lanes:
            return
        if verb in ("state", "failed"):
            found.unread.discard(key)
            if not found.unread:
                found.ready.set()
        if verb == "state":
            found.shipper.heard(key, int(fields[1]), stored=int(fields[0]))
        elif verb in ("data", "ended"):
            found.shipper.heard(key, int(fields[0]), dropped=int(fields[1]), ended=verb == "ended")
        elif verb == "removed":
            found.spools.discard(key)
            if not found.spools:
                found.removed.set()
        elif verb == "failed":
            log.error("the output of container %s cannot be spooled: %s", found.shipper.container_id, fields[0])
            # What is spooled already is shipped.
            found.shipper.heard(key, end_offset(str(self._root / key)), ended=True)


def _clear(folder: Path) -> None:
    (folder / _OPTIONS).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path, pipes: Pipes, options: Options) -> None:
    """The options come last: a folder without them is taken for one that was never opened."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for pipe in pipes:
        if not os.path.exists(pipe):
            os.mkfifo(pipe, 0o600)
    written = folder / (_OPTIONS + ".new")
    written.write_bytes(msgspec.msgpack.encode(options))
    written.replace(folder / _OPTIONS)
