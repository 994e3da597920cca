"""Pieces that several shapes are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model.task import Network, Target

M = TypeVar("M", bound=Mapping[str, Any])


def present(shape: M) -> M:
    """Without the members that are None."""
    return {name: value for name, value in shape.items() if value is not None}  # type: ignore[return-value]


def tags(values: Mapping[str, str]) -> list[t.Tag]:
    return [{"key": key, "value": value} for key, value in values.items()]


def failure(arn: str, reason: str, detail: str | None = None) -> t.Failure:
    return present(t.Failure(arn=arn, reason=reason, detail=detail))  # type: ignore[typeddict-item]


def network(given: Network | None) -> t.NetworkConfiguration | None:
    if given is None:
        return None
    return {
        "awsvpcConfiguration": {
            "subnets": list(given.subnets),
            "securityGroups": list(given.groups),
            "assignPublicIp": "ENABLED" if given.public else "DISABLED",
        }
    }


def load_balancers(targets: tuple[Target, ...]) -> list[t.LoadBalancer]:
    return [{"targetGroupArn": x.group, "containerName": x.container, "containerPort": x.port} for x in targets]
