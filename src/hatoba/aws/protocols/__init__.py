"""The wire formats, each behind the same seam: bytes to values (`parse`), values to bytes (`render`, `render_error`).

    base       the seam
    json       AWS JSON 1.0 and 1.1          cbor       Smithy RPC v2 CBOR
    query      query, and EC2's dialect      events     event streams
    rest_json  resources by path, in JSON    rest_xml   resources by path, in XML; `s3`: S3's own way of it

What they share: `tree` (values that are trees already), `json_tree`, `xml_tree`, `query_form`, `rest` (what travels in
the path, the query string and headers), `uris` (paths), `errors`.

`detect` tells which of a service's formats a request speaks: some services take several.
"""

from __future__ import annotations

from hatoba.aws.models import ServiceModel
from hatoba.aws.protocols.base import Params, WireProtocol, not_implemented, unknown_operation
from hatoba.aws.protocols.cbor import CborProtocol
from hatoba.aws.protocols.json import JsonProtocol
from hatoba.aws.protocols.query import Ec2Protocol, QueryProtocol
from hatoba.aws.protocols.rest_json import RestJsonProtocol
from hatoba.aws.protocols.rest_xml import RestXmlProtocol
from hatoba.aws.protocols.s3 import S3Protocol
from hatoba.aws.wire import WireRequest

__all__ = ["PROTOCOLS", "Params", "WireProtocol", "detect", "not_implemented", "unknown_operation"]

_all: tuple[WireProtocol, ...] = (
    JsonProtocol(),
    QueryProtocol(),
    Ec2Protocol(),
    RestJsonProtocol(),
    RestXmlProtocol(),
    CborProtocol(),
)
PROTOCOLS: dict[str, WireProtocol] = {protocol.name: protocol for protocol in _all}

# Services that speak a protocol in a way of their own.
_DIALECTS: dict[str, WireProtocol] = {"s3": S3Protocol()}


def detect(model: ServiceModel, request: WireRequest) -> WireProtocol:
    """The format of a request to a service: what its headers say if the service speaks it, else the service's own."""
    if (own := _DIALECTS.get(model.name)) is not None:
        return own
    said = _said(request)
    if said == "query" and "ec2" in model.protocols:
        said = "ec2"
    return PROTOCOLS[said if said in model.protocols else model.protocol]


def _said(request: WireRequest) -> str | None:
    headers = request.headers
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return "smithy-rpc-v2-cbor"
    if "x-amz-target" in headers:
        return "json"
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded") or "Action=" in request.query:
        return "query"
    return None
