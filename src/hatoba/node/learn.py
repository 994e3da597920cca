"""What an event changes in what is known of a workload: `learn(held, event)`. What follows from that is in `advance`.

A container's state only moves forward, and an answer may come when it matters no more: a container was given up while
its image was pulled, or ended before it was said to have started. An end is told at least once.
"""

from __future__ import annotations

from hatoba.core.records import replace
from hatoba.fleet.model import ContainerStatus
from hatoba.node.events import (
    Attached,
    AttachFailed,
    Deleted,
    Detached,
    Event,
    Exited,
    Failed,
    HealthChanged,
    Launched,
    Postponed,
    Pulled,
    Refreshed,
    Tick,
    Together,
    Vanished,
    Wanted,
)
from hatoba.node.held import Held, changed, ended, freed, settled


def learn(held: Held, event: Event) -> Held:
    match event:
        case Wanted(None):
            return replace(held, wanted=False)
        case Wanted(workload):
            return replace(held, workload=workload)
        case Attached():
            return _attached(held, event)
        case AttachFailed(error, detail):
            held = freed(held, "", "attach")
            return replace(held, stopping=True, status=replace(held.status, error=error, detail=detail))
        case Detached():
            return replace(freed(held, "", "detach"), network="released")
        case Pulled():
            return _pulled(held, event)
        case Launched():
            return _launched(held, event)
        case Refreshed(name, files):
            return _given(freed(held, name, "refresh"), name, files)
        case Failed():
            return _failed(held, event)
        case Exited():
            return _exited(held, event)
        case Vanished(name):
            return _vanished(held, name)
        case HealthChanged(name, health, at):
            known = held.container(name)
            if known.state != "running" or known.health == health or name in held.restarting:
                return held
            return changed(held, name, health=health, health_since=at)
        case Deleted(name):
            return replace(freed(held, name, "delete"), deleted=held.deleted | {name})
        case Postponed(instruction):
            return freed(held, instruction.container, instruction.verb)
        case Together(events):
            for each in events:
                held = learn(held, each)
            return held
        case Tick():
            return held


def _attached(held: Held, event: Attached) -> Held:
    held = replace(freed(held, "", "attach"), network="attached", status=replace(held.status, connected=event.at))
    for seat in event.seats:
        held = changed(held, seat.container, address=seat.address, bindings=seat.bindings)
    return held


def _pulled(held: Held, event: Pulled) -> Held:
    name, digest, started, stopped = event
    held = freed(held, name, "pull")
    if held.container(name).state != "pulling":
        return held  # it was given up meanwhile
    return changed(held, name, state="pulled", image_digest=digest, pull_started=started, pull_stopped=stopped)


def _launched(held: Held, event: Launched) -> Held:
    name, runtime_id, created, started, files = event
    held = _given(settled(freed(held, name, "launch", "restart"), name), name, files)
    if held.container(name).state != "stopped":  # else its exit was quicker than the answer
        held = changed(held, name, state="running")
    return changed(held, name, runtime_id=runtime_id, created=created, started=started)


def _failed(held: Held, event: Failed) -> Held:
    name, error, detail, pull_started = event
    held = freed(held, name, "pull", "launch", "restart")
    if held.container(name).state == "stopped":
        return held  # it was given up, or it ran and its end is known
    held = changed(ended(held, name), name, state="stopped", error=error, detail=detail)
    return held if pull_started is None else changed(held, name, pull_started=pull_started)


def _exited(held: Held, event: Exited) -> Held:
    name, code, at, oom = event
    held = freed(held, name, "stop")
    known = held.container(name)
    if known.exit_code is not None or known.error not in ("", "vanished"):
        return held
    if _of_an_earlier_run(held, known, at):
        return held
    if _is_restarted(held, known, code, at):
        held = replace(held, restarting={**held.restarting, name: event})
        return changed(held, name, restarts=known.restarts + 1, last_exit=code, health="unknown", health_since=None)
    # That it had vanished was a guess, and this is a fact.
    held = settled(held, name)
    return changed(held, name, state="stopped", exit_code=code, finished=at, oom=oom, error="", detail="")


def _vanished(held: Held, name: str) -> Held:
    held = freed(held, name, "stop", "launch", "restart")
    if held.container(name).state == "stopped":
        return held
    return changed(ended(held, name), name, state="stopped", error="vanished", detail="the runtime no longer knows it")


def _given(held: Held, name: str, version: int) -> Held:
    """A container has these files now. Versions only grow."""
    if version <= held.files.get(name, 0):
        return held
    return replace(held, files={**held.files, name: version})


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
