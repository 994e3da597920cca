"""Asks every target of every group in use, in its own rhythm, and tells when what is known about one changes.

The one authority for targets' health: it routes (through the endpoints' health) and explains (through `HealthFact`).
A timer per target, no thread, no task while nothing is asked; how many are asked at once is bounded. See
docs/decisions/0005-target-health.md.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.tasks import TaskGroup
from hatoba.proxy.base import Health, HealthCheck, HealthFact, OnHealth, Target, TargetGroup, TargetKey
from hatoba.proxy.health import DRAINING, UNCHECKED, Progress, Result, advance

log = logging.getLogger(__name__)

OnCheck = Callable[[TargetKey, tuple[str, int], HealthCheck, Result, tuple[float, float]], None]
SourceFor = Callable[[str], str | None]  # the address to ask from, by the address of the target

_AT_ONCE = 256


class Ask(Protocol):
    """Asks a target once. `source` is the balancer's address to ask from."""

    def __call__(self, address: str, port: int, settings: HealthCheck, *, source: str | None) -> Awaitable[Result]: ...


class _Watched:
    """A target under watch."""

    def __init__(self, key: TargetKey, target: Target, settings: HealthCheck, source: str | None, progress: Progress):
        self.key = key
        self.target = target
        self.settings = settings
        self.source = source
        self.progress = progress
        self.timer: asyncio.TimerHandle | None = None
        self.asking: asyncio.Task[None] | None = None

    def same_place(self, target: Target) -> bool:
        return (target.address, target.port) == (self.target.address, self.target.port)

    def same_question(self, target: Target, settings: HealthCheck, source: str | None) -> bool:
        return (
            self.same_place(target)
            and target.state == self.target.state
            and (settings, source) == (self.settings, self.source)
        )

    def cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.asking is not None:
            self.asking.cancel()


