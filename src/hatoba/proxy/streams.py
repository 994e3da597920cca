"""A network balancer's listeners as Envoy sees them: TCP, TLS and UDP sockets that hand flows on, unread.

A listener has a socket of its own at each of the balancer's addresses (TCP_UDP: two), since each address stands for a
zone and has a cluster of its own (`flows`). What is forwarded where is no part of these messages, so that changing it
does not touch the sockets. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from envoy.config.core.v3.address_pb2 import Address, SocketAddress
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, ListenerFilter
from envoy.config.listener.v3.listener_pb2 import Listener as Message
from envoy.config.listener.v3.udp_listener_config_pb2 import UdpListenerConfig
from envoy.extensions.filters.listener.original_src.v3.original_src_pb2 import OriginalSrc
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from envoy.extensions.filters.udp.udp_proxy.v3.route_pb2 import Route
from envoy.extensions.filters.udp.udp_proxy.v3.udp_proxy_pb2 import UdpProxyConfig
from envoy.type.v3.hash_policy_pb2 import HashPolicy
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value
from xds.core.v3.extension_pb2 import TypedExtensionConfig
from xds.type.matcher.v3.matcher_pb2 import Matcher

from hatoba.proxy import flowlog, flows, forwarding, names, preserving, tls
from hatoba.proxy.base import Balancer, Forward, Listener, TargetGroup
from hatoba.proxy.clusters import BUFFER, duration
from hatoba.proxy.resource import Resource, packed, remembered, resource

_YES = BoolValue(value=True)
_BACKLOG = 4096
_UDP_IDLE = 120.0  # seconds: a UDP flow's, which nothing changes
_ATTEMPTS = 3  # targets that are asked for a connection, one after the other


def unsupported(listener: Listener) -> str | None:
    """Why the listener cannot be carried out, in a sentence."""
    if listener.protocol not in ("TCP", "TLS", "UDP", "TCP_UDP"):
        return f"Network load balancers have no listeners for {listener.protocol}."
    if listener.protocol == "TLS" and listener.tls is None:
        return "A TLS listener has no certificate."
    if not isinstance(listener.default, Forward) or not all(map(forwarding.can, listener.rules)):
        return "Listeners of network load balancers forward, by the family of the client's address at most."
    return None


def listeners(balancer: Balancer, listener: Listener, groups: Mapping[str, TargetGroup]) -> Iterator[Resource]:
    for address, _ in flows.sockets(balancer):
        name, six = names.flows(balancer.id, listener.id, address), ":" in address
        forwarded = forwarding.shares(listener, groups, six)
        alike, preserved = forwarding.alike(six, forwarded), preserving.by_connections(forwarded)
        # Datagrams of IPv6 would have no address towards targets of IPv4; those of IPv4 have one of a prefix.
        if listener.protocol in ("UDP", "TCP_UDP") and (alike or not six):
            yield _udp(balancer.id, name, address, listener.port, alike)
        if listener.protocol != "UDP":
            yield _tcp(balancer.id, name, address, _plain(listener), preserved and alike, balancer.access_log)


def _plain(listener: Listener) -> Listener:
    """What its sockets depend on: not where it forwards."""
    return Listener(
        id=listener.id,
        port=listener.port,
        protocol="TLS" if listener.protocol == "TLS" else "TCP",
        default=Forward(shares=()),
        tls=listener.tls,
        idle_timeout=listener.idle_timeout,
    )


@remembered
def _tcp(balancer: str, cluster: str, address: str, listener: Listener, preserved: bool, file: str) -> Resource:
    """`file`: for the access log."""
    stat = names.flow_stat(balancer, listener.protocol)
    proxy = TcpProxy(
        stat_prefix=stat,
        cluster=cluster,
        idle_timeout=duration(listener.idle_timeout),
        max_connect_attempts=UInt32Value(value=_ATTEMPTS),
        hash_policy=[HashPolicy(source_ip=HashPolicy.SourceIp())],
        access_log=flowlog.loggers(balancer, file, listener),
    )
    secure = listener.tls
    message = Message(
        name=f"{cluster}|tcp",
        stat_prefix=stat,
        address=_address(address, listener.port, SocketAddress.TCP),
        freebind=_YES,
        tcp_backlog_size=UInt32Value(value=_BACKLOG),
        per_connection_buffer_limit_bytes=UInt32Value(value=BUFFER),
        listener_filters=[
            *([ListenerFilter(name="source", typed_config=packed(OriginalSrc()))] if preserved else []),
            *flowlog.name_finders(file, listener),
        ],
        filter_chains=[
            FilterChain(
                filters=[Filter(name="tcp", typed_config=packed(proxy))],
                transport_socket=None if secure is None else tls.downstream(secure, speaks=secure.speaks),
            )
        ],
    )
    secrets = () if secure is None else tuple(names.certificate(id_) for id_ in secure.certificates)
    return resource("listener", message.name, message, secrets=secrets)


@remembered
def _udp(balancer: str, cluster: str, address: str, port: int, preserved: bool) -> Resource:
    """Else Envoy's sockets towards targets have whatever address the kernel gives them (`network.fronts`)."""
    stat = names.flow_stat(balancer, "UDP")
    proxy = UdpProxyConfig(
        stat_prefix=stat,
        matcher=Matcher(
            on_no_match=Matcher.OnMatch(
                action=TypedExtensionConfig(name="route", typed_config=packed(Route(cluster=cluster)))
            )
        ),
        idle_timeout=duration(_UDP_IDLE),
        hash_policies=[UdpProxyConfig.HashPolicy(source_ip=True)],
        use_original_src_ip=preserved,
    )
    message = Message(
        name=f"{cluster}|udp",
        stat_prefix=stat,
        address=_address(address, port, SocketAddress.UDP),
        freebind=_YES,
        udp_listener_config=UdpListenerConfig(),
        listener_filters=[ListenerFilter(name="udp", typed_config=packed(proxy))],
    )
    return resource("listener", message.name, message)


def _address(address: str, port: int, protocol: Any) -> Any:
    return Address(socket_address=SocketAddress(address=address, port_value=port, protocol=protocol))
