"""Pieces that several shapes are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import RANK, Network, Shifting, Target, Task

M = TypeVar("M", bound=Mapping[str, Any])


def present(shape: M) -> M:
    """Without the members that are None."""
    return {name: value for name, value in shape.items() if value is not None}  # type: ignore[return-value]


def tags(values: Mapping[str, str]) -> list[t.Tag]:
    return [{"key": key, "value": value} for key, value in values.items()]


def failure(arn: str, reason: str, detail: str | None = None) -> t.Failure:
    return present(t.Failure(arn=arn, reason=reason, detail=detail))  # type: ignore[typeddict-item]


def counts(tasks: Iterable[Task]) -> tuple[Counter[str | None], Counter[str | None]]:
    """(running, pending), by deployment."""
    running: Counter[str | None] = Counter()
    pending: Counter[str | None] = Counter()
    for task in tasks:
        if task.status == "RUNNING":
            running[task.deployment] += 1
        elif RANK[task.status] < RANK["RUNNING"]:
            pending[task.deployment] += 1
    return running, pending


def definition_arn(scope: Scope, id_: str) -> str:
    family, _, revision = id_.partition(":")
    return arns.definition_arn(scope, family, int(revision))


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
    return [
        present(
            t.LoadBalancer(
                targetGroupArn=target.group,
                containerName=target.container,
                containerPort=target.port,
                advancedConfiguration=_advanced(target.shifting),  # type: ignore[typeddict-item]
            )
        )
        for target in targets
    ]


def _advanced(shifting: Shifting | None) -> t.AdvancedConfiguration | None:
    if shifting is None:
        return None
    shape: dict[str, Any] = {
        "alternateTargetGroupArn": shifting.groups[1],
        "productionListenerRule": shifting.production,
        "testListenerRule": shifting.test or None,
        "roleArn": shifting.role or None,
    }
    return cast(t.AdvancedConfiguration, present(shape))
