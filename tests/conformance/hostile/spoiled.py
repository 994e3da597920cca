"""Requests that are nearly right: a true one with one thing in it spoiled, or its bytes damaged.

The true one is made of the operation's shape and of what the platform has (`known`). JSON is spoiled in its tree; forms
(query, EC2) are spoiled in their fields, since there everything is text; REST in its path, query, headers and XML.
Chance is handed in.
"""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from xml.etree import ElementTree

import msgspec

from hatoba.aws.models import Member, Operation
from hatoba.aws.wire import WireRequest
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
SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
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


def requests(
    operation: Operation, params: dict[str, Any], chance: random.Random, most: int
) -> Iterator[tuple[str, WireRequest]]:
    """At most so many, of all kinds; the last is the true one."""
    metadata = operation.model
    given = {"authorization": SIGNED.format(metadata.signing_name)}
    if metadata.protocol == "rest-xml":
        sent = serialised(operation, params, metadata.protocol)
        true = msgspec.structs.replace(sent, headers={**sent.headers, **given})
        spoiled = list(_spoiled(true))
        yield from chance.sample(spoiled, min(most, len(spoiled)))
        body = true.body if isinstance(true.body, bytes) else b""
        yield from ((what, msgspec.structs.replace(true, body=data)) for what, data in damaged(body, chance))
        yield "true", true
        return
    if metadata.protocol == "json":
        target = f"{metadata.target_prefix}.{operation.name}"
        given |= {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    else:
        given |= {"content-type": "application/x-www-form-urlencoded"}
    for what, body in bodies(operation, params, chance, most):
        yield what, WireRequest(method="POST", path="/", headers=given, body=body)


def _spoiled(true: WireRequest) -> Iterator[tuple[str, WireRequest]]:
    change = msgspec.structs.replace
    short = [text for text in TEXTS if len(text) < 4000]  # else the server refuses it, and nobody reads it
    segments = true.path.split("/")
    for at in range(1, len(segments)):
        for text in (*(quote(text, safe="") for text in short), "..", ".", "%", "%ff", "%zz", "a/b", "a//b", "?", "+"):
            path = "/".join([*segments[:at], text, *segments[at + 1 :]])
            yield f"path {path:.60}", change(true, path=path)
        yield f"path without {segments[at]:.40}", change(true, path="/".join(segments[:at] + segments[at + 1 :]) or "/")
    pairs = parse_qsl(true.query, keep_blank_values=True)
    for at, (name, value) in enumerate(pairs):
        rest = pairs[:at] + pairs[at + 1 :]
        yield f"query without {name}", change(true, query=urlencode(rest))
        yield f"query {name} twice", change(true, query=urlencode([*pairs, (name, "other")]))
        for text in short:
            yield f"query {name} = {text!r:.40}", change(true, query=urlencode([*rest, (name, text)]))
        yield f"query {name} raw", change(true, query=f"{name}=%ff&{name}{value[:20]!r}".replace(" ", ""))
    for odd in ("versionId=a", "uploadId=b", "partNumber=0", "max-keys=-1", "%ff=%fe", "&&=&", "list-type=3", "acl"):
        yield f"query and {odd}", change(true, query=f"{true.query}&{odd}" if true.query else odd)
    for name in true.headers.keys() - {"authorization"}:
        others = {key: value for key, value in true.headers.items() if key != name}
        yield f"without {name}", change(true, headers=others)
        for text in short:
            if text.isprintable():
                yield f"{name} = {text!r:.40}", change(true, headers={**others, name: text})
    for name in ("range", "if-match", "x-amz-copy-source", "content-md5", "x-amz-checksum-crc32", "x-amz-tagging"):
        for text in short:
            if text.isprintable():
                yield f"and {name} = {text!r:.40}", change(true, headers={**true.headers, name: text})
    for what, body in _documents(true.body if isinstance(true.body, bytes) else b""):
        yield what, change(true, body=body)


def _documents(body: bytes) -> Iterator[Body]:
    """An XML document with one of its elements spoiled."""
    if not body.startswith(b"<"):
        return
    count = sum(1 for _ in ElementTree.fromstring(body).iter())
    for at in range(count):
        for what, spoil in _ELEMENTS.items():
            root = ElementTree.fromstring(body)
            spoil(list(root.iter())[at])
            yield f"element {at} {what}", ElementTree.tostring(root)
        for text in TEXTS:
            if text.isprintable():
                root = ElementTree.fromstring(body)
                list(root.iter())[at].text = text
                yield f"element {at} = {text!r:.40}", ElementTree.tostring(root)


def _renamed(element: ElementTree.Element) -> None:
    element.tag = "NoSuchMember"


def _emptied(element: ElementTree.Element) -> None:
    element.clear()


def _filled(element: ElementTree.Element) -> None:
    element.append(ElementTree.Element("a"))


def _doubled(element: ElementTree.Element) -> None:
    element.extend(list(element))


def _repeated(element: ElementTree.Element) -> None:
    element.extend(list(element) * 1500)


_ELEMENTS = {"renamed": _renamed, "empty": _emptied, "filled": _filled, "doubled": _doubled, "repeated": _repeated}


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
