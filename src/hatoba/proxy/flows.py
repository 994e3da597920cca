"""A network balancer's targets as Envoy sees them: a cluster for each of its sockets, and who is behind it.

The cluster says how connections are made, its endpoints who they may go to: by target group, with the groups' weights.
So a listener that forwards elsewhere, or by other weights, is a change of endpoints: no socket is opened again, and no
connection that stands is touched. Endpoints name their group's transport (TLS, proxy protocol), of which every cluster
knows all. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import Locality, Metadata, TransportSocket
from envoy.config.core.v3.proxy_protocol_pb2 import ProxyProtocolConfig
from envoy.config.endpoint.v3.endpoint_components_pb2 import LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.transport_sockets.proxy_protocol.v3.upstream_proxy_protocol_pb2 import (
    ProxyProtocolUpstreamTransport,
)
from envoy.extensions.transport_sockets.raw_buffer.v3.raw_buffer_pb2 import RawBuffer
from envoy.type.v3.percent_pb2 import Percent
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import UInt32Value

from hatoba.proxy import names
from hatoba.proxy.base import Balancer, Health, Listener, Target, TargetGroup
from hatoba.proxy.clusters import (
    BUFFER,
    CONNECT_TIMEOUT,
    duration,
    endpoint,
    from_ads,
    in_service,
    no_limits,
    outliers,
    source,
    unverified_tls,
)
from hatoba.proxy.forwarding import shares
from hatoba.proxy.resource import Resource, packed, remembered, resource

_MATCH = "envoy.transport_socket_match"
_BY = "by"

# A group as one socket sees it: itself, its weight, and which of its targets are in service.
_Part = tuple[TargetGroup, int, frozenset[str]]


def sockets(balancer: Balancer) -> Iterator[tuple[str, str]]:
    """The balancer's addresses, each with its zone."""
    for number, address in enumerate(balancer.addresses):
        yield address, balancer.zones[number] if number < len(balancer.zones) else ""


def resources(
    balancer: Balancer,
    listener: Listener,
    groups: Mapping[str, TargetGroup],
    health: Mapping[str, Mapping[str, Health]],
) -> Iterator[Resource]:
    """Cluster and endpoints of each of the listener's sockets."""
    for address, _ in sockets(balancer):
        forwarded = shares(listener, groups, ":" in address)
        sticky = any(group.attributes.sticky_source for group, _ in forwarded)
        own = (address, *(each for each in balancer.addresses if each != address))
        yield cluster(names.flows(balancer.id, listener.id, address), own, sticky)
    yield from endpoints(balancer, listener, groups, health)


def endpoints(
    balancer: Balancer,
    listener: Listener,
    groups: Mapping[str, TargetGroup],
    health: Mapping[str, Mapping[str, Health]],
) -> Iterator[Resource]:
    for address, zone in sockets(balancer):
        forwarded = shares(listener, groups, ":" in address)
        parts = tuple(_part(group, weight, zone, health.get(group.id, {})) for group, weight in forwarded)
        yield _endpoints(names.flows(balancer.id, listener.id, address), zone, parts)


def _part(group: TargetGroup, weight: int, zone: str, health: Mapping[str, Health]) -> _Part:
    """Where the zone has none in service, those known to be unhealthy there get it: nothing goes elsewhere."""
    near = frozenset(target.id for target in group.targets if _reached(group, target, zone))
    known = {id_: each for id_, each in health.items() if id_ in near}
    return group, weight, in_service(group, known)


def _reached(group: TargetGroup, target: Target, zone: str) -> bool:
    return group.attributes.across_zones or target.zone in ("", zone)


@remembered
def cluster(name: str, own: tuple[str, ...], sticky: bool) -> Resource:
    """`own`: the balancer's addresses, that of the socket first: targets of its family are spoken to from there."""
    message = Cluster(
        name=name,
        alt_stat_name=names.stat(name),
        type=Cluster.EDS,
        eds_cluster_config=Cluster.EdsClusterConfig(eds_config=from_ads(), service_name=name),
        connect_timeout=duration(CONNECT_TIMEOUT),
        per_connection_buffer_limit_bytes=UInt32Value(value=BUFFER),
        lb_policy=Cluster.MAGLEV if sticky else Cluster.ROUND_ROBIN,
        common_lb_config=Cluster.CommonLbConfig(
            healthy_panic_threshold=Percent(value=0),  # as for application balancers: it is decided in the endpoints
            update_merge_window=Duration(),
            locality_weighted_lb_config=Cluster.CommonLbConfig.LocalityWeightedLbConfig(),
        ),
        ignore_health_on_host_removal=True,
        circuit_breakers=no_limits(),
        outlier_detection=outliers(),
        upstream_bind_config=source(own),
        transport_socket_matches=[_match(tls, proxy) for tls in (False, True) for proxy in (False, True)],
    )
    return resource("cluster", name, message, needs=(name,))


def _transport(tls: bool, proxy: bool) -> str:
    return f"{'tls' if tls else 'plain'}{'-proxy' if proxy else ''}"


def _match(tls: bool, proxy: bool) -> Any:
    wire = unverified_tls() if tls else TransportSocket(name="raw", typed_config=packed(RawBuffer()))
    if proxy:
        said = ProxyProtocolConfig(version=ProxyProtocolConfig.V2)
        wire = TransportSocket(
            name="proxy", typed_config=packed(ProxyProtocolUpstreamTransport(config=said, transport_socket=wire))
        )
    name = _transport(tls, proxy)
    match = Struct()
    match.update({_BY: name})
    return Cluster.TransportSocketMatch(name=name, match=match, transport_socket=wire)


@remembered
def _endpoints(name: str, zone: str, parts: tuple[_Part, ...]) -> Resource:
    message = ClusterLoadAssignment(
        cluster_name=name, endpoints=[each for part in parts if (each := _locality(part, zone)).lb_endpoints]
    )
    return resource("endpoints", name, message)


def _locality(part: _Part, zone: str) -> Any:
    group, weight, serving = part
    wire = Metadata()
    by = _transport(group.protocol == "TLS", group.attributes.proxy_protocol)
    wire.filter_metadata[_MATCH].update({_BY: by})
    ends = []
    for target in sorted(group.targets, key=lambda each: each.id):
        if _reached(group, target, zone):
            end = endpoint(target, target.id in serving)
            end.metadata.CopyFrom(wire)
            ends.append(end)
    return LocalityLbEndpoints(
        locality=Locality(zone=group.id), load_balancing_weight=UInt32Value(value=weight), lb_endpoints=ends
    )
