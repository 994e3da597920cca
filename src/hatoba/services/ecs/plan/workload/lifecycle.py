"""What keeps a container alive: its health check and its restart policy, in the words of the fleet."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import HealthCheckWanted


def restart_after(c: t.ContainerDefinition) -> float | None:
    policy = c.get("restartPolicy")
    return float(policy.get("restartAttemptPeriod", 300)) if policy and policy.get("enabled") else None


def restart_not(c: t.ContainerDefinition) -> tuple[int, ...]:
    policy = c.get("restartPolicy")
    return tuple(policy.get("ignoredExitCodes") or ()) if policy else ()


def health(c: t.ContainerDefinition) -> HealthCheckWanted | None:
    check = c.get("healthCheck")
    if not check or check["command"][0] == "NONE":
        return None
    return HealthCheckWanted(
        command=tuple(check["command"]),
        interval=float(check.get("interval", 30)),
        timeout=float(check.get("timeout", 5)),
        retries=check.get("retries", 3),
        start_period=float(check.get("startPeriod", 0)),
    )
