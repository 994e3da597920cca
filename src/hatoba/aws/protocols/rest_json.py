"""rest-json: resources by path, bodies in JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from hatoba.aws.models import Member, ServiceModel
from hatoba.aws.protocols.errors import declared_shape, error_members
from hatoba.aws.protocols.json_tree import JsonForm
from hatoba.aws.protocols.rest import RestProtocol, error_headers
from hatoba.aws.wire import WireResponse
from hatoba.core.errors import AwsError


class RestJsonProtocol(RestProtocol):
    name = "rest-json"
    content_type = "application/json"

    def __init__(self) -> None:
        super().__init__()
        self._forms: dict[str, JsonForm] = {}

    def read_body(self, model: ServiceModel, use: Member, body: bytes) -> Any:
        return self._form(model).read(use, body)

    def write_body(self, model: ServiceModel, use: Member, name: str, value: Any) -> bytes:
        return self._form(model).write(use, value)

    def render_error(
        self, model: ServiceModel, error: AwsError, request_id: str, *, query_mode: bool = False
    ) -> WireResponse:
        shape = declared_shape(model, error)
        headers = {
            "content-type": self.content_type,
            "x-amzn-requestid": request_id,
            "x-amzn-errortype": shape.name if shape else error.code,
        }
        in_headers = error_headers(shape, error)
        body = error_members(error, shape)
        return WireResponse(status=error.status, headers=headers | in_headers, body=msgspec.json.encode(body))

    def _form(self, model: ServiceModel) -> JsonForm:
        form = self._forms.get(model.name)
        if form is None:
            form = self._forms[model.name] = JsonForm(model)
        return form
