"""A target's health in ELB's words. Source: "Target health status" and "Target health reason codes"."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from hatoba.aws.shapes import elbv2 as t
from hatoba.fleet.model import TargetStatus
from hatoba.services.elbv2.model.group import Target


class Health(NamedTuple):
    state: t.TargetHealthStateEnum
    reason: t.TargetHealthReasonEnum | None = None
    description: str | None = None


REGISTERING = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = Health("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
UNKNOWN = Health("unused", "Target.NotRegistered", "Target is not registered to the target group")
UNUSED = Health("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
OTHER_ZONE = Health(
    "unused", "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer"
)
TERMINATED = Health("unused", "Target.InvalidState", "Target is in the terminated state")
DISABLED = Health("unavailable", "Target.HealthCheckDisabled", "Health checks are disabled for this target")
BROKEN = Health("unavailable", "Elb.InternalError", "Target health is currently unavailable due to an internal error")

_REASONS: dict[str, t.TargetHealthReasonEnum] = {
    "code_mismatch": "Target.ResponseCodeMismatch",
    "timeout": "Target.Timeout",
    "failed": "Target.FailedHealthChecks",
}


def health(target: Target, zones: Collection[str] | None, status: TargetStatus | None, *, gone: bool = False) -> Health:
    """`zones` are those of the load balancer that forwards to its group, None where there is none. `status` is what
    the node found out. `gone`: it is an instance, which is no more."""
    if target.draining_until is not None:
        return DRAINING
    if gone:
        return TERMINATED
    if zones is None:
        return UNUSED
    if not target.within(zones):
        return OTHER_ZONE
    if status is None:
        return REGISTERING
    match status.state:
        case "healthy":
            return Health("healthy")
        case "unhealthy":
            return Health("unhealthy", _REASONS.get(status.reason, "Target.FailedHealthChecks"), status.text)
        case "initial":
            return CHECKING if status.reason == "checking" else REGISTERING
        case "unavailable":
            return DISABLED
    return BROKEN
