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

import msgspec

from hatoba.core.records import replace
from hatoba.fleet.model import ContainerStatus, ContainerWanted, DependsOn, Part, Workload, WorkloadStatus
from hatoba.node.events import (
    Attached,
    AttachFailed,
    Deleted,
    Detached,
    Event,
    Exited,
    Failed,
    HealthChanged,
    Instruction,
    Launched,
    Postponed,
    Pulled,
    Refreshed,
    Seated,
    Tick,
    Together,
    Vanished,
    Verb,
    Wanted,
)

# --- state ---------------------------------------------------------------------------------------------------------

Network = Literal["absent", "attached", "released"]


class Held(Part, frozen=True, kw_only=True):
    """One workload, as this node knows it."""

    workload: Workload
    status: WorkloadStatus
    wanted: bool = True  # False: the control plane has forgotten it
    network: Network = "absent"
    deleted: frozenset[str] = frozenset()  # containers that are gone from the runtime
    busy: frozenset[Instruction] = frozenset()
    files: dict[str, int] = msgspec.field(default_factory=dict)  # by container: the version of the files it has
    restarting: dict[str, Exited] = msgspec.field(default_factory=dict)  # ended, and to be started again
    stopping: bool = False  # never goes back
    wake_at: float | None = None  # a deadline of its own

    @property
    def done(self) -> bool:
        """Nothing of it is left on this node."""
        return self.status.state == "stopped" and not self.busy

    def container(self, name: str) -> ContainerStatus:
        return next(c for c in self.status.containers if c.name == name)


def begin(workload: Workload) -> Held:
    """A workload that the node hears of for the first time."""
    key = workload.key._replace(type="fleet.workload_statuses")
    containers = tuple(ContainerStatus(name=c.name) for c in workload.containers)
    status = WorkloadStatus(key=key, node=workload.node, containers=containers)
    return Held(workload=workload, status=status, network="absent" if _is_wired(workload) else "attached")


def _is_wired(workload: Workload) -> bool:
    """Something of the node's networks is made for it."""
    return workload.interface is not None or workload.network_mode == "bridge"


def advance(held: Held, event: Event, now: float) -> tuple[Held, tuple[Instruction, ...]]:
    """What is known after the event, and what to do now."""
    held = _learn(held, event)
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


# --- learning ------------------------------------------------------------------------------------------------------


def _set(held: Held, name: str, **changes: object) -> Held:
    containers = tuple(replace(c, **changes) if c.name == name else c for c in held.status.containers)
    return replace(held, status=replace(held.status, containers=containers))


def _free(held: Held, verb: Verb, container: str = "") -> Held:
    return replace(held, busy=held.busy - {Instruction(verb, container)})


def _learn(held: Held, event: Event) -> Held:
    match event:
        case Wanted(None):
            return replace(held, wanted=False)
        case Wanted(workload):
            return replace(held, workload=workload)
        case Attached(at, seats):
            held = replace(_free(held, "attach"), network="attached", status=replace(held.status, connected=at))
            for seat in seats:
                held = _set(held, seat.container, address=seat.address, bindings=seat.bindings)
            return held
        case Postponed(instruction):
            return replace(held, busy=held.busy - {instruction})
        case AttachFailed(error, detail):
            held = _free(held, "attach")
            return replace(held, stopping=True, status=replace(held.status, error=error, detail=detail))
        case Detached():
            return replace(_free(held, "detach"), network="released")
        case Deleted(name):
            return replace(_free(held, "delete", name), deleted=held.deleted | {name})
        case Together(events):
            for each in events:
                held = _learn_of_container(held, each)
            return held
        case Tick():
            return held
        case _:
            return _learn_of_container(held, event)


