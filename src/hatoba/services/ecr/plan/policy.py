"""Repository policies, as far as ECR itself looks at them."""

from __future__ import annotations

import msgspec


def is_policy(text: str) -> bool:
    """A JSON object with at least one statement."""
    try:
        policy = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(policy, dict) and isinstance(policy.get("Statement"), (list, dict)) and bool(policy["Statement"])
