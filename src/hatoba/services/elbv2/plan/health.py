"""A target's health in ELB's words. Source: "Target health status" and "Target health reason codes"."""

from __future__ import annotations

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
DISABLED = Health("unavailable", "Target.HealthCheckDisabled", "Health checks are disabled for this target")
BROKEN = Health("unavailable", "Elb.InternalError", "Target health is currently unavailable due to an internal error")

_REASONS: dict[str, t.TargetHealthReasonEnum] = {
    "code_mismatch": "Target.ResponseCodeMismatch",
    "timeout": "Target.Timeout",
    "failed": "Target.FailedHealthChecks",
}


def health(target: Target, *, used: bool, status: TargetStatus | None) -> Health:
    """`used`: a listener or rule forwards to its group. `status` is what the node found out."""
    if target.draining_until is not None:
        return DRAINING
    if not used:
        return UNUSED
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
