"""Load balancer, listeners, rules, groups and targets → the proxy's configuration. Pure; golden-tested.

What a request's own parts are called in ELB's words (`#{host}`) is the proxy's business where it depends on the
request, and settled here where the listener knows it (`#{port}`). Targets in other zones are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from hatoba.proxy import base as proxy
from hatoba.proxy.signin.words import Signer
from hatoba.services.elbv2.model import arns
from hatoba.services.elbv2.model.authentication import Authentication
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.group import TRAFFIC_PORT, HealthCheck, Target, TargetGroup
from hatoba.services.elbv2.model.listener import Listener, Rule
from hatoba.services.elbv2.model.trust import TrustStore
from hatoba.services.elbv2.plan import attributes as keys
from hatoba.services.elbv2.plan import (
    authentication,
    flow_spec,
    header_attributes,
    kinds,
    log_places,
    tls,
    transforms,
    trust,
)
from hatoba.services.elbv2.plan.conditions import proxied
from hatoba.services.elbv2.plan.health_check import ranges


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """A listener with its rules, and what it trusts in."""

    listener: Listener
    rules: tuple[Rule, ...] = ()
    trust_store: TrustStore | None = None

    @property
    def authentications(self) -> Iterator[tuple[str, Authentication]]:
        """By the last part of the rule's ARN."""
        for id_, each in (
            (self.listener.default_rule, self.listener.authentication),
            *((arns.last(rule.id), rule.authentication) for rule in self.rules),
        ):
            if each is not None:
                yield id_, each

    @property
    def actions(self) -> Iterator[dict[str, Any]]:
        yield self.listener.default
        for rule in self.rules:
            yield rule.action


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A target group with its targets. `places` says where those are that are not known by an address of their own (of
    instances: on which node); "" for what is not there."""

    group: TargetGroup
    targets: tuple[Target, ...] = ()
    places: dict[str, str] = msgspec.field(default_factory=dict)

    def place(self, target: Target) -> str:
        return self.places.get(target.address, target.address)


def wanted(
    balancer: LoadBalancer, serving: Sequence[Serving], sources: Sequence[Source], key: str = ""
) -> proxy.Wanted:
    """`key`: the id of that with which it signs, of one whose users sign in."""
    listeners = tuple(_listener(each) for each in serving)
    given = keys.of_balancer(balancer)
    if balancer.kind == "network":
        carried = flow_spec.balancer(balancer, given, listeners)
    else:
        carried = proxy.Balancer(
            id=balancer.id,
            name=balancer.dns_name,
            addresses=tuple(address for address, _ in balancer.addresses),
            zones=tuple(zone for _, zone in balancer.addresses),
            listeners=listeners,
            attributes=_balancer_attributes(given),
            access_log=log_places.stem_of(balancer, given, "access"),
            connection_log=log_places.stem_of(balancer, given, "connection"),
            health_log=log_places.stem_of(balancer, given, "health"),
            signer=Signer(name=balancer.arn, key=key) if key else None,
        )
    groups = tuple(_group(source, balancer) for source in sources)
    return proxy.Wanted(balancers=(carried,), groups=groups)


# --- listeners -----------------------------------------------------------------------------------------------------


def _listener(serving: Serving) -> proxy.Listener:
    listener = serving.listener
    assert listener.protocol != "GENEVE", "gateway load balancers are carried by no node"
    return proxy.Listener(
        id=arns.last(listener.id),
        port=listener.port,
        protocol=listener.protocol,
        idle_timeout=flow_spec.idle_timeout(listener.attributes),
        headers=header_attributes.proxied(listener.attributes),
        tls=_tls(serving),
        default=_action(listener.default, listener),
        sign_in=authentication.proxied(listener.authentication, listener.default_rule),
        rules=tuple(
            proxy.Rule(
                id=arns.last(rule.id),
                priority=rule.priority,
                conditions=tuple(proxied(condition) for condition in rule.conditions),
                action=_action(rule.action, listener),
                host=transforms.proxied(rule.transforms, "host-header-rewrite"),
                url=transforms.proxied(rule.transforms, "url-rewrite"),
                sign_in=authentication.proxied(rule.authentication, arns.last(rule.id)),
            )
            for rule in serving.rules
        ),
    )


def _tls(serving: Serving) -> proxy.Tls | None:
    listener = serving.listener
    if listener.protocol not in ("HTTPS", "TLS"):
        return None
    policy = tls.POLICIES[listener.policy]
    return proxy.Tls(
        certificates=tuple(
            listener.ids.get(each) or tls.certificate_id(each, listener.scope) for each in listener.certificates
        ),
        minimum=policy.versions[0],
        maximum=policy.versions[-1],
        ciphers=policy.spoken,
        speaks=flow_spec.speaks(listener),
        clients=trust.proxied(listener.mutual, serving.trust_store),
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
    """What is the request's own (`#{host}`) is left as it was; `#{port}` is the listener's."""
    protocol = None if given["Protocol"] == "#{protocol}" else given["Protocol"]
    known = {"#{port}": str(listener.port), "#{protocol}": (protocol or listener.protocol).lower()}

    def other(member: str, own: str) -> str | None:
        text: str = given[member]
        if text == own:
            return None
        for word, meaning in known.items():
            text = text.replace(word, meaning)
        return text

    return proxy.Redirect(
        status=301 if given["StatusCode"] == "HTTP_301" else 302,
        protocol="HTTPS" if protocol == "HTTPS" else "HTTP" if protocol == "HTTP" else None,
        host=other("Host", "#{host}"),
        port=None if given["Port"] == "#{port}" else int(given["Port"]),
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
            "tls_headers": given[keys.TLS_HEADERS] == "true",
        },
        proxy.BalancerAttributes,
    )


# --- target groups -------------------------------------------------------------------------------------------------


def _group(source: Source, balancer: LoadBalancer) -> proxy.TargetGroup:
    group = source.group
    assert group.protocol != "GENEVE", "gateway load balancers are carried by no node"
    given = keys.of_group(group)
    across = keys.across_zones(balancer, group)
    flows = kinds.of_group(group.protocol) == "network"
    return proxy.TargetGroup(
        id=group.arn,
        name=group.name,
        protocol=group.protocol,
        protocol_version=group.speaks,
        six=group.ip_type == "ipv6",
        targets=tuple(
            _target(target, source.place(target), group)
            for target in source.targets
            if target.within(balancer.zones) and source.place(target)
        ),
        health_check=_health_check(group.check),
        attributes=flow_spec.attributes(given, keys.across_zones(balancer, group))
        if flows
        else _group_attributes(given, across),
    )


def _target(target: Target, place: str, group: TargetGroup) -> proxy.Target:
    on_node = group.kind == "instance"
    return proxy.Target(
        id=target.name,
        address="" if on_node else place,
        node=place if on_node else "",
        zone=flow_spec.zone(target),
        port=target.port,
        state="active" if target.draining_until is None else "draining",
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


def _group_attributes(given: dict[str, str], across_zones: bool) -> proxy.GroupAttributes:
    sticky = given[keys.STICKY] == "true"
    by_cookie = given[keys.STICKY_TYPE] == "app_cookie"
    seconds = given[keys.APP_COOKIE_SECONDS if by_cookie else keys.LB_COOKIE_SECONDS]
    return msgspec.convert(
        {
            "slow_start": float(given[keys.SLOW_START]),
            "algorithm": given[keys.ALGORITHM],
            "anomalies": given[keys.ANOMALIES] == "on",
            "across_zones": across_zones,
            "least_healthy": int(given[keys.ROUTING_COUNT]),
            "least_healthy_percent": flow_spec.percent(given[keys.ROUTING_PERCENT]),
            "sticky_seconds": int(seconds) if sticky else None,
            "sticky_cookie": given[keys.APP_COOKIE] if sticky and by_cookie else None,
        },
        proxy.GroupAttributes,
    )
