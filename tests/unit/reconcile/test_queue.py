"""The keyed queue against what it promises, on random sequences of hints, runs, failures and time."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hatoba.reconcile.queue import CONFLICTS, KeyedQueue

KEYS = st.sampled_from("abc")


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.queue: KeyedQueue[str] = KeyedQueue(1.0, 8.0)
        self.now = 0.0
        self.running: set[str] = set()
        self.owed: set[str] = set()  # must run again, whatever else happens
        self.blocked: dict[str, float] = {}
        self.deadlines: dict[str, float] = {}
        self.failures: Counter[str] = Counter()
        self.conflicts: Counter[str] = Counter()

    @rule(key=KEYS)
    def hint(self, key: str) -> None:
        self.queue.hint(key)
        self.owed.add(key)
        self._overtaken(key)

    @rule()
    def take(self) -> None:
        key = self.queue.take()
        due = {key for key in self.owed if key not in self.running and key not in self.blocked}
        if key is None:
            assert not due
            return
        assert key in due, "it was not due"
        self.running.add(key)
        self.owed.discard(key)
        self.deadlines.pop(key, None)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), after=st.none() | st.floats(0, 20), rest=st.none() | st.floats(0.1, 5))
    def done(self, data: st.DataObject, after: float | None, rest: float | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(key)
        self.failures.pop(key, None)
        self.conflicts.pop(key, None)
        at = None if after is None else self.now + after
        self.queue.done(key, at, None if rest is None else self.now + rest)
        if rest is not None:
            self.blocked[key] = self.now + rest
        if at is not None:
            self.deadlines[key] = at
        self._overtaken(key)

    def _overtaken(self, key: str) -> None:
        """A run that is owed at the end of a rest makes a later deadline void: that run will say when to look again."""
        if key in self.owed and self.deadlines.get(key, 0.0) > self.blocked.get(key, float("inf")):
            del self.deadlines[key]

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def failed(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.failures[key] += 1
        delay = self.queue.failed(key, self.now)
        assert delay == min(2.0 ** (self.failures[key] - 1), 8.0)
        self._block(key, delay)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def conflicted(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.queue.conflicted(key, self.now)
        self.conflicts[key] += 1
        if self.conflicts[key] > CONFLICTS:
            self.failures[key] += 1
            self._block(key, min(2.0 ** (self.failures[key] - 1), 8.0))
        else:
            self.running.discard(key)
            self.owed.add(key)

    def _block(self, key: str, delay: float) -> None:
        self.running.discard(key)
        self.blocked[key] = self.now + delay
        self.owed.add(key)

    @rule(seconds=st.floats(0, 10))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.queue.advance(self.now)
        for key in [key for key, at in self.deadlines.items() if at <= self.now]:
            del self.deadlines[key]
            self.owed.add(key)
        for key in [key for key, until in self.blocked.items() if until <= self.now and key in self.owed]:
            del self.blocked[key]

    @invariant()
    def it_says_what_is_so(self) -> None:
        assert self.queue.failing == dict(self.failures)
        ready = {key for key in self.owed if key not in self.running and key not in self.blocked}
        assert len(self.queue) == len(ready)
        assert self.queue.idle == (not ready and not self.running)
        waiting = {key: at for key, at in self.blocked.items() if key in self.owed}  # a key at rest may owe nothing
        expected = [*waiting.values(), *self.deadlines.values()]
        assert self.queue.next_deadline() == min(expected, default=None)


Queue.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestQueue = Queue.TestCase


def test_hints_that_arrive_during_a_run_give_exactly_one_more() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.hint("a")
    assert queue.take() == "a"
    for _ in range(5):
        queue.hint("a")
    assert queue.take() is None
    queue.done("a", None)
    assert queue.take() == "a"
    queue.done("a", None)
    assert queue.take() is None
    assert queue.idle


def test_keys_run_in_the_order_of_their_hints() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for key in "cabcab":
        queue.hint(key)
    assert [queue.take() for _ in range(4)] == ["c", "a", "b", None]


def test_deadlines_fire_in_order_and_the_earliest_of_a_key_counts() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for key, at in (("a", 30.0), ("b", 10.0), ("c", 20.0)):
        queue.hint(key)
        queue.take()
        queue.done(key, at)
    queue.hint("b")
    assert queue.take() == "b"
    queue.done("b", 40.0)
    assert queue.next_deadline() == 20.0
    queue.advance(35.0)
    assert [queue.take(), queue.take(), queue.take()] == ["c", "a", None]
    assert queue.next_deadline() == 40.0


def test_a_hint_does_not_shorten_a_wait() -> None:
    queue: KeyedQueue[str] = KeyedQueue(1.0, 8.0)
    queue.hint("a")
    queue.take()
    queue.failed("a", 0.0)
    queue.hint("a")
    assert queue.take() is None
    queue.advance(0.9)
    assert queue.take() is None
    queue.advance(1.0)
    assert queue.take() == "a"


def test_the_longest_wait_holds_however_often_it_fails() -> None:
    queue: KeyedQueue[str] = KeyedQueue(1.0, 8.0)
    for n in range(2000):
        queue.hint("a")
        queue.advance(n * 100.0)
        assert queue.take() == "a"
        assert queue.failed("a", n * 100.0) <= 8.0


def test_hints_to_a_key_at_rest_give_one_run_at_its_end() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.hint("a")
    queue.take()
    queue.hint("a")  # during the run
    queue.done("a", None, 10.0)
    for _ in range(5):
        queue.hint("a")
    assert queue.take() is None
    assert queue.next_deadline() == 10.0
    queue.advance(10.0)
    assert [queue.take(), queue.take()] == ["a", None]


def test_a_rest_that_nobody_disturbed_leaves_nothing_to_do() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.hint("a")
    queue.take()
    queue.done("a", None, 10.0)
    queue.advance(20.0)
    assert queue.idle
    assert queue.next_deadline() is None
    queue.hint("a")
    queue.advance(20.0)
    assert queue.take() == "a"
