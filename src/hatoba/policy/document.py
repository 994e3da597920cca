"""The grammar: a policy's text as values, as written, and back. Pure.

`parse` is strict, for what is about to be stored; `read` never fails, for what is about to be decided by, and fails
closed: a Deny that cannot be understood denies everything, anything else that cannot be understood grants nothing.

Source: the IAM user guide, "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NoReturn

import msgspec

from hatoba.core.errors import HatobaError
from hatoba.policy.operators import is_operator

Effect = Literal["Allow", "Deny"]
Fault = Literal[
    "json",  # not JSON, or the same name twice in an object
    "statement",  # no statement, or one that is no object
    "version",
    "sid",  # not of letters and digits
    "same sid",  # of two statements
    "element",  # one that there is not, or one and its opposite
    "effect",
    "action",  # none, or not texts
    "resource",  # not texts
    "principal",
    "condition",
]

VERSIONS = ("2008-10-17", "2012-10-17")
PRINCIPALS = ("AWS", "Service", "Federated", "CanonicalUser")

_ELEMENTS = {
    "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"
}  # fmt: skip


class Malformed(HatobaError):
    """No policy. `found`: the piece of it that is wrong, where there is one to show."""

    def __init__(self, fault: Fault, found: str = "") -> None:
        super().__init__(f"{fault}: {found}")
        self.fault = fault
        self.found = found


class Condition(msgspec.Struct, frozen=True):
    operator: str
    key: str
    values: tuple[str, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """As written. Of an element and its opposite (`not_…`) at most one is there."""

    sid: str = ""
    effect: Effect
    actions: tuple[str, ...]
    not_actions: bool = False
    resources: tuple[str, ...] | None = None
    not_resources: bool = False
    principals: tuple[tuple[str, str], ...] | None = None  # (kind, name); ("*", "*") for everybody
    not_principals: bool = False
    conditions: tuple[Condition, ...] = ()


class Document(msgspec.Struct, frozen=True, kw_only=True):
    version: str = VERSIONS[0]
    id: str = ""
    statements: tuple[Statement, ...]

    @property
    def variables(self) -> bool:
        """Whether `${…}` means anything: it came with the second version of the language."""
        return self.version == VERSIONS[1]


_DENY_ALL = Statement(sid="unreadable", effect="Deny", actions=("*",))


# --- reading


def parse(text: str) -> Document:
    """Raises `Malformed`."""
    policy = _policy(text)
    statements = tuple(_statement(raw) for raw in _statements(policy))
    if not statements:
        _wrong("statement")
    sids = [statement.sid for statement in statements if statement.sid]
    for sid in sids:
        if sids.count(sid) > 1:
            _wrong("same sid", sid)
    return Document(version=policy.get("Version", VERSIONS[0]), id=policy.get("Id", ""), statements=statements)


def read(text: str) -> Document:
    """A document to decide by, whatever the text is."""
    try:
        policy = _policy(text)
        raws = _statements(policy)
    except Malformed:
        return Document(statements=(_DENY_ALL,))
    found: list[Statement] = []
    for raw in raws:
        try:
            found.append(_statement(raw))
        except Malformed:
            if isinstance(raw, dict) and raw.get("Effect") == "Deny":
                found.append(_DENY_ALL)
    return Document(version=policy.get("Version", VERSIONS[0]), id=policy.get("Id", ""), statements=tuple(found))


def _wrong(fault: Fault, found: object = "") -> NoReturn:
    raise Malformed(fault, found if isinstance(found, str) else "")


def _policy(text: str) -> dict[str, Any]:
    try:
        policy = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _wrong("json")
    if not isinstance(policy, dict) or "Statement" not in policy:
        _wrong("statement")
    if policy.get("Version", VERSIONS[0]) not in VERSIONS:
        _wrong("version", policy["Version"])
    for name in policy.keys() - {"Version", "Id", "Statement"}:
        _wrong("element", name)
    if not isinstance(policy.get("Id", ""), str):
        _wrong("element", "Id")
    return policy


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Readers differ on which of them counts: nobody shall be shown one and be ruled by the other.
        _wrong("json", "the same name twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _statements(policy: Mapping[str, Any]) -> list[Any]:
    found = policy["Statement"]
    return found if isinstance(found, list) else [found]


def _statement(raw: Any) -> Statement:
    if not isinstance(raw, dict):
        _wrong("statement")
    for name in raw.keys() - _ELEMENTS:
        _wrong("element", name)
    sid = raw.get("Sid", "")
    if not isinstance(sid, str):
        _wrong("sid")
    if raw.get("Effect") not in ("Allow", "Deny"):
        _wrong("effect", raw.get("Effect", ""))
    actions, not_actions = _either(raw, "Action")
    if not actions:
        _wrong("action")
    resources, not_resources = _either(raw, "Resource")
    principals, not_principals = _principals(raw)
    return Statement(
        sid=sid,
        effect=raw["Effect"],
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        principals=principals,
        not_principals=not_principals,
        conditions=_conditions(raw.get("Condition", {})),
    )


def _either(raw: Mapping[str, Any], name: Literal["Action", "Resource"]) -> tuple[tuple[str, ...] | None, bool]:
    """An element or its opposite."""
    fault: Fault = "action" if name == "Action" else "resource"
    opposite = f"Not{name}" in raw
    if opposite and name in raw:
        _wrong("element", f"Not{name}")
    if not opposite and name not in raw:
        return None, False
    return _texts(raw[f"Not{name}" if opposite else name], fault), opposite


def _texts(given: Any, fault: Fault) -> tuple[str, ...]:
    found = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in found):
        _wrong(fault)
    return tuple(found)


def _principals(raw: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...] | None, bool]:
    opposite = "NotPrincipal" in raw
    if opposite and "Principal" in raw:
        _wrong("element", "NotPrincipal")
    if not opposite and "Principal" not in raw:
        return None, False
    given = raw["NotPrincipal" if opposite else "Principal"]
    if given == "*":
        return (("*", "*"),), opposite
    if not isinstance(given, dict) or not given or not given.keys() <= set(PRINCIPALS):
        _wrong("principal")
    return tuple((kind, name) for kind in given for name in _texts(given[kind], "principal")), opposite


def _conditions(given: Any) -> tuple[Condition, ...]:
    if not isinstance(given, dict):
        _wrong("condition")
    found: list[Condition] = []
    for operator, tests in given.items():
        if not isinstance(tests, dict):
            _wrong("condition", operator)
        if not is_operator(operator):
            _wrong("condition", operator)
        found += [Condition(operator, key, _values(values)) for key, values in tests.items()]
    return tuple(found)


def _values(given: Any) -> tuple[str, ...]:
    return tuple(_value(value) for value in (given if isinstance(given, list) else [given]))


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return value
        case int() | float():
            return json.dumps(value)
    _wrong("condition")


# --- writing


def render(document: Document) -> str:
    """Text that reads as the same document."""
    policy: dict[str, Any] = {"Version": document.version}
    if document.id:
        policy["Id"] = document.id
    policy["Statement"] = [_raw(statement) for statement in document.statements]
    return json.dumps(policy)


def _raw(statement: Statement) -> dict[str, Any]:
    raw: dict[str, Any] = {"Sid": statement.sid} if statement.sid else {}
    raw["Effect"] = statement.effect
    if statement.principals is not None:
        raw["NotPrincipal" if statement.not_principals else "Principal"] = _raw_principals(statement.principals)
    raw["NotAction" if statement.not_actions else "Action"] = list(statement.actions)
    if statement.resources is not None:
        raw["NotResource" if statement.not_resources else "Resource"] = list(statement.resources)
    if statement.conditions:
        tests: dict[str, dict[str, list[str]]] = {}
        for condition in statement.conditions:
            tests.setdefault(condition.operator, {})[condition.key] = list(condition.values)
        raw["Condition"] = tests
    return raw


def _raw_principals(principals: tuple[tuple[str, str], ...]) -> Any:
    if principals == (("*", "*"),):
        return "*"
    named: dict[str, list[str]] = {}
    for kind, name in principals:
        named.setdefault(kind, []).append(name)
    return named
