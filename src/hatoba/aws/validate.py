"""Does a request keep to what its shape demands: required members, lengths, ranges, patterns, enumerations, unions?

Each shape is compiled once into a function that visits only what is constrained. Types have been checked before, when
the bytes were read. The verdict is worded as AWS words it; which error it is depends on what the operation declares.
A value that is secret, or has something secret in it, is not repeated (`sensitive`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from hatoba.aws.models import Member, Operation, ServiceModel, Shape
from hatoba.aws.patterns import compiled
from hatoba.aws.sensitive import HIDDEN, concealed, is_secret
from hatoba.aws.walk import Walker
from hatoba.core.errors import AwsError

_CODES = ("InvalidParameterException", "ValidationException", "InvalidInput", "BadRequestException")
_BY_PROTOCOL = {"query": "ValidationError"}  # where the model has none of these
_BY_SERVICE = {"s3": "InvalidArgument"}
_SHOWN = 1024  # characters of a refused value that the error repeats
_REDACTED = "***Sensitive Data Redacted***"


class Violation(NamedTuple):
    path: str
    value: str | None  # as it is shown; None when it is missing
    rule: str  # "Member must not be null"


Check = Callable[[Any, str, list[Violation]], None]
Shown = Callable[[Any], str]


def check(operation: Operation, params: dict[str, Any]) -> None:
    """Raises the `AwsError` that the service answers to a request which breaks its shape's constraints."""
    test = _tests.get(operation)
    if test is None:
        test = _tests[operation] = _compile(operation)
    found: list[Violation] = []
    test(params, "", found)
    if found:
        raise _refusal(operation, found)


_tests: dict[Operation, Check] = {}
_checkers: dict[str, Checker] = {}


def _compile(operation: Operation) -> Check:
    if operation.input is None:
        return _nothing
    checker = _checkers.get(operation.service)
    if checker is None:
        checker = _checkers[operation.service] = Checker(operation.model)
    return checker.of(operation.input)


def _nothing(value: Any, path: str, found: list[Violation]) -> None:
    pass


class Checker(Walker[Check]):
    """One service's constraints."""

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._free: dict[str, bool] = {}

    def structure(self, use: Member, shape: Shape) -> Check:
        required = [(name, _lower_first(name)) for name in shape.required]
        members = [
            (name, _lower_first(name), _hiding(test) if is_secret(self.model, shape, name) else test)
            for name, member in shape.members.items()
            if self._bound(member)
            for test in (self.of(member),)
        ]
        union, shown_whole = shape.union, self._shown(use)

        def test(value: Any, path: str, found: list[Violation]) -> None:
            prefix = f"{path}." if path else ""
            for name, shown in required:
                if value.get(name) is None:
                    found.append(Violation(prefix + shown, None, "Member must not be null"))
            for name, shown, of_member in members:
                item = value.get(name)
                if item is not None:
                    of_member(item, prefix + shown, found)
            if union and len(value) != 1:
                found.append(Violation(path, shown_whole(value), "Member must have exactly one member set"))

        return test

    def list(self, use: Member, shape: Shape, member: Member) -> Check:
        shown = self._shown(use)
        size = _size(shape, shown)
        if not self._bound(member):
            return size or _nothing
        element = self.of(member)
        nested = self.model.shape(member).type in ("structure", "list", "map")

        def test(value: Any, path: str, found: list[Violation]) -> None:
            if size is not None:
                size(value, path, found)
            if nested:
                for number, item in enumerate(value, 1):
                    element(item, f"{path}.{number}.member", found)
            else:
                _together(value, value, element, path, "Member must satisfy constraint", found, shown)

        return test

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> Check:
        shown = self._shown(use)
        size = _size(shape, shown)
        of_key = self.of(key) if self._bound(key) else None
        of_value = self.of(value) if self._bound(value) else None
        nested = self.model.shape(value).type in ("structure", "list", "map")

        def test(items: Any, path: str, found: list[Violation]) -> None:
            if size is not None:
                size(items, path, found)
            if of_key is not None:
                _together(items, items, of_key, path, "Map keys must satisfy constraint", found, shown)
            if of_value is not None and nested:
                for name, item in items.items():
                    of_value(item, f"{path}.{name}.member", found)
            elif of_value is not None:
                _together(items, items.values(), of_value, path, "Map value must satisfy constraint", found, shown)

        return test

    def scalar(self, use: Member, shape: Shape) -> Check:
        tests: list[Check] = []
        if shape.enum:
            tests.append(_enumeration(shape))
        if shape.type in ("string", "character", "blob"):
            if (size := _size(shape, partial(show, sensitive=shape.sensitive))) is not None:
                tests.append(size)
        elif shape.type != "timestamp" and (span := _range(shape)) is not None:
            tests.append(span)
        if shape.pattern and (pattern := _pattern(shape)) is not None:
            tests.append(pattern)
        if len(tests) == 1:
            return tests[0]

        def test(value: Any, path: str, found: list[Violation]) -> None:
            for one in tests:
                one(value, path, found)

        return test if tests else _nothing

    def document(self, use: Member, shape: Shape) -> Check:
        return _nothing

    def _shown(self, use: Member) -> Shown:
        """How a value of several parts is printed."""
        return lambda value: show(concealed(self.model, use, value))

    def _bound(self, use: Member) -> bool:
        """Whether anything below this use is constrained at all."""
        known = self._free.get(use.shape)
        if known is not None:
            return not known
        seen: set[str] = set()
        waiting = [use.shape]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            shape = self.model.shapes[name]
            if shape.eventstream or shape.streaming:
                continue
            if shape.required or shape.union or shape.enum or shape.pattern or shape.min or shape.max is not None:
                self._free[use.shape] = False
                return True
            parts = (*shape.members.values(), shape.member, shape.key, shape.value)
            waiting += [part.shape for part in parts if part is not None]
        self._free[use.shape] = True
        return False


