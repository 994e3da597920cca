"""Answers that the balancer gives itself: which status, which page.

Clients and dashboards tell a balancer's own errors from an application's by these: the status codes follow the public
documentation "Troubleshoot your Application Load Balancers" (502: the target refused, reset or spoke nonsense; 503:
nobody to send the request to; 504: the target did not answer in time), the server header and the page what such
balancers send.
"""

from __future__ import annotations

from typing import Any

from envoy.config.accesslog.v3.accesslog_pb2 import (
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ResponseFlagFilter,
    StatusCodeFilter,
)
from envoy.config.core.v3.base_pb2 import (
    DataSource,
    HeaderValue,
    HeaderValueOption,
    RuntimeUInt32,
)
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    LocalReplyConfig,
    ResponseMapper,
)
from google.protobuf.wrappers_pb2 import UInt32Value

SERVER = "awselb/2.0"

REASONS = {
    400: "Bad Request",
    408: "Request Time-out",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}

# Envoy's response flags → the status that clients see. The first that matches counts.
# UF connection failed, UC connection ended, UR reset by the target, UPE not HTTP; UH no healthy target, UO too many
# requests, NC cluster unknown; UT too slow; SI nothing moved for the idle timeout; DPE the client's mistake.
_STATUS_OF_FLAGS: tuple[tuple[tuple[str, ...], int | None, int], ...] = (
    # flags, only when Envoy itself would answer with, answer with
    (("UF", "UC", "UR", "UPE", "LR"), None, 502),
    (("UH", "UO", "NC"), None, 503),
    (("UT",), None, 504),
    (("SI",), 504, 504),
    (("SI",), 408, 408),
    (("DPE",), 400, 400),
)


def html(status: int) -> str:
    title = f"{status} {REASONS[status]}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )


def header(name: str, value: str) -> Any:
    """A header that replaces one of the same name."""
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def own_answers() -> Any:
    """How Envoy's own replies are reworded. Fixed responses and redirects carry no flag and stay as written."""
    return LocalReplyConfig(
        mappers=[_mapper(flags, only, status) for flags, only, status in _STATUS_OF_FLAGS],
    )


def _mapper(flags: tuple[str, ...], only: int | None, status: int) -> Any:
    by_flags = AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=flags))
    return ResponseMapper(
        filter=by_flags
        if only is None
        else AccessLogFilter(and_filter=AndFilter(filters=[by_flags, _answered_with(only)])),
        status_code=UInt32Value(value=status),
        body_format_override=SubstitutionFormatString(
            text_format_source=DataSource(inline_string=html(status)), content_type="text/html"
        ),
        headers_to_add=[header("server", SERVER)],
    )


def _answered_with(status: int) -> Any:
    return AccessLogFilter(
        status_code_filter=StatusCodeFilter(
            comparison=ComparisonFilter(
                op=ComparisonFilter.EQ,
                value=RuntimeUInt32(default_value=status, runtime_key=f"hatoba.own_answer.{status}"),
            )
        )
    )
