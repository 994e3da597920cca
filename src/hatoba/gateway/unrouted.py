"""Errors of requests whose service is not known, in a form that most clients can read: XML for forms, JSON else."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import msgspec

from hatoba.aws.wire import WireResponse
from hatoba.core.errors import AwsError
from hatoba.gateway.bodies import FORM


def render_unrouted(error: AwsError, headers: Mapping[str, str], request_id: str) -> WireResponse:
    if headers.get("content-type", "").startswith(FORM):
        xml = (
            f"<ErrorResponse><Error><Type>{error.fault}</Type><Code>{escape(error.code)}</Code>"
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return WireResponse(status=error.status, headers={"content-type": "text/xml"}, body=xml.encode())
    body = msgspec.json.encode({"__type": error.code, "message": error.message})
    told = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": error.code}
    return WireResponse(status=error.status, headers=told, body=body)
