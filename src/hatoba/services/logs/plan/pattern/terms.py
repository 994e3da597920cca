"""Patterns of terms: all of them, none of those with a minus, or any of those with a question mark."""

from __future__ import annotations

import re
from collections.abc import Callable

from hatoba.services.logs.plan.pattern.values import BadPattern, regex

_TERM = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)+)%|([^\s"%?-][^\s"]*))(?=\s|$)')


def compile(pattern: str) -> Callable[[str], dict[str, str] | None]:
    signed: dict[str, list[Callable[[str], bool]]] = {"": [], "-": [], "?": []}
    at = 0
    while at < len(pattern):
        if pattern[at].isspace():
            at += 1
            continue
        found = _TERM.match(pattern, at)
        if found is None:
            raise BadPattern(pattern)
        signed[found[1]].append(_test(found))
        at = found.end()
    must, never, some = signed[""], signed["-"], signed["?"]
    if must or never:
        some = []  # as AWS has it: beside other terms, a question mark is ignored

    def match(message: str) -> dict[str, str] | None:
        if not all(test(message) for test in must) or any(test(message) for test in never):
            return None
        return {} if not some or any(test(message) for test in some) else None

    return match


def _test(found: re.Match[str]) -> Callable[[str], bool]:
    _, quoted, expression, word = found.groups()
    if expression is not None:
        return regex(expression)
    wanted = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else word
    return lambda message: wanted in message
