"""Filter patterns: which log events match. Pure.

    terms       ERROR "not found" -timeout      ?WARN ?ERROR        %4[0-9]{2}%
    json        { ($.level = "error" && $.status >= 500) || $.user NOT EXISTS }
    columns     [ip, user, ..., status = 4*, bytes > 1000]

Source: the CloudWatch Logs user guide, "Filter pattern syntax".
"""

from __future__ import annotations

from collections.abc import Callable

from hatoba.services.logs.plan.pattern import columns, json, terms
from hatoba.services.logs.plan.pattern.values import BadPattern

__all__ = ["BadPattern", "Match", "compile"]

Match = Callable[[str], dict[str, str] | None]
"""What a pattern extracts from a message that matches (often nothing); None when it does not match."""


def compile(pattern: str) -> Match | None:
    """None for the empty pattern, which matches everything. Raises `BadPattern`."""
    pattern = pattern.strip()
    if not pattern:
        return None
    if pattern.startswith("{"):
        return json.compile(pattern)
    if pattern.startswith("["):
        return columns.compile(pattern)
    return terms.compile(pattern)
