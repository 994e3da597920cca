"""Records → the events that the bus is told of, in the exact shapes of the source `aws.ecs`. Pure.

A task or an instance is told as its description is, with times as text instead of numbers. Source: the developer guide,
"Amazon ECS events".
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

from hatoba.aws.shapes import ecs as t

TASK = "ECS Task State Change"
INSTANCE = "ECS Container Instance State Change"
ACTION = "ECS Service Action"
DEPLOYMENT = "ECS Deployment State Change"

_NOT_TOLD = ("tags",)
_NUMBERS = ("doubleValue", "longValue", "integerValue")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    detail: dict[str, Any]
    resources: tuple[str, ...]


def task(shape: t.Task, now: float) -> Event:
    detail = _told(shape)
    detail["attachments"] = [_attachment(a) for a in shape.get("attachments") or ()]
    return Event(type=TASK, detail=detail | {"updatedAt": when(now)}, resources=(shape["taskArn"],))


def instance(shape: t.ContainerInstance, cluster: str, now: float) -> Event:
    """`cluster`: its ARN."""
    detail = _told(shape) | {"clusterArn": cluster, "updatedAt": when(now)}
    for name in ("remainingResources", "registeredResources"):
        detail[name] = [_resource(resource) for resource in shape.get(name) or ()]  # type: ignore[attr-defined]
    return Event(type=INSTANCE, detail=detail, resources=(shape["containerInstanceArn"],))


def action(service: str, cluster: str, level: str, name: str, now: float, **more: Any) -> Event:
    """`service`, `cluster`: ARNs. `level`: INFO, WARN or ERROR."""
    known = {key: value for key, value in more.items() if value}
    detail = {"eventType": level, "eventName": name, "clusterArn": cluster, "createdAt": when(now), **known}
    return Event(type=ACTION, detail=detail, resources=(service,))


def deployment(service: str, level: str, name: str, id_: str, reason: str, now: float) -> Event:
    detail = {"eventType": level, "eventName": name, "deploymentId": id_, "updatedAt": when(now), "reason": reason}
    return Event(type=DEPLOYMENT, detail=detail, resources=(service,))


def when(at: float) -> str:
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _told(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: when(value) if name.endswith("At") and isinstance(value, int | float) else value
        for name, value in shape.items()
        if name not in _NOT_TOLD
    }


def _attachment(shape: t.Attachment) -> dict[str, Any]:
    kind = "eni" if shape.get("type") == "ElasticNetworkInterface" else shape.get("type")
    return {**shape, "type": kind}


def _resource(shape: t.Resource) -> dict[str, Any]:
    """Only the value that it has."""
    if shape.get("type") == "STRINGSET":
        return {name: value for name, value in shape.items() if name not in _NUMBERS}
    return {name: value for name, value in shape.items() if name not in ("doubleValue", "longValue")}
