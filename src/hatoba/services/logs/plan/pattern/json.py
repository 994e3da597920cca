"""Patterns on JSON messages: `{ $.user.name = "root" && $.codes[0] >= 400 }`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from hatoba.services.logs.plan.pattern.conditions import Reader, Test
from hatoba.services.logs.plan.pattern.values import BadPattern, Value, comparison, tokens

_STEP = re.compile(r"""\.(?P<name>[^.\[\]\s]+)|\[(?P<index>\d+)\]|\[['"](?P<quoted>[^'"]+)['"]\]|\[(?P<all>\*)\]""")
_decode = msgspec.json.Decoder().decode

Selector = Callable[[Any], list[Any]]


def compile(pattern: str) -> Callable[[str], dict[str, str] | None]:
    if not pattern.endswith("}"):
        raise BadPattern("a brace is not closed")
    selected: dict[str, Selector] = {}

    def single(reader: Reader[Any]) -> Test[Any]:
        return _condition(reader, selected)

    test = Reader(tokens(pattern[1:-1]), single).whole()

    def match(message: str) -> dict[str, str] | None:
        if not message.lstrip().startswith("{"):
            return None
        try:
            document = _decode(message)
        except (msgspec.DecodeError, RecursionError):
            return None
        if not test(document):
            return None
        return {path: _shown(values[0]) for path, select in selected.items() if (values := select(document))}

    return match


def _condition(reader: Reader[Any], selected: dict[str, Selector]) -> Test[Any]:
    path = reader.take()
    if path.kind != "word":
        raise BadPattern(f"{path.text} is not a selector")
    select = selected[path.text] = _selector(path.text)
    if reader.skip("NOT", "EXISTS"):
        return lambda document: not select(document)
    if reader.skip("EXISTS"):
        return lambda document: bool(select(document))
    if reader.skip("IS"):
        wanted = {"NULL": None, "TRUE": True, "FALSE": False}
        name = reader.take().text.upper()
        if name not in wanted:
            raise BadPattern(f"IS {name}")
        return lambda document: any(value is wanted[name] for value in select(document))
    compare = comparison(reader.take().text, reader.take())
    return lambda document: any(_scalar(value) and compare(_value(value)) for value in select(document))


def _selector(path: str) -> Selector:
    """What a path finds: nothing, one value, or with `[*]` several."""
    if not path.startswith("$"):
        raise BadPattern(f"{path} does not begin with $")
    steps: list[str | int | None] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise BadPattern(path)
        if found["index"] is not None:
            steps.append(int(found["index"]))
        else:
            steps.append(None if found["all"] else found["name"] or found["quoted"])
        at = found.end()

    def select(document: Any) -> list[Any]:
        values = [document]
        for step in steps:
            values = [inner for value in values for inner in _inside(value, step)]
        return values

    return select


def _inside(value: Any, step: str | int | None) -> list[Any]:
    if isinstance(step, str):
        return [value[step]] if isinstance(value, dict) and step in value else []
    if not isinstance(value, list):
        return []
    return value if step is None else value[step : step + 1]


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _value(value: Any) -> Value:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
