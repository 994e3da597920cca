"""Attributes: which keys there are, what they are by default, which values they take.

Sources: ModifyLoadBalancerAttributes and ModifyTargetGroupAttributes in the API reference, application load balancers;
those of the others are in `flow_attributes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.group import TargetGroup
from hatoba.services.elbv2.model.listener import Listener
from hatoba.services.elbv2.plan import flow_attributes, header_attributes
from hatoba.services.elbv2.plan.errors import invalid, not_here
from hatoba.services.elbv2.plan.values import BOOLEAN, Test, between, bucket, one_of, or_, prefix

IDLE_TIMEOUT = "idle_timeout.timeout_seconds"
CLIENT_KEEP_ALIVE = "client_keep_alive.seconds"
FORWARDED_FOR = "routing.http.xff_header_processing.mode"
FORWARDED_FOR_PORT = "routing.http.xff_client_port.enabled"
PRESERVE_HOST = "routing.http.preserve_host_header.enabled"
HTTP2 = "routing.http2.enabled"
DROP_INVALID_HEADERS = "routing.http.drop_invalid_header_fields.enabled"
DESYNC = "routing.http.desync_mitigation_mode"
TLS_HEADERS = "routing.http.x_amzn_tls_version_and_cipher_suite.enabled"
PROTECTED = "deletion_protection.enabled"

_LOGS = ("access_logs.s3", "connection_logs.s3", "health_check_logs.s3")

DELAY = "deregistration_delay.timeout_seconds"
SLOW_START = "slow_start.duration_seconds"
ALGORITHM = "load_balancing.algorithm.type"
ANOMALIES = "load_balancing.algorithm.anomaly_mitigation"
ACROSS_ZONES = "load_balancing.cross_zone.enabled"
_HEALTHY = "target_group_health"
DNS_COUNT = f"{_HEALTHY}.dns_failover.minimum_healthy_targets.count"
DNS_PERCENT = f"{_HEALTHY}.dns_failover.minimum_healthy_targets.percentage"
ROUTING_COUNT = f"{_HEALTHY}.unhealthy_state_routing.minimum_healthy_targets.count"
ROUTING_PERCENT = f"{_HEALTHY}.unhealthy_state_routing.minimum_healthy_targets.percentage"
STICKY = "stickiness.enabled"
STICKY_TYPE = "stickiness.type"
LB_COOKIE_SECONDS = "stickiness.lb_cookie.duration_seconds"
APP_COOKIE = "stickiness.app_cookie.cookie_name"
APP_COOKIE_SECONDS = "stickiness.app_cookie.duration_seconds"


def _cookie(value: str) -> str | None:
    if value.startswith("AWSALB"):
        return "must not begin with AWSALB, which is reserved"
    if len(value) > 128 or any(char in '()<>@,;:\\"/[]?={} \t' or not 32 < ord(char) < 127 for char in value):
        return "must be the name of a cookie"
    return None


_WEEK = 604_800

_BALANCER: dict[str, tuple[str, Test]] = {
    **{f"{name}.enabled": ("false", BOOLEAN) for name in _LOGS},
    **{f"{name}.bucket": ("", bucket) for name in _LOGS},
    **{f"{name}.prefix": ("", prefix) for name in _LOGS},
    IDLE_TIMEOUT: ("60", between(1, 4000)),
    CLIENT_KEEP_ALIVE: ("3600", between(60, _WEEK)),
    PROTECTED: ("false", BOOLEAN),
    HTTP2: ("true", BOOLEAN),
    DROP_INVALID_HEADERS: ("false", BOOLEAN),
    FORWARDED_FOR: ("append", one_of("append", "preserve", "remove")),
    FORWARDED_FOR_PORT: ("false", BOOLEAN),
    PRESERVE_HOST: ("false", BOOLEAN),
    DESYNC: ("defensive", one_of("monitor", "defensive", "strictest")),
    TLS_HEADERS: ("false", BOOLEAN),
    "load_balancing.cross_zone.enabled": ("true", one_of("true")),
    "waf.fail_open.enabled": ("false", BOOLEAN),
    flow_attributes.DENY: ("false", BOOLEAN),
    "zonal_shift.config.enabled": ("false", BOOLEAN),
}

_GROUP: dict[str, tuple[str, Test]] = {
    DELAY: ("300", between(0, 3600)),
    STICKY: ("false", BOOLEAN),
    STICKY_TYPE: ("lb_cookie", one_of("lb_cookie", "app_cookie")),
    LB_COOKIE_SECONDS: ("86400", between(1, _WEEK)),
    APP_COOKIE: ("", _cookie),
    APP_COOKIE_SECONDS: ("86400", between(1, _WEEK)),
    SLOW_START: ("0", between(30, 900, 0)),
    ALGORITHM: ("round_robin", one_of("round_robin", "least_outstanding_requests", "weighted_random")),
    ANOMALIES: ("off", one_of("on", "off")),
    ACROSS_ZONES: (
        "use_load_balancer_configuration",
        one_of("true", "false", "use_load_balancer_configuration"),
    ),
    DNS_COUNT: ("1", or_("off", between(1, 1000))),
    DNS_PERCENT: ("off", or_("off", between(1, 100))),
    ROUTING_COUNT: ("1", between(1, 1000)),
    ROUTING_PERCENT: ("off", or_("off", between(1, 100))),
}

_LISTENER = {**flow_attributes.LISTENER, **header_attributes.TABLES}

# Other values than these have no effect that could be shown, so they are refused.
_FIXED = {
    "zonal_shift.config.enabled": "false",
}


def of_balancer(record: LoadBalancer) -> dict[str, str]:
    """All of them. Who is internal is not reached through an internet gateway, unless that is said."""
    denies = {flow_attributes.DENY: "true"} if record.scheme == "internal" else {}
    return _complete(_of_kind(record), {**denies, **record.attributes})


def of_group(record: TargetGroup) -> dict[str, str]:
    return _complete(_of_protocol(record), record.attributes)


def across_zones(balancer: LoadBalancer, group: TargetGroup) -> bool:
    """The load balancer's addresses in one zone lead to the group's targets in the others too."""
    own = of_group(group).get(flow_attributes.ACROSS_ZONES, flow_attributes.LIKE_THE_BALANCER)
    if own == flow_attributes.LIKE_THE_BALANCER:
        return of_balancer(balancer)[flow_attributes.ACROSS_ZONES] == "true"
    return own == "true"


def _of_kind(record: LoadBalancer) -> flow_attributes.Table:
    return _BALANCER if record.kind == "application" else flow_attributes.BALANCER[record.kind]


def _of_protocol(record: TargetGroup) -> flow_attributes.Table:
    return _GROUP if record.protocol in ("HTTP", "HTTPS") else flow_attributes.of_group(record)


def _complete(table: flow_attributes.Table, given: Mapping[str, str]) -> dict[str, str]:
    return {key: given.get(key, default) for key, (default, _) in table.items()}


def checked_for_balancer(given: Sequence[Mapping[str, Any]], record: LoadBalancer) -> dict[str, str]:
    """The attributes that are set afterwards. Raises ValidationError."""
    changed = _checked(given, _of_kind(record), "load balancer")
    _check_fixed(changed, _FIXED if record.kind == "application" else flow_attributes.FIXED)
    after = {**record.attributes, **changed}
    for name in _LOGS:
        if after.get(f"{name}.enabled") == "true" and not after.get(f"{name}.bucket"):
            raise invalid(f"You must specify '{name}.bucket' when '{name}.enabled' is 'true'")
    return after


def checked_for_group(given: Sequence[Mapping[str, Any]], record: TargetGroup) -> dict[str, str]:
    """The attributes that are set afterwards, which have to go together."""
    before = record.attributes
    changed = _checked(given, _of_protocol(record), "target group")
    if record.protocol not in ("HTTP", "HTTPS"):
        _check_fixed(changed, flow_attributes.FIXED)
        _check_flows(record, changed)
        return {**before, **changed}
    after = _complete(_GROUP, {**before, **changed})
    if after[STICKY] == "true" and after[STICKY_TYPE] == "app_cookie" and not after[APP_COOKIE]:
        raise invalid(f"You must specify '{APP_COOKIE}' when '{STICKY_TYPE}' is 'app_cookie'")
    if after[SLOW_START] != "0" and after[ALGORITHM] != "round_robin":
        raise invalid(f"You cannot enable both slow start mode and the {after[ALGORITHM]} algorithm")
    if after[ANOMALIES] == "on" and after[ALGORITHM] != "weighted_random":
        raise invalid(f"You can enable '{ANOMALIES}' with the weighted_random algorithm only")
    return {**before, **changed}


def _check_fixed(changed: Mapping[str, str], fixed: Mapping[str, str]) -> None:
    for key, value in changed.items():
        if value != fixed.get(key, value):
            raise not_here(f"Other values than '{fixed[key]}' of the attribute '{key}' are")


def _check_flows(record: TargetGroup, changed: Mapping[str, str]) -> None:
    if changed.get(flow_attributes.PROXY_PROTOCOL) == "true" and record.protocol in ("UDP", "TCP_UDP"):
        raise not_here("Proxy protocol for target groups with the protocols UDP and TCP_UDP is")
    if changed.get(STICKY) == "true" and record.protocol == "TLS":
        raise invalid("Stickiness is not supported for target groups with the protocol 'TLS'")


def of_listener(record: Listener) -> dict[str, str]:
    return _complete(_LISTENER[record.protocol], record.attributes)


def checked_for_listener(given: Sequence[Mapping[str, Any]], record: Listener) -> dict[str, str]:
    """The attributes that are set afterwards. Raises ValidationError."""
    return {**record.attributes, **_checked(given, _LISTENER[record.protocol], "listener")}


def _checked(given: Sequence[Mapping[str, Any]], known: Mapping[str, tuple[str, Test]], what: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for attribute in given:
        key, value = attribute.get("Key") or "", attribute.get("Value") or ""
        if key not in known:
            raise invalid(f"The provided {what} attribute '{key}' is not supported")
        if key in found:
            raise invalid(f"{what.capitalize()} attribute '{key}' cannot be specified more than once")
        why = known[key][1](value)
        if why is not None:
            raise invalid(f"{what.capitalize()} attribute '{key}' {why}, but was '{value}'")
        found[key] = value
    return found
