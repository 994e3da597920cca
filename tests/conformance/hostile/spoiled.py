"""Requests that are nearly right: a true one with one thing in it spoiled, or its bytes damaged.

The true one is made of the operation's shape and of what the platform has (`known`). JSON is spoiled in its tree; forms
(query, EC2) are spoiled in their fields, since there everything is text. Chance is handed in.
"""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hatoba.aws.models import Member, Operation
from tests.conformance.aws.aws_oracle import serialised
from tests.conformance.hostile.passing import passing

LONG = "x" * 70_000
TEXTS = (
    "",
    " ",
    LONG,
    "\x00",
    "é😀",
    "NO_SUCH_VALUE",
    "-1",
    "0",
    "2147483648",
    "99999999999999999999",
    "1.5",
    "1e999",
    "NaN",
    "true",
    "{",
    '{"Statement": 5}',
    "[[]]",
    "../../etc/passwd",
    "arn:aws:",
    "arn:aws:ecs:us-east-1:123456789012:task/",
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app//",
    "10.0.0.0/33",
    "::/129",
    "a:b:c",
    "%00%ff",
    "<a>&b;</a>",
)
VALUES: tuple[Any, ...] = (
    *TEXTS,
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    2**70,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": {}},
    {"a": [1]},
    ["x"] * 2000,
    [""],
)
DEEPEST = 4
WANTED = ("demanded", "known", "all")
Body = tuple[str, bytes]  # what is wrong with it, and its bytes


def true_inputs(operation: Operation, known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What passes, where that is written down; what is demanded; that and what the platform has a value for; and every
    member there is."""
    if operation.input is None:
        yield {}
        return
    written = passing(known)
    made = [written[n] for n in (f"{operation.service}.{operation.name}", operation.name) if n in written][:1]
    made += [dict(_structure(operation, operation.input, known, 0, wanted)) for wanted in WANTED]
    yield from (params for at, params in enumerate(made) if params not in made[:at])


def _structure(
    operation: Operation, use: Member, known: dict[str, Any], depth: int, wanted: str = "demanded"
) -> Iterator[tuple[str, Any]]:
    shape = operation.model.shape(use)
    for name, member in shape.members.items():
        fits = depth == 0 and name in known and _fits(operation, member, known[name])
        if name in shape.required or (fits and wanted != "demanded") or wanted == "all":
            if fits:
                yield name, known[name]
            elif depth < DEEPEST and name not in ("nextToken", "NextToken", "Marker", "DryRun"):
                yield name, _value(operation, member, known, depth + 1)


def _fits(operation: Operation, use: Member, value: Any) -> bool:
    kinds = {list: "list", dict: "structure", str: "string", int: "integer", bytes: "blob"}
    return kinds[type(value)] == operation.model.shape(use).type.replace("long", "integer")


def _value(operation: Operation, use: Member, known: dict[str, Any], depth: int) -> Any:
    shape = operation.model.shape(use)
    match shape.type:
        case "structure":
            return dict(_structure(operation, use, known, depth))
        case "list":
            assert shape.member is not None
            return [_value(operation, shape.member, known, depth + 1)]
        case "map":
            return {"key": "value"}
        case "string" | "character":
            return shape.enum[0] if shape.enum else "a" * int(shape.min or 3)
        case "boolean":
            return True
        case "timestamp":
            return 1_700_000_000.0
        case "blob":
            return b"abc"
        case _:
            return int(shape.min or 1)


def bodies(operation: Operation, params: dict[str, Any], chance: random.Random, most: int) -> Iterator[Body]:
    """At most so many, of all kinds."""
    if operation.model.protocol == "json":
        body = json.dumps(params, default=lambda data: b64encode(data).decode()).encode()
        spoiled = list(_trees(json.loads(body)))
    else:
        request = serialised(operation, params, operation.model.protocol)
        body = request.whole_body()
        spoiled = list(_forms(parse_qsl(body.decode(), keep_blank_values=True)))
    chosen = chance.sample(spoiled, min(most, len(spoiled)))
    for what, value in chosen:
        yield what, (json.dumps(value).encode() if operation.model.protocol == "json" else urlencode(value).encode())
    yield from damaged(body, chance)
    yield "true", body


def damaged(body: bytes, chance: random.Random) -> Iterator[Body]:
    yield "empty", b""
    for _ in range(3):
        at = chance.randrange(max(1, len(body)))
        yield f"cut at {at}", body[:at]
        yield f"changed at {at}", body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
    yield "twice", body + body
    yield "random", chance.randbytes(64)
    yield "deep", b'{"a":' * 3000
    yield "a list", b"[]"


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, (*path, name))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*path, 0))


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with something else at one place; `...` takes it away."""
    first, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[first] = _with(copy[first], tuple(rest), new)
    elif new is ...:
        del copy[first]
    else:
        copy[first] = new
    return copy


def _trees(tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "unknown member", tree | {"noSuchMember": {"a": 1}}
    for path in _places(tree):
        where = ".".join(map(str, path))
        yield f"{where} left out", _with(tree, path, ...)
        for value in VALUES:
            yield f"{where} = {value!r:.40}", _with(tree, path, value)


def _forms(fields: list[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    fixed = [pair for pair in fields if pair[0] in ("Action", "Version")]
    yield "unknown field", [*fields, ("NoSuch.member.1", "a")]
    yield "nothing but the action", fixed
    for at, (name, value) in enumerate(fields):
        if name in ("Action", "Version"):
            continue
        before, after = fields[:at], fields[at + 1 :]
        yield f"{name} left out", before + after
        yield f"{name} twice", [*fields, (name, "other")]
        for suffix in (".member.1", ".1", ".1.2.3", ".99999999999999999999", ".x", "."):
            yield f"{name}{suffix}", [*before, (name + suffix, value), *after]
        yield f"{name} cut short", [*before, (name.rpartition(".")[0] or name[:2], value), *after]
        for text in TEXTS:
            yield f"{name} = {text!r:.40}", [*before, (name, text), *after]
