"""JSON bodies: bytes to values and back, for `json`, `rest-json` and the events of both.

Writing costs almost nothing for most operations: when a shape's JSON is the value itself (no renamed members,
timestamps as numbers), msgspec encodes it directly, blobs as Base64. Only if `null` shows in the result (an absent
member, or a NaN) is it walked after all.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from hatoba.aws.models import Member, ServiceModel, Shape
from hatoba.aws.protocols import values
from hatoba.aws.protocols.tree import Convert, TreeReader, TreeWriter
from hatoba.aws.wire import malformed

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def loads(body: bytes) -> Any:
    """Any JSON value. Raises `AwsError` for anything else."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise malformed("The request body is not valid JSON.") from None


class JsonForm:
    """How one service's shapes are read from and written as JSON."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self.reader = TreeReader(model, _read_scalar)
        self.writer = TreeWriter(model, _write_scalar)
        self._plain: dict[Member, bool] = {}

    def read(self, use: Member, body: bytes) -> Any:
        value = loads(body) if body else {}
        return {} if value is None else self.convert(use, value)

    def convert(self, use: Member, value: Any) -> Any:
        try:
            return self.reader.of(use)(value)
        except RecursionError:
            raise malformed("The request is nested too deeply.") from None

    def write(self, use: Member, value: Any) -> bytes:
        plain = self._plain.get(use)
        if plain is None:
            plain = self._plain[use] = is_plain(self._model, use)
        if plain:
            body = _encode(value)
            if b"null" not in body:
                return body
        return _encode(self.writer.of(use)(value))


def is_plain(model: ServiceModel, use: Member) -> bool:
    """Whether values of a shape are their own JSON."""
    seen: set[str] = set()
    waiting = [use]
    while waiting:
        use = waiting.pop()
        shape = model.shape(use)
        if use.location or use.jsonvalue or use.streaming or shape.streaming or shape.eventstream:
            return False
        if shape.type == "timestamp" and values.timestamp_format(use, shape, "unixTimestamp") != "unixTimestamp":
            return False
        if shape.name in seen:
            continue
        seen.add(shape.name)
        if any(member.location_name not in (None, name) for name, member in shape.members.items()):
            return False
        waiting += [
            part for part in (*shape.members.values(), shape.member, shape.key, shape.value) if part is not None
        ]
    return True


def _read_scalar(use: Member, shape: Shape) -> Convert:
    match shape.type:
        case "string" | "character":
            return _string
        case "boolean":
            return _boolean
        case "integer" | "long":
            return lambda value: _integer(value, shape.type)
        case "float" | "double":
            return _float
        case "timestamp":
            return _timestamp
        case _:
            return _blob


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    raise malformed(f"{_token(value)} cannot be converted to String")


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise malformed(f"{_token(value)} cannot be converted to Boolean")


def _integer(value: Any, type_: str) -> int:
    if type(value) is int:
        return values.check_range(value, type_)
    if type(value) is float and value.is_integer():
        return values.check_range(int(value), type_)
    raise malformed(f"{_token(value)} cannot be converted to {type_.title()}")


def _float(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return _from_int(value)
    if value in ("NaN", "Infinity", "-Infinity"):
        return values.read_float(value)
    raise malformed(f"{_token(value)} cannot be converted to Double")


def _timestamp(value: Any) -> float:
    if type(value) is float:
        return values.check_timestamp(value)
    if type(value) is int:
        return values.check_timestamp(_from_int(value))
    if type(value) is str:
        return values.read_timestamp(value)
    raise malformed(f"{_token(value)} cannot be converted to Timestamp")


def _from_int(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise malformed("The number is out of range for a Double.") from None


def _blob(value: Any) -> bytes:
    if type(value) is str:
        return values.read_blob(value)
    raise malformed(f"{_token(value)} cannot be converted to Blob")


def _token(value: Any) -> str:
    """How AWS's JSON reader calls what it found."""
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    names = {str: "STRING_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE"}
    return names.get(type(value), "Start of list" if isinstance(value, list) else "Start of structure or map")


def _write_scalar(use: Member, shape: Shape) -> Convert:
    if shape.type == "timestamp":
        form = values.timestamp_format(use, shape, "unixTimestamp")
        return lambda value: values.write_timestamp(value, form)
    if shape.type in ("float", "double"):
        return lambda value: value if math.isfinite(value) else values.special_float(value)
    return lambda value: value
