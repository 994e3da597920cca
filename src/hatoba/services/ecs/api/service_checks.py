"""What CreateService and UpdateService check without asking anybody: names, counts, percentages, what is not there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Percents, Revision, Service, Threshold
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.rollout.rebalance import why_not
from hatoba.services.ecs.plan.shift.configuration import checked as checked_strategy

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_UNSUPPORTED = (
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
)
NO_COUNT = (
    "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and "
    "try again."
)
MOST_TASKS = 5000
REBALANCING = "availabilityZoneRebalancing"


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise t.InvalidParameterException("Service name contains invalid characters.")


def checked_count(count: int | None) -> int:
    if count is None:
        raise t.InvalidParameterException("DesiredCount must be specified.")
    if not 0 <= count <= MOST_TASKS:
        raise t.InvalidParameterException(f"DesiredCount must be between 0 and {MOST_TASKS}.")
    return count


def checked_percents(now: Percents, given: t.DeploymentConfiguration | None, *, daemon: bool = False) -> Percents:
    if not given:
        return now
    breaker: Mapping[str, Any] = given.get("deploymentCircuitBreaker") or {}
    own = ("maximumPercent", "minimumHealthyPercent", "deploymentCircuitBreaker")
    wanted = Percents(
        minimum=given.get("minimumHealthyPercent", now.minimum),
        maximum=given.get("maximumPercent", now.maximum),
        breaker=breaker.get("enable", now.breaker),
        rollback=breaker.get("rollback", now.rollback),
        threshold=_threshold(now.threshold, breaker),
        reset=breaker.get("resetOnHealthyTask", now.reset),
        rest=checked_strategy(
            now.rest,
            {name: value for name, value in given.items() if name not in own},
            daemon=daemon,
            minimum=given.get("minimumHealthyPercent", now.minimum),
        ),
    )
    if wanted.minimum < 0 or wanted.maximum < 0:
        raise t.InvalidParameterException("minimumHealthyPercent and maximumPercent must not be negative.")
    if wanted.maximum <= wanted.minimum == 100:
        raise t.InvalidParameterException(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
        )
    if wanted.maximum < wanted.minimum or wanted.maximum < 100:
        raise t.InvalidParameterException("maximumPercent must be at least 100 and at least minimumHealthyPercent.")
    return wanted


def _threshold(now: Threshold, breaker: Mapping[str, Any]) -> Threshold:
    """A circuit breaker that is written without one has the default."""
    given = breaker.get("thresholdConfiguration")
    if given is None:
        return Threshold() if breaker else now
    kind, value = given["type"], given["value"]
    most = MOST_TASKS if kind == "COUNT" else 100
    if not 1 <= value <= most:
        raise t.InvalidParameterException(f"The circuit breaker threshold {kind} must be between 1 and {most}.")
    return Threshold(type=kind, value=value)


def checked_grace(seconds: int | None, revision: Revision) -> int | None:
    if seconds is not None and not revision.targets:
        raise t.InvalidParameterException(
            "Health check grace period is only valid for services configured to use load balancers"
        )
    if seconds is not None and seconds < 0:
        raise t.InvalidParameterException("healthCheckGracePeriodSeconds must not be negative.")
    return seconds


def told_back(req: dict[str, Any]) -> dict[str, Any]:
    """Members that are told back as they came."""
    return {name: req[name] for name in (REBALANCING,) if req.get(name)}


def checked_rebalancing(service: Service, *, fresh: bool) -> Service:
    """A new service has it where it can; one that is told to have it, or has it already, has to be able to."""
    why = why_not(service)
    if fresh and REBALANCING not in service.settings:
        return replace(service, settings={**service.settings, REBALANCING: "DISABLED" if why else "ENABLED"})
    if why and service.settings.get(REBALANCING) == "ENABLED":
        raise t.InvalidParameterException(why)
    return service


def check_daemon(req: dict[str, Any]) -> None:
    """How many there are, and where, follows from the instances."""
    if req.get("desiredCount") is not None:
        raise t.InvalidParameterException(NO_COUNT)
    if req.get("placementStrategy"):
        raise t.InvalidParameterException("The daemon scheduling strategy does not support placement strategies.")


def check_role(role: str | None, definition: Definition) -> None:
    """Who registers targets of tasks with interfaces is ECS itself."""
    if role and definition.network_mode == "awsvpc":
        raise t.InvalidParameterException(
            "You cannot specify an IAM role for services that require a service linked role."
        )


def refuse_unsupported(req: dict[str, Any]) -> None:
    for member in _UNSUPPORTED:
        if req.get(member):
            raise t.UnsupportedFeatureException(f"{member} is not available.")
    if (req.get("serviceConnectConfiguration") or {}).get("enabled"):
        raise t.UnsupportedFeatureException("Service Connect is not available.")
