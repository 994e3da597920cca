"""Answers that the balancer gives itself: which status, which page.

Clients and dashboards tell a balancer's own errors from an application's by these: the status codes follow the public
documentation "Troubleshoot your Application Load Balancers" (502: the target refused, reset or spoke nonsense; 503:
nobody to send the request to; 504: the target did not answer in time), the server header and the page what such
balancers send.
"""

from __future__ import annotations

from typing import Any

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLogFilter, ExtensionFilter
from envoy.config.core.v3.base_pb2 import (
    DataSource,
    HeaderValue,
    HeaderValueOption,
)
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    LocalReplyConfig,
    ResponseMapper,
)
from google.protobuf.wrappers_pb2 import UInt32Value

from hatoba.proxy.base import Listener
from hatoba.proxy.resource import packed

SERVER = "awselb/2.0"

REASONS = {
    400: "Bad Request",
    401: "Authorization Required",
    405: "Not Allowed",
    408: "Request Time-out",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
    561: "Authentication Failed",
}

# Why Envoy answers by itself (an expression over its response flags and details) → the status that clients see.
# The first that holds counts. Fixed responses and redirects are Envoy's own answers too, and stay as they are written.
_OWN = 'response.code_details != "direct_response"'

_STATUSES: tuple[tuple[str, int], ...] = (
    # No connection in time; the target, or the way to it, swallows packets.
    ('response.code_details.contains("connection_timeout")', 504),
    # The target refused, reset, ended early (UF, UC, UR, LR), or did not speak HTTP.
    (f'response.code_details.startsWith("upstream_reset") || response.code == 502 && {_OWN}', 502),
    # No healthy target, too many requests, a cluster that is not known.
    (f"response.code == 503 && {_OWN}", 503),
    # Nothing moved for the idle timeout: the target is silent (504), or the client has not finished its request (408).
    (f"response.code == 504 && {_OWN}", 504),
    (f"response.code == 408 && {_OWN}", 408),
    # It asks for a tunnel, for what is no path (`*`), or for another protocol than the load balancer speaks.
    (f'response.code_details == "upgrade_failed" || response.code == 404 && {_OWN}', 400),
    # A body in an encoding that nobody knows.
    (f"response.code == 501 && {_OWN}", 501),
    # The client's mistake; headers that are too large are one.
    (f"(response.code == 400 || response.code == 431) && {_OWN}", 400),
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


def signature(listener: Listener) -> list[Any]:
    """Who gives an answer that no target gave."""
    return [header("server", SERVER)] if listener.headers.server else []


def own_answers(listener: Listener) -> Any:
    """How Envoy's own replies are reworded."""
    return LocalReplyConfig(mappers=[_mapper(when, status, listener) for when, status in _STATUSES])


def _mapper(when: str, status: int, listener: Listener) -> Any:
    return ResponseMapper(
        filter=AccessLogFilter(
            extension_filter=ExtensionFilter(
                name="envoy.access_loggers.extension_filters.cel",
                typed_config=packed(ExpressionFilter(expression=when)),
            )
        ),
        status_code=UInt32Value(value=status),
        body_format_override=SubstitutionFormatString(
            text_format_source=DataSource(inline_string=html(status)), content_type="text/html"
        ),
        headers_to_add=signature(listener),
    )
