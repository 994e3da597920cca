"""The states of CloudWatch alarms, by the public operation: what a deployment is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Door
from hatoba.services.ecs.model.service_deployment import ServiceDeployment
from hatoba.services.ecs.plan import alarms
from hatoba.services.ecs.plan.alarms import Alarm, Answer

_AT_ONCE = 100  # names in one question, by the model


async def ask(aws: Door, story: ServiceDeployment | None, now: float) -> Answer | None:
    """None while it is not the time to ask. Silence is an answer too: the deployment goes on, and says so."""
    due = alarms.asks_at(story)
    if story is None or story.watch is None or due is None or now < due:
        return None
    found: dict[str, Alarm] = {}
    names = story.watch.names
    try:
        for start in range(0, len(names), _AT_ONCE):
            answer = await aws.cloudwatch.describe_alarms(
                AlarmNames=list(names[start : start + _AT_ONCE]), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            for alarm in (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())):
                found[alarm["AlarmName"]] = Alarm(alarm["StateValue"], _evaluates(alarm))
    except AwsError as error:
        return Answer({}, f"{error.message.rstrip('.')}.")
    return Answer(found)


def _evaluates(alarm: Mapping[str, Any]) -> float:
    return float(alarm.get("Period", 0) * alarm.get("EvaluationPeriods", 0))
