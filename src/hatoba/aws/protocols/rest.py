"""What rest-json and rest-xml share: members that travel in the path, the query string, headers and the status.

The remaining members, or the one that is called the payload, are the body, which a subclass reads and writes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from hatoba.aws.models import Member, Operation, ServiceModel, Shape
from hatoba.aws.protocols import events, values
from hatoba.aws.protocols.base import Params, Plain
from hatoba.aws.protocols.json_tree import loads
from hatoba.aws.protocols.uris import Router, Template, template
from hatoba.aws.wire import Body, WireRequest, WireResponse, form, malformed
from hatoba.core.errors import AwsError

_LIST_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|$)')


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """Where the members of an operation's input or output travel."""

    use: Member
    shape: Shape
    placed: tuple[tuple[str, Member, str], ...]  # name, member, wire name; all that are not in the body
    payload: str | None
    has_body: bool


def bind(model: ServiceModel, use: Member) -> Binding:
    shape = model.shape(use)
    placed = tuple(
        (name, member, member.location_name or name) for name, member in shape.members.items() if member.location
    )
    return Binding(
        use=use,
        shape=shape,
        placed=placed,
        payload=shape.payload,
        has_body=shape.payload is not None or len(placed) < len(shape.members),
    )


class RestProtocol(Plain):
    """Subclasses say how a body is read and written."""

    name = ""
    content_type = ""

    def __init__(self) -> None:
        self._routers: dict[str, Router] = {}
        self._templates: dict[Operation, Template] = {}
        self._bindings: dict[tuple[str, Member], Binding] = {}

    def read_body(self, model: ServiceModel, use: Member, body: bytes) -> Any:
        raise NotImplementedError

    def write_body(self, model: ServiceModel, use: Member, name: str, value: Any) -> bytes:
        raise NotImplementedError

    def root(self, operation: Operation, name: str) -> str:
        """What an answer's outermost element is called; `name`: by its shape."""
        return name

    def write_result(self, operation: Operation, name: str, result: Params) -> bytes:
        """An answer whose members are its body."""
        assert operation.output is not None
        return self.write_body(operation.model, operation.output, name, result)

    def operation_name(self, model: ServiceModel, request: WireRequest) -> str | None:
        router = self._routers.get(model.name)
        if router is None:
            router = self._routers[model.name] = Router(model)
        operation = router.find(request)
        return operation.name if operation else None

    def parse(self, operation: Operation, request: WireRequest) -> Params:
        if operation.input is None:
            return {}
        binding = self._bind(operation.model, operation.input)
        params = self._parse_body(operation, binding, request) if binding.has_body else {}
        labels = self._template(operation).values(request.path) or {}
        query: dict[str, list[str]] = {}
        for key, text in form(request.query):
            query.setdefault(key, []).append(text)
        for name, member, wire in binding.placed:
            value = _place(operation.model, member, wire, labels, query, request)
            if value is not None:
                params[name] = value
        return params

    def _parse_body(self, operation: Operation, binding: Binding, request: WireRequest) -> Params:
        if binding.payload is None:
            body = request.whole_body()
            value: Params = self.read_body(operation.model, binding.use, body) if body else {}
            return value
        member = binding.shape.members[binding.payload]
        shape = operation.model.shape(member)
        if binding.payload == operation.streaming_input or shape.eventstream:
            return {binding.payload: request.body}
        body = request.whole_body()
        if not body:
            return {}
        if shape.type == "blob":
            return {binding.payload: body}
        if shape.type == "string":
            return {binding.payload: _text(body)}
        return {binding.payload: self.read_body(operation.model, member, body)}

    def render(self, operation: Operation, result: Params, request_id: str) -> WireResponse:
        headers = {"x-amzn-requestid": request_id}
        if operation.output is None:
            return WireResponse(status=operation.status, headers=headers)
        model = operation.model
        binding = self._bind(model, operation.output)
        status = operation.status
        for name, member, wire in binding.placed:
            if (value := result.get(name)) is None:
                continue
            if member.location == "statusCode":
                status = value
            elif member.location == "headers":
                headers |= {_one_line(f"{wire}{key}".lower()): _one_line(text) for key, text in value.items()}
            else:
                headers[wire.lower()] = header_text(model, member, value)
        if operation.event_output is not None:
            answer = events.response(operation, result, request_id, self._event_body(model), initial=False)
            return WireResponse(status=status, headers=headers | answer.headers, body=answer.body)
        body, content_type = self._render_body(operation, binding, result)
        if status in (204, 304):
            return WireResponse(status=status, headers=headers)
        if content_type:
            headers.setdefault("content-type", content_type)
        return WireResponse(status=status, headers=headers, body=body)

    def _render_body(self, operation: Operation, binding: Binding, result: Params) -> tuple[Body, str]:
        model = operation.model
        if binding.payload is None:
            if not binding.has_body:
                return b"", ""
            name = binding.use.location_name or binding.shape.location_name or binding.shape.name
            return self.write_result(operation, self.root(operation, name), result), self.content_type
        value = result.get(binding.payload)
        if value is None:
            return b"", ""
        if isinstance(value, (bytes, AsyncIterator)):
            return value, "application/octet-stream"
        if isinstance(value, str):
            return value.encode(), "text/plain"
        member = binding.shape.members[binding.payload]
        name = member.location_name or model.shape(member).location_name or member.shape
        return self.write_body(model, member, name, value), self.content_type

    def _event_body(self, model: ServiceModel) -> Callable[[Member, Any], bytes]:
        return lambda use, value: self.write_body(model, use, use.shape, value)

    def _bind(self, model: ServiceModel, use: Member) -> Binding:
        found = self._bindings.get((model.name, use))
        if found is None:
            found = self._bindings[(model.name, use)] = bind(model, use)
        return found

    def _template(self, operation: Operation) -> Template:
        found = self._templates.get(operation)
        if found is None:
            found = self._templates[operation] = template(operation)
        return found


