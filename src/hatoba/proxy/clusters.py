"""A target group as Envoy sees it: a cluster per balancer, and the group's endpoints with their health.

Everything that changes often (targets, weights, health) is in the endpoints, so that a change resends one small
message and touches no connection. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection
from envoy.config.core.v3.address_pb2 import Address, BindConfig, ExtraSourceAddress, SocketAddress
from envoy.config.core.v3.base_pb2 import Metadata, TransportSocket
from envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from envoy.config.core.v3.health_check_pb2 import DRAINING, HEALTHY, UNHEALTHY
from envoy.config.core.v3.protocol_pb2 import Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions as UpstreamOptions
from envoy.type.v3.percent_pb2 import Percent
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import UInt32Value

from hatoba.proxy import names
from hatoba.proxy.base import Balancer, Health, Target, TargetGroup
from hatoba.proxy.headers import as_written
from hatoba.proxy.resource import Resource, packed, remembered, resource

# One lost SYN is sent again after a second; whoever has not answered by then will not. The retry then goes elsewhere.
CONNECT_TIMEOUT = 2.5

# Envoy's own limits (1,024 connections and requests, 3 retries at a time) would turn a busy minute into errors.
_NO_LIMIT = 1_000_000_000

BUFFER = 128 * 1024

_ALGORITHMS = {
    "round_robin": Cluster.ROUND_ROBIN,
    "least_outstanding_requests": Cluster.LEAST_REQUEST,
    "weighted_random": Cluster.RANDOM,
}

_SUBSET = "envoy.lb"
_HEALTHY_STATES = ("healthy", "unavailable")


def duration(seconds: float) -> Any:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))


def from_ads() -> Any:
    return ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)


@remembered
def cluster(balancer: Balancer, group: TargetGroup) -> Resource:
    name = names.cluster(balancer.id, group.id)
    message = Cluster(
        name=name,
        alt_stat_name=names.stat(name),
        type=Cluster.EDS,
        eds_cluster_config=Cluster.EdsClusterConfig(eds_config=from_ads(), service_name=group.id),
        connect_timeout=duration(CONNECT_TIMEOUT),
        per_connection_buffer_limit_bytes=UInt32Value(value=BUFFER),
        lb_policy=_ALGORITHMS[group.attributes.algorithm],
        common_lb_config=Cluster.CommonLbConfig(
            # Who gets requests when nobody is healthy is decided in `endpoints`, exactly; Envoy's own panic rounds.
            healthy_panic_threshold=Percent(value=0),
            # Envoy would hold changes of health and weight back for up to a second.
            update_merge_window=Duration(),
        ),
        ignore_health_on_host_removal=True,
        circuit_breakers=no_limits(),
        outlier_detection=outliers(anomalies=group.attributes.anomalies),
        upstream_bind_config=source(balancer.addresses),
        lb_subset_config=None if group.attributes.across_zones else _by_zone(),
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(_protocol(balancer, group))
        },
        transport_socket=unverified_tls() if group.protocol in ("HTTPS", "TLS") else None,
    )
    _slow_start(message, group)
    return resource("cluster", name, message, needs=(group.id,))


def no_limits() -> Any:
    limit = UInt32Value(value=_NO_LIMIT)
    thresholds = CircuitBreakers.Thresholds(
        max_connections=limit, max_pending_requests=limit, max_requests=limit, max_retries=limit
    )
    return CircuitBreakers(thresholds=[thresholds])


def _slow_start(message: Any, group: TargetGroup) -> None:
    if group.attributes.slow_start <= 0:
        return
    slow = Cluster.SlowStartConfig(slow_start_window=duration(group.attributes.slow_start))
    if message.lb_policy == Cluster.LEAST_REQUEST:
        message.least_request_lb_config.slow_start_config.CopyFrom(slow)
    elif message.lb_policy == Cluster.ROUND_ROBIN:
        message.round_robin_lb_config.slow_start_config.CopyFrom(slow)


def _by_zone() -> Any:
    """Routes name the zone; where it has nobody, nobody answers."""
    return Cluster.LbSubsetConfig(
        fallback_policy=Cluster.LbSubsetConfig.NO_FALLBACK,
        subset_selectors=[Cluster.LbSubsetConfig.LbSubsetSelector(keys=["zone"])],
        list_as_any=True,
    )


def in_zone(zone: str) -> Any:
    """For a route: the part of a cluster that it may use."""
    wanted = Metadata()
    wanted.filter_metadata[_SUBSET].update({"zone": zone})
    return wanted


def outliers(*, anomalies: bool = False) -> Any:
    """Passive help for the time in which no checker runs: who refuses connections is passed over for a moment.
    Answers, whatever their status, count for `anomalies` only; at least half of the targets stay in."""
    detection = OutlierDetection(
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=UInt32Value(value=3),
        enforcing_consecutive_local_origin_failure=UInt32Value(value=100),
        interval=duration(0.5),
        base_ejection_time=duration(1),
        max_ejection_time=duration(5),
        max_ejection_percent=UInt32Value(value=50),
        enforcing_consecutive_5xx=UInt32Value(value=0),
        enforcing_consecutive_gateway_failure=UInt32Value(value=0),
        enforcing_success_rate=UInt32Value(value=0),
        enforcing_local_origin_success_rate=UInt32Value(value=0),
        enforcing_failure_percentage=UInt32Value(value=0),
        enforcing_failure_percentage_local_origin=UInt32Value(value=0),
    )
    if anomalies:
        # Of three targets or more, those that fail half of ten requests or more.
        detection.enforcing_failure_percentage.value = 100
        detection.failure_percentage_threshold.value = 50
        detection.failure_percentage_minimum_hosts.value = 3
        detection.failure_percentage_request_volume.value = 10
        detection.max_ejection_time.CopyFrom(duration(30))
    return detection


def source(addresses: tuple[str, ...]) -> Any:
    """Connections start from the balancer's own address, so that security rules can name it."""
    first: dict[int, str] = {}
    for address in addresses:
        first.setdefault(ipaddress.ip_address(address).version, address)
    if not first:
        return None
    main, *others = (SocketAddress(address=address, port_value=0) for _, address in sorted(first.items()))
    return BindConfig(
        source_address=main,
        extra_source_addresses=[ExtraSourceAddress(address=other) for other in others],
    )


