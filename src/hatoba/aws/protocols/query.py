"""The query protocols: a form in (`Action=...&Version=...`), XML out. Query proper, and EC2's dialect of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hatoba.aws.models import Operation, ServiceModel, Shape
from hatoba.aws.protocols import query_form
from hatoba.aws.protocols.base import Params, Plain
from hatoba.aws.protocols.errors import declared_shape
from hatoba.aws.protocols.query_form import FormReader
from hatoba.aws.protocols.xml_tree import XmlWriter, attribute, escape
from hatoba.aws.sigv4 import refusals
from hatoba.aws.sigv4.refusals import Words
from hatoba.aws.wire import WireRequest, WireResponse, form
from hatoba.core.errors import AwsError

_CONTENT = "text/xml;charset=UTF-8"


class QueryProtocol(Plain):
    name = "query"
    words: Words = refusals.QUERY

    def __init__(self) -> None:
        self._readers: dict[str, FormReader] = {}
        self._writers: dict[str, XmlWriter] = {}
        self._bodies: dict[Operation, Callable[[list[str], Any], None]] = {}

    def operation_name(self, model: ServiceModel, request: WireRequest) -> str | None:
        return next((value for name, value in fields(request) if name == "Action"), None) or None

    def parse(self, operation: Operation, request: WireRequest) -> Params:
        if operation.input is None:
            return {}
        reader = self._readers.get(operation.service)
        if reader is None:
            reader = self._readers[operation.service] = query_form.reader(operation.model, ec2=self.name == "ec2")
        return query_form.read(reader, operation.input, fields(request))

    def render(self, operation: Operation, result: Params, request_id: str) -> WireResponse:
        name = operation.name
        parts = [f'<{name}Response xmlns="{attribute(operation.model.xml_namespace or "")}">']
        if operation.output is not None:
            wrapper = operation.output.result_wrapper or f"{name}Result"
            parts.append(f"<{wrapper}>")
            self._members(operation)(parts, result)
            parts.append(f"</{wrapper}>")
        parts.append(
            f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata></{name}Response>"
        )
        return _answer(200, parts, request_id)

    def render_error(
        self, model: ServiceModel, error: AwsError, request_id: str, *, query_mode: bool = False
    ) -> WireResponse:
        shape = declared_shape(model, error)
        code = shape.code if shape is not None else error.code
        parts = [
            f'<ErrorResponse xmlns="{attribute(model.xml_namespace or "")}"><Error><Type>{error.fault}</Type>',
            f"<Code>{escape(code)}</Code><Message>{escape(error.message)}</Message>",
        ]
        self._error_members(model, shape, error, parts)
        parts.append(f"</Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>")
        return _answer(error.status, parts, request_id)

    def _members(self, operation: Operation) -> Callable[[list[str], Any], None]:
        write = self._bodies.get(operation)
        if write is None:
            assert operation.output is not None
            writer = self._writer(operation.model)
            write = self._bodies[operation] = writer.members(operation.model.shape(operation.output))
        return write

    def _error_members(self, model: ServiceModel, shape: Shape | None, error: AwsError, parts: list[str]) -> None:
        if shape is not None and error.members:
            members = {name: value for name, value in error.members.items() if name.lower() not in ("code", "message")}
            self._writer(model).members(shape)(parts, members)

    def _writer(self, model: ServiceModel) -> XmlWriter:
        writer = self._writers.get(model.name)
        if writer is None:
            writer = self._writers[model.name] = XmlWriter(model)
        return writer


class Ec2Protocol(QueryProtocol):
    name = "ec2"

    def render(self, operation: Operation, result: Params, request_id: str) -> WireResponse:
        name = operation.name
        parts = [
            f'<{name}Response xmlns="{attribute(operation.model.xml_namespace or "")}/">'
            f"<requestId>{escape(request_id)}</requestId>"
        ]
        if operation.output is None:
            parts.append("<return>true</return>")
        else:
            self._members(operation)(parts, result)
        parts.append(f"</{name}Response>")
        return _answer(200, parts, request_id)

    def render_error(
        self, model: ServiceModel, error: AwsError, request_id: str, *, query_mode: bool = False
    ) -> WireResponse:
        parts = [
            f"<Response><Errors><Error><Code>{escape(error.code)}</Code>",
            f"<Message>{escape(error.message)}</Message></Error></Errors>",
            f"<RequestID>{escape(request_id)}</RequestID></Response>",
        ]
        return _answer(error.status, parts, request_id)


def fields(request: WireRequest) -> list[tuple[str, str]]:
    """All parameters, of the query string and of the form."""
    try:
        body = request.whole_body().decode()
    except UnicodeDecodeError:
        raise AwsError("The request is not valid UTF-8.", code="MalformedQueryString", status=400) from None
    pairs = form(body)
    return pairs + form(request.query) if request.query else pairs


def _answer(status: int, parts: list[str], request_id: str) -> WireResponse:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{"".join(parts)}'.encode()
    return WireResponse(status=status, headers={"content-type": _CONTENT, "x-amzn-requestid": request_id}, body=body)
