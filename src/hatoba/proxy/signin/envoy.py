"""What Envoy must know: whom it asks, about which requests, and how the answer is put. Pure.

The filter is on every HTTPS listener, and asleep but on the routes that wake it, so that a rule which wants its users
to sign in never opens a socket again. Where nobody answers, nobody gets in: 500.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address, Pipe
from envoy.config.core.v3.backoff_pb2 import BackoffStrategy
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption, RetryPolicy
from envoy.config.core.v3.config_source_pb2 import ApiVersion
from envoy.config.core.v3.grpc_service_pb2 import GrpcService
from envoy.config.core.v3.protocol_pb2 import Http2ProtocolOptions
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.filters.http.ext_authz.v3.ext_authz_pb2 import CheckSettings, ExtAuthz, ExtAuthzPerRoute
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions as UpstreamOptions
from envoy.service.auth.v3.external_auth_pb2 import CheckResponse, DeniedHttpResponse, OkHttpResponse
from envoy.type.matcher.v3.string_pb2 import ListStringMatcher, StringMatcher
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import UInt32Value
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # it brings no stubs

from hatoba.proxy.base import Listener
from hatoba.proxy.clusters import duration, no_limits
from hatoba.proxy.pages import html
from hatoba.proxy.resource import Resource, packed, resource
from hatoba.proxy.signin import tokens
from hatoba.proxy.signin.flow import Answered, Asked, Passed
from hatoba.proxy.signin.words import Rule

SERVICE = "envoy.service.auth.v3.Authorization"
CLUSTER = FILTER = "signin"
_PATIENCE = 15.0  # seconds: the provider is asked twice
_CONNECT = 1.0
_TRIES = 10  # for a service that was killed, and is there again in a moment
_PERMISSION_DENIED = 7


def cluster(socket: str) -> Resource:
    """The service, at its socket."""
    place = Endpoint(address=Address(pipe=Pipe(path=socket)))
    options = UpstreamOptions(
        explicit_http_config=UpstreamOptions.ExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    )
    message = Cluster(
        name=CLUSTER,
        type=Cluster.STATIC,
        connect_timeout=duration(_CONNECT),
        circuit_breakers=no_limits(),
        load_assignment=ClusterLoadAssignment(
            cluster_name=CLUSTER, endpoints=[LocalityLbEndpoints(lb_endpoints=[LbEndpoint(endpoint=place)])]
        ),
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(options),
        },
    )
    return resource("cluster", CLUSTER, message)


def sign_in_filters(listener: Listener) -> list[Any]:
    """One on each listener where users could sign in."""
    if listener.tls is None:
        return []
    again = RetryPolicy(
        retry_on="connect-failure,refused-stream,reset",
        num_retries=UInt32Value(value=_TRIES),
        # Envoy takes the longest pause for the patience of each try, too.
        retry_back_off=BackoffStrategy(base_interval=duration(0.05), max_interval=duration(_PATIENCE)),
    )
    asked = GrpcService(
        envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=CLUSTER), timeout=duration(_PATIENCE), retry_policy=again
    )
    config = ExtAuthz(
        grpc_service=asked,
        transport_api_version=ApiVersion.V3,
        status_on_error=HttpStatus(code=500),
        allowed_headers=ListStringMatcher(patterns=[StringMatcher(exact="cookie")]),
        stat_prefix=FILTER,
    )
    return [HttpFilter(name=FILTER, typed_config=packed(config), disabled=True)]


def wakes(balancer: str, listener: str, rule: str) -> Mapping[str, Any]:
    """Settings for a route: `rule` is the id of what it wants, "" for what comes back from a provider."""
    known = {"balancer": balancer, "listener": listener, "rule": rule}
    settings = ExtAuthzPerRoute(check_settings=CheckSettings(context_extensions=known))
    return {FILTER: packed(settings)}


# --- the service's side ---------------------------------------------------------------------------------------------


def asked(request: Any) -> tuple[str, Asked]:
    """The balancer's id, and what is asked."""
    attributes = request.attributes
    known, http = attributes.context_extensions, attributes.request.http
    return known["balancer"], Asked(
        listener=known["listener"],
        rule=known["rule"],
        host=http.host,
        path=http.path or "/",
        cookies=http.headers.get("cookie", ""),
    )


def verdict(found: Passed | Answered, of: Rule | None) -> Any:
    """`of`: a rule whose listener says what its answers look like."""
    if isinstance(found, Passed):
        return _passing(found)
    headers = [_header("content-type", "text/html")] if found.status != 302 else []
    if found.location:
        headers.append(_header("location", found.location))
    headers += [_header("set-cookie", cookie, more=True) for cookie in found.cookies]
    if of is not None:
        headers += [_header(name, value) for name, value in of.answers]
        headers += [_header("server", of.server)] if of.server else []
    headers.append(_header("cache-control", "no-store"))
    denied = DeniedHttpResponse(
        status=HttpStatus(code=found.status),  # 561 is nobody's but ELB's
        headers=headers,
        body="" if found.status == 302 else html(found.status),
    )
    return CheckResponse(
        status=Status(code=_PERMISSION_DENIED), denied_response=denied, dynamic_metadata=_noted(found.reason)
    )


def _passing(found: Passed) -> Any:
    told = {name for name, _ in found.headers}
    ok = OkHttpResponse(
        headers=[_header(name, value) for name, value in found.headers],
        headers_to_remove=[name for name in tokens.HEADERS if name not in told],
        response_headers_to_add=[_header("set-cookie", cookie, more=True) for cookie in found.cookies],
    )
    return CheckResponse(status=Status(code=0), ok_response=ok)


def _noted(reason: str) -> Any:
    """For access logs."""
    noted = Struct()
    if reason:
        noted.update({"reason": reason})
    return noted


def _header(name: str, value: str, *, more: bool = False) -> Any:
    option = HeaderValueOption(header=HeaderValue(key=name, value=value))
    option.append_action = (
        HeaderValueOption.APPEND_IF_EXISTS_OR_ADD if more else HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    )
    return option
