"""Bugs made on purpose: each must be found within a few stories. One that is not found is a hole in the simulation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.fleet import model as fleet
from hatoba.network import addresses
from hatoba.node.agent import Agent
from hatoba.node.memory import Memory
from hatoba.node.wiring import Wiring
from hatoba.reconcile.queue import KeyedQueue
from hatoba.services.ecs.controller import interface
from hatoba.services.ecs.model.story import Moment
from hatoba.services.ecs.plan import lifecycle
from hatoba.services.ecs.plan.rollout import arith
from hatoba.store.feed import Feed
from hatoba.store.journal import Entry
from hatoba.store.writer import LoopWriter
from tests.simulation.story import tell
from tests.simulation.watch import Broken

Mutate = Callable[[pytest.MonkeyPatch], None]
STORIES = 25


def more_than_the_maximum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arith, "upper", lambda desired, percent: desired * percent // 100 + 1)


def less_than_the_minimum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arith, "lower", lambda desired, percent: 0)


def a_hint_is_lost(patch: pytest.MonkeyPatch) -> None:
    """What nodes report wakes nobody, and there is no period to make up for it."""
    publish = Feed.publish

    def forgetful(self: Feed, changes: Any) -> None:
        publish(self, [change for change in changes if change.table is not fleet.workload_statuses])

    patch.setattr(Feed, "publish", forgetful)


def deadlines_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks again when a drained target may go, or a failed activation is to be repeated."""
    patch.setattr(KeyedQueue, "_at", lambda self, key, when: None)


def interfaces_are_kept(patch: pytest.MonkeyPatch) -> None:
    async def nothing(aws: Any, task: Any) -> None:
        return

    patch.setattr(interface, "delete", nothing)


def interfaces_stay_on_the_node(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Any, network: str, interface: str) -> None:
        return

    patch.setattr(Wiring, "detach", nothing)


def addresses_are_given_again(patch: pytest.MonkeyPatch) -> None:
    free = addresses.next_free
    patch.setattr(addresses, "next_free", lambda network, taken, after: free(network, frozenset(), None))


def an_agent_forgets(patch: pytest.MonkeyPatch) -> None:
    """Nothing is written down: after a restart what runs belongs to nobody, and is started anew."""
    patch.setattr(Memory, "_write", lambda self, put, gone, epoch, generation: None)
    patch.setattr(Memory, "keep", lambda self, id_, held: None)


def an_agent_does_not_look_around(patch: pytest.MonkeyPatch) -> None:
    """What ended while it was away goes unnoticed."""
    patch.setattr(Agent, "_compare", lambda self, id_, there: None)


def told_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    def hasty(self: LoopWriter, entry: Entry) -> None:
        if not self._pending:
            self._loop.call_later(0.5, self._write)
        self._pending.append(entry)
        self._loop.call_soon(self._appender.advanced, entry.seq)

    patch.setattr(LoopWriter, "put", hasty)


def a_state_is_not_told(patch: pytest.MonkeyPatch) -> None:
    add = lifecycle.add

    def forgetful(story: bytes, *moments: Moment) -> bytes:
        return add(story, *(moment for moment in moments if moment.text != "DEACTIVATING"))

    patch.setattr(lifecycle, "add", forgetful)


MUTANTS: tuple[Mutate, ...] = (
    more_than_the_maximum,
    less_than_the_minimum,
    a_hint_is_lost,
    deadlines_are_forgotten,
    interfaces_are_kept,
    interfaces_stay_on_the_node,
    addresses_are_given_again,
    an_agent_forgets,
    an_agent_does_not_look_around,
    told_before_it_is_durable,
    a_state_is_not_told,
)


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__)
def test_it_is_found(tmp_path: Path, mutate: Mutate, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    for seed in range(STORIES):
        try:
            tell(tmp_path / str(seed), seed)
        # A user who does not find what the platform said it had made has found it too.
        except (Broken, AssertionError, TimeoutError, t.ServiceNotFoundException) as found:
            print(f"found by seed {seed}: {found}")  # noqa: T201  for whoever runs it with -s
            return
    pytest.fail(f"{mutate.__name__} went unnoticed in {STORIES} stories")
