"""What became of a simulation: values, and how they are told. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

SHOWN = 5  # services that wait, for each reason


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A service that lacks something, and why, in the words of its event."""

    service: str
    why: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `seconds` are virtual, `cpu` are seconds of this machine's."""

    title: str
    seconds: float
    cpu: float
    started: int  # tasks
    ended: int
    settled: bool
    given_up: bool  # it should have settled, and has not in all the time it was given
    running: int
    wanted: int  # by services
    waiting: tuple[Waiting, ...] = ()
    failed: tuple[Waiting, ...] = ()  # deployments


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """`cpu` and `memory` are the parts that tasks have reserved."""

    name: str
    alive: bool
    tasks: int
    cpu: float
    memory: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    steps: tuple[Outcome, ...]
    machines: tuple[Machine, ...]


HEAD = f"{'step':34}{'took':>10}{'started':>10}{'ended':>8}{'running':>10}{'of':>8}{'CPU':>9}"


def line(outcome: Outcome) -> str:
    """One step, under `HEAD`, with what it says about those that wait."""
    took = clock(outcome.seconds) if outcome.settled else f">{clock(outcome.seconds)}"
    told = (
        f"{outcome.title:34.34}{took:>10}{outcome.started:>10,}{outcome.ended:>8,}"
        f"{outcome.running:>10,}{outcome.wanted:>8,}{outcome.cpu:>7.1f} s"
    )
    words = [f"  waits: {text}" for text in _grouped(outcome.waiting)]
    words += [f"  failed: {text}" for text in _grouped(outcome.failed)]
    return "\n".join([told, *words])


def _grouped(waiting: Iterable[Waiting]) -> list[str]:
    """Each reason once, with the services that it keeps waiting."""
    whose: dict[str, list[str]] = {}
    for one in waiting:
        whose.setdefault(one.why, []).append(one.service)
    found = []
    for why, names in whose.items():
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        found.append(f"{', '.join(names[:SHOWN])}{more}: {why}")
    return found


def picture(machines: Sequence[Machine]) -> str:
    """How full the machines are: a bar for each tenth of what their tasks reserve."""
    alive = [machine for machine in machines if machine.alive]
    lines = [f"{len(alive):,} machines, {sum(machine.tasks for machine in alive):,} tasks"]
    if lost := len(machines) - len(alive):
        lines[0] += f"; {lost:,} dead"
    for what, parts in (("memory", [m.memory for m in alive]), ("CPU", [m.cpu for m in alive])):
        counts = Counter(min(9, int(part * 10)) for part in parts)
        most = max(counts.values(), default=1)
        lines.append(f"{what} reserved, machines by tenths:")
        for tenth in range(10):
            bar = "█" * round(40 * counts[tenth] / most)
            lines.append(f"  {tenth * 10:3}–{tenth * 10 + 10:3} % {counts[tenth]:>8,} {bar}".rstrip())
    return "\n".join(lines)


def clock(seconds: float) -> str:
    """`0:01:05.5`"""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}"
