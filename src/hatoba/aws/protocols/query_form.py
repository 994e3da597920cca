"""The form parameters of the query protocols, as values: `Tags.member.1.Key=a` is `{"Tags": [{"Key": "a"}]}`.

The flat names become a tree once; then the shape walks down the tree. EC2's dialect differs in names (`queryName`,
else the capitalised `locationName`) and flattens every list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hatoba.aws.models import Member, ServiceModel, Shape
from hatoba.aws.protocols import values
from hatoba.aws.walk import Walker
from hatoba.aws.wire import malformed
from hatoba.core.errors import AwsError

# A node is a dict of its children; its own text, if it has one, stands under "".
Node = dict[str, Any]
Read = Callable[[Node], Any]
_DEEPEST = 64


def tree(pairs: list[tuple[str, str]]) -> Node:
    root: Node = {}
    for name, value in pairs:
        node = root
        parts = name.split(".", _DEEPEST)
        if len(parts) > _DEEPEST:
            raise malformed("The request is nested too deeply.")
        for part in parts:
            child = node.get(part)
            if type(child) is not dict:
                # An empty part ("A..B") would take the place of a text.
                child = node[part or "."] = {}
            node = child
        node[""] = value
    return root


class FormReader(Walker[Read]):
    """Reads parameters in the way of the query protocol."""

    refusal = "MalformedInput"  # the code of what cannot be read

    def member_name(self, name: str, use: Member, shape: Shape) -> str:
        if shape.type == "list" and self.flat(use, shape) and shape.member is not None and shape.member.location_name:
            return shape.member.location_name
        return use.location_name or name

    def flat(self, use: Member, shape: Shape) -> bool:
        return use.flattened or shape.flattened

    def structure(self, use: Member, shape: Shape) -> Read:
        table = [
            (name, self.member_name(name, member, self.model.shape(member)), self.of(member))
            for name, member in shape.members.items()
        ]

        def read(node: Node) -> dict[str, Any]:
            _no_text(node)
            found = {}
            for name, wire_name, of_member in table:
                child = node.get(wire_name)
                if child is not None:
                    found[name] = of_member(child)
            return found

        return read

    def list(self, use: Member, shape: Shape, member: Member) -> Read:
        element = self.of(member)
        wrapper = None if self.flat(use, shape) else member.location_name or "member"

        def read(node: Node) -> list[Any]:
            _no_text(node)
            if wrapper is not None:
                # "member" is understood whatever the model calls it, as AWS does.
                node = node.get(wrapper) or node.get("member") or {}
            return [element(child) for child in _numbered(node)]

        return read

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> Read:
        of_key, of_value = self.of(key), self.of(value)
        key_name, value_name = key.location_name or "key", value.location_name or "value"
        flat = self.flat(use, shape)

        def read(node: Node) -> dict[str, Any]:
            _no_text(node)
            entries = _numbered(node if flat else node.get("entry") or {})
            if not all(key_name in entry for entry in entries):
                raise malformed(f"An entry of a map lacks its {key_name}.")
            # A form cannot say that a structure is empty: such a value is not there at all.
            return {of_key(entry[key_name]): of_value(entry.get(value_name) or {}) for entry in entries}

        return read

    def scalar(self, use: Member, shape: Shape) -> Read:
        convert = _converter(shape)

        def read(node: Node) -> Any:
            text = node.get("")
            if text is None:
                raise malformed("Start of structure or list found where not expected.")
            return text if convert is None else convert(text)

        return read


class Ec2FormReader(FormReader):
    """EC2's dialect of it."""

    refusal = "InvalidParameterValue"

    def member_name(self, name: str, use: Member, shape: Shape) -> str:
        if use.query_name:
            return use.query_name
        location_name = use.location_name or shape.location_name
        return location_name[:1].upper() + location_name[1:] if location_name else name

    def flat(self, use: Member, shape: Shape) -> bool:
        return True


def read(reader: FormReader, use: Member, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """The parameters as a value of the input's shape. Raises `AwsError`."""
    try:
        value: dict[str, Any] = reader.of(use)(tree(pairs))
    except AwsError as error:
        raise AwsError(error.message, code=reader.refusal, status=400) from None
    return value


def _no_text(node: Node) -> None:
    """`Names=a`, a mistake for `Names.member.1=a`, must not count as no names. (`Names=` is an empty list.)"""
    if node.get(""):
        raise malformed("A text was found where a structure or list was expected.")


def _numbered(node: Node) -> list[Node]:
    """The elements of a list in the order of their numbers, which may have gaps. `prefix=` is an empty list."""
    numbers = []
    for name in node:
        if name == "":
            continue
        if not (name.isascii() and name.isdigit() and len(name) < 10):
            raise malformed("Unexpected list element termination.")
        numbers.append(name)
    numbers.sort(key=int)
    return [node[name] for name in numbers]


def _converter(shape: Shape) -> Callable[[str], Any] | None:
    match shape.type:
        case "string" | "character":
            return None
        case "integer" | "long":
            return lambda text: values.read_integer(text, shape.type)
        case "float" | "double":
            return values.read_float
        case "boolean":
            return values.read_boolean
        case "timestamp":
            return values.read_timestamp
        case _:
            return values.read_blob


def reader(model: ServiceModel, *, ec2: bool) -> FormReader:
    return Ec2FormReader(model) if ec2 else FormReader(model)
