"""Availability zone rebalancing: a steady service whose tasks are unevenly spread over its zones is evened out.

The developer guide, "Balancing an Amazon ECS service across Availability Zones": evenly means that no zone has two
tasks more than another. New tasks start in the zones with the fewest, as many at once as `maximumPercent` leaves room
for; one in the fullest zone is stopped for each of them that is healthy, and not before. So there are never fewer
healthy tasks than are desired. A deployment, a change of the desired count or a task that fails comes first:
rebalancing stops then, and is taken up again once the service is steady.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hatoba.core.records import replace
from hatoba.fleet.model import ZONE
from hatoba.services.ecs.model.service import Rebalance, Service
from hatoba.services.ecs.plan import reasons
from hatoba.services.ecs.plan.rollout import arith
from hatoba.services.ecs.plan.rollout.seen import Seen
from hatoba.services.ecs.plan.rollout.steps import Moves, Stop, allowed_at, fullest_first

PATIENCE = 300.0  # seconds until a zone that had no room is tried again


class Zones(NamedTuple):
    """`of`: where each task is; `open`: where its service's tasks may be; empty when nobody needs to know."""

    of: Mapping[str, str]
    open: tuple[str, ...] = ()


class Evening(NamedTuple):
    """A step. `moves` None: the ordinary ones apply; `zones`: where each of the tasks that are started has to be;
    `preface`: what is to be said first, once it is known that something was started, or why not."""

    service: Service
    moves: Moves | None = None
    zones: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    preface: str = ""
    again_at: float | None = None


def why_not(service: Service) -> str | None:
    """Why a service cannot have it, in AWS's words where they are known."""
    if service.daemon:
        return "AvailabilityZoneRebalancing does not support the DAEMON scheduling strategy"
    if any(deployment.revision.launch_type == "EXTERNAL" for deployment in service.deployments[:1]):
        return "AvailabilityZoneRebalancing does not support the EXTERNAL launch type"
    if service.percents.maximum <= 100:
        return "AvailabilityZoneRebalancing does not support maximumPercent <= 100"
    first = service.placement.strategy[:1]
    if first and (first[0]["type"] != "spread" or first[0]["field"] != f"attribute:{ZONE}"):
        return f"AvailabilityZoneRebalancing does not support a first placement strategy other than spread({ZONE})"
    if any(f"attribute:{ZONE}" in constraint.get("expression", "") for constraint in service.placement.constraints):
        return f"AvailabilityZoneRebalancing does not support attribute:{ZONE} as a task placement constraint"
    return None


def even_out(service: Service, seen: Sequence[Seen], zones: Zones | None, now: float) -> Evening:
    state = service.rebalance
    counted = [one for one in seen if one.counts]
    if not _may(service, seen, counted, zones) or zones is None:
        return _stopped(service) if state.since is not None else Evening(service)
    counts = Counter(dict.fromkeys(zones.open, 0))
    counts.update(zones.of[one.id] for one in counted)
    if state.since is None:
        return _begun(service, counted, counts, zones, now)
    return _continued(service, seen, counted, counts, zones, now)


def _may(service: Service, seen: Sequence[Seen], counted: Sequence[Seen], zones: Zones | None) -> bool:
    """Nothing else is going on, and it is known where everything is."""
    if not service.rebalances or zones is None or len(zones.open) < 2:
        return False
    if len(service.deployments) != 1 or service.primary.rollout != "COMPLETED" or len(counted) < service.desired:
        return False
    if any(one.condition == "unhealthy" or one.task.leaving for one in seen):
        return False
    return all(zones.of.get(one.id) in zones.open for one in counted)


def _begun(service: Service, counted: Sequence[Seen], counts: Counter[str], zones: Zones, now: float) -> Evening:
    wait = service.rebalance.not_before
    if not service.steady or len(counted) != service.desired or spread(counts) <= 1:
        return Evening(service)
    if wait is not None and now < wait:
        return Evening(service, again_at=wait)
    if arith.upper(service.desired, service.percents.maximum) <= service.desired:
        return Evening(service)  # the percentage leaves no room for one more
    held = [one for one in counted if one.task.protected(now)]
    if not wanted(counts, _in_zones(held, zones), 0, 1):
        return _protected(service, held, told=False)
    under_way = replace(service, rebalance=Rebalance(since=now, why=service.rebalance.why), steady=False)
    step = _continued(under_way, counted, counted, counts, zones, now)
    return step._replace(preface=f"is not AZ balanced with {listed(counts)}. AZ Rebalancing in progress.")


