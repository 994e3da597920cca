"""Conditional requests: if-match and its kin.

Source: S3's API reference, "GetObject" (which condition goes before which); the user guide, "Conditional requests".
"""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["", "NotModified", "If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since"]


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    match: str | None = None
    none_match: str | None = None
    modified_since: float | None = None
    unmodified_since: float | None = None


def judge(asked: Conditions, etag: str, modified: float) -> Outcome:
    """What stands against reading: nothing (""), or the condition that does not hold. A date is compared by seconds.

    `If-Match` that holds goes before `If-Unmodified-Since` that does not; `If-None-Match` before `If-Modified-Since`.
    """
    seconds = int(modified)
    if asked.match is not None:
        if not same(asked.match, etag):
            return "If-Match"
    elif asked.unmodified_since is not None and seconds > asked.unmodified_since:
        return "If-Unmodified-Since"
    if asked.none_match is not None:
        if same(asked.none_match, etag):
            return "If-None-Match"
    elif asked.modified_since is not None and seconds <= asked.modified_since:
        return "If-Modified-Since"
    return ""


def same(said: str, etag: str) -> bool:
    """Whether a header's list of entity tags has this one."""
    return any(_bare(each) in ("*", etag) for each in said.split(","))


def _bare(said: str) -> str:
    return said.strip().removeprefix("W/").strip('"')
