"""Worlds of real controllers whose time stands still: how a test waits for them, and has time go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from hatoba.core.clock import ManualClock
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.reconcile import Runner
from hatoba.store import Store


class Converging:
    """A store, and the controllers upon it. Worlds say what else there is, in `open`."""

    store: Store
    runner: Runner
    clock: ManualClock

    async def open(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    def add_node(self) -> None:
        raise NotImplementedError

    async def crash(self) -> None:
        """The process dies and another one starts on what it left."""
        await self.close()
        await self.open()

    def change_node(self, id_: str, **fields: object) -> None:
        with self.store.tx() as tx:
            node = tx.find(fleet.nodes, fleet.FLEET, id_)
            assert node is not None
            tx.put(fleet.nodes, replace(node, **fields))

    async def settle(self) -> None:
        """Returns when everything is durable and no controller has anything left to do at this moment."""
        quiet = 0
        for _ in range(20_000):
            await asyncio.sleep(0)
            if self.runner.idle and self.store.durable_seq == self.store.seq:
                quiet += 1
                if quiet > 20:
                    return
            else:
                quiet = 0
                await asyncio.sleep(0.0002)
        raise AssertionError(f"it does not settle: {self.runner.report()}")

    async def pass_time(self, seconds: float) -> None:
        """Time goes on, and whatever was due by then happens."""
        self.clock.advance(seconds)
        for lane in self.runner._lanes:
            lane._schedule()  # their timers are the loop's, which knows nothing of this clock
        await self.settle()


W = TypeVar("W", bound=Converging)


@asynccontextmanager
async def opened(world: W) -> AsyncIterator[W]:
    """With a node, for as long as the block lasts."""
    await world.open()
    world.add_node()
    try:
        yield world
    finally:
        await world.close()
