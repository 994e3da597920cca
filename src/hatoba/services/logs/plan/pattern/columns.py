"""Patterns on columns that spaces separate: `[ip, user, ..., status = 4* || status = 500, bytes > 1000]`.

Columns of a message are separated by spaces; brackets and quotes hold one together. `...` stands for any number.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hatoba.services.logs.plan.pattern.conditions import Reader, Test
from hatoba.services.logs.plan.pattern.values import BadPattern, Token, comparison, tokens

_COLUMN = re.compile(r'\[([^\]]*)\]|"([^"]*)"|(\S+)')
_REST = "..."


def compile(pattern: str) -> Callable[[str], dict[str, str] | None]:
    if not pattern.endswith("]"):
        raise BadPattern("a bracket is not closed")
    columns = [_column(part) for part in _parts(tokens(pattern[1:-1]))]
    names = [name or f"${number}" for number, (name, _) in enumerate(columns, 1)]
    rest = [number for number, (name, _) in enumerate(columns) if name == _REST]
    if len(rest) > 1:
        raise BadPattern("... may stand once")

    def match(message: str) -> dict[str, str] | None:
        found = [next(part for part in parts if part is not None) for parts in map(_groups, _COLUMN.finditer(message))]
        if rest:
            head, tail = rest[0], len(columns) - rest[0] - 1
            if len(found) < head + tail:
                return None
            # The columns that `...` stands for are one, and nothing is asked of it.
            found = [*found[:head], " ".join(found[head : len(found) - tail]), *found[len(found) - tail :]]
        if len(found) != len(columns):
            return None
        if not all(test(value) for (_, test), value in zip(columns, found, strict=True)):
            return None
        return {f"${name}": value for name, value in zip(names, found, strict=True) if name != _REST}

    return match


def _groups(found: re.Match[str]) -> tuple[str | None, ...]:
    return found.groups()


def _parts(found: list[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in found:
        if token == Token("op", ","):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _column(part: list[Token]) -> tuple[str, Test[str]]:
    """Its name, and what is asked of it."""
    if len(part) <= 1:
        if part and part[0].kind != "word":
            raise BadPattern(part[0].text)
        return (part[0].text if part else ""), lambda value: True
    names: list[str] = []

    def single(reader: Reader[str]) -> Test[str]:
        name = reader.take()
        if name.kind != "word" or name.text == _REST:
            raise BadPattern(f"{name.text} is not a column's name")
        names.append(name.text)
        return comparison(reader.take().text, reader.take())

    test = Reader(part, single).whole()
    if len(set(names)) != 1:
        raise BadPattern(f"{', '.join(names)} are conditions of one column")
    return names[0], test
