"""The step machine of one workload: `advance(held, event, now) → (held, instructions)`.

Pure and synchronous. An event changes what is known; what is to be done follows from what is wanted and known alone
(`_steps`), less what is under way already (`busy`). So a lost instruction is given again after a restart, and the same
event twice does no harm. A container's state only moves forward.

The order of things: the interface is attached and images are pulled side by side; a container is launched once its
image is there, the interface is attached and everything it depends on is so far. When an essential container ends, or
the workload is no longer wanted, containers stop in the reverse of the order in which they depend on each other; then
they are deleted, the interface is detached, and the workload is stopped. A container that may be restarted and ran for
long enough counts as running while its process is started again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from hatoba.core.records import replace
from hatoba.fleet.model import ContainerWanted, DependsOn
from hatoba.node.events import Event, Instruction
from hatoba.node.held import Held, changed, ended, is_wired
from hatoba.node.learn import learn


def advance(held: Held, event: Event, now: float) -> tuple[Held, tuple[Instruction, ...]]:
    """What is known after the event, and what to do now."""
    held = learn(held, event)
    held = _conclude(held, now)
    instructions = tuple(step for step in _steps(held) if step not in held.busy)
    if instructions:
        held = replace(held, busy=held.busy | frozenset(instructions))
        held = _mark(held, instructions, now)
    state = _state(held)
    if state != held.status.state:
        stopped = now if state == "stopped" else None
        held = replace(held, status=replace(held.status, state=state, stopped=stopped))
    return held, instructions


# --- concluding ----------------------------------------------------------------------------------------------------


def _satisfied(held: Held, need: DependsOn) -> bool:
    other = held.container(need.container)
    # A short process may have ended before the answer that it was started.
    started = other.started is not None or other.exit_code is not None
    match need.condition:
        case "START":
            return started
        case "COMPLETE":
            return other.state == "stopped" and started
        case "SUCCESS":
            return other.state == "stopped" and other.exit_code == 0
        case "HEALTHY":
            return other.health == "healthy"


def _hopeless(held: Held, need: DependsOn) -> bool:
    """The condition cannot come true any more."""
    other = held.container(need.container)
    return other.state == "stopped" and not _satisfied(held, need)


def _conclude(held: Held, now: float) -> Held:
    """Decides whether the workload has to stop; what never began then counts as stopped."""
    held = replace(held, stopping=held.stopping or _over(held), wake_at=None)
    if not held.stopping:
        held = _await_dependencies(held, now)
    if held.stopping:
        for name in [n for n in held.restarting if Instruction("restart", n) not in held.busy]:
            held = ended(held, name)
        for status in held.status.containers:
            if status.state in ("pending", "pulling", "pulled") and Instruction("launch", status.name) not in held.busy:
                held = changed(held, status.name, state="stopped")
    return held


def _over(held: Held) -> bool:
    """It is no longer wanted, nothing of it runs, an essential container has ended, or one could not be started."""
    if not held.wanted or held.workload.want == "stopped":
        return True
    essential = {c.name for c in held.workload.containers if c.essential}
    ended = [c for c in held.status.containers if c.state == "stopped"]
    failed = any(c.name in essential or (c.error and c.started is None) for c in ended)
    return failed or len(ended) == len(held.status.containers)


def _await_dependencies(held: Held, now: float) -> Held:
    """Gives up on a container whose dependencies cannot come true any more, or took too long."""
    specs = {c.name: c for c in held.workload.containers}
    wake_at: float | None = None
    for status in held.status.containers:
        if status.state != "pulled" or Instruction("launch", status.name) in held.busy:
            continue
        spec = specs[status.name]
        hopeless = next((need for need in spec.depends_on if _hopeless(held, need)), None)
        late, deadline = _late(held, spec, specs, now)
        if (missed := hopeless or late) is not None:
            detail = f"container {missed.container}"
            held = changed(held, status.name, state="stopped", error="dependency", detail=detail)
            held = replace(held, stopping=True)
        elif deadline is not None:
            wake_at = deadline if wake_at is None else min(wake_at, deadline)
    return replace(held, wake_at=None if held.stopping else wake_at)


def _late(
    held: Held, spec: ContainerWanted, specs: Mapping[str, ContainerWanted], now: float
) -> tuple[DependsOn | None, float | None]:
    """A dependency that took longer than its start timeout, or the next time to look."""
    deadline: float | None = None
    for need in spec.depends_on:
        limit, other = specs[need.container].start_timeout, held.container(need.container)
        if limit is None or other.pull_stopped is None or _satisfied(held, need):
            continue
        at = other.pull_stopped + limit
        if now >= at:
            return need, None
        deadline = at if deadline is None else min(deadline, at)
    return None, deadline


def _state(held: Held) -> Literal["pending", "starting", "running", "stopping", "stopped"]:
    containers = held.status.containers
    if held.stopping:
        over = all(c.state == "stopped" for c in containers)
        gone = {c.name for c in containers} <= held.deleted
        detached = held.network == "released" or not is_wired(held.workload)
        return "stopped" if over and gone and detached else "stopping"
    if all(c.state in ("running", "stopped") for c in containers):
        return "running"
    if any(c.state != "pending" for c in containers):
        return "starting"
    return "pending"


# --- deciding ------------------------------------------------------------------------------------------------------


def _steps(held: Held) -> Iterable[Instruction]:
    """Everything that should be under way."""
    return _wind_down(held) if held.stopping else _bring_up(held)


def _bring_up(held: Held) -> Iterable[Instruction]:
    for name in held.restarting:
        yield Instruction("restart", name)
    if held.network == "absent":
        yield Instruction("attach")
    for spec in held.workload.containers:
        status = held.container(spec.name)
        if spec.files is not None and status.state == "running" and held.files.get(spec.name, 0) < spec.files.version:
            yield Instruction("refresh", spec.name)
        if status.state in ("pending", "pulling"):
            yield Instruction("pull", spec.name)
        elif (
            status.state in ("pulled", "created")
            and held.network == "attached"
            and all(_satisfied(held, need) for need in spec.depends_on)
        ):
            yield Instruction("launch", spec.name)


def _wind_down(held: Held) -> Iterable[Instruction]:
    over = True
    for status in held.status.containers:
        name = status.name
        if status.state == "stopped":
            if name in _routed(held) - held.deleted:
                yield Instruction("delete", name)  # its last output is to reach the router, which stops after that
            continue
        over = False
        if Instruction("launch", name) in held.busy or Instruction("restart", name) in held.busy:
            continue
        dependents = (s.name for s in held.workload.containers if any(n.container == name for n in s.depends_on))
        if (
            all(held.container(other).state == "stopped" for other in dependents)
            and not _routed(held, name) - held.deleted
        ):
            yield Instruction("stop", name)
    if not over:
        return
    left = [c.name for c in held.status.containers if c.name not in held.deleted]
    for name in left:
        yield Instruction("delete", name)
    # An interface that is still being made is detached once its maker has answered.
    if not left and Instruction("attach") not in held.busy and is_wired(held.workload) and held.network != "released":
        yield Instruction("detach")


def _routed(held: Held, router: str | None = None) -> set[str]:
    """Containers whose output goes to this router, or to any. One is deleted once its output has gone its way."""
    logs = {c.name: c.log.router for c in held.workload.containers if c.log is not None}
    return {name for name, to in logs.items() if to and router in (None, to)}


def _mark(held: Held, instructions: Iterable[Instruction], now: float) -> Held:
    """What an instruction given makes true at once."""
    for step in instructions:
        if step.verb == "pull":
            held = changed(held, step.container, state="pulling", pull_started=now)
        elif step.verb == "stop" and held.container(step.container).signalled is None:
            held = changed(held, step.container, signalled=now)
    return held
