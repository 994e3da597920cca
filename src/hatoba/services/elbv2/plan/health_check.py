"""A target group's health check: what it is by default and what may be said. Source: CreateTargetGroup.

The model itself checks ranges of numbers; here is what it cannot say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hatoba.services.elbv2.model.group import TRAFFIC_PORT, HealthCheck, Protocol, Version
from hatoba.services.elbv2.plan.errors import invalid

_GRPC_PATH, _GRPC_CODES = "/AWS.ALB/healthcheck", "12"

# Members of the requests and the fields they set.
PLAIN = {
    "HealthCheckEnabled": "enabled",
    "HealthCheckProtocol": "protocol",
    "HealthCheckPort": "port",
    "HealthCheckPath": "path",
    "HealthCheckIntervalSeconds": "interval",
    "HealthCheckTimeoutSeconds": "timeout",
    "HealthyThresholdCount": "healthy",
    "UnhealthyThresholdCount": "unhealthy",
}


def default(version: Version) -> HealthCheck:
    return HealthCheck(path=_GRPC_PATH, codes=_GRPC_CODES) if version == "GRPC" else HealthCheck()


def checked(before: HealthCheck, req: Mapping[str, Any], version: Version) -> HealthCheck:
    """`before` with what a request changes. Raises ValidationError."""
    changes = {field: req[member] for member, field in PLAIN.items() if member in req}
    if "Matcher" in req:
        changes["codes"] = codes(req["Matcher"], version)
    protocol: Protocol | str = changes.get("protocol", before.protocol)
    if protocol not in ("HTTP", "HTTPS"):
        raise invalid(f"Health check protocol '{protocol}' is not supported for target groups with the protocol HTTP")
    after = msgspec.structs.replace(before, **changes)
    check_port(after.port)
    check_path(after.path)
    if not after.enabled:
        raise invalid("Health checks enabled must be true for target groups with target type 'ip'")
    if after.timeout >= after.interval:
        raise invalid("Health check interval must be greater than the timeout.")
    return after


def check_path(path: str) -> None:
    if not path.startswith("/"):
        raise invalid(f"Health check path '{path}' must begin with a '/' character")
    if any(ord(char) <= 32 or ord(char) > 126 for char in path):
        raise invalid(f"Health check path '{path}' contains characters that are not valid in a path")


def check_port(port: str) -> None:
    if port == TRAFFIC_PORT:
        return
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise invalid(f"Health check port '{port}' must be '{TRAFFIC_PORT}' or a number between 1 and 65535")


def codes(matcher: Mapping[str, Any], version: Version = "HTTP1", highest: int = 499) -> str:
    grpc = version == "GRPC"
    member, low, high = ("GrpcCode", 0, 99) if grpc else ("HttpCode", 200, highest)
    other = "HttpCode" if grpc else "GrpcCode"
    if matcher.get(other):
        raise invalid(f"Health check matcher {other} is not supported for the protocol version {version}")
    text: str = matcher.get(member) or ""
    for part in text.split(","):
        first, dash, last = part.partition("-")
        ends = (first, last) if dash else (first, first)
        if not all(end.isascii() and end.isdigit() and len(end) <= 3 for end in ends):
            raise invalid(f"Health check matcher '{text}' must be codes (200), lists (200,202) or ranges (200-299)")
        if not low <= int(ends[0]) <= int(ends[1]) <= high:
            what = "gRPC" if grpc else "HTTP"
            raise invalid(f"Health check matcher {what} code '{part}' must be within '{low}-{high}' inclusive")
    return text


def ranges(codes: str) -> tuple[tuple[int, int], ...]:
    """`200,300-310` → both ends of each part."""
    parts = (part.partition("-") for part in codes.split(","))
    return tuple((int(first), int(last or first)) for first, _, last in parts)