def _learn_of_container(held: Held, event: Event) -> Held:
    match event:
        case Pulled(name, digest, started, stopped):
            held = _free(held, "pull", name)
            if held.container(name).state != "pulling":
                return held  # it was given up meanwhile
            return _set(held, name, state="pulled", image_digest=digest, pull_started=started, pull_stopped=stopped)
        case Launched(name, runtime_id, created, started, files):
            held = _settled(_free(_free(held, "launch", name), "restart", name), name)
            held = _given(held, name, files)
            if held.container(name).state == "stopped":  # its exit was quicker than the answer
                return _set(held, name, runtime_id=runtime_id, created=created, started=started)
            return _set(held, name, state="running", runtime_id=runtime_id, created=created, started=started)
        case Refreshed(name, files):
            return _given(_free(held, "refresh", name), name, files)
        case Failed(name, error, detail, pull_started):
            held = _free(_free(_free(held, "pull", name), "launch", name), "restart", name)
            if held.container(name).state == "stopped":
                return held  # it was given up, or it ran and its end is known
            held = _ended(held, name)
            changes: dict[str, object] = {"state": "stopped", "error": error, "detail": detail}
            if pull_started is not None:
                changes["pull_started"] = pull_started
            return _set(held, name, **changes)
        case Exited(name, code, at, oom):
            held = _free(held, "stop", name)
            known = held.container(name)
            if known.exit_code is not None or known.error not in ("", "vanished"):
                return held
            if _of_an_earlier_run(held, known, at):
                return held
            if _is_restarted(held, known, code, at):
                again = {**held.restarting, name: Exited(name, code, at, oom)}
                held = replace(held, restarting=again)
                return _set(
                    held, name, restarts=known.restarts + 1, last_exit=code, health="unknown", health_since=None
                )
            # That it had vanished was a guess, and this is a fact.
            held = _settled(held, name)
            return _set(held, name, state="stopped", exit_code=code, finished=at, oom=oom, error="", detail="")
        case Vanished(name):
            held = _free(_free(_free(held, "stop", name), "launch", name), "restart", name)
            if held.container(name).state == "stopped":
                return held
            held = _ended(held, name)
            return _set(held, name, state="stopped", error="vanished", detail="the runtime no longer knows it")
        case HealthChanged(name, health, at):
            known = held.container(name)
            if known.state != "running" or known.health == health or name in held.restarting:
                return held
            return _set(held, name, health=health, health_since=at)
    return held


def _given(held: Held, name: str, version: int) -> Held:
    """A container has these files now. Versions only grow."""
    if version <= held.files.get(name, 0):
        return held
    return replace(held, files={**held.files, name: version})


# --- restarting ----------------------------------------------------------------------------------------------------


def _is_restarted(held: Held, known: ContainerStatus, code: int, at: float) -> bool:
    """Its policy says so, and it ran for long enough since its last start: otherwise it would be restarted for ever."""
    spec = next(c for c in held.workload.containers if c.name == known.name)
    if held.stopping or not held.wanted or held.workload.want == "stopped" or known.name in held.restarting:
        return False
    if spec.restart_after is None or code in spec.restart_not or known.state != "running" or known.started is None:
        return False
    return at - known.started >= spec.restart_after


def _of_an_earlier_run(held: Held, known: ContainerStatus, at: float) -> bool:
    """An end is told at least once: this one has led to a restart already."""
    if (last := held.restarting.get(known.name)) is not None:
        return at <= last.at
    return known.restarts > 0 and known.started is not None and at < known.started


def _settled(held: Held, name: str) -> Held:
    """It is no longer being restarted."""
    if name not in held.restarting:
        return held
    return replace(held, restarting={other: end for other, end in held.restarting.items() if other != name})


def _ended(held: Held, name: str) -> Held:
    """It is not restarted after all: its last end is what there is to say."""
    last = held.restarting.get(name)
    if last is None:
        return held
    held = _settled(held, name)
    return _set(held, name, state="stopped", exit_code=last.code, finished=last.at, oom=last.oom)


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
            held = _ended(held, name)
        for status in held.status.containers:
            if status.state in ("pending", "pulling", "pulled") and Instruction("launch", status.name) not in held.busy:
                held = _set(held, status.name, state="stopped")
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
            held = _set(held, status.name, state="stopped", error="dependency", detail=detail)
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
        detached = held.network == "released" or not _is_wired(held.workload)
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
    if not left and Instruction("attach") not in held.busy and _is_wired(held.workload) and held.network != "released":
        yield Instruction("detach")


def _routed(held: Held, router: str | None = None) -> set[str]:
    """Containers whose output goes to this router, or to any. One is deleted once its output has gone its way."""
    logs = {c.name: c.log.router for c in held.workload.containers if c.log is not None}
    return {name for name, to in logs.items() if to and router in (None, to)}


def _mark(held: Held, instructions: Iterable[Instruction], now: float) -> Held:
    """What an instruction given makes true at once."""
    for step in instructions:
        if step.verb == "pull":
            held = _set(held, step.container, state="pulling", pull_started=now)
        elif step.verb == "stop" and held.container(step.container).signalled is None:
            held = _set(held, step.container, signalled=now)
    return held


__all__ = [
    "AttachFailed",
    "Attached",
    "Deleted",
    "Detached",
    "Event",
    "Exited",
    "Failed",
    "HealthChanged",
    "Held",
    "Instruction",
    "Launched",
    "Postponed",
    "Pulled",
    "Refreshed",
    "Seated",
    "Tick",
    "Together",
    "Vanished",
    "Verb",
    "Wanted",
    "advance",
    "begin",
]
