"""Values as XML and back: the answers of query, EC2 and rest-xml, the requests of rest-xml.

Writers append to one list of strings; nothing is built in between. Reading goes through the standard library's parser,
after a document with a DTD (entities, and with them expansion attacks) has been refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from hatoba.aws.models import Member, ServiceModel, Shape, XmlNamespace
from hatoba.aws.protocols import values
from hatoba.aws.walk import Walker
from hatoba.aws.wire import malformed
from hatoba.core.errors import AwsError

Write = Callable[[list[str], Any, str], None]  # parts, value, element name
Read = Callable[[list[ElementTree.Element]], Any]  # the elements of that name, at least one

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Text for an element. Characters that XML cannot carry at all become U+FFFD."""
    if _SPECIAL.search(text) is None:
        return text
    return _FORBIDDEN.sub("\ufffd", text.translate(_ESCAPES))


def attribute(text: str) -> str:
    return escape(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


class _Builder(ElementTree.TreeBuilder):
    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        """Called when a DTD opens, before the entities that it may declare."""
        raise _malformed_xml()


def parse(body: bytes) -> ElementTree.Element:
    """The root element. Raises `AwsError`."""
    try:
        root: ElementTree.Element = ElementTree.fromstring(body, ElementTree.XMLParser(target=_Builder()))
        return root
    except (ElementTree.ParseError, ValueError, LookupError):
        raise _malformed_xml() from None


def _malformed_xml() -> AwsError:
    return AwsError(
        "The XML you provided was not well-formed or did not validate against our published schema.",
        code="MalformedXML",
        status=400,
    )


def wire_name(name: str, use: Member, shape: Shape) -> str:
    """The element of a structure's member. A flattened list is called as its elements are."""
    if shape.type == "list" and (use.flattened or shape.flattened) and shape.member and shape.member.location_name:
        return shape.member.location_name
    return use.location_name or shape.location_name or name


def namespace(use: Member, shape: Shape) -> str:
    """The attribute that declares a shape's name space, or nothing."""
    declared = use.xml_namespace or shape.xml_namespace
    if declared is None:
        return ""
    if isinstance(declared, XmlNamespace):
        return f' xmlns{":" if declared.prefix else ""}{declared.prefix}="{declared.uri}"'
    return f' xmlns="{declared}"'


class XmlWriter(Walker[Write]):
    def structure(self, use: Member, shape: Shape) -> Write:
        write_members = self.members(shape)
        attributes = [
            (name, member.location_name or name) for name, member in shape.members.items() if member.xml_attribute
        ]
        declared = namespace(use, shape)

        def write(parts: list[str], value: Any, tag: str) -> None:
            more = "".join(
                f' {wire}="{attribute(value[name])}"' for name, wire in attributes if value.get(name) is not None
            )
            parts.append(f"<{tag}{declared}{more}>")
            write_members(parts, value)
            parts.append(f"</{tag}>")

        return write

    def members(self, shape: Shape) -> Callable[[list[str], Any], None]:
        """Writes a structure's members without an element around them."""
        inside = {
            name: member
            for name, member in shape.members.items()
            if member.location is None and not member.xml_attribute
        }
        table = {
            name: (wire_name(name, member, self.model.shape(member)), self.of(member))
            for name, member in inside.items()
        }

        def write(parts: list[str], value: Any) -> None:
            for name, item in value.items():
                if item is not None and (entry := table.get(name)) is not None:
                    entry[1](parts, item, entry[0])

        return write

    def list(self, use: Member, shape: Shape, member: Member) -> Write:
        element = self.of(member)
        if use.flattened or shape.flattened:

            def write_flat(parts: list[str], value: Any, tag: str) -> None:
                for item in value:
                    element(parts, item, tag)

            return write_flat
        inner = member.location_name or self.model.shape(member).location_name or "member"

        def write(parts: list[str], value: Any, tag: str) -> None:
            parts.append(f"<{tag}>")
            for item in value:
                element(parts, item, inner)
            parts.append(f"</{tag}>")

        return write

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> Write:
        of_key, of_value = self.of(key), self.of(value)
        key_name, value_name = key.location_name or "key", value.location_name or "value"
        flat = use.flattened or shape.flattened

        def write(parts: list[str], items: Any, tag: str) -> None:
            if not flat:
                parts.append(f"<{tag}>")
            entry = tag if flat else "entry"
            for name, item in items.items():
                parts.append(f"<{entry}>")
                of_key(parts, name, key_name)
                of_value(parts, item, value_name)
                parts.append(f"</{entry}>")
            if not flat:
                parts.append(f"</{tag}>")

        return write

    def scalar(self, use: Member, shape: Shape) -> Write:
        text = scalar_text(use, shape)

        def write(parts: list[str], value: Any, tag: str) -> None:
            parts.append(f"<{tag}>{text(value)}</{tag}>")

        return write


def scalar_text(use: Member, shape: Shape) -> Callable[[Any], str]:
    match shape.type:
        case "boolean":
            return lambda value: "true" if value else "false"
        case "integer" | "long":
            return str
        case "float" | "double":
            return lambda value: values.write_float(float(value))
        case "timestamp":
            form = values.timestamp_format(use, shape, "iso8601")
            return lambda value: str(values.write_timestamp(value, form))
        case "blob":
            return values.write_blob
        case _:
            return escape


class XmlReader(Walker[Read]):
    """Each function gets all elements of the member's name, since flattened lists repeat theirs."""

    def structure(self, use: Member, shape: Shape) -> Read:
        table = {
            wire_name(name, member, self.model.shape(member)): (name, self.of(member))
            for name, member in shape.members.items()
            if member.location is None and not member.xml_attribute
        }
        attributes = [
            (name, (member.location_name or name).rpartition(":")[2])
            for name, member in shape.members.items()
            if member.xml_attribute
        ]

        def read(elements: list[ElementTree.Element]) -> dict[str, Any]:
            element = elements[-1]
            found = {}
            for tag, children in _children(element).items():
                if (entry := table.get(tag)) is not None:
                    found[entry[0]] = entry[1](children)
            for name, wire in attributes:
                value = next((text for key, text in element.attrib.items() if _local(key) == wire), None)
                if value is not None:
                    found[name] = value
            return found

        return read

    def list(self, use: Member, shape: Shape, member: Member) -> Read:
        element = self.of(member)
        if use.flattened or shape.flattened:
            return lambda elements: [element([one]) for one in elements]
        inner = member.location_name or "member"
        return lambda elements: [element([one]) for one in elements[-1] if _local(one.tag) == inner]

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> Read:
        of_key, of_value = self.of(key), self.of(value)
        key_name, value_name = key.location_name or "key", value.location_name or "value"
        flat = use.flattened or shape.flattened

        def read(elements: list[ElementTree.Element]) -> dict[str, Any]:
            found = {}
            for entry in elements if flat else elements[-1]:
                pair = _children(entry)
                if key_name not in pair or value_name not in pair:
                    raise _malformed_xml()
                found[of_key(pair[key_name])] = of_value(pair[value_name])
            return found

        return read

    def scalar(self, use: Member, shape: Shape) -> Read:
        convert = _FROM_TEXT.get(shape.type, values.read_blob)
        if shape.type in ("integer", "long"):

            def convert(text: str) -> int:
                return values.read_integer(text.strip(), shape.type)

        def read(elements: list[ElementTree.Element]) -> Any:
            if len(elements[-1]):
                raise malformed("An element was found where a text was expected.")
            return convert(elements[-1].text or "")

        return read


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "string": lambda text: text,
    "character": lambda text: text,
    "boolean": lambda text: values.read_boolean(text.strip()),
    "float": lambda text: values.read_float(text.strip()),
    "double": lambda text: values.read_float(text.strip()),
    "timestamp": lambda text: values.read_timestamp(text.strip()),
}


def _children(element: ElementTree.Element) -> dict[str, list[ElementTree.Element]]:
    found: dict[str, list[ElementTree.Element]] = {}
    for child in element:
        found.setdefault(_local(child.tag), []).append(child)
    return found


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


class XmlForm:
    """How one service's shapes are read from and written as XML."""

    def __init__(self, model: ServiceModel) -> None:
        self.reader = XmlReader(model)
        self.writer = XmlWriter(model)
