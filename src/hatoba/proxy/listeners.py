"""A balancer's listener as Envoy sees it: the sockets and the HTTP machinery. Routes come by name, from `routes`.

A listener's message holds only what its id, port, addresses and the balancer's attributes say, so that nothing else
ever makes Envoy open its sockets again. Pure.
"""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3.address_pb2 import Address, CidrRange, SocketAddress
from envoy.config.core.v3.protocol_pb2 import Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import AdditionalAddress
from envoy.config.listener.v3.listener_pb2 import Listener as Message
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from hatoba.proxy import accesslog, connectionlog, mutual, names, rewrites, screening, tls, trace
from hatoba.proxy.base import Balancer, Listener, PathIs
from hatoba.proxy.clusters import duration, from_ads
from hatoba.proxy.conditions import noted_ends
from hatoba.proxy.headers import as_written
from hatoba.proxy.pages import SERVER, own_answers
from hatoba.proxy.resource import Resource, packed, remembered, resource
from hatoba.proxy.signin.envoy import sign_in_filters
from hatoba.proxy.sticky import cookie_filter, session_filter

_YES = BoolValue(value=True)
_BACKLOG = 4096
_HTTP1, _HTTP2 = ("http/1.1",), ("h2", "http/1.1")  # by ALPN
_BUFFER = 128 * 1024
_STREAMS = 128  # requests at a time on one HTTP/2 connection
_WINDOW = 256 * 1024


def unsupported(listener: Listener) -> str | None:
    """Why the listener cannot be carried out, in a sentence."""
    if listener.protocol not in ("HTTP", "HTTPS"):
        return f"Listeners for {listener.protocol} are not carried out yet."
    if listener.protocol == "HTTPS" and listener.tls is None:
        return "An HTTPS listener has no certificate."
    for rule in listener.rules:
        if sum(isinstance(condition, PathIs) for condition in rule.conditions) > 1:
            return f"Rule {rule.id} has more than one condition on the path."
    return None


@remembered
def listener(balancer: Balancer, listener: Listener, tracer: str) -> Resource:
    """`tracer`: the module that writes the trace header, "" where there is none."""
    name = names.listener(balancer.id, listener.id)
    first, *others = (_address(address, listener.port) for address in balancer.addresses)
    message = Message(
        name=name,
        stat_prefix=names.listening_stat(balancer.id),
        address=first,
        additional_addresses=[AdditionalAddress(address=other) for other in others],
        # The interface may come up after the listener.
        freebind=_YES,
        tcp_backlog_size=UInt32Value(value=_BACKLOG),
        per_connection_buffer_limit_bytes=UInt32Value(value=_BUFFER),
        access_log=connectionlog.loggers(balancer, listener),
        listener_filters=accesslog.name_finders(balancer, listener),
        filter_chains=[
            FilterChain(
                filters=[
                    noted_ends(),
                    Filter(name="http", typed_config=packed(_http(balancer, listener, name, tracer))),
                ],
                transport_socket=_secured(balancer, listener) if listener.tls is not None else None,
            )
        ],
    )
    return resource("listener", name, message, needs=(name,), secrets=_secrets(balancer, listener))


def _secured(balancer: Balancer, listener: Listener) -> Any:
    assert listener.tls is not None
    speaks = _HTTP2 if balancer.attributes.http2 else _HTTP1
    return tls.downstream(listener.tls, speaks=speaks, clients=names.clients(balancer.id, listener.id))


def _secrets(balancer: Balancer, listener: Listener) -> tuple[str, ...]:
    if listener.tls is None:
        return ()
    asked = (names.clients(balancer.id, listener.id),) if listener.tls.clients is not None else ()
    return (*(names.certificate(id_) for id_ in listener.tls.certificates), *asked)


def _address(address: str, port: int) -> Any:
    return Address(socket_address=SocketAddress(address=address, port_value=port))


def _http(balancer: Balancer, listener: Listener, name: str, tracer: str) -> Any:
    attributes = balancer.attributes
    return HttpConnectionManager(
        stat_prefix=names.stat(balancer.id),
        codec_type=HttpConnectionManager.AUTO if attributes.http2 else HttpConnectionManager.HTTP1,
        rds=Rds(config_source=from_ads(), route_config_name=name),
        http_filters=[
            *trace.filters(tracer),
            *screening.filters(balancer, listener),
            *mutual.filters(listener),
            *sign_in_filters(listener),
            *rewrites.filters(listener),
            cookie_filter(),
            session_filter(),
            HttpFilter(name="router", typed_config=packed(Router(suppress_envoy_headers=True))),
        ],
        early_header_mutation_extensions=trace.mutations(tracer),
        access_log=accesslog.loggers(balancer, listener),
        local_reply_config=own_answers(listener),
        server_name=SERVER,
        server_header_transformation=HttpConnectionManager.PASS_THROUGH,
        common_http_protocol_options=_limits(balancer),
        # Rules may ask for methods that no standard knows, and what no rule asks for is a target's to answer.
        http_protocol_options=Http1ProtocolOptions(
            accept_http_10=True,
            default_host_for_http_10=balancer.name,
            allow_custom_methods=True,
            header_key_format=as_written(),
        ),
        http2_protocol_options=Http2ProtocolOptions(
            max_concurrent_streams=UInt32Value(value=_STREAMS),
            initial_stream_window_size=UInt32Value(value=_WINDOW),
            initial_connection_window_size=UInt32Value(value=4 * _WINDOW),
        ),
        max_request_headers_kb=UInt32Value(value=64),
        stream_idle_timeout=duration(attributes.idle_timeout),
        use_remote_address=_YES,
        skip_xff_append=attributes.forwarded_for != "append" or attributes.forwarded_for_port,
        # Nobody is trusted for having a private address: Envoy's own control headers from clients are dropped.
        internal_address_config=HttpConnectionManager.InternalAddressConfig(
            cidr_ranges=[CidrRange(address_prefix="255.255.255.255", prefix_len=UInt32Value(value=32))]
        ),
        generate_request_id=BoolValue(value=False),
        preserve_external_request_id=True,
        strip_any_host_port=screening.strips_port(balancer, listener) or None,
        upgrade_configs=[HttpConnectionManager.UpgradeConfig(upgrade_type="websocket")],
    )


def _limits(balancer: Balancer) -> Any:
    attributes = balancer.attributes
    return HttpProtocolOptions(
        idle_timeout=duration(attributes.idle_timeout),
        max_connection_duration=duration(attributes.client_keep_alive),
        max_headers_count=UInt32Value(value=1000),
        headers_with_underscores_action=HttpProtocolOptions.DROP_HEADER
        if attributes.drop_invalid_headers
        else HttpProtocolOptions.ALLOW,
    )
