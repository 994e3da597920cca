"""Runs controllers: each has its own queue and a bound on how many keys run side by side.

A controller is woken by the feed (durable changes only), by the deadlines it returned, and by a slow period in which
every key is looked at again: a lost hint costs time, never correctness.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from hatoba.core.clock import Clock
from hatoba.core.keys import Key
from hatoba.core.tasks import TaskGroup
from hatoba.reconcile.controller import Controller, Listening, Paced, Published
from hatoba.reconcile.queue import KeyedQueue
from hatoba.store import Change, Conflict, Store

log = logging.getLogger(__name__)

PERIOD = 60.0  # seconds between two looks at everything
WIDTH = 64  # keys of one controller that run at once
SHORTEST_REST = 0.005  # seconds: less is not worth a timer


class _Lane:
    """One controller, its queue and its runs."""

    def __init__(self, controller: Controller, clock: Clock, width: int) -> None:
        self.controller = controller
        self.queue: KeyedQueue[Key] = KeyedQueue()
        self.runs = 0
        self.failures = 0
        self._clock = clock
        self._paced = controller if isinstance(controller, Paced) else None
        self._width = width
        self._active = 0
        self._tasks = TaskGroup(controller.name)
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None  # the deadline that the timer is for
        self._scheduled = False
        self._closed = False

    def hint(self, keys: Iterable[Key]) -> None:
        try:
            for key in keys:
                self.queue.hint(key)
        finally:
            if len(self.queue):  # most changes concern most controllers not at all
                self._schedule()
            elif self.queue.next_deadline() != self._armed:
                self._arm()  # a key that rests was hinted

    def hint_all(self) -> None:
        try:
            self.hint(self.controller.keys())
        except Exception:  # the next period asks again, and the other controllers are not its business
            self.failures += 1
            log.exception("%s cannot say what there is to look after", self.controller.name)

    def _schedule(self) -> None:
        if not self._scheduled and not self._closed:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._scheduled = False
        if self._closed:
            return
        self.queue.advance(self._clock.now())
        while self._active < self._width and (key := self.queue.take()) is not None:
            self._active += 1
            self._tasks.start(self._run(key), key.id)
        self._arm()

    def _arm(self) -> None:
        when = self._armed = self.queue.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when is not None:
            delay = max(0.0, when - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._schedule)

    async def _run(self, key: Key) -> None:
        try:
            again = await self.controller.reconcile(key)
        except Conflict:
            self.queue.conflicted(key, self._clock.now())
        except Exception as error:  # a controller must not die; it is logged, counted and shown
            self.failures += 1
            delay = self.queue.failed(key, self._clock.now())
            level = logging.ERROR if self.queue.failing.get(key, 0) == 1 else logging.WARNING
            log.log(level, "%s %s failed, again in %.2f s", self.controller.name, key.id, delay, exc_info=error)
        else:
            self.queue.done(key, again, self._rest(key))
        finally:
            self.runs += 1
            self._active -= 1
            self._schedule()

    def _rest(self, key: Key) -> float | None:
        """Until when, if it is worth it."""
        rest = self._paced.rest(key) if self._paced is not None else 0.0
        return self._clock.now() + rest if rest >= SHORTEST_REST else None

    async def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self._tasks.close()


class Runner:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        controllers: Iterable[Controller],
        *,
        period: float | None = PERIOD,
        hints: bool = True,
        width: int = WIDTH,
        published: Iterable[Published] = (),
    ) -> None:
        """The simulator runs once without `hints` and once without a `period`: each alone must converge. `published`:
        by which tables' changes the rooms' resources change."""
        self._store = store
        self._period = period
        self._hints = hints
        self._published = tuple(published)
        self._lanes = [_Lane(controller, clock, width) for controller in controllers]
        self._unsubscribe: list[Callable[[], None]] = []
        self._tasks = TaskGroup("runner")

    def start(self) -> None:
        if self._hints:
            for told in self._published:
                self._unsubscribe.append(self._store.feed.subscribe(told.table, self._teller(told)))
        for lane in self._lanes:
            if self._hints:
                for wake in lane.controller.wakes:
                    self._unsubscribe.append(self._store.feed.subscribe(wake.table, self._waker(lane, wake.keys)))
            lane.hint_all()
        if self._period is not None:
            self._tasks.start(self._periodic(self._period), "period")

    @staticmethod
    def _waker(lane: _Lane, keys: Callable[[Change[Any]], Iterable[Key]]) -> Callable[[Change[Any]], None]:
        return lambda change: lane.hint(keys(change))

    def _teller(self, told: Published) -> Callable[[Change[Any]], None]:
        listening = [(lane, lane.controller) for lane in self._lanes if isinstance(lane.controller, Listening)]

        def tell(change: Change[Any]) -> None:
            for arn in told.arns(change):
                for lane, controller in listening:
                    lane.hint(controller.hear(arn))

        return tell

    async def _periodic(self, period: float) -> None:
        while True:
            await asyncio.sleep(period)
            self.look_at_everything()

    def look_at_everything(self) -> None:
        """What the slow period does."""
        for lane in self._lanes:
            lane.hint_all()

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing is ready, in any controller."""
        return all(lane.queue.idle for lane in self._lanes)

    def report(self) -> dict[str, dict[str, Any]]:
        """Per controller: runs, failures, and the keys that keep failing."""
        return {
            lane.controller.name: {
                "runs": lane.runs,
                "failures": lane.failures,
                "ready": len(lane.queue),
                "failing": {key.id: count for key, count in lane.queue.failing.items()},
            }
            for lane in self._lanes
        }

    async def close(self) -> None:
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        await self._tasks.close()
        for lane in self._lanes:
            await lane.close()
