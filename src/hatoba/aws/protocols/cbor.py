"""Smithy RPC v2 CBOR: the service and operation in the path, the body a CBOR map; timestamps carry tag 1."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import cbor2

from hatoba.aws.models import Member, Operation, ServiceModel, Shape
from hatoba.aws.protocols import events, values
from hatoba.aws.protocols.base import Params, Plain
from hatoba.aws.protocols.errors import declared_shape, error_members, query_error
from hatoba.aws.protocols.tree import Convert, TreeReader, TreeWriter
from hatoba.aws.wire import WireRequest, WireResponse, malformed
from hatoba.core.errors import AwsError


class CborForm:
    """How one service's shapes are read from and written as CBOR. Names are the model's own."""

    def __init__(self, model: ServiceModel) -> None:
        self.reader = TreeReader(model, _read_scalar, renames=False)
        self.writer = TreeWriter(model, _write_scalar, renames=False)

    def read(self, use: Member, body: bytes) -> Any:
        if not body:
            return {}
        try:
            return self.reader.of(use)(cbor2.loads(body))
        except (cbor2.CBORError, ValueError, TypeError, OverflowError, ArithmeticError, RecursionError, MemoryError):
            raise malformed("The request body is not valid CBOR.") from None

    def write(self, use: Member, value: Any) -> bytes:
        encoded: bytes = cbor2.dumps(self.writer.of(use)(value))
        return encoded


class CborProtocol(Plain):
    name = "smithy-rpc-v2-cbor"

    def __init__(self) -> None:
        self._forms: dict[str, CborForm] = {}

    def operation_name(self, model: ServiceModel, request: WireRequest) -> str | None:
        """From `/service/<service>/operation/<operation>`, which may stand behind a prefix."""
        parts = request.path.rsplit("/", 4)
        return parts[4] or None if len(parts) == 5 and parts[1] == "service" and parts[3] == "operation" else None

    def parse(self, operation: Operation, request: WireRequest) -> Params:
        if operation.input is None:
            return {}
        params: Params = self._form(operation.model).read(operation.input, request.whole_body())
        return params

    def render(self, operation: Operation, result: Params, request_id: str) -> WireResponse:
        headers = _headers(request_id)
        form = self._form(operation.model)
        if operation.event_output is not None:
            answer = events.response(operation, result, request_id, form.write, content_type="application/cbor")
            return WireResponse(status=200, headers=headers | answer.headers, body=answer.body)
        if operation.output is None:
            del headers["content-type"]
            return WireResponse(status=200, headers=headers)
        return WireResponse(status=200, headers=headers, body=form.write(operation.output, result))

    def render_error(
        self, model: ServiceModel, error: AwsError, request_id: str, *, query_mode: bool = False
    ) -> WireResponse:
        shape = declared_shape(model, error)
        headers = _headers(request_id)
        if query_mode and model.query_compatible:
            headers["x-amzn-query-error"] = query_error(error, shape)
        members = error_members(error, shape)
        if shape is not None:
            members = self._form(model).writer.of(Member(shape=shape.name))(members) | {"message": error.message}
        body = {"__type": shape.name if shape else error.code} | members
        return WireResponse(status=error.status, headers=headers, body=cbor2.dumps(body))

    def _form(self, model: ServiceModel) -> CborForm:
        form = self._forms.get(model.name)
        if form is None:
            form = self._forms[model.name] = CborForm(model)
        return form


def _headers(request_id: str) -> dict[str, str]:
    return {
        "content-type": "application/cbor",
        "smithy-protocol": "rpc-v2-cbor",
        "x-amzn-requestid": request_id,
    }


def _read_scalar(use: Member, shape: Shape) -> Convert:
    match shape.type:
        case "string" | "character":
            return lambda value: _exactly(value, str)
        case "boolean":
            return lambda value: _exactly(value, bool)
        case "integer" | "long":
            return lambda value: values.check_range(_exactly(value, int), shape.type)
        case "float" | "double":
            return _number
        case "timestamp":
            return _timestamp
        case _:
            return lambda value: _exactly(value, bytes)


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise malformed(f"A {type(value).__name__} was found where a {kind.__name__} was expected.")
    return value


def _number(value: Any) -> float:
    return float(value if type(value) is int else _exactly(value, float))


def _timestamp(value: Any) -> float:
    if type(value) is datetime:
        return values.check_timestamp(value.timestamp())
    return values.check_timestamp(_number(value))


def _write_scalar(use: Member, shape: Shape) -> Convert:
    match shape.type:
        case "timestamp":
            return lambda value: cbor2.CBORTag(1, value)
        case "float" | "double":
            return float
        case _:
            return lambda value: value
