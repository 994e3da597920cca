"""The shipper of one container: takes events from its spools, sends them in batches, and lets the spools go.

One batch is under way at a time, and nothing is read beyond what the next ones need: a control plane that takes its
time is felt by the spool, and through it by the container.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from hatoba.core.errors import PortError
from hatoba.node.logs.batch import BATCH_BYTES, BATCH_EVENTS, LogBatch, Rejected, Send
from hatoba.node.logs.lane import Lane
from hatoba.node.logs.options import Options
from hatoba.streams.port import Batch

log = logging.getLogger(__name__)

LINGER_SECONDS = 0.2  # what comes within it goes together
GROUP_SECONDS = 2.0  # an event of several lines that nothing follows is complete
BULK_BYTES = BATCH_BYTES // 4  # a batch of this size is followed by the next one at once
RETRY_SECONDS, RETRY_MOST_SECONDS = 0.2, 5.0


class Shipper:
    """`lanes` are by the spool's key. `stored` is told what a lane's spool may let go, and how far it was read."""

    def __init__(
        self,
        container_id: str,
        options: Options,
        lanes: dict[str, Lane],
        send: Send,
        stored: Callable[[str, int, int], None],
    ) -> None:
        self.container_id = container_id
        self.options = options
        self.lanes = lanes
        self.lost = 0  # events that the control plane refused for good
        self._send = send
        self._stored = stored
        self._told: dict[str, tuple[int, int]] = {}
        self._first = 0  # the lane that is served first, in turn
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()

    def heard(self, key: str, upto: int, *, stored: int = 0, dropped: int = 0, ended: bool = False) -> None:
        """The spool reaches up to there, and when it has ended no further; up to `stored` it is not needed."""
        lane = self.lanes[key]
        lane.begin(stored)
        lane.dropped = max(lane.dropped, dropped)
        if ended:
            lane.end = upto
        if ended or upto - lane.read >= BULK_BYTES:
            self._hurry.set()
        self._news.set()

    def reconnected(self) -> None:
        """A spooler that knows nothing wants to be told how far everything is."""
        self._told.clear()
        self._news.set()

    async def announce(self) -> None:
        """Asks whether the stream can be written to, and creates it. Raises `Rejected` or `PortError`."""
        await self._send(self._batch(()))

    async def run(self) -> None:
        """Returns when everything is stored and nothing will follow."""
        while not all(lane.done for lane in self.lanes.values()):
            await self._something_to_do()
            while await self._ship():
                pass
        self.close()

    def close(self) -> None:
        for lane in self.lanes.values():
            lane.close()

    async def _something_to_do(self) -> None:
        grouping = [lane for lane in self.lanes.values() if lane.group_open]
        try:
            # Not wait_for: before Python 3.12 it can swallow a cancellation.
            async with asyncio.timeout(GROUP_SECONDS if grouping else None):
                await self._news.wait()
        except TimeoutError:
            for lane in grouping:
                lane.close_group()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await self._hurry.wait()
        self._hurry.clear()
        self._news.clear()

    async def _ship(self) -> bool:
        """Sends one batch. Whether the next one should follow at once: events are left, or there is much to do."""
        parts: list[Batch] = []
        reached: list[tuple[str, int]] = []
        events, room = BATCH_EVENTS, BATCH_BYTES
        order = list(self.lanes.items())
        self._first = (self._first + 1) % len(order)
        for key, lane in order[self._first :] + order[: self._first]:
            lane.fill()
            part, upto = lane.take(events, room)
            if part is not None:
                lane.sending(upto)
                parts.append(part)
                events -= len(part.times)
                room -= lane.weight(part)
            reached.append((key, upto))
        if parts:
            await self._deliver(self._batch(tuple(parts)))
        size = 0
        for key, upto in reached:
            lane = self.lanes[key]
            size += upto - lane.stored
            lane.stored = upto
            if self._told.get(key) != (upto, lane.read):
                self._told[key] = (upto, lane.read)
                self._stored(key, upto, lane.read)
        return size >= BULK_BYTES or any(lane.waiting for lane in self.lanes.values())

    async def _deliver(self, batch: LogBatch) -> None:
        pause = RETRY_SECONDS
        while True:
            try:
                return await self._send(batch)
            except Rejected as refusal:
                count = sum(len(part.times) for part in batch.parts)
                self.lost += count
                log.warning("%d log events of container %s are lost: %s", count, self.container_id, refusal)
                return None
            except PortError as error:
                log.info("the logs of container %s wait: %s", self.container_id, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_MOST_SECONDS)

    def _batch(self, parts: tuple[Batch, ...]) -> LogBatch:
        return LogBatch(
            container_id=self.container_id,
            group=self.options.group,
            stream=self.options.stream,
            region=self.options.region,
            create_group=self.options.create_group,
            parts=parts,
        )
