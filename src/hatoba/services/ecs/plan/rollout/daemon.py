"""A daemon: one task on every instance that is there for it, instead of so many tasks somewhere.

What is desired is the number of those instances, so that percentages, deployments and the circuit breaker work as for
any other service. On each instance a new task starts when nothing of the service is left there, or beside what is left
as far as `maximumPercent` allows it (by default it does not: what a daemon holds of its node, it holds once).

- never two tasks that stay on one instance;
- stopping never leaves fewer healthy tasks than `minimumHealthyPercent` by our own doing (0 by default), but for those
  on instances that are no longer there for it: nothing could take their place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.plan.rollout import arith
from hatoba.services.ecs.plan.rollout.seen import Seen
from hatoba.services.ecs.plan.rollout.steps import Moves, Stop, allowed_at, live, moves, scale_in


def sized(service: Service, instances: Collection[str] | None) -> Service:
    """What is desired of a daemon follows from the instances; of others (None) it is as it is."""
    if instances is None or service.status != "ACTIVE" or service.desired == len(instances):
        return service
    return replace(service, desired=len(instances), steady=False)


def daemon_moves(service: Service, seen: Sequence[Seen], instances: Collection[str], now: float) -> Moves:
    if service.status != "ACTIVE":
        return moves(service, seen, now)
    by_node: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        if one.occupies:
            by_node[one.task.node].append(one)
    stops = [scale_in(service, one) for node in by_node if node not in instances for one in live(by_node[node])]
    room = max(0, arith.upper(service.desired, service.percents.maximum) - sum(one.occupies for one in seen))
    served = {one.task.node for one in seen if one.condition == "healthy"} & set(instances)
    spare = len(served) - arith.lower(service.desired, service.percents.minimum)
    when = allowed_at(service)
    held = when > now
    starts: list[str] = []
    wanting = False
    # Empty instances first: at 100 percent there is room for those alone.
    for node in sorted(instances, key=lambda node: (len(by_node[node]), node)):
        there = by_node[node]
        own = [one for one in there if one.task.deployment == service.primary.id and one.counts]
        leaving = [one for one in live(there) if one not in own]
        if len(own) > 1:
            own.sort(key=lambda one: (one.condition != "healthy", one.task.created_at, one.id))
            stops += [scale_in(service, one) for one in own[1:]]
        wanting = wanting or not own
        if not own and not held and room > 0:
            starts.append(node)
            room -= 1
        ready = any(one.condition == "healthy" for one in own)
        # A successor serves, or can only come once what serves has gone.
        give_way = ready or (not held and node not in starts and (node not in served or spare > 0))
        stops += [_stop(service, one) for one in leaving if give_way or (one.condition != "healthy" and not held)]
        spare -= give_way and not ready and node in served
    again = when if held and wanting and when != float("inf") else None
    moving = starts or stops or any(one.condition in ("starting", "ending") for one in seen)
    return Moves(len(starts), tuple(stops), again, wanting and not held and not moving, on=tuple(starts))


def _stop(service: Service, one: Seen) -> Stop:
    return Stop(one.id, one.why) if one.condition == "unhealthy" and one.why else scale_in(service, one)
