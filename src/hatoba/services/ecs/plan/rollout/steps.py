"""How many tasks to start and which to stop: the rolling update's core.

What holds at each step, whatever happens in between:
- starting never brings the tasks that may be running above maximumPercent;
- stopping healthy tasks never leaves fewer healthy ones than minimumHealthyPercent;
- what costs nothing goes first: tasks that are not serving yet, then those that are unhealthy, then the oldest;
- a task that is protected from scaling in is not stopped, but for its health or with its service.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan import reasons
from hatoba.services.ecs.plan.rollout import arith
from hatoba.services.ecs.plan.rollout.seen import Condition, Seen


class Stop(NamedTuple):
    task: str
    reason: str


class Moves(NamedTuple):
    start: int
    stop: tuple[Stop, ...]
    again_at: float | None  # when a start that is held back may be made
    stuck: bool  # the percentages leave no room for any step
    kept: tuple[Task, ...] = ()  # would be stopped, and are protected
    on: tuple[str, ...] = ()  # of a daemon: the node of each that is started


def moves(
    service: Service, seen: Sequence[Seen], now: float, *, early: bool = False, zones: Mapping[str, str] | None = None
) -> Moves:
    """`early`: what is left of old deployments goes now, as far as minimumHealthyPercent allows it. `zones`: where
    each task is, as far as it is known: scaling in leaves them even."""
    if service.status != "ACTIVE":
        return Moves(0, tuple(scale_in(service, one) for one in live(seen)), None, False)
    primary = [one for one in seen if one.task.deployment == service.primary.id and not one.task.leaving]
    # A task whose instance is being drained gives way to its replacement as one of an old deployment does.
    old = [one for one in seen if one.task.deployment != service.primary.id or one.task.leaving]
    need = max(0, service.desired - sum(one.counts for one in primary))
    room = max(0, arith.upper(service.desired, service.percents.maximum) - sum(one.occupies for one in seen))
    when = allowed_at(service)
    held = need > 0 and when > now
    start = 0 if held else min(need, room)
    # Tasks that are on their way out already will make room.
    missing = 0 if held else max(0, need - room - sum(one.condition == "ending" for one in seen))
    stop, kept = _stops(service, primary, old, missing, now, early=early, zones=zones or {})
    stuck = missing > 0 and not stop and not kept
    return Moves(start, tuple(stop), _again_at(when if held else None, kept), stuck, kept)


def _again_at(allowed_at: float | None, kept: Sequence[Task]) -> float | None:
    """When a start that is held back may be made, or a task is no longer protected."""
    deadlines = [allowed_at, *(task.protected_until for task in kept)]
    return min((at for at in deadlines if at is not None and at != float("inf")), default=None)


def allowed_at(service: Service) -> float:
    """When the next task may be started: at once, unless the last ones did not stay up."""
    primary = service.primary
    if primary.rollout == "FAILED":
        return float("inf")
    return (primary.crashed_at or 0.0) + arith.backoff(primary.crashes)


def live(seen: Sequence[Seen]) -> list[Seen]:
    return [one for one in seen if one.condition not in ("ending", "gone")]


def _of(seen: Sequence[Seen], condition: Condition) -> list[Seen]:
    """Oldest first."""
    return sorted((one for one in seen if one.condition == condition), key=lambda one: (one.task.created_at, one.id))


def _stops(
    service: Service,
    primary: Sequence[Seen],
    old: Sequence[Seen],
    missing: int,
    now: float,
    *,
    early: bool,
    zones: Mapping[str, str],
) -> tuple[list[Stop], tuple[Task, ...]]:
    """Which to stop, and which would be if they were not protected. `missing`: how many tasks cannot be started for
    want of room."""
    least = arith.lower(service.desired, service.percents.minimum)
    serving = len(_of(primary, "healthy"))
    healthy = serving + len(_of(old, "healthy"))
    kept: list[Task] = []

    stops = [scale_in(service, one) for one in _free(_of(old, "starting"), kept, now)]
    missing -= len(stops)

    for one in _of(old, "unhealthy"):
        if healthy >= least or missing > 0:
            stops.append(scale_in(service, one))
            missing -= 1
    for one in _of(primary, "unhealthy"):
        if serving >= service.desired or missing > 0:
            stops.append(Stop(one.id, one.why))
            missing -= 1

    extra = max(0, sum(one.counts for one in primary) - service.desired)
    shielded: list[Task] = []
    counts = Counter(zones.get(one.id, "") for one in primary if one.counts)
    serving_first_out = fullest_first(_of(primary, "healthy"), counts, zones)
    surplus = _free([*reversed(_of(primary, "starting")), *serving_first_out], shielded, now)[:extra]
    kept += shielded[: extra - len(surplus)]
    for one in surplus:
        if one.condition == "healthy" and healthy <= least:
            continue  # what stays in its place is protected, but does not serve yet
        stops.append(scale_in(service, one))
        missing -= 1
        healthy -= one.condition == "healthy"

    # Old tasks give way to new ones that serve; before that, only where there is no room for the new ones.
    for one in _of(old, "healthy"):
        if healthy > least and (healthy > service.desired or missing > 0 or early):
            if not _free([one], kept, now):
                continue
            stops.append(scale_in(service, one))
            missing -= 1
            healthy -= 1
    return stops, tuple(kept)


def fullest_first(ones: Iterable[Seen], counts: Mapping[str, int], zones: Mapping[str, str]) -> list[Seen]:
    """In the order in which to stop them, for the rest to be even: each time the first of the zone that has most then.
    `counts`: how many there are in each zone."""
    waiting: dict[str, deque[Seen]] = defaultdict(deque)
    for one in ones:
        waiting[zones.get(one.id, "")].append(one)
    heap = [(-counts.get(zone, 0), zone) for zone in waiting]
    heapify(heap)
    found: list[Seen] = []
    while heap:
        count, zone = heappop(heap)
        found.append(waiting[zone].popleft())
        if waiting[zone]:
            heappush(heap, (count + 1, zone))
    return found


def _free(ones: Sequence[Seen], kept: list[Task], now: float) -> list[Seen]:
    """Those that may be stopped for scaling in; the others are added to `kept`."""
    kept += [one.task for one in ones if one.task.protected(now)]
    return [one for one in ones if not one.task.protected(now)]


def scale_in(service: Service, one: Seen) -> Stop:
    return Stop(one.id, reasons.scaling(one.task.deployment or service.primary.id))
