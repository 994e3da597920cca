"""What the operator may decide about this room. Handed in by the composition root: `call.get(Settings)`."""

from __future__ import annotations

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    registry_hosts: tuple[str, ...] = ("localhost:4566", "127.0.0.1:4566")  # image references that mean our registry
    stopped_tasks_kept: float = 7 * 86400.0  # seconds
    inactive_services_kept: float = 86400.0
    # A new version that nothing checks has to run for so long before the old one goes: it may crash on starting.
    unchecked_wait: float = 5.0  # seconds
    # Most Fargate tasks use little of what they are given. A task reserves one part in so many of its node; what it
    # may use is limited by its own size all the same.
    fargate_cpu_share: int = 64
    fargate_memory_share: int = 16
