"""What the names of load balancers and target groups look like. Source: CreateLoadBalancer, CreateTargetGroup."""

from __future__ import annotations

import re

from hatoba.services.elbv2.plan.errors import invalid

_ALLOWED = re.compile(r"[A-Za-z0-9-]+")


def check_name(name: str, what: str) -> None:
    """`what` is "Load balancer" or "Target group"."""
    if not name:
        raise invalid(f"{what} name cannot be empty")
    if len(name) > 32:
        raise invalid(f"{what} name '{name}' cannot be longer than '32' characters")
    if not _ALLOWED.fullmatch(name):
        raise invalid(
            f"{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )
    if name.startswith("-") or name.endswith("-"):
        raise invalid(f"{what} name '{name}' cannot begin or end with '-'")
    if what == "Load balancer" and name.startswith("internal-"):
        raise invalid(f"{what} name '{name}' cannot begin with 'internal-'")
