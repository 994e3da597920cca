"""Where a policy's statements stand in its text, in the order of the document. Pure.

As IAM's simulator tells it: a statement starts behind the bracket, brace or statement before it, and ends behind its
own last brace; lines and columns count from 1. Source: the examples of the CLI's `simulate-custom-policy`.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_BLANK = re.compile(r"[\s,:]*")
_decode = json.JSONDecoder().raw_decode


class Span(NamedTuple):
    start: int  # offsets in the text
    end: int


def spans(text: str) -> list[Span]:
    """None for a text that is no policy."""
    try:
        at = _value(text, "Statement")
        if at is None:
            return []
        if text[at] != "[":
            return [Span(at + 1, _decode(text, at)[1])]
        found, after = [], at + 1
        while text[begins := _skip(text, after)] != "]":
            ends = _decode(text, begins)[1]
            found.append(Span(after, ends))
            after = ends
    except (ValueError, IndexError, RecursionError):
        return []
    return found


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _value(text: str, wanted: str) -> int | None:
    """Where the value of a member of the outermost object begins."""
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _decode(text, at)
        at = _skip(text, at)
        if name == wanted:
            return at
        at = _skip(text, _decode(text, at)[1])
    return None


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()