def _hiding(test: Check) -> Check:
    """The same, without the value."""

    def hiding(value: Any, path: str, found: list[Violation]) -> None:
        inner: list[Violation] = []
        test(value, path, inner)
        found += [each if each.value is None else each._replace(value=_REDACTED) for each in inner]

    return hiding


def _together(whole: Any, parts: Any, test: Check, path: str, lead: str, found: list[Violation], shown: Shown) -> None:
    """Elements that break a rule are reported with the list they are in."""
    inner: list[Violation] = []
    for part in parts:
        test(part, path, inner)
        if inner:
            rules = ", ".join(violation.rule for violation in inner)
            found.append(Violation(path, shown(whole), f"{lead}: [{rules}]"))
            return


def _enumeration(shape: Shape) -> Check:
    allowed = frozenset(shape.enum)
    rule = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"

    def test(value: Any, path: str, found: list[Violation]) -> None:
        if value not in allowed:
            found.append(Violation(path, show(value, shape.sensitive), rule))

    return test


def _size(shape: Shape, shown: Shown) -> Check | None:
    if shape.streaming or (not shape.min and shape.max is None):
        return None
    return _between(len, shape, "length", shown)


def _range(shape: Shape) -> Check | None:
    if shape.min is None and shape.max is None:
        return None
    return _between(lambda value: value, shape, "value", partial(show, sensitive=shape.sensitive))


def _between(measure: Callable[[Any], float], shape: Shape, what: str, shown: Shown) -> Check:
    low, high = shape.min, shape.max

    def test(value: Any, path: str, found: list[Violation]) -> None:
        amount = measure(value)
        if low is not None and not amount >= low:
            rule = f"Member must have {what} greater than or equal to {low}"
            found.append(Violation(path, shown(value), rule))
        if high is not None and not amount <= high:
            found.append(Violation(path, shown(value), f"Member must have {what} less than or equal to {high}"))

    return test


def _pattern(shape: Shape) -> Check | None:
    expression = compiled(shape.pattern or "")
    if expression is None:
        return None
    rule = f"Member must satisfy regular expression pattern: {shape.pattern}"
    longest = shape.max if shape.max is not None else float("inf")

    def test(value: Any, path: str, found: list[Violation]) -> None:
        # Too long is refused already; some patterns take for ever on what they were not meant for.
        if len(value) <= longest and not expression.fullmatch(value):
            found.append(Violation(path, show(value, shape.sensitive), rule))

    return test


def show(value: Any, sensitive: bool = False) -> str:
    """A value as AWS's messages print it."""
    if sensitive or value == HIDDEN:
        return _REDACTED
    match value:
        case bool():
            text = "true" if value else "false"
        case list():
            text = f"[{', '.join(show(item) for item in value[:20])}]"
        case dict():
            text = f"{{{', '.join(f'{name}={show(item)}' for name, item in list(value.items())[:20])}}}"
        case bytes():
            text = f"{len(value)} bytes"
        case _:
            text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def _refusal(operation: Operation, found: list[Violation]) -> AwsError:
    if operation.model.protocol == "ec2":
        return _ec2_refusal(found[0])
    shown = ("null" if one.value is None else f"'{one.value}'" for one in found)
    texts = [
        f"Value {value} at '{one.path}' failed to satisfy constraint: {one.rule}"
        for one, value in zip(found, shown, strict=True)
    ]
    plural = "errors" if len(found) > 1 else "error"
    return _error(operation, f"{len(found)} validation {plural} detected: {'; '.join(texts)}")


def _ec2_refusal(one: Violation) -> AwsError:
    name = one.path.replace(".member", "")
    if one.value is None:
        return AwsError(f"The request must contain the parameter {name}", code="MissingParameter")
    rule = "" if "enum" in one.rule else f" {one.rule}."  # an enumeration of EC2's can have a thousand values
    return AwsError(f"Value ({one.value}) for parameter {name} is invalid.{rule}", code="InvalidParameterValue")


def _error(operation: Operation, message: str) -> AwsError:
    default = _BY_SERVICE.get(operation.service) or _BY_PROTOCOL.get(operation.model.protocol, "ValidationException")
    name = next((code for code in _CODES if code in operation.errors), default)
    shape = operation.model.error(name)
    return AwsError(message, code=shape.code if shape else name, status=shape.status if shape else 400)
