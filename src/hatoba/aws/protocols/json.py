"""AWS JSON 1.0 and 1.1: the operation in `X-Amz-Target`, everything else in the body."""

from __future__ import annotations

from typing import Any

import msgspec

from hatoba.aws.models import Operation, ServiceModel
from hatoba.aws.protocols import events
from hatoba.aws.protocols.base import Params, Plain
from hatoba.aws.protocols.errors import declared_shape, error_members, query_error
from hatoba.aws.protocols.json_tree import JsonForm
from hatoba.aws.wire import WireRequest, WireResponse
from hatoba.core.errors import AwsError


class JsonProtocol(Plain):
    name = "json"

    def __init__(self) -> None:
        self._forms: dict[str, JsonForm] = {}

    def operation_name(self, model: ServiceModel, request: WireRequest) -> str | None:
        return request.headers.get("x-amz-target", "").rpartition(".")[2] or None

    def parse(self, operation: Operation, request: WireRequest) -> Params:
        if operation.input is None:
            return {}
        params: Params = self._form(operation.model).read(operation.input, request.whole_body())
        return params

    def render(self, operation: Operation, result: Params, request_id: str) -> WireResponse:
        form = self._form(operation.model)
        if operation.event_output is not None:
            return events.response(operation, result, request_id, form.write)
        body = b"{}" if operation.output is None else form.write(operation.output, result)
        return WireResponse(status=200, headers=_headers(operation.model, request_id), body=body)

    def render_error(
        self, model: ServiceModel, error: AwsError, request_id: str, *, query_mode: bool = False
    ) -> WireResponse:
        shape = declared_shape(model, error)
        headers = _headers(model, request_id)
        if query_mode and model.query_compatible:
            headers["x-amzn-query-error"] = query_error(error, shape)
        body: dict[str, Any] = {"__type": shape.name if shape else error.code} | error_members(error, shape)
        return WireResponse(status=error.status, headers=headers, body=msgspec.json.encode(body))

    def _form(self, model: ServiceModel) -> JsonForm:
        form = self._forms.get(model.name)
        if form is None:
            form = self._forms[model.name] = JsonForm(model)
        return form


def _headers(model: ServiceModel, request_id: str) -> dict[str, str]:
    return {"content-type": f"application/x-amz-json-{model.json_version}", "x-amzn-requestid": request_id}
