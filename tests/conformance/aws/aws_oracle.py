"""botocore as the oracle: what its serialisers send and its parsers understand, and inputs drawn from the shapes."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import OperationModel
from botocore.model import ServiceModel as BotocoreModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import strategies as st

from hatoba.aws import models
from hatoba.aws.models import Member, Operation, ServiceModel
from hatoba.aws.wire import WireRequest, WireResponse

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=8)
_TOKEN = st.text("abcXYZ019-_./:+%&=~", min_size=1, max_size=8)
_JSON = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)
_DEEPEST = 5


@cache
def botocore_model(service: str) -> BotocoreModel:
    return BotocoreModel(Loader().load_service_model(service, "service-2"), service)


def botocore_operation(operation: Operation) -> OperationModel:
    return botocore_model(operation.service).operation_model(operation.name)


def serialised(operation: Operation, params: dict[str, Any], protocol: str) -> WireRequest:
    """The request that botocore makes of these values."""
    serialiser = create_serializer(protocol, include_validation=False)
    sent = serialiser.serialize_to_request(to_botocore(operation, params), botocore_operation(operation))
    body, path = sent["body"], sent["url_path"]
    query = urlencode(sent["query_string"], doseq=True) if sent["query_string"] else ""
    path, _, constants = path.partition("?")
    if isinstance(body, dict):
        body = urlencode(body).encode()
    return WireRequest(
        method=sent["method"],
        path=path,
        query="&".join(part for part in (constants, query) if part),
        headers={name.lower(): str(value) for name, value in sent["headers"].items()},
        body=body,
    )


def understood(operation: Operation, response: WireResponse, protocol: str) -> dict[str, Any]:
    """The values that botocore reads in an answer, or its `Error`."""
    shape = botocore_operation(operation).output_shape
    headers = HeadersDict(response.headers)
    reply = {"status_code": response.status, "headers": headers, "body": response.body, "context": {}}
    parsed = create_parser(protocol).parse(reply, shape)
    assert response.headers["x-amzn-requestid"]
    parsed.pop("ResponseMetadata", None)
    return from_botocore(parsed)


def to_botocore(operation: Operation, params: dict[str, Any]) -> dict[str, Any]:
    return {} if operation.input is None else _dates(operation.model, operation.input, params)


def _dates(model: ServiceModel, use: Member, value: Any) -> Any:
    shape = model.shape(use)
    if shape.document or use.jsonvalue:
        return value
    match shape.type:
        case "structure":
            return {name: _dates(model, shape.members[name], item) for name, item in value.items()}
        case "list":
            return [_dates(model, shape.member, item) for item in value]
        case "map":
            return {name: _dates(model, shape.value, item) for name, item in value.items()}
        case "timestamp":
            return _EPOCH + timedelta(milliseconds=round(value * 1000))
        case _:
            return value


def from_botocore(value: Any) -> Any:
    match value:
        case dict():
            return {name: from_botocore(item) for name, item in value.items()}
        case list():
            return [from_botocore(item) for item in value]
        case datetime():
            return (value - _EPOCH).total_seconds()
        case _:
            return value


def pruned(value: Any) -> Any:
    """Without what a form or XML cannot tell from nothing: empty structures, lists and maps."""
    match value:
        case dict():
            kept = {name: pruned(item) for name, item in value.items()}
            return {name: item for name, item in kept.items() if item not in ({}, [])}
        case list():
            return [item for item in (pruned(item) for item in value) if item not in ({}, [])]
        case float():
            return round(value, 3)
        case _:
            return value


class Values:
    """Strategies for the values of a service's shapes."""

    def __init__(self, service: str, *, output: bool) -> None:
        self.model = models.load(service)
        self.output = output

    def operations(self, without: tuple[str, ...] = ()) -> st.SearchStrategy[Operation]:
        found = [self.model.operation(name) for name in self.model.operations if name not in without]
        return st.sampled_from([operation for operation in found if operation is not None and self._fits(operation)])

    def _fits(self, operation: Operation) -> bool:
        if operation.deprecated:
            return False
        if self.output:
            return operation.event_output is None and not self._has_raw_payload(operation.output)
        return operation.streaming_input is None and operation.event_input is None

    def _has_raw_payload(self, use: Member | None) -> bool:
        """A body that is bytes or text: botocore reads it differently, tests of its own check it."""
        shape = None if use is None else self.model.shape(use)
        return shape is not None and shape.payload is not None and self._is_leaf(shape.members[shape.payload])

    def of(self, operation: Operation) -> st.SearchStrategy[dict[str, Any]]:
        use = operation.output if self.output else operation.input
        return st.just({}) if use is None else self.value(use, 0)

    def value(self, use: Member, depth: int) -> st.SearchStrategy[Any]:
        shape = self.model.shape(use)
        if shape.document or use.jsonvalue:
            return st.dictionaries(_TEXT, _JSON, min_size=1, max_size=2)
        outside = use.location in ("header", "headers", "uri", "querystring")
        match shape.type:
            case "structure":
                return self._structure(use, depth)
            case "list":
                least = 1 if outside else 0
                element = _TOKEN if outside and self.output else self.value(shape.member, depth + 1)
                return st.lists(element, min_size=least, max_size=2)
            case "map":
                key = _TOKEN.map(str.lower) if outside else self.value(shape.key, depth + 1)
                value = _TOKEN if use.location == "headers" else self.value(shape.value, depth + 1)
                return st.dictionaries(key, value, min_size=1 if outside else 0, max_size=2)
            case "string" | "character":
                if shape.enum:
                    return st.sampled_from(shape.enum)
                return _TOKEN if outside else _TEXT
            case "integer":
                return st.just(200) if use.location == "statusCode" else st.integers(-(2**31), 2**31 - 1)
            case "long":
                return st.integers(-(2**63), 2**63 - 1)
            case "float":
                return st.floats(width=16, allow_nan=False, allow_infinity=False)
            case "double":
                return st.integers(-(2**30), 2**30).map(lambda number: number / 1000)
            case "boolean":
                return st.booleans()
            case "timestamp":
                whole = outside or (use.timestamp_format or shape.timestamp_format) == "rfc822"
                return st.integers(0, 4 * 10**9).map(float) if whole else st.integers(0, 4 * 10**12).map(_millis)
            case _:
                return st.binary(max_size=8)

    def _structure(self, use: Member, depth: int) -> st.SearchStrategy[dict[str, Any]]:
        shape = self.model.shape(use)

        @st.composite
        def draw_structure(draw: st.DrawFn) -> dict[str, Any]:
            names = [name for name, member in shape.members.items() if depth < _DEEPEST or self._is_leaf(member)]
            # An empty body is no body.
            if self._has_raw_payload(use):
                names.remove(shape.payload)
            # botocore makes a date of S3's Expires, which the model says is a string.
            names = [name for name in names if (self.model.name, name) != ("s3", "Expires")]
            if shape.union:
                chosen = [draw(st.sampled_from(names or list(shape.members)))]
            else:
                needed = [name for name in names if shape.members[name].location in ("uri", "statusCode")]
                chosen = draw(st.lists(st.sampled_from(names), max_size=4, unique=True)) if names else []
                chosen = list(dict.fromkeys([*chosen, *needed]))
            return {name: draw(self.value(shape.members[name], depth + 1)) for name in chosen}

        return draw_structure()

    def _is_leaf(self, use: Member) -> bool:
        return self.model.shape(use).type not in ("structure", "list", "map")


def _millis(number: int) -> float:
    return number / 1000


def same(left: Any, right: Any) -> bool:
    """Equal, but for how a protocol writes numbers."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(one, other) for one, other in zip(left, right, strict=True))
    if isinstance(left, float) or isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-3)
    return type(left) is type(right) and left == right


async def events(*items: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    for item in items:
        yield item
