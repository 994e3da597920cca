"""What a node's report adds to a task's story: the difference between what was known of its containers and is now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hatoba.fleet.model import ContainerStatus
from hatoba.services.ecs.model.story import Moment, tells
from hatoba.services.ecs.model.task import Container


def moments(
    story: bytes,
    containers: Iterable[tuple[Container, Container]],
    reported: Mapping[str, ContainerStatus],
    now: float,
) -> Iterator[Moment]:
    """`containers`: each as it was known, and as it is. `now` is for what the node gives no time for."""
    for place, (before, after) in enumerate(containers):
        report = reported.get(after.name)
        if report is not None and (
            before is not after or report.signalled is not None or report.pull_started is not None
        ):
            yield from _container(story, place, before, after, report, now)


def _container(
    story: bytes, place: int, before: Container, after: Container, report: ContainerStatus, now: float
) -> Iterator[Moment]:
    if report.pull_started is not None and not before.digest and not tells(story, "pulling", place):
        yield Moment(report.pull_started, "pulling", place)
    if after.digest and not before.digest:
        yield Moment(report.pull_stopped or now, "pulled", place)
    if after.restarts > before.restarts:
        yield Moment(now, "restarted", place, "" if report.last_exit is None else str(report.last_exit))
    if after.runtime_id and not before.runtime_id:
        yield Moment(report.started or now, "started", place)
    if after.health != before.health and after.health != "UNKNOWN":
        yield Moment(report.health_since or now, "health", place, after.health)
    if report.signalled is not None and not tells(story, "signalled", place):
        yield Moment(report.signalled, "signalled", place)
    if after.exit_code is not None and before.exit_code is None:
        yield Moment(report.finished or now, "exited", place, str(after.exit_code))
    elif after.reason and not before.reason:
        yield Moment(now, "failed", place)
