"""Two facts of a container that its task's story is told with: when it was asked to stop, and how it ended before."""

from __future__ import annotations

from hatoba.core.records import replace
from hatoba.node import events as step
from hatoba.node.advance import advance
from hatoba.node.held import Held, begin
from tests.unit.node.pieces import container, workload

NOW = 1_700_000_000.0


def running(**fields: object) -> Held:
    wanted = workload("t1", container("web", **fields))
    held = begin(wanted)
    for event in (
        step.Wanted(wanted),
        step.Attached(NOW),
        step.Pulled("web", "sha256:1", NOW, NOW),
        step.Launched("web", "t1-web", NOW, NOW),
    ):
        held, _ = advance(held, event, NOW)
    return held


def test_when_it_was_asked_to_stop_is_noted_once() -> None:
    held = running()
    assert held.container("web").signalled is None
    stopped = replace(held.workload, want="stopped")
    held, _ = advance(held, step.Wanted(stopped), NOW + 5)
    assert held.container("web").signalled == NOW + 5
    held = replace(held, busy=frozenset())  # the agent restarts, and asks again
    held, instructions = advance(held, step.Tick(), NOW + 9)
    assert step.Instruction("stop", "web") in instructions
    assert held.container("web").signalled == NOW + 5


def test_how_it_ended_before_a_restart_is_kept() -> None:
    held = running(restart_after=1.0)
    held, _ = advance(held, step.Exited("web", 3, NOW + 2, False), NOW + 2)
    status = held.container("web")
    assert (status.state, status.restarts, status.last_exit, status.exit_code) == ("running", 1, 3, None)
    assert status.signalled is None, "nobody asked it to stop"