def _place(
    model: ServiceModel,
    member: Member,
    wire: str,
    labels: dict[str, str],
    query: dict[str, list[str]],
    request: WireRequest,
) -> Any:
    """The value of a member outside of the body, or None when it is not there."""
    shape = model.shape(member)
    match member.location:
        case "uri":
            text = labels.get(wire)
            return None if text is None else scalar(member, shape, text)
        case "querystring" if shape.type == "map":
            assert shape.value is not None
            if model.shape(shape.value).type == "list":
                return query or None
            return {name: texts[-1] for name, texts in query.items()} or None
        case "querystring":
            texts = query.get(wire)
            if texts is None:
                return None
            if shape.type == "list" and shape.member is not None:
                return [scalar(shape.member, model.shape(shape.member), text) for text in texts]
            return scalar(member, shape, texts[-1])
        case "headers":
            prefix = wire.lower()
            found = {
                name[len(prefix) :]: text
                for name, text in request.headers.items()
                if name.startswith(prefix) and name != prefix
            }
            return found or None
        case _:
            text = request.headers.get(wire.lower())
            if text is None:
                return None
            if shape.type == "list" and shape.member is not None:
                element, of_element = shape.member, model.shape(shape.member)
                return [scalar(element, of_element, item) for item in header_list(text)]
            return scalar(member, shape, text)


def scalar(use: Member, shape: Shape, text: str) -> Any:
    """A value out of a path, a query string or a header."""
    if use.jsonvalue:
        return loads(values.read_blob(text))
    match shape.type:
        case "integer" | "long":
            return values.read_integer(text, shape.type)
        case "float" | "double":
            return values.read_float(text)
        case "boolean":
            return values.read_boolean(text)
        case "timestamp":
            return values.read_timestamp(text)
        case "blob":
            return values.read_blob(text)
        case "string" | "character":
            return text
        case kind:
            raise malformed(f"A {kind} was found where a text was expected.")


def header_list(text: str) -> list[str]:
    """The items of a list in a header, some of them quoted."""
    items, position = [], 0
    while position < len(text):
        found = _LIST_ITEM.match(text, position)
        assert found is not None  # whatever is not well quoted is taken as it is
        items.append(re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2].strip())
        position = found.end()
    return items


def header_text(model: ServiceModel, use: Member, value: Any) -> str:
    shape = model.shape(use)
    if use.jsonvalue:
        return base64.b64encode(msgspec.json.encode(value)).decode()
    if shape.type == "list" and shape.member is not None:
        return ",".join(_quoted(header_text(model, shape.member, item)) for item in value)
    match shape.type:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return str(values.write_timestamp(value, values.timestamp_format(use, shape, "rfc822")))
        case "float" | "double":
            return values.write_float(float(value))
        case "blob":
            return values.write_blob(value)
        case _:
            return _one_line(str(value))


def _one_line(text: str) -> str:
    """A header cannot hold a line's end; what is stored must not be able to add a header."""
    return text if text.isprintable() else re.sub(r"[\r\n\0]+", " ", text)


def _quoted(text: str) -> str:
    if '"' in text or "," in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise malformed("The request body is not valid UTF-8.") from None


def error_headers(shape: Shape | None, error: AwsError) -> dict[str, str]:
    """Members of an error that travel in headers (Retry-After and its like)."""
    if shape is None:
        return {}
    placed = {name: member for name, member in shape.members.items() if member.location == "header"}
    return {
        (member.location_name or name).lower(): _one_line(str(error.members[name]))
        for name, member in placed.items()
        if error.members.get(name) is not None
    }
