"""CloudWatch alarms that judge a deployment: when to ask for them, and what their states come to.

An alarm that is in ALARM when the deployment begins says nothing about it, and is left out until its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hatoba.core.records import replace
from hatoba.services.ecs.model.service_deployment import ServiceDeployment, Watch

INTERVAL = 5.0  # seconds between two looks


class Alarm(NamedTuple):
    state: str
    evaluates: float = 0.0  # seconds that it looks back


class Answer(NamedTuple):
    """What DescribeAlarms said, by name; or why it did not."""

    alarms: Mapping[str, Alarm]
    trouble: str = ""


def watch(configuration: Mapping[str, Any]) -> Watch | None:
    """What is to be watched by the model's DeploymentConfiguration."""
    alarms = configuration.get("alarms")
    if not alarms or not alarms["enable"]:
        return None
    return Watch(names=tuple(dict.fromkeys(alarms["alarmNames"])), rollback=alarms["rollback"])


def asks_at(story: ServiceDeployment | None) -> float | None:
    """When the alarms are to be looked at next; None: never, or never again."""
    if story is None or story.watch is None or story.status not in ("PENDING", "IN_PROGRESS"):
        return None
    asked = story.watch.asked_at
    return story.created_at if asked is None else asked + INTERVAL


def noted(known: Watch, answer: Answer, now: float) -> Watch:
    if answer.trouble:
        return replace(known, asked_at=now, trouble=answer.trouble)
    alarming = [name for name in known.names if name in answer.alarms and answer.alarms[name].state == "ALARM"]
    missing = [name for name in known.names if name not in answer.alarms]
    first = known.asked_at is None
    return replace(
        known,
        asked_at=now,
        ignored=tuple(alarming) if first else known.ignored,
        triggered=() if first else tuple(name for name in alarming if name not in known.ignored),
        evaluates=max((alarm.evaluates for alarm in answer.alarms.values()), default=0.0),
        trouble=f"there is no alarm {', '.join(missing)}." if missing else "",
    )
