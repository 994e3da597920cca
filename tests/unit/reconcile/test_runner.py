"""The runner on virtual time: what wakes a controller, how many run at once, and that nothing ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from hatoba.core.clock import LoopClock
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.core.virtual import run
from hatoba.reconcile import Published, Runner, Wake
from hatoba.store import Conflict, Store
from tests.unit.store.stored import opened, ship, ships


class Watcher:
    """Notes when it runs; `act` does the rest."""

    name = "watcher"

    def __init__(self, store: Store, act: Any = None) -> None:
        self.store = store
        self.act = act
        self.wakes = (Wake(ships, lambda change: (change.key,)),)
        self.runs: list[tuple[float, str]] = []
        self.active: list[str] = []
        self.most = 0

    def keys(self) -> Iterable[Key]:
        return [ship.key for ship in self.store.all(ships)]

    async def reconcile(self, key: Key) -> float | None:
        assert key.id not in self.active, "it runs twice at once"
        self.runs.append((round(asyncio.get_running_loop().time(), 3), key.id))
        self.active.append(key.id)
        self.most = max(self.most, len(self.active))
        try:
            return await self.act(key) if self.act else None
        finally:
            self.active.remove(key.id)


async def with_runner(script: Any, act: Any = None, **options: Any) -> Watcher:
    async with opened() as store:
        watcher = Watcher(store, act)
        with store.tx() as tx:
            tx.put(ships, ship("old"))
        runner = Runner(store, LoopClock(0.0), [watcher], **options)
        runner.start()
        try:
            await script(store, runner, watcher)
        finally:
            await runner.close()
        return watcher


async def sail(store: Store, id_: str = "a", **fields: Any) -> None:
    with store.tx() as tx:
        known = tx.find(ships, ships_scope(), id_)
        tx.put(ships, replace(known or ship(id_), **fields))
    await store.durable()


def ships_scope() -> Any:
    return ship("a").scope


def test_a_start_looks_at_everything_and_a_change_at_its_key() -> None:
    async def script(store: Store, runner: Runner, watcher: Watcher) -> None:
        await asyncio.sleep(5)
        assert watcher.runs == [(0.0, "old")]
        await sail(store)
        await asyncio.sleep(1)
        assert watcher.runs == [(0.0, "old"), (5.0, "a")]
        assert runner.idle

    run(with_runner(script, period=None))


def test_without_hints_the_period_finds_it() -> None:
    async def script(store: Store, runner: Runner, watcher: Watcher) -> None:
        await sail(store)
        await asyncio.sleep(59)
        assert watcher.runs == [(0.0, "old")] or watcher.runs == [(0.0, "old"), (0.0, "a")]
        await asyncio.sleep(2)
        assert watcher.runs[-2:] == [(60.0, "old"), (60.0, "a")]

    run(with_runner(script, period=60.0, hints=False))


def test_it_is_woken_at_the_time_it_named() -> None:
    async def again(key: Key) -> float | None:
        now = asyncio.get_running_loop().time()
        return 1000.0 if now < 1000.0 else None

    async def script(store: Store, runner: Runner, watcher: Watcher) -> None:
        await asyncio.sleep(100_000)
        assert watcher.runs == [(0.0, "old"), (1000.0, "old")]

    run(with_runner(script, again, period=None))


def test_a_failure_backs_off_is_shown_and_ends_with_success(caplog: pytest.LogCaptureFixture) -> None:
    broken = True

    async def fails(key: Key) -> None:
        if broken:
            raise ValueError("not today")

    async def script(store: Store, runner: Runner, watcher: Watcher) -> None:
        nonlocal broken
        await asyncio.sleep(0.5)
        assert [at for at, _ in watcher.runs] == [0.0, 0.05, 0.15, 0.35]
        assert runner.report()["watcher"]["failing"] == {"old": 4}
        broken = False
        await asyncio.sleep(60)
        assert runner.report()["watcher"]["failing"] == {}
        assert len(watcher.runs) == 5

    run(with_runner(script, fails, period=None))
    assert "not today" in caplog.text


def test_a_conflict_is_looked_at_again_at_once_but_not_for_ever() -> None:
    async def loses(key: Key) -> None:
        raise Conflict("somebody wrote in between")

    async def script(store: Store, runner: Runner, watcher: Watcher) -> None:
        await asyncio.sleep(600)
        assert [at for at, _ in watcher.runs[:6]] == [0.0] * 6
        assert len(watcher.runs) < 50, "it must not spin"
        assert runner.report()["watcher"]["failing"]["old"] > 3

    run(with_runner(script, loses, period=None))


def test_no_more_than_its_width_run_at_once_and_all_run() -> None:
    async def slowly(key: Key) -> None:
        await asyncio.sleep(1)

    async def script(store: Store, runner: Runner, watcher: Watcher) -> None:
        for n in range(20):
            await sail(store, f"s{n}")
        await asyncio.sleep(100)
        assert watcher.most == 4
        assert {id_ for _, id_ in watcher.runs} == {"old", *(f"s{n}" for n in range(20))}

    run(with_runner(script, slowly, period=None, width=4))


def test_changes_during_a_run_give_one_more_run() -> None:
    async def slowly(key: Key) -> None:
        await asyncio.sleep(10)

    async def script(store: Store, runner: Runner, watcher: Watcher) -> None:
        await sail(store)
        await asyncio.sleep(5)
        for flag in ("no", "se", "de"):
            await sail(store, flag=flag)
        await asyncio.sleep(100)
        assert [at for at, id_ in watcher.runs if id_ == "a"] == [0.0, 10.0]

    run(with_runner(script, slowly, period=None))


def test_a_controller_that_cannot_list_its_keys_holds_up_nobody() -> None:
    async def main() -> None:
        async with opened() as store:
            broken, whole = Watcher(store), Watcher(store)
            broken.name = "broken"

            def keys() -> Iterable[Key]:
                raise ValueError("a bug in a room")

            broken.keys = keys  # type: ignore[method-assign]
            with store.tx() as tx:
                tx.put(ships, ship("old"))
            runner = Runner(store, LoopClock(0.0), [broken, whole], period=10.0, hints=False)
            runner.start()
            await asyncio.sleep(35)
            assert [at for at, _ in whole.runs] == [0.0, 10.0, 20.0, 30.0]
            assert runner.report()["broken"]["failures"] == 4
            await runner.close()

    run(main())


def test_after_closing_nothing_runs() -> None:
    async def main() -> None:
        async with opened() as store:

            async def forever(key: Key) -> None:
                await asyncio.sleep(1e6)

            watcher = Watcher(store, forever)
            runner = Runner(store, LoopClock(0.0), [watcher], period=1.0)
            runner.start()
            await sail(store)
            await asyncio.sleep(0.5)
            await runner.close()
            count = len(watcher.runs)
            await sail(store, "b")
            await asyncio.sleep(10)
            assert len(watcher.runs) == count
            assert watcher.active == []
            assert len(asyncio.all_tasks()) == 1

    run(main())


class Slow(Watcher):
    """Rests for two seconds after each run over `big`."""

    def rest(self, key: Key) -> float:
        return 2.0 if key.id == "big" else 0.0


def test_hints_for_a_controller_that_paces_itself_are_gathered() -> None:
    async def main() -> None:
        async with opened() as store:
            watcher = Slow(store)
            runner = Runner(store, LoopClock(0.0), [watcher], period=None)
            runner.start()
            for number in range(100):
                await sail(store, "big", flag=str(number))
                await sail(store, "small", flag=str(number))
                await asyncio.sleep(0.1)
            await asyncio.sleep(5)
            assert [at for at, id_ in watcher.runs if id_ == "big"] == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
            assert sum(id_ == "small" for _, id_ in watcher.runs) == 100
            await sail(store, "big")
            await asyncio.sleep(0.1)
            assert watcher.runs[-1] == (15.0, "big"), "it had rested for long enough"
            await runner.close()

    run(main())


class Listener(Watcher):
    """Waits for another's resources, and not for records."""

    name = "listener"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.wakes = ()

    def keys(self) -> Iterable[Key]:
        return []

    def hear(self, arn: str) -> Iterable[Key]:
        return [ship("waits for a").key] if arn == "arn:a" else []


def test_who_listens_is_woken_by_what_others_publish_and_by_nothing_else() -> None:
    async def main() -> None:
        async with opened() as store:
            listener, deaf = Listener(store), Watcher(store)
            published = [Published(ships, lambda change: [f"arn:{change.key.id}"])]
            runner = Runner(store, LoopClock(0.0), [listener, deaf], period=None, published=published)
            runner.start()
            await sail(store, "a")
            await sail(store, "b")
            await asyncio.sleep(1)
            assert [id_ for _, id_ in listener.runs] == ["waits for a"]
            assert [id_ for _, id_ in deaf.runs] == ["a", "b"]
            await runner.close()
            await sail(store, "a")
            await asyncio.sleep(1)
            assert len(listener.runs) == 1

    run(main())
