"""rest-xml: resources by path, bodies in XML. S3's is one of its own (`s3`)."""

from __future__ import annotations

from typing import Any

from hatoba.aws.models import Member, ServiceModel
from hatoba.aws.protocols import xml_tree
from hatoba.aws.protocols.errors import declared_shape
from hatoba.aws.protocols.rest import RestProtocol
from hatoba.aws.protocols.xml_tree import XmlForm, attribute, escape
from hatoba.aws.sigv4 import refusals
from hatoba.aws.sigv4.refusals import Words
from hatoba.aws.wire import WireResponse
from hatoba.core.errors import AwsError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class RestXmlProtocol(RestProtocol):
    name = "rest-xml"
    words: Words = refusals.QUERY
    content_type = "application/xml"

    def __init__(self) -> None:
        super().__init__()
        self._forms: dict[str, XmlForm] = {}

    def read_body(self, model: ServiceModel, use: Member, body: bytes) -> Any:
        return self._form(model).reader.of(use)([xml_tree.parse(body)])

    def write_body(self, model: ServiceModel, use: Member, name: str, value: Any) -> bytes:
        parts: list[str] = [HEAD]
        start = len(parts)
        self._form(model).writer.of(use)(parts, value, name)
        declared = xml_tree.namespace(use, model.shape(use))
        space = "" if declared else self.namespace(model)
        if space:
            parts[start] = parts[start].replace(f"<{name}", f'<{name} xmlns="{attribute(space)}"', 1)
        return "".join(parts).encode()

    def namespace(self, model: ServiceModel) -> str:
        """Of a document's root element."""
        return model.xml_namespace or ""

    def render_error(
        self, model: ServiceModel, error: AwsError, request_id: str, *, query_mode: bool = False
    ) -> WireResponse:
        shape = declared_shape(model, error)
        code = escape(shape.code if shape is not None else error.code)
        inner = [f"<Code>{code}</Code><Message>{escape(error.message)}</Message>"]
        if error.members and shape is not None:
            self._form(model).writer.members(shape)(inner, error.members)
        elif error.members:
            inner += [f"<{name}>{escape(str(value))}</{name}>" for name, value in error.members.items()]
        id_ = f"<RequestId>{escape(request_id)}</RequestId>"
        space = f' xmlns="{attribute(model.xml_namespace)}"' if model.xml_namespace else ""
        fault = f"<Type>{error.fault}</Type>"
        text = f"<ErrorResponse{space}><Error>{fault}{''.join(inner)}</Error>{id_}</ErrorResponse>"
        headers = {"content-type": self.content_type, "x-amzn-requestid": request_id}
        return WireResponse(status=error.status, headers=headers, body=(HEAD + text).encode())

    def _form(self, model: ServiceModel) -> XmlForm:
        form = self._forms.get(model.name)
        if form is None:
            form = self._forms[model.name] = XmlForm(model)
        return form
