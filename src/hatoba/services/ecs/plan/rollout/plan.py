"""The whole of it: one look at a service, one plan.

First what happened is counted, and the deployment goes on, is done, or is undone; then what starts and stops follows
from what is wanted now; and last, what of it is told. What a plan asks for is carried out by the controllers of
services and of task sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from hatoba.core.records import replace
from hatoba.services.ecs.model.hook import Hook
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment, Watch
from hatoba.services.ecs.model.task import RANK, Part, Task
from hatoba.services.ecs.plan import alarms
from hatoba.services.ecs.plan.alarms import Answer
from hatoba.services.ecs.plan.rollout import counting, progress, shifting, words
from hatoba.services.ecs.plan.rollout.counting import Progress
from hatoba.services.ecs.plan.rollout.daemon import daemon_moves, sized
from hatoba.services.ecs.plan.rollout.rebalance import Zones, even_out
from hatoba.services.ecs.plan.rollout.seen import Place, Seen, Targets, places, see
from hatoba.services.ecs.plan.rollout.shifting import Effects
from hatoba.services.ecs.plan.rollout.steps import Moves, Stop, moves


class Plan(Part, frozen=True, kw_only=True):
    """What to do now. `service` is the record as it is to be, before what starting tasks adds to it."""

    service: Service
    start: int = 0
    unhealthy: int = 0  # so many of them take the place of one that is not healthy
    on: tuple[str, ...] = ()  # of a daemon: the node of each that is started
    zones: tuple[str, ...] = ()  # of a service that is evened out: the zone of each
    preface: str = ""  # and what is said before, if it comes to it
    more: Mapping[str, int] = msgspec.field(default_factory=dict)  # starts of deployments that are not PRIMARY
    stop: tuple[Stop, ...] = ()
    register: tuple[Task, ...] = ()
    deregister: tuple[Task, ...] = ()
    drained: tuple[Task, ...] = ()
    ended: tuple[Task, ...] = ()  # to be taken note of
    messages: tuple[str, ...] = ()
    again_at: float | None = None
    story: ServiceDeployment | None = None  # the record of its newest service deployment, as it is to be
    effects: Effects = Effects()

    @property
    def empty(self) -> bool:
        """Nothing to do but to keep the record, should it differ."""
        moving = self.start or self.more or self.stop or self.register or self.deregister or self.drained or self.ended
        return not moving and self.effects == Effects()


class Known(NamedTuple):
    """What else is known when a service is looked at."""

    story: ServiceDeployment | None = None  # its newest service deployment
    instances: Collection[str] | None = None  # the nodes that are there for a daemon; None for any other service
    unchecked: float = 0.0  # as for `see`
    runs: Sequence[Hook] = ()  # those of the story's lifecycle hooks
    answer: Answer | None = None  # the story's alarms, when they were asked for
    zones: Zones | None = None  # where tasks are and may be
    whys: Mapping[Place, str] = {}  # what the load balancers say of unhealthy targets


NOTHING_MORE = Known()


def plan(service: Service, tasks: Sequence[Task], targets: Targets, now: float, known: Known = NOTHING_MORE) -> Plan:
    """`targets`: the states of everything registered in the service's target groups."""
    service, story = sized(service, known.instances), known.story
    told: list[str] = []
    if story is not None and story.watch is not None and known.answer is not None:
        story, told = _watched(story, story.watch, known.answer, now)
    kept = shifting.governs(story)
    seen = [see(service, task, targets, now, known.unchecked) for task in tasks]
    ended = [task for task in tasks if not task.counted and task.desired == "STOPPED"]
    counted = counting.note_ends(service, ended, (), _serving(service, seen), now)
    service = counting.note_others(counted.service, ended, now) if kept is not None else counted.service
    advanced = progress.advance(service, seen, now, story, known.runs)
    evening = even_out(advanced.service, seen, known.zones, now)
    told += [*counted.messages, *advanced.messages, *evening.messages]

    step, more = _moves(evening.service, advanced, seen, known, now) if evening.moves is None else (evening.moves, {})
    service, blamed = _blamed(evening.service, step, seen, targets, known.whys, now)
    told += [*blamed, *(_stopped(step.stop, seen) if evening.moves is None else ())]
    service, noted = _noted(service, step, more, seen)
    effects = shifting.effects(service, advanced.story, kept, seen, known.runs, now)
    told += [*noted, *_paused(service, effects)]

    deadlines = (
        step.again_at,
        evening.again_at,
        advanced.again_at,
        alarms.asks_at(advanced.story),
        *(one.grace_ends for one in seen),
        *(task.drained_at for task in tasks if task.balancing == "draining"),
    )
    return Plan(
        service=service,
        start=step.start,
        unhealthy=min(step.start, sum(one.condition == "unhealthy" for one in seen)),
        on=step.on,
        zones=evening.zones,
        preface=evening.preface,
        more=more,
        stop=step.stop,
        register=tuple(task for task in tasks if _joins(task, targets)),
        deregister=tuple(task for task in tasks if _leaves(task)),
        drained=tuple(task for task in tasks if task.balancing == "draining" and _is_drained(task, targets, now)),
        ended=tuple(ended),
        messages=tuple(told),
        again_at=min((at for at in deadlines if at is not None), default=None),
        story=advanced.story,
        effects=effects,
    )


