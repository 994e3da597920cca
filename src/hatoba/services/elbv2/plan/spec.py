"""Load balancer, listeners, rules, groups and targets → the proxy's configuration. Pure; golden-tested.

What a request's own parts are called in ELB's words (`#{host}`) is the proxy's business where it depends on the
request, and settled here where the listener knows it (`#{port}`). Targets in other zones are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from hatoba.proxy import base as proxy
from hatoba.services.elbv2.model import arns
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.group import ANYWHERE, TRAFFIC_PORT, HealthCheck, Target, TargetGroup
from hatoba.services.elbv2.model.listener import Listener, Rule
from hatoba.services.elbv2.plan import attributes as keys
from hatoba.services.elbv2.plan import tls, transforms
from hatoba.services.elbv2.plan.conditions import proxied
from hatoba.services.elbv2.plan.health_check import ranges


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """A listener with its rules."""

    listener: Listener
    rules: tuple[Rule, ...] = ()

    @property
    def actions(self) -> Iterator[dict[str, Any]]:
        yield self.listener.default
        for rule in self.rules:
            yield rule.action


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A target group with its targets."""

    group: TargetGroup
    targets: tuple[Target, ...] = ()


def wanted(balancer: LoadBalancer, serving: Sequence[Serving], sources: Sequence[Source]) -> proxy.Wanted:
    zone_of = {place.subnet: place.zone for place in balancer.places}
    carried = proxy.Balancer(
        id=balancer.id,
        addresses=tuple(interface.address for interface in balancer.attached),
        zones=tuple(zone_of[interface.subnet] for interface in balancer.attached),
        listeners=tuple(_listener(each) for each in serving),
        attributes=_balancer_attributes(keys.of_balancer(balancer.attributes)),
    )
    return proxy.Wanted(balancers=(carried,), groups=tuple(_group(source, balancer.zones) for source in sources))


# --- listeners -----------------------------------------------------------------------------------------------------


def _listener(serving: Serving) -> proxy.Listener:
    listener = serving.listener
    return proxy.Listener(
        id=arns.last(listener.id),
        port=listener.port,
        protocol=listener.protocol,
        tls=_tls(listener),
        default=_action(listener.default, listener),
        rules=tuple(
            proxy.Rule(
                id=arns.last(rule.id),
                priority=rule.priority,
                conditions=tuple(proxied(condition) for condition in rule.conditions),
                action=_action(rule.action, listener),
                host=transforms.proxied(rule.transforms, "host-header-rewrite"),
                url=transforms.proxied(rule.transforms, "url-rewrite"),
            )
            for rule in serving.rules
        ),
    )


def _tls(listener: Listener) -> proxy.Tls | None:
    if listener.protocol != "HTTPS":
        return None
    policy = tls.POLICIES[listener.policy]
    return proxy.Tls(
        certificates=tuple(tls.certificate_id(each, listener.scope) for each in listener.certificates),
        minimum=policy.versions[0],
        maximum=policy.versions[-1],
        ciphers=policy.spoken,
    )


def _action(action: dict[str, Any], listener: Listener) -> proxy.Action:
    match action["Type"]:
        case "redirect":
            return _redirect(action["RedirectConfig"], listener)
        case "fixed-response":
            fixed = action["FixedResponseConfig"]
            return proxy.FixedResponse(
                status=int(fixed["StatusCode"]),
                content_type=fixed.get("ContentType") or "text/plain",
                body=fixed.get("MessageBody", ""),
            )
    forward = action["ForwardConfig"]
    sticky = forward["TargetGroupStickinessConfig"]
    return proxy.Forward(
        shares=tuple(
            proxy.Share(group=share["TargetGroupArn"], weight=share["Weight"]) for share in forward["TargetGroups"]
        ),
        sticky_seconds=sticky["DurationSeconds"] if sticky["Enabled"] else None,
    )


