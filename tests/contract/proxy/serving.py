"""A balancer in front of some backends, and a request to it."""

from __future__ import annotations

from pathlib import Path

from hatoba.proxy.base import (
    HealthCheck,
)
from tests.contract.proxy.proxy_rigs import (
    Backend,
    RealRig,
    forward,
    group,
    wanted,
)

NEVER = HealthCheck(interval=300.0, timeout=2.0)


def request(path: str = "/", *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: shop.example:8080", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(pid: int | None) -> str:
    return Path(f"/proc/{pid}/status").read_text()


async def serving(rig: RealRig, *names: str, check: HealthCheck = NEVER) -> list[Backend]:
    backends = [await rig.backend(name) for name in names]
    await rig.proxy.apply(wanted(forward("web"), group("web", *backends, check=check)))
    await rig.facts.until(rig.proxy, "web", dict.fromkeys(names, "healthy"))
    return backends
