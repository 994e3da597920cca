"""What a change of a service's records means to those who listen: which events follow from before and after. Pure.

The words that a service says of itself name their events too: whoever adds a message adds it to `_SAID`, or to those
that are nobody's event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hatoba.services.ecs.model.service import Event, Service
from hatoba.services.ecs.model.task_set import TaskSet
from hatoba.services.ecs.plan.rollout import words


class Action(NamedTuple):
    """An `ECS Service Action`."""

    level: str
    name: str
    reason: str = ""
    providers: tuple[str, ...] = ()  # names of capacity providers
    instances: tuple[str, ...] = ()  # ids of nodes


class Turn(NamedTuple):
    """An `ECS Deployment State Change`."""

    level: str
    name: str
    deployment: str
    reason: str


def actions(before: Service | None, after: Service) -> Iterator[Action]:
    """What the service's own record says."""
    if before is not None and before.desired != after.desired:
        yield Action("INFO", "SERVICE_DESIRED_COUNT_UPDATED")
    if after.steady and not (before is not None and before.steady):
        yield Action("INFO", "SERVICE_STEADY_STATE")
        if providers := tuple(str(item["capacityProvider"]) for item in after.primary.revision.capacity):
            yield Action("INFO", "CAPACITY_PROVIDER_STEADY_STATE", providers=providers)


def set_actions(before: TaskSet | None, after: TaskSet) -> Iterator[Action]:
    if after.steady and not (before is not None and before.steady):
        yield Action("INFO", "TASKSET_STEADY_STATE")


def said(event: Event, service: Service) -> Iterator[Action]:
    """What one of its messages says."""
    text = event.message.partition(") ")[2]
    if text == words.CONSISTENTLY_FAILING:
        yield Action("WARN", "SERVICE_TASK_START_IMPAIRED")
    elif text.startswith("has stopped "):
        yield Action("INFO", "TASKS_STOPPED")
    elif text.startswith(_UNPLACED):
        yield _unplaced(text, service)
    elif text.startswith("is unable to place a task in "):
        yield Action("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", text)
    elif text.startswith("has started ") and " to AZ Rebalance: " in text:
        yield Action("INFO", "TASKS_STARTED")
    else:
        yield from (Action("INFO", name) for beginning, name in _BALANCING.items() if text.startswith(beginning))


# The developer guide, "Track Amazon ECS Availability Zone rebalancing".
_BALANCING = {
    "is not AZ balanced with ": "SERVICE_REBALANCING_STARTED",
    "is AZ balanced with ": "SERVICE_REBALANCING_COMPLETED",
    "stopped AZ Rebalancing.": "SERVICE_REBALANCING_STOPPED",
    "was unable to AZ Rebalance because ": "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION",
}
_UNPLACED = "was unable to place a task"
_CONFIGURED = "unable to assume the role"  # what only a change of the configuration mends
_LACKING = {
    "has insufficient CPU units": "RESOURCE:CPU",
    "has insufficient memory": "RESOURCE:MEMORY",
    "has insufficient GPU": "RESOURCE:GPU",
    "is already using a port": "RESOURCE:PORTS",
    "is missing an attribute": "ATTRIBUTE",
    "placement constraint unsatisfied": "MemberOf placement constraint unsatisfied.",
    'encountered error "AGENT"': "AGENT",
    words.NO_CAPACITY: "RESOURCE:FARGATE",
}


def _unplaced(text: str, service: Service) -> Action:
    if _CONFIGURED in text:
        return Action("ERROR", "SERVICE_TASK_CONFIGURATION_FAILURE", text.partition("Reason: ")[2])
    reason = next((code for said, code in _LACKING.items() if said in text), text.partition("Reason: ")[2])
    node = text.partition("(container-instance ")[2].partition(")")[0]
    if service.daemon and "constraint unsatisfied" in text:
        return Action("ERROR", "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED", instances=(node,) if node else ())
    return Action("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", reason, instances=(node,) if node else ())


def turns(before: Service | None, after: Service) -> Iterator[Turn]:
    """How its deployments went on."""
    if after.controller != "ECS" or not after.deployments:
        return
    now, was = after.primary, before.primary if before is not None and before.deployments else None
    if was is None or was.id != now.id:
        failed = after.deployment(was.id) if was is not None and was.rollout == "IN_PROGRESS" else None
        if failed is None or failed.rollout != "FAILED":
            yield Turn("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", now.id, now.reason or words.in_progress(now.id))
            return
        broken = failed.reason == words.breaker_rolling_back(now.id)
        yield Turn("ERROR", "SERVICE_DEPLOYMENT_FAILED", failed.id, words.BREAKER if broken else failed.reason)
        yield Turn("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", now.id, failed.reason)
        return
    if was.rollout == now.rollout:
        return
    if now.rollout == "COMPLETED":
        yield Turn("INFO", "SERVICE_DEPLOYMENT_COMPLETED", now.id, now.reason or words.is_completed(now.id))
    elif now.rollout == "FAILED":
        yield Turn("ERROR", "SERVICE_DEPLOYMENT_FAILED", now.id, now.reason)