class Checker:
    """`set_groups` says whom to ask; `on_health` hears of every change, `on_check` of every answer."""

    def __init__(self, *, ask: Ask, clock: Clock, on_health: OnHealth, on_check: OnCheck = lambda *_: None) -> None:
        self._ask = ask
        self._clock = clock
        self._on_health = on_health
        self._on_check = on_check
        self._groups: dict[str, tuple[TargetGroup, SourceFor]] = {}
        self._watched: dict[TargetKey, _Watched] = {}
        self._by_group: dict[str, dict[str, Health]] = {}  # what is known, as it is asked for
        self._tasks = TaskGroup("health")
        self._places = asyncio.Semaphore(_AT_ONCE)
        self.asked = 0

    def __contains__(self, key: TargetKey) -> bool:
        return key in self._watched

    def health(self) -> Mapping[TargetKey, Health]:
        return {key: each.progress.health for key, each in self._watched.items()}

    @property
    def by_group(self) -> Mapping[str, Mapping[str, Health]]:
        """By group, then target; as things are, also later."""
        return self._by_group

    def of_group(self, group: str) -> Mapping[str, Health]:
        return self._by_group.get(group, {})

    def set_groups(
        self,
        groups: Mapping[str, tuple[TargetGroup, SourceFor]],
        restored: Mapping[TargetKey, Health] | None = None,
    ) -> frozenset[TargetKey]:
        """Each group with what gives the source address for a target's address. New targets are asked at once; those
        in `restored` begin with the health that they had, and are asked within their interval. Those that are no longer
        asked. A group that is what it was costs nothing, whatever it has of targets."""
        before, self._groups = self._groups, dict(groups)
        gone = [key for id_ in before.keys() - groups.keys() for key in self._keys(id_)]
        for id_, (group, source_for) in groups.items():
            if before.get(id_) == (group, source_for):
                continue
            there = {target.id for target in group.targets}
            gone += [key for key in self._keys(id_) if key.target not in there]
            for target in group.targets:
                key = TargetKey(id_, target.id)
                self._set(key, target, group.health_check, source_for(target.address), (restored or {}).get(key))
        for key in gone:
            self._watched.pop(key).cancel()
            self._forget(key)
        return frozenset(gone)

    def _keys(self, group: str) -> list[TargetKey]:
        return [TargetKey(group, target) for target in self._by_group.get(group, ())]

    def _forget(self, key: TargetKey) -> None:
        known = self._by_group[key.group]
        del known[key.target]
        if not known:
            del self._by_group[key.group]

    def _set(
        self, key: TargetKey, target: Target, settings: HealthCheck, source: str | None, restored: Health | None
    ) -> None:
        before = self._watched.get(key)
        if before is not None and before.same_question(target, settings, source):
            before.target = target
            return
        if before is not None:
            before.cancel()
        progress = self._beginning(before, target, settings, restored)
        watched = self._watched[key] = _Watched(key, target, settings, source, progress)
        self._by_group.setdefault(key.group, {})[key.target] = progress.health
        if before is None or before.progress.health != progress.health:
            self._tell(watched)
        if progress.health not in (DRAINING, UNCHECKED):
            self._schedule(watched, 0.0 if progress.health.state == "initial" else _phase(key) * settings.interval)

    def _beginning(
        self, before: _Watched | None, target: Target, settings: HealthCheck, restored: Health | None
    ) -> Progress:
        """Where the checks of a target start, or go on with other settings."""
        new = Progress(since=self._clock.monotonic())
        if target.state == "draining":
            return msgspec.structs.replace(new, health=DRAINING)
        if not settings.enabled:
            return msgspec.structs.replace(new, health=UNCHECKED)
        known = before.progress if before is not None and before.same_place(target) else new
        if before is None and restored is not None:
            known = msgspec.structs.replace(new, health=restored)
        return new if known.health in (DRAINING, UNCHECKED) else known

    def _learn(self, watched: _Watched, progress: Progress) -> None:
        before, watched.progress = watched.progress, progress
        if self._watched.get(watched.key) is watched and progress.health != before.health:
            self._by_group[watched.key.group][watched.key.target] = progress.health
            self._tell(watched)

    def _tell(self, watched: _Watched) -> None:
        health = watched.progress.health
        log.debug("target %s of %s: %s %s", watched.key.target, watched.key.group, health.state, health.text)
        self._on_health(
            HealthFact(group=watched.key.group, target=watched.key.target, health=health, at=self._clock.now())
        )

    def _schedule(self, watched: _Watched, delay: float) -> None:
        watched.timer = asyncio.get_running_loop().call_later(delay, self._begin, watched)

    def _begin(self, watched: _Watched) -> None:
        watched.asking = self._tasks.start(self._check(watched), watched.key.target)

    async def _check(self, watched: _Watched) -> None:
        settings = watched.settings
        began = self._clock.monotonic()
        async with self._places:
            self.asked += 1
            place = watched.target.address, settings.port or watched.target.port
            started, asked = self._clock.now(), self._clock.monotonic()
            result = await self._ask(*place, settings, source=watched.source)
        now = self._clock.monotonic()
        self._on_check(watched.key, place, settings, result, (started, now - asked))
        progress, delay = advance(watched.progress, result, settings, now)
        self._learn(watched, progress)
        # The interval runs from question to question. Impatience runs from the answer, or it would be a busy loop.
        spent = now - began if progress.health.state != "initial" else 0.0
        if self._watched.get(watched.key) is watched:
            self._schedule(watched, max(0.05, delay - spent))

    async def close(self) -> None:
        for watched in self._watched.values():
            watched.cancel()
        self._groups.clear()
        self._watched.clear()
        self._by_group.clear()
        await self._tasks.close()


def _phase(key: TargetKey) -> float:
    """Spreads targets over their interval, the same way each time: 0..1."""
    return zlib.crc32("\0".join(key).encode()) / 2**32