def _protocol(balancer: Balancer, group: TargetGroup) -> Any:
    if group.protocol_version == "HTTP1":
        explicit = UpstreamOptions.ExplicitHttpConfig(
            http_protocol_options=Http1ProtocolOptions(header_key_format=as_written())
        )
    else:
        explicit = UpstreamOptions.ExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    return UpstreamOptions(
        common_http_protocol_options=HttpProtocolOptions(
            idle_timeout=duration(balancer.attributes.idle_timeout),
            max_headers_count=UInt32Value(value=1000),
        ),
        explicit_http_config=explicit,
    )


def unverified_tls() -> Any:
    """Encrypted, the certificate not verified: that is what such balancers promise towards their targets."""
    return TransportSocket(name="tls", typed_config=packed(UpstreamTlsContext()))


def endpoints(group: TargetGroup, health: Mapping[str, Health], zones: tuple[str, ...] = ()) -> Resource:
    """The group's targets, those fit for requests marked healthy. `health` is by target id, `zones` are the
    balancer's."""
    return _weighed(group, tuple([health.get(target.id) for target in group.targets]), zones)


@remembered
def _weighed(group: TargetGroup, known: tuple[Health | None, ...], zones: tuple[str, ...]) -> Resource:
    health = {target.id: each for target, each in zip(group.targets, known, strict=True) if each is not None}
    if group.attributes.across_zones:
        return _endpoints(group, in_service(group, health), ())
    near = [{each.id for each in group.targets if each.zone in ("", zone)} for zone in zones]
    serving = (in_service(group, {id_: health[id_] for id_ in ids & health.keys()}) for ids in near)
    return _endpoints(group, frozenset().union(*serving), zones)


@remembered
def _endpoints(group: TargetGroup, serving: frozenset[str], zones: tuple[str, ...]) -> Resource:
    targets = [endpoint(target, target.id in serving) for target in sorted(group.targets, key=lambda each: each.id)]
    if zones:
        for target, made in zip(sorted(group.targets, key=lambda each: each.id), targets, strict=True):
            made.metadata.filter_metadata[_SUBSET].update({"zone": [target.zone] if target.zone else list(zones)})
    message = ClusterLoadAssignment(
        cluster_name=group.id, endpoints=[LocalityLbEndpoints(lb_endpoints=targets)] if targets else []
    )
    return resource("endpoints", group.id, message)


def endpoint(target: Target, serving: bool) -> Any:
    state = DRAINING if target.state == "draining" else HEALTHY if serving else UNHEALTHY
    address = SocketAddress(address=target.address, port_value=target.port)
    return LbEndpoint(
        endpoint=Endpoint(address=Address(socket_address=address)),
        health_status=state,
        load_balancing_weight=UInt32Value(value=max(1, target.weight)),
    )


def in_service(group: TargetGroup, health: Mapping[str, Health]) -> frozenset[str]:
    """Ids of the targets that get requests: the healthy ones. When there are too few of them, also all that were found
    unhealthy (better a doubtful answer than none); never one that is draining, never one that has not yet answered its
    first check."""
    known = (target.id for target in group.targets if target.state == "active" and target.id in health)
    states = {id_: health[id_].state for id_ in known}
    healthy = frozenset(id_ for id_, state in states.items() if state in _HEALTHY_STATES)
    attributes = group.attributes
    if len(healthy) >= attributes.least_healthy and 100 * len(healthy) >= attributes.least_healthy_percent * len(
        states
    ):
        return healthy
    return healthy | {id_ for id_, state in states.items() if state == "unhealthy"}
