"""Health check logs: what is noted of each check of a target, and the line that it becomes.

Fields and reasons are those of "Health check log entries" in the guide for application load balancers, in that order.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.proxy.accesslog import moment
from hatoba.proxy.base import HealthCheck
from hatoba.proxy.health import Answered, Failed, Result, TimedOut, good

_NONE = "-"


def noted(
    group: str, address: str, port: int, settings: HealthCheck, result: Result, *, began: float, took: float
) -> dict[str, Any]:
    """`group`: its name. Seconds."""
    found: dict[str, Any] = {
        "kind": "check",
        "type": _type(settings),
        "began": began,
        "took": took,
        "target": f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
        "group": group,
        "good": good(result, settings),
    }
    if isinstance(result, Answered) and settings.protocol != "TCP":
        found["code"] = result.code
    if not found["good"]:
        found["reason"] = _reason(result, settings)
    return found


def _type(settings: HealthCheck) -> str:
    if settings.version == "GRPC":
        return "grpc"
    if settings.version == "HTTP2":
        return "h2"
    return settings.protocol.lower()


def _reason(result: Result, settings: HealthCheck) -> str:
    match result:
        case Answered(code=code):
            if settings.version == "GRPC":
                return "GRPCUnexpectedStatus"
            return "TargetError" if code >= 500 else "ResponseCodeMismatch"
        case TimedOut(connected=connected):
            return "RequestTimedOut" if connected else "ConnectionTimedOut"
        case Failed(ours=ours):
            return "InternalError" if ours else "ConnectionReset"


def line(raw: Mapping[str, Any]) -> str:
    return " ".join(
        (
            str(raw["type"]),
            moment(float(raw["began"])),
            f"{float(raw['took']):.9f}",
            str(raw["target"]),
            str(raw["group"]),
            "PASS" if raw["good"] else "FAIL",
            str(raw.get("code", _NONE)),
            str(raw.get("reason", _NONE)),
        )
    )
