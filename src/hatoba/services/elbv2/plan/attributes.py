"""Attributes: which keys there are, what they are by default, which values they take.

Sources: ModifyLoadBalancerAttributes and ModifyTargetGroupAttributes in the API reference, application load balancers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hatoba.services.elbv2.plan.errors import invalid, not_here

IDLE_TIMEOUT = "idle_timeout.timeout_seconds"
CLIENT_KEEP_ALIVE = "client_keep_alive.seconds"
FORWARDED_FOR = "routing.http.xff_header_processing.mode"
FORWARDED_FOR_PORT = "routing.http.xff_client_port.enabled"
PRESERVE_HOST = "routing.http.preserve_host_header.enabled"
HTTP2 = "routing.http2.enabled"
DROP_INVALID_HEADERS = "routing.http.drop_invalid_header_fields.enabled"
DESYNC = "routing.http.desync_mitigation_mode"
PROTECTED = "deletion_protection.enabled"

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

# Says why a value is refused, or nothing.
Test = Callable[[str], str | None]


def _one_of(*values: str) -> Test:
    listed = ", ".join(values)
    return lambda value: None if value in values else f"must be one of [{listed}]"


def _number(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 9 else None


def _between(low: int, high: int, *also: int) -> Test:
    def test(value: str) -> str | None:
        number = _number(value)
        if number is not None and (low <= number <= high or number in also):
            return None
        return f"must be a number between {low} and {high}"

    return test


def _or(word: str, test: Test) -> Test:
    return lambda value: None if value == word else test(value)


def _anything(value: str) -> str | None:
    return None


def _cookie(value: str) -> str | None:
    if value.startswith("AWSALB"):
        return "must not begin with AWSALB, which is reserved"
    if len(value) > 128 or any(char in '()<>@,;:\\"/[]?={} \t' or not 32 < ord(char) < 127 for char in value):
        return "must be the name of a cookie"
    return None


_BOOLEAN = _one_of("true", "false")
_WEEK = 604_800

_BALANCER: dict[str, tuple[str, Test]] = {
    "access_logs.s3.enabled": ("false", _BOOLEAN),
    "access_logs.s3.bucket": ("", _anything),
    "access_logs.s3.prefix": ("", _anything),
    "connection_logs.s3.enabled": ("false", _BOOLEAN),
    "connection_logs.s3.bucket": ("", _anything),
    "connection_logs.s3.prefix": ("", _anything),
    "health_check_logs.s3.enabled": ("false", _BOOLEAN),
    "health_check_logs.s3.bucket": ("", _anything),
    "health_check_logs.s3.prefix": ("", _anything),
    IDLE_TIMEOUT: ("60", _between(1, 4000)),
    CLIENT_KEEP_ALIVE: ("3600", _between(60, _WEEK)),
    PROTECTED: ("false", _BOOLEAN),
    HTTP2: ("true", _BOOLEAN),
    DROP_INVALID_HEADERS: ("false", _BOOLEAN),
    FORWARDED_FOR: ("append", _one_of("append", "preserve", "remove")),
    FORWARDED_FOR_PORT: ("false", _BOOLEAN),
    PRESERVE_HOST: ("false", _BOOLEAN),
    DESYNC: ("defensive", _one_of("monitor", "defensive", "strictest")),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": ("false", _BOOLEAN),
    "load_balancing.cross_zone.enabled": ("true", _one_of("true")),
    "waf.fail_open.enabled": ("false", _BOOLEAN),
    "ipv6.deny_all_igw_traffic": ("false", _BOOLEAN),
    "zonal_shift.config.enabled": ("false", _BOOLEAN),
}

_GROUP: dict[str, tuple[str, Test]] = {
    DELAY: ("300", _between(0, 3600)),
    STICKY: ("false", _BOOLEAN),
    STICKY_TYPE: ("lb_cookie", _one_of("lb_cookie", "app_cookie")),
    LB_COOKIE_SECONDS: ("86400", _between(1, _WEEK)),
    APP_COOKIE: ("", _cookie),
    APP_COOKIE_SECONDS: ("86400", _between(1, _WEEK)),
    SLOW_START: ("0", _between(30, 900, 0)),
    ALGORITHM: ("round_robin", _one_of("round_robin", "least_outstanding_requests", "weighted_random")),
    ANOMALIES: ("off", _one_of("on", "off")),
    ACROSS_ZONES: (
        "use_load_balancer_configuration",
        _one_of("true", "false", "use_load_balancer_configuration"),
    ),
    DNS_COUNT: ("1", _or("off", _between(1, 1000))),
    DNS_PERCENT: ("off", _or("off", _between(1, 100))),
    ROUTING_COUNT: ("1", _between(1, 1000)),
    ROUTING_PERCENT: ("off", _or("off", _between(1, 100))),
}

_RESPONSE = "routing.http.response"

# What an HTTP listener has. The proxy does not change headers yet, so nothing but this can be set.
LISTENER: dict[str, str] = {
    f"{_RESPONSE}.server.enabled": "true",
    **{
        f"{_RESPONSE}.{header}.header_value": ""
        for header in (
            "strict_transport_security",
            "access_control_allow_origin",
            "access_control_allow_methods",
            "access_control_allow_headers",
            "access_control_allow_credentials",
            "access_control_expose_headers",
            "access_control_max_age",
            "content_security_policy",
            "x_content_type_options",
            "x_frame_options",
        )
    },
}


def of_balancer(given: Mapping[str, str]) -> dict[str, str]:
    """All of them."""
    return {key: given.get(key, default) for key, (default, _) in _BALANCER.items()}


def of_group(given: Mapping[str, str]) -> dict[str, str]:
    return {key: given.get(key, default) for key, (default, _) in _GROUP.items()}


def checked_for_balancer(given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The attributes that a request sets. Raises ValidationError."""
    return _checked(given, _BALANCER, "load balancer")


def checked_for_group(given: Sequence[Mapping[str, Any]], before: Mapping[str, str]) -> dict[str, str]:
    """The attributes that are set afterwards, which have to go together."""
    changed = _checked(given, _GROUP, "target group")
    after = of_group({**before, **changed})
    if after[STICKY] == "true" and after[STICKY_TYPE] == "app_cookie" and not after[APP_COOKIE]:
        raise invalid(f"You must specify '{APP_COOKIE}' when '{STICKY_TYPE}' is 'app_cookie'")
    if after[SLOW_START] != "0" and after[ALGORITHM] != "round_robin":
        raise invalid(f"You cannot enable both slow start mode and the {after[ALGORITHM]} algorithm")
    if after[ANOMALIES] == "on" and after[ALGORITHM] != "weighted_random":
        raise invalid(f"You can enable '{ANOMALIES}' with the weighted_random algorithm only")
    return {**before, **changed}


def check_for_listener(given: Sequence[Mapping[str, Any]]) -> None:
    for attribute in given:
        key, value = attribute.get("Key") or "", attribute.get("Value") or ""
        if key not in LISTENER:
            raise invalid(f"The provided listener attribute '{key}' is not supported")
        if value != LISTENER[key]:
            raise not_here(f"Other values than '{LISTENER[key]}' of the listener attribute '{key}' are")


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
