"""Attributes of network and gateway load balancers and their groups: keys, defaults, values.

Sources: ModifyLoadBalancerAttributes, ModifyTargetGroupAttributes and ModifyListenerAttributes in the API reference,
"Edit target group attributes for your Network Load Balancer".
"""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.services.elbv2.model.group import TargetGroup
from hatoba.services.elbv2.plan.values import BOOLEAN, Test, between, bucket, one_of, or_, prefix

ACROSS_ZONES = "load_balancing.cross_zone.enabled"
LIKE_THE_BALANCER = "use_load_balancer_configuration"
END_REMOVED = "deregistration_delay.connection_termination.enabled"
END_UNHEALTHY = "target_health_state.unhealthy.connection_termination.enabled"
DENY = "ipv6.deny_all_igw_traffic"
PRESERVE = "preserve_client_ip.enabled"
PROXY_PROTOCOL = "proxy_protocol_v2.enabled"
STICKY = "stickiness.enabled"
DELAY = "deregistration_delay.timeout_seconds"
IDLE_TIMEOUT = "tcp.idle_timeout.seconds"
_ROUTING = "dns_record.client_routing_policy"
_MORE_ADDRESSES = "secondary_ips.auto_assigned.per_subnet"
_DRAINING = "target_health_state.unhealthy.draining_interval_seconds"
_HEALTHY = "target_group_health"
DNS_COUNT = f"{_HEALTHY}.dns_failover.minimum_healthy_targets.count"
DNS_PERCENT = f"{_HEALTHY}.dns_failover.minimum_healthy_targets.percentage"
ROUTING_COUNT = f"{_HEALTHY}.unhealthy_state_routing.minimum_healthy_targets.count"
ROUTING_PERCENT = f"{_HEALTHY}.unhealthy_state_routing.minimum_healthy_targets.percentage"

Table = Mapping[str, tuple[str, Test]]

_EVERY_BALANCER: Table = {
    "deletion_protection.enabled": ("false", BOOLEAN),
    ACROSS_ZONES: ("false", BOOLEAN),
}

BALANCER: Mapping[str, Table] = {
    "network": {
        **_EVERY_BALANCER,
        "access_logs.s3.enabled": ("false", BOOLEAN),
        "access_logs.s3.bucket": ("", bucket),
        "access_logs.s3.prefix": ("", prefix),
        DENY: ("false", BOOLEAN),
        _ROUTING: (
            "any_availability_zone",
            one_of("any_availability_zone", "availability_zone_affinity", "partial_availability_zone_affinity"),
        ),
        _MORE_ADDRESSES: ("0", between(0, 7)),
        "zonal_shift.config.enabled": ("false", BOOLEAN),
    },
    "gateway": _EVERY_BALANCER,
}

_CHOICE = one_of("true", "false", LIKE_THE_BALANCER)
_NETWORK_GROUP: Table = {
    DELAY: ("300", between(0, 3600)),
    END_REMOVED: ("false", BOOLEAN),
    PRESERVE: ("false", BOOLEAN),
    PROXY_PROTOCOL: ("false", BOOLEAN),
    STICKY: ("false", BOOLEAN),
    "stickiness.type": ("source_ip", one_of("source_ip")),
    ACROSS_ZONES: (LIKE_THE_BALANCER, _CHOICE),
    END_UNHEALTHY: ("true", BOOLEAN),
    _DRAINING: ("0", between(0, 360_000)),
    DNS_COUNT: ("1", or_("off", between(1, 1000))),
    DNS_PERCENT: ("off", or_("off", between(1, 100))),
    ROUTING_COUNT: ("1", between(1, 1000)),
    ROUTING_PERCENT: ("off", or_("off", between(1, 100))),
}
_GATEWAY_GROUP: Table = {
    DELAY: ("300", between(0, 3600)),
    STICKY: ("false", BOOLEAN),
    "stickiness.type": ("source_ip_dest_ip_proto", one_of("source_ip_dest_ip", "source_ip_dest_ip_proto")),
    "target_failover.on_deregistration": ("no_rebalance", one_of("rebalance", "no_rebalance")),
    "target_failover.on_unhealthy": ("no_rebalance", one_of("rebalance", "no_rebalance")),
}
_ALB_GROUP = frozenset(
    {DELAY, *(key for key in _NETWORK_GROUP if key.startswith(_HEALTHY)), ACROSS_ZONES, PRESERVE}
)  # what a group whose target is an application load balancer has

LISTENER: Mapping[str, Table] = {
    "TCP": {IDLE_TIMEOUT: ("350", between(60, 6000))},
    "TCP_UDP": {IDLE_TIMEOUT: ("350", between(60, 6000))},
    "GENEVE": {IDLE_TIMEOUT: ("350", between(60, 6000))},
    "TLS": {},
    "UDP": {},
}

# Other values than these have no effect that could be shown, so they are refused.
FIXED: Mapping[str, str] = {
    _ROUTING: "any_availability_zone",
    _MORE_ADDRESSES: "0",
    _DRAINING: "0",
    "zonal_shift.config.enabled": "false",
}


def of_group(group: TargetGroup) -> Table:
    """The attributes of a group for network or gateway load balancers, with the defaults of its protocol and type."""
    if group.protocol == "GENEVE":
        return _GATEWAY_GROUP
    datagrams = group.protocol in ("UDP", "TCP_UDP")
    table: Table = {
        **_NETWORK_GROUP,
        END_REMOVED: ("true" if datagrams else "false", BOOLEAN),
        PRESERVE: _preserve(group, datagrams),
    }
    return {key: each for key, each in table.items() if group.kind != "alb" or key in _ALB_GROUP}


def _preserve(group: TargetGroup, datagrams: bool) -> tuple[str, Test]:
    """Of datagrams it cannot be changed; else addresses do not see their clients unless that is wished, and others do
    unless it is not."""
    if datagrams:
        return "true", one_of("true")
    return "false" if group.kind == "ip" else "true", BOOLEAN
