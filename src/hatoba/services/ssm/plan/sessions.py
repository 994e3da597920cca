"""Where what happened in a session is kept in a bucket. Pure."""

from __future__ import annotations


def object_key(prefix: str, session: str, number: int = 1) -> str:
    """Of the `number`th object: one, unless there is very much."""
    before = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
    return f"{before}{session}{f'-{number}' if number > 1 else ''}.log"