def _continued(
    service: Service, seen: Sequence[Seen], counted: Sequence[Seen], counts: Counter[str], zones: Zones, now: float
) -> Evening:
    free = [one for one in counted if not one.task.protected(now)]
    held = [one for one in counted if one.task.protected(now)]
    spare = sum(one.condition == "healthy" for one in counted) - service.desired
    stops = _stops(free, counts, zones, spare)
    left = Counter(counts)
    left.subtract(_in_zones(stops, zones))
    surplus = len(counted) - len(stops) - service.desired
    when = allowed_at(service)
    room = arith.upper(service.desired, service.percents.maximum) - sum(one.occupies for one in seen)
    starts = wanted(left, _in_zones(held, zones), surplus, room if when <= now else 0)
    messages = tuple(_said(stops, zones))
    if not stops and not starts and surplus == 0:
        if spread(left) > 1 and not wanted(left, _in_zones(held, zones), 0, 1):
            return _protected(service, held, told=True)
        if spread(left) <= 1 and all(one.condition == "healthy" for one in counted):
            over = replace(service, rebalance=Rebalance())
            return Evening(over, None, (), (f"is AZ balanced with {listed(left)}.",))
    reason = reasons.rebalancing(service.primary.id)
    again = when if when > now and when != float("inf") else None
    moves = Moves(len(starts), tuple(Stop(one.id, reason) for one in stops), again, False)
    return Evening(service, moves, tuple(starts), messages)


def _in_zones(ones: Sequence[Seen], zones: Zones) -> Counter[str]:
    return Counter(zones.of[one.id] for one in ones)


def _stops(free: Sequence[Seen], counts: Counter[str], zones: Zones, spare: int) -> list[Seen]:
    """So many healthy ones, each from the zone that is the fullest then; of a zone, the oldest first."""
    serving = sorted((one for one in free if one.condition == "healthy"), key=lambda one: (one.task.created_at, one.id))
    return fullest_first(serving, counts, zones.of)[: max(0, spare)]


def wanted(counts: Counter[str], held: Counter[str], surplus: int, room: int) -> list[str]:
    """The zones in which to start tasks, at most `room`. `surplus`: so many more are stopped anyway once those that
    were started serve; `held`: by zone, the tasks that cannot be stopped."""
    sim = Counter(counts)
    for _ in range(surplus):
        sim[_fullest(sim)] -= 1
    starts: list[str] = []
    while len(starts) < room and spread(sim) > 1:
        emptiest, fullest = min(sim, key=lambda zone: (sim[zone], zone)), _fullest(sim)
        if sim[fullest] <= held[fullest]:
            break
        sim[emptiest] += 1
        sim[fullest] -= 1
        starts.append(emptiest)
    return starts


def _fullest(counts: Counter[str]) -> str:
    return min(counts, key=lambda zone: (-counts[zone], zone))


def spread(counts: Mapping[str, int]) -> int:
    return max(counts.values()) - min(counts.values())


# --- what is said --------------------------------------------------------------------------------------------------


def listed(counts: Mapping[str, int]) -> str:
    """`3 tasks in us-east-1a, 1 tasks in us-east-1b`, the fullest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} tasks in {zone}" for zone, count in ordered)


def _said(stops: Sequence[Seen], zones: Zones) -> list[str]:
    by_zone: dict[str, list[str]] = {}
    for one in stops:
        by_zone.setdefault(zones.of[one.id], []).append(f"(task {one.id})")
    return [
        f"has stopped {len(ids)} running tasks in {zone} due to AZ rebalancing: {' '.join(ids)}."
        for zone, ids in sorted(by_zone.items())
    ]


def started(zone: str, ids: Sequence[str]) -> str:
    return f"has started {len(ids)} tasks in {zone} to AZ Rebalance: {' '.join(f'(task {id_})' for id_ in ids)}."


def unplaced(zone: str, launch_type: str) -> str:
    why = "" if launch_type == "FARGATE" else " because no container instance met all of its requirements"
    return f"is unable to place a task in {zone}{why}."


STOPPED = "stopped AZ Rebalancing."


def _stopped(service: Service) -> Evening:
    """Something else comes first."""
    return Evening(replace(service, rebalance=Rebalance()), messages=(STOPPED,))


def _protected(service: Service, held: Sequence[Seen], *, told: bool) -> Evening:
    """Whoever would have to go may not: nothing is done until the first of them may. `told`: it had begun."""
    ends = [one.task.protected_until for one in held if one.task.protected_until is not None]
    until = min(ends, default=None)
    why = (
        f"was unable to AZ Rebalance because (taskSet {service.primary.id}) was unable to scale in due to (reason "
        f"{len(held)} tasks under protection)"
    )
    known = service.rebalance.why == why
    after = replace(service, rebalance=Rebalance(not_before=until, why=why))
    messages = (*(() if known else (why,)), *((STOPPED,) if told else ()))
    return Evening(after, messages=messages, again_at=until)


def without_room(service: Service, zone: str, launch_type: str, now: float, *, some: bool) -> tuple[Service, list[str]]:
    """A zone that was chosen would not have a task: left alone for a while. That it is so is said once. `some`: other
    tasks have been started; if none was, the service is as steady as before."""
    why = unplaced(zone, launch_type)
    known = service.rebalance.why == why
    after = replace(service, rebalance=Rebalance(not_before=now + PATIENCE, why=why), steady=not some)
    return after, [*(() if known else (why,)), *((STOPPED,) if some or not known else ())]
