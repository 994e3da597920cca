"""The health check of a target group for network or gateway load balancers: defaults, and what may be said.

Source: CreateTargetGroup. TCP asks for a connection; HTTP and HTTPS are those of application load balancers, with other
codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hatoba.services.elbv2.model.group import HealthCheck, Protocol, TargetKind
from hatoba.services.elbv2.plan import health_check
from hatoba.services.elbv2.plan.errors import invalid

_CODES = "200-399"


def default(protocol: Protocol, kind: TargetKind) -> HealthCheck:
    if protocol == "GENEVE":
        return HealthCheck(protocol="TCP", port="80", interval=10, timeout=5, codes=_CODES)
    if kind == "alb":
        return HealthCheck(protocol="HTTP", timeout=6, codes=_CODES)
    return HealthCheck(protocol="TCP", timeout=10, codes=_CODES)


def checked(before: HealthCheck, req: Mapping[str, Any], protocol: Protocol, kind: TargetKind) -> HealthCheck:
    """`before` with what a request changes. Raises ValidationError."""
    changes = {field: req[member] for member, field in health_check.PLAIN.items() if member in req}
    spoken = changes.get("protocol", before.protocol)
    allowed = ("HTTP", "HTTPS") if kind == "alb" else ("HTTP", "HTTPS", "TCP")
    if spoken not in allowed:
        raise invalid(f"Health check protocol '{spoken}' must be one of {_listed(allowed)}")
    if spoken == "TCP":
        for member in ("HealthCheckPath", "Matcher"):
            if req.get(member):
                raise invalid(f"{member} cannot be specified for health checks with the protocol 'TCP'")
    elif spoken == "HTTP" and before.protocol == "TCP":
        changes.setdefault("timeout", 6)
    if "Matcher" in req:
        changes["codes"] = health_check.codes(req["Matcher"], highest=399 if protocol == "GENEVE" else 599)
    after = msgspec.structs.replace(before, **changes)
    if "HealthCheckTimeoutSeconds" not in req and after.timeout > after.interval:
        after = msgspec.structs.replace(after, timeout=after.interval)  # the default gives way
    health_check.check_port(after.port)
    health_check.check_path(after.path)
    if not after.enabled:
        raise invalid(f"Health checks enabled must be true for target groups with target type '{kind}'")
    if after.timeout > after.interval:
        raise invalid("Health check interval must be greater than or equal to the timeout.")
    return after


def _listed(words: tuple[str, ...]) -> str:
    return f"[{', '.join(words)}]"
