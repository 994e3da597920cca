"""Conditions on values, shared by the kinds of patterns: `= "text*"`, `>= 500`, `!= %regex%`, joined by && and ||."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from hatoba.core import regular

MAX_DEPTH = 20

_REGEX = re.compile(r"[A-Za-z0-9:_#=@'/;,\- ^$?\[\]{}|\\*+.!\"<>~&`]+")
_STATES = 500  # of a regular expression
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class BadPattern(ValueError):
    """The pattern cannot be read."""


class Token(NamedTuple):
    kind: str  # "op", "text" (was in quotes), "regex", "word"
    text: str


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<op>&&|\|\||!=|<=|>=|=|<|>|\(|\)|,)
    | "(?P<text>(?:[^"\\]|\\.)*)"
    | %(?P<regex>(?:[^%\\]|\\.)+)%
    | (?P<word>(?:[^\s"'&|!=<>(),\[\]]|\[[^\]]*\])+)
    )""",
    re.VERBOSE,
)


def tokens(source: str) -> list[Token]:
    found: list[Token] = []
    at, source = 0, source.rstrip()
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None or match.lastgroup is None:
            raise BadPattern(source)
        found.append(Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


Value = str | float | bool | None
Test = Callable[[Value], bool]


def comparison(op: str, literal: Token) -> Test:
    """A test of one value against what the pattern says."""
    if op in _ORDER:
        if not _NUMBER.fullmatch(literal.text):
            raise BadPattern(f"{op} needs a number, not {literal.text}")
        compare, bound = _ORDER[op], float(literal.text)
        return lambda value: (number := _number(value)) is not None and compare(number, bound)
    equal = _equality(literal)
    if op == "=":
        return equal
    if op == "!=":
        return lambda value: not equal(value)
    raise BadPattern(op)


def _equality(literal: Token) -> Test:
    if literal.kind == "regex":
        search = regex(literal.text)
        return lambda value: value is not None and search(_text(value))
    if literal.kind == "word" and _NUMBER.fullmatch(literal.text):
        wanted = float(literal.text)
        return lambda value: _number(value) == wanted
    wanted_text = re.sub(r"\\(.)", r"\1", literal.text) if literal.kind == "text" else literal.text
    if "*" in wanted_text:
        pieces = re.split(r"\*+", wanted_text)
        return lambda value: value is not None and _spelled(_text(value), pieces)
    return lambda value: value is not None and _text(value) == wanted_text


def _spelled(text: str, pieces: list[str]) -> bool:
    """Whether the text is these pieces with anything between them. Each is looked for once, from left to right."""
    first, *middle, last = pieces
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def regex(pattern: str) -> Callable[[str], bool]:
    """Whether a text has a part that matches, in time linear in the text: messages have up to 256 KiB. Without groups
    and with few repetitions, as the guide has it."""
    if not _REGEX.fullmatch(pattern) or pattern.count("*") + pattern.count("+") + pattern.count("{") > 4:
        raise BadPattern(f"%{pattern}% is not a supported regular expression")
    try:
        return regular.searching(pattern, _STATES).within
    except regular.BadPattern as error:
        raise BadPattern(f"%{pattern}%: {error}") from None


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(value: Value) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    return float(value)
