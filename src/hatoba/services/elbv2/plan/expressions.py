"""Regular expressions of rules: what the proxy's engine (RE2) takes, and no more. Source: "Rule basics".

Lookarounds, backreferences, atomic groups, possessive quantifiers and classes of Unicode are not supported, as
documented. What is refused here would be refused by the proxy too, and there it would hold up the whole listener.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from re import _constants as tokens  # type: ignore[attr-defined]  # what the standard library parses to
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from hatoba.services.elbv2.plan.errors import invalid

_UNSUPPORTED = {
    tokens.ASSERT: "lookaheads and lookbehinds",
    tokens.ASSERT_NOT: "lookaheads and lookbehinds",
    tokens.GROUPREF: "backreferences",
    tokens.GROUPREF_EXISTS: "backreferences",
    tokens.ATOMIC_GROUP: "atomic groups",
    tokens.POSSESSIVE_REPEAT: "possessive quantifiers",
}
_REPEATS = (tokens.MAX_REPEAT, tokens.MIN_REPEAT)
_MOST_REPEATED = 1000  # RE2's bound, nested repetitions multiplied

# Spellings whose meaning differs between the engines, or that only one of them knows.
_ESCAPE = re.compile(r"\\(?:[dDwWsSbBAnrtfv]|x[0-9A-Fa-f]{2}|[^A-Za-z0-9])")
_GROUP = re.compile(r"\(\?(?!:|[ims]+\)|[ims]+:|P<)")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")


def check(expression: str, longest: int) -> int:
    """The number of its groups. Raises ValidationError."""
    if not expression or len(expression) > longest:
        raise invalid(f"Regular expression '{expression}' must have between 1 and {longest} characters")
    if any(not 32 <= ord(char) <= 126 for char in expression):
        raise invalid(f"Regular expression '{expression}' contains a character that is not valid")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = parser.parse(expression)
    except (re.error, RecursionError, OverflowError) as error:
        raise invalid(f"Regular expression '{expression}' is not valid: {error}") from error
    _walk(expression, parsed, 1)
    for escape in re.finditer(r"\\.?", expression):
        if not _ESCAPE.match(expression, escape.start()):
            raise _refused(expression, f"'{escape[0]}'")
    outside = _CLASS.sub("", re.sub(r"\\\\|\\\[", "", expression))
    if _GROUP.search(outside):
        raise _refused(expression, "this kind of group")
    if any(r"\b" in found or r"\B" in found or r"\A" in found or "[:" in found for found in _CLASS.findall(expression)):
        raise _refused(expression, "what stands in a class")
    return int(parsed.state.groups) - 1


def _refused(expression: str, what: str) -> Exception:
    return invalid(f"Regular expression '{expression}' is not valid: {what} is not supported")


def _walk(expression: str, node: Any, repeated: int) -> None:
    if isinstance(node, parser.SubPattern):
        for operation, argument in node:
            if operation in _UNSUPPORTED:
                raise invalid(
                    f"Regular expression '{expression}' is not valid: {_UNSUPPORTED[operation]} are not supported"
                )
            times = repeated
            if operation in _REPEATS:
                low, high, _ = argument
                times *= max(1, low if high == tokens.MAXREPEAT else high)
                if times > _MOST_REPEATED:
                    raise _refused(expression, f"repeating more than {_MOST_REPEATED} times")
            _walk(expression, argument, times)
    elif isinstance(node, Iterable) and not isinstance(node, str):
        for part in node:
            _walk(expression, part, repeated)