def _redirect(given: dict[str, Any], listener: Listener) -> proxy.Redirect:
    """What is the request's own (`#{host}`) is left as it was. With another protocol the port must be named, or the
    client would go to that protocol's own: `#{port}` is the listener's."""
    protocol = None if given["Protocol"] == "#{protocol}" else given["Protocol"]
    known = {"#{port}": str(listener.port), "#{protocol}": (protocol or listener.protocol).lower()}

    def other(member: str, own: str) -> str | None:
        text: str = given[member]
        if text == own:
            return None
        for word, meaning in known.items():
            text = text.replace(word, meaning)
        return text

    changed = None if given["Port"] == "#{port}" else int(given["Port"])
    return proxy.Redirect(
        status=301 if given["StatusCode"] == "HTTP_301" else 302,
        protocol="HTTPS" if protocol == "HTTPS" else "HTTP" if protocol == "HTTP" else None,
        host=other("Host", "#{host}"),
        port=changed if changed is not None else listener.port if protocol == "HTTPS" else None,
        path=other("Path", "/#{path}"),
        query=other("Query", "#{query}"),
    )


def _balancer_attributes(given: dict[str, str]) -> proxy.BalancerAttributes:
    return msgspec.convert(
        {
            "idle_timeout": float(given[keys.IDLE_TIMEOUT]),
            "client_keep_alive": float(given[keys.CLIENT_KEEP_ALIVE]),
            "forwarded_for": given[keys.FORWARDED_FOR],
            "forwarded_for_port": given[keys.FORWARDED_FOR_PORT] == "true",
            "preserve_host": given[keys.PRESERVE_HOST] == "true",
            "http2": given[keys.HTTP2] == "true",
            "drop_invalid_headers": given[keys.DROP_INVALID_HEADERS] == "true",
            "desync": given[keys.DESYNC],
        },
        proxy.BalancerAttributes,
    )


# --- target groups -------------------------------------------------------------------------------------------------


def _group(source: Source, zones: frozenset[str]) -> proxy.TargetGroup:
    group = source.group
    return proxy.TargetGroup(
        id=group.arn,
        protocol=group.protocol,
        protocol_version=group.speaks,
        targets=tuple(_target(target) for target in source.targets if target.within(zones)),
        health_check=_health_check(group.check),
        attributes=_group_attributes(keys.of_group(group.attributes)),
    )


def _target(target: Target) -> proxy.Target:
    return proxy.Target(
        id=target.name,
        address=target.address,
        port=target.port,
        state="active" if target.draining_until is None else "draining",
        zone="" if target.zone == ANYWHERE else target.zone,
    )


def _health_check(check: HealthCheck) -> proxy.HealthCheck:
    return proxy.HealthCheck(
        enabled=check.enabled,
        protocol=check.protocol,
        path=check.path,
        port=None if check.port == TRAFFIC_PORT else int(check.port),
        interval=float(check.interval),
        timeout=float(check.timeout),
        healthy_threshold=check.healthy,
        unhealthy_threshold=check.unhealthy,
        codes=ranges(check.codes),
    )


def _group_attributes(given: dict[str, str]) -> proxy.GroupAttributes:
    sticky = given[keys.STICKY] == "true"
    by_cookie = given[keys.STICKY_TYPE] == "app_cookie"
    seconds = given[keys.APP_COOKIE_SECONDS if by_cookie else keys.LB_COOKIE_SECONDS]
    return msgspec.convert(
        {
            "deregistration_delay": float(given[keys.DELAY]),
            "slow_start": float(given[keys.SLOW_START]),
            "algorithm": given[keys.ALGORITHM],
            "anomalies": given[keys.ANOMALIES] == "on",
            "across_zones": given[keys.ACROSS_ZONES] != "false",
            "least_healthy": int(given[keys.ROUTING_COUNT]),
            "least_healthy_percent": _percent(given[keys.ROUTING_PERCENT]),
            "sticky_seconds": int(seconds) if sticky else None,
            "sticky_cookie": given[keys.APP_COOKIE] if sticky and by_cookie else None,
        },
        proxy.GroupAttributes,
    )


def _percent(given: str) -> int:
    return 0 if given == "off" else int(given)
