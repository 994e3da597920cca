"""Takes the files of load balancers' logs to the control plane, which puts them where their owners want them.

The proxies make them (`proxy.delivery`), each under the name that its object will have; here they are sent, one at a
time, and removed once the control plane has put them there. Sent twice, after anybody was killed, a file is the same
object. What cannot be delivered for now stays, as far as there is room for it, and does not hold up what belongs to
other load balancers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup
from hatoba.fleet import messages as msg
from hatoba.proxy import delivery
from hatoba.proxy.logfiles import placed

log = logging.getLogger(__name__)

RETRY = 30.0  # seconds until what could not be delivered is tried again

Deserted = Callable[[str], bool]


class Sender(Protocol):
    """The session with the control plane."""

    def log_file(self, name: str, body: bytes) -> Awaitable[msg.LogsKept]:
        """Raises `PortError` when it may work later."""
        ...


class BalancerLogs:
    """`folder` has one of each network's; `deserted` says that no proxy of a network, known or not, writes there."""

    def __init__(
        self, folder: Path, sender: Callable[[], Sender], deserted: Deserted, clock: Clock, retry: float = RETRY
    ) -> None:
        self._folder = folder
        self._sender = sender
        self._deserted = deserted
        self._clock = clock
        self._retry = retry
        self._news = asyncio.Event()
        self._tasks = TaskGroup("balancer logs")
        self._waiting: set[str] = set()  # load balancers of which it was said that they have to wait

    async def start(self) -> None:
        """Before any proxy is started."""
        await asyncio.to_thread(self._settle)
        self._news.set()  # what an earlier agent has left
        self._tasks.start(self._always(), "deliver")

    def made(self) -> None:
        """A proxy has made files."""
        self._news.set()

    async def close(self) -> None:
        await self._tasks.close()

    async def _always(self) -> None:
        left = False
        while True:
            try:
                async with asyncio.timeout(self._retry if left else None):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            left = True
            try:
                left = await self.deliver()
            except OSError as error:
                log.warning("the logs of load balancers: %s", error)

    def _settle(self) -> None:
        """What is left of proxies that ended when their agent did."""
        for each in self._networks():
            if self._deserted(each.name):
                delivery.settle(each, self._clock.now(), {})

    def _networks(self) -> Iterator[Path]:
        return (each for each in self._folder.iterdir() if each.is_dir()) if self._folder.is_dir() else iter(())

    async def deliver(self) -> bool:
        """One round. Whether anything is left."""
        late: set[str] = set()
        for file in await asyncio.to_thread(self._files):
            found = placed(file.name)
            if found is None:
                continue  # of no balancer, and not ours to remove
            balancer = found[0].balancer
            if balancer in late:
                continue
            try:
                await self._send(file)
            except PortError as error:
                late.add(balancer)
                self._tell_once(balancer, error)
        self._waiting &= late
        return bool(late)

    def _files(self) -> list[Path]:
        return [file for each in self._networks() for file in delivery.waiting(each)]

    async def _send(self, file: Path) -> None:
        try:
            body = await asyncio.to_thread(file.read_bytes)
        except FileNotFoundError:  # it had to make room
            return
        kept = await self._sender().log_file(file.name, body)
        if kept.error == msg.LATER:
            raise PortError(kept.error, kept.detail)
        if kept.error:
            log.warning("%s is dropped: %s: %s", file.name, kept.error, kept.detail)
        await asyncio.to_thread(delivery.delivered, file)

    def _tell_once(self, balancer: str, error: PortError) -> None:
        if balancer not in self._waiting:
            self._waiting.add(balancer)
            log.warning("the logs of %s wait: %s", balancer, error)