def _watched(story: ServiceDeployment, watch: Watch, answer: Answer, now: float) -> tuple[ServiceDeployment, list[str]]:
    """With what its alarms say; and, once, why they do not."""
    known = alarms.noted(watch, answer, now)
    said = known.trouble and known.trouble != watch.trouble
    told = [words.alarms_unread(f"ecs-svc/{story.target}", known.trouble)] if said else []
    return replace(story, watch=known), told


def _moves(
    service: Service,
    advanced: Progress,
    seen: Sequence[Seen],
    known: Known,
    now: float,
) -> tuple[Moves, dict[str, int]]:
    """What starts and stops; starts of deployments that are not PRIMARY stand by themselves, by deployment."""
    shift, zones = shifting.governs(advanced.story), known.zones.of if known.zones is not None else {}
    if advanced.story is not None and shift is not None and service.status == "ACTIVE":
        return shifting.side_moves(service, advanced.story, shift, seen, now, zones)
    if known.instances is None:
        return moves(service, seen, now, early=advanced.early, zones=zones), {}
    return daemon_moves(service, seen, known.instances, now), {}


def _blamed(
    service: Service, step: Moves, seen: Sequence[Seen], targets: Targets, whys: Mapping[Place, str], now: float
) -> tuple[Service, list[str]]:
    """Tasks that are stopped now for their health: counted, and told why."""
    stopped = {stop.task for stop in step.stop}
    unhealthy = [one for one in seen if one.condition == "unhealthy" and one.id in stopped]
    own = [one.task for one in unhealthy if one.task.deployment == service.primary.id]
    told = [message for one in unhealthy for message in _why_unhealthy(one, targets, whys)]
    return counting.note_ends(service, (), own, 0, now).service, told


def _paused(service: Service, effects: Effects) -> list[str]:
    waiting = [hook for hook in effects.hooks if hook.type == "PAUSE"]
    return [words.paused(service.primary.id, hook.stage, hook.hook) for hook in waiting]


def _noted(service: Service, step: Moves, more: Mapping[str, int], seen: Sequence[Seen]) -> tuple[Service, list[str]]:
    """Whether it has come to rest, or what hinders it; each is said once."""
    told: list[str] = []
    moving = bool(step.start or more or step.stop or step.kept) or any(one.condition != "healthy" for one in seen)
    short = len(seen) < service.desired  # also while starts are held back
    steady = not (moving or short) and len(service.deployments) == 1 and service.primary.rollout == "COMPLETED"
    if steady and not service.steady and service.status == "ACTIVE":
        told.append(words.STEADY)
    if service.steady != steady:
        service = replace(service, steady=steady)
    hindered = _hindered(step)
    if hindered and service.blocked != hindered:
        return replace(service, blocked=hindered), [*told, hindered]
    if service.blocked and not hindered and not step.start and not more:
        service = replace(service, blocked="")
    return service, told


def _stopped(stops: Sequence[Stop], seen: Sequence[Seen]) -> list[str]:
    """What is said of it: which had run, and how many had not come so far."""
    chosen = {stop.task for stop in stops}
    waiting = {one.id for one in seen if one.id in chosen and RANK[one.task.status] < RANK["RUNNING"]}
    running = [stop.task for stop in stops if stop.task not in waiting]
    told = [words.stopped(running)] if running else []
    return [*told, words.stopped_pending(len(waiting))] if waiting else told


def _hindered(step: Moves) -> str:
    """Why there is no going on, for now. What hinders a start is found out by starting."""
    if step.stuck:
        return words.STUCK
    return words.protected(step.kept[0].deployment or "") if step.kept and not step.start else ""


def _serving(service: Service, seen: Iterable[Seen]) -> int:
    return sum(one.condition == "healthy" and one.task.deployment == service.primary.id for one in seen)


def _joins(task: Task, targets: Targets) -> bool:
    """It is ready to be registered; or it was, and somebody took it out."""
    if task.desired == "STOPPED" or task.lost:
        return False
    return task.balancing == "joining" or (
        task.balancing == "joined" and any(state == "" for _, state in places(task, targets))
    )


def _leaves(task: Task) -> bool:
    return task.balancing in ("joining", "joined") and (task.desired == "STOPPED" or task.lost)


def _is_drained(task: Task, targets: Targets, now: float) -> bool:
    if task.drained_at is not None and now >= task.drained_at:
        return True
    return all(state in ("", "unused") for _, state in places(task, targets))


def moved(registered: Sequence[Task], deregistered: Sequence[Task]) -> list[str]:
    """What is said once these have been registered and deregistered."""
    told = [words.registered(count, group) for group, count in _by_group(registered)]
    if deregistered:
        told.append(words.draining(len(deregistered)))
        told += [words.deregistered(count, group) for group, count in _by_group(deregistered)]
    return told


def _by_group(tasks: Iterable[Task]) -> list[tuple[str, int]]:
    return sorted(Counter(target.group for task in tasks for target in task.targets).items())


def _why_unhealthy(one: Seen, targets: Targets, whys: Mapping[Place, str]) -> Iterable[str]:
    bad = [place for place, state in places(one.task, targets) if state == "unhealthy"]
    if not bad:
        return [words.unhealthy_container(one.id)]
    return [words.unhealthy_target(one.id, place[2], place[0], whys.get(place, "")) for place in bad]
