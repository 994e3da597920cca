"""Do our own values keep to their shapes? For calls between rooms, and for every answer while tests run.

Stricter than what AWS does with requests: an unknown member, a wrong type, a missing required member or a value
outside of its enumeration is a bug of ours, and raises `Nonconforming`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from hatoba.aws.models import Member, Operation, ServiceModel, Shape
from hatoba.aws.walk import Walker
from hatoba.core.errors import AwsError

Check = Callable[[Any, str], None]

# What any operation may answer, declared or not: the edge's own errors.
COMMON = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "DryRunOperation",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InternalFailure",
        "InternalServerError",
        "InvalidAction",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotImplementedException",
        "RequestExpired",
        "SerializationException",
        "SignatureDoesNotMatch",
        "Throttling",
        "ThrottlingException",
        "UnauthorizedOperation",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationError",
        "ValidationException",
    }
)


# Values that AWS answers with although its own models do not know them, by service and shape.
_BEYOND: dict[tuple[str, str], frozenset[str]] = {
    ("ec2", "AttachmentStatus"): frozenset({"available"}),  # of an internet gateway
    ("ec2", "State"): frozenset({"available"}),  # of a VPC endpoint
}


# Errors that AWS answers with although its own models do not declare them, by service and operation.
_UNDECLARED: dict[tuple[str, str], frozenset[str]] = {
    ("iam", "CreateRole"): frozenset({"NoSuchEntity"}),  # of the permissions boundary
}


# Models that declare but few of the errors which their documentation lists.
_SILENT = frozenset({"s3"})


class Nonconforming(TypeError):
    """A value of ours breaks its shape. The text says where and how."""


def input(operation: Operation, params: dict[str, Any]) -> None:
    """For a call that did not come as bytes."""
    _check(operation, operation.input, params, "input")


def output(operation: Operation, result: dict[str, Any]) -> None:
    _check(operation, operation.output, result, "output")


def error(operation: Operation, raised: AwsError) -> None:
    """An error that the operation does not declare. Models without errors (EC2's) declare nothing to compare with."""
    if operation.service in _SILENT:
        return
    declared = {operation.model.shapes[name].code for name in operation.errors} | set(operation.errors)
    declared |= _UNDECLARED.get((operation.service, operation.name), frozenset()) if declared else set()
    if declared and raised.code not in declared and raised.code not in COMMON:
        known = ", ".join(sorted(declared))
        raise Nonconforming(f"{operation.service}.{operation.name} does not declare the error {raised.code} ({known})")


_conformers: dict[str, _Conformer] = {}


def _check(operation: Operation, use: Member | None, value: dict[str, Any], side: str) -> None:
    where = f"{operation.service}.{operation.name} {side}"
    if use is None:
        if value:
            raise Nonconforming(f"{where}: has no members, but {', '.join(value)} given")
        return
    conformer = _conformers.get(operation.service)
    if conformer is None:
        conformer = _conformers[operation.service] = _Conformer(operation.model)
    conformer.of(use)(value, where)


class _Conformer(Walker[Check]):
    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)

    def structure(self, use: Member, shape: Shape) -> Check:
        if shape.eventstream:
            return _kind(AsyncIterator)
        members = {name: self.of(member) for name, member in shape.members.items()}

        def check(value: Any, path: str) -> None:
            _expect(value, dict, path)
            for name in shape.required:
                if value.get(name) is None:
                    raise Nonconforming(f"{path}: required member {name} is missing")
            for name, item in value.items():
                if name not in members:
                    raise Nonconforming(f"{path}: {shape.name} has no member {name}")
                if item is not None:
                    members[name](item, f"{path}.{name}")

        return check

    def list(self, use: Member, shape: Shape, member: Member) -> Check:
        element = self.of(member)

        def check(value: Any, path: str) -> None:
            _expect(value, list, path)
            for index, item in enumerate(value):
                if item is not None or not shape.sparse:
                    element(item, f"{path}[{index}]")

        return check

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> Check:
        of_key, of_value = self.of(key), self.of(value)

        def check(items: Any, path: str) -> None:
            _expect(items, dict, path)
            for name, item in items.items():
                of_key(name, f"{path} key")
                of_value(item, f"{path}[{name!r}]")

        return check

    def scalar(self, use: Member, shape: Shape) -> Check:
        if shape.enum:
            allowed = frozenset(shape.enum) | _BEYOND.get((self.model.name, shape.name), frozenset())

            def check(value: Any, path: str) -> None:
                if value not in allowed:
                    raise Nonconforming(f"{path}: {value!r} is none of {', '.join(shape.enum)}")

            return check
        match shape.type:
            case "integer" | "long":
                return _kind(int)
            case "float" | "double" | "timestamp":
                return _kind(float, int)
            case "boolean":
                return _kind(bool)
            case "blob":
                return _kind(bytes, AsyncIterator) if shape.streaming or use.streaming else _kind(bytes)
            case _:
                return _kind(str)

    def document(self, use: Member, shape: Shape) -> Check:
        return lambda value, path: None


def _kind(*types: type) -> Check:
    return lambda value, path: _expect(value, types, path)


def _expect(value: Any, types: type | tuple[type, ...], path: str) -> None:
    wrong_bool = isinstance(value, bool) and types not in (bool, (bool,))
    if wrong_bool or not isinstance(value, types):
        names = types.__name__ if isinstance(types, type) else " or ".join(type_.__name__ for type_ in types)
        raise Nonconforming(f"{path}: {value!r} is no {names}")
