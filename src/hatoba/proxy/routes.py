"""A listener's rules and default action as Envoy's route configuration. Replacing it touches no connection. Pure.

A rule is one route, or several: one for each of the balancer's addresses where zones are not crossed, and before it
those of clients that have been given to a group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    RedirectAction,
    RetryPolicy,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.type.matcher.v3.regex_pb2 import RegexMatchAndSubstitute, RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import UInt32Value

from hatoba.proxy import names, rewrites, sticky
from hatoba.proxy.accesslog import RETURNED, route_name
from hatoba.proxy.base import Action, Balancer, FixedResponse, Forward, Listener, Redirect, Share
from hatoba.proxy.clusters import duration, in_zone
from hatoba.proxy.conditions import came_in_at, matchers
from hatoba.proxy.flows import sockets
from hatoba.proxy.pages import header, html, signature
from hatoba.proxy.resource import Resource, packed, remembered, resource
from hatoba.proxy.signin import tokens
from hatoba.proxy.signin.envoy import FILTER, wakes
from hatoba.proxy.signin.words import CALLBACK, SignIn
from hatoba.proxy.sticky import Known

# Envoy adds these for mesh neighbours; a target behind a balancer must not see them.
_ENVOYS_OWN = ("x-envoy-external-address", "x-envoy-internal", "x-envoy-expected-rq-timeout-ms")

# Targets are told these of the client's connection, when wished.
_TLS_HEADERS = (
    ("X-Amzn-Tls-Version", "%DOWNSTREAM_TLS_VERSION%"),
    ("X-Amzn-Tls-Cipher-Suite", "%DOWNSTREAM_TLS_CIPHER%"),
)


@remembered
def routes(balancer: Balancer, listener: Listener, groups: frozenset[Known], tracer: str) -> Resource:
    """`groups`: those that exist; a share of one that does not is left out. `tracer`: as for the listener."""
    by_id = {group.id: group for group in groups}
    name = names.listener(balancer.id, listener.id)
    rules = sorted(listener.rules, key=lambda rule: rule.priority)
    made = _Routes(balancer, listener, by_id)
    listed = [
        _named(route, rule.priority, rule.action, rule.sign_in)
        for rule in rules
        for route in made.of(
            rule.action, matchers(rule.conditions, tracer), made.first(rule.sign_in), rewrites.of_rule(rule)
        )
    ]
    rest = [
        _named(route, 0, listener.default, listener.sign_in)
        for route in made.of(listener.default, matchers((), tracer), made.first(listener.sign_in), {})
    ]
    if signs_in(listener):
        listed.insert(0, made.returned())
        for route in (*listed, *rest):
            if FILTER not in route.typed_per_filter_config:
                route.request_headers_to_remove.extend(tokens.HEADERS)  # only who has signed in has these
    message = RouteConfiguration(
        name=name,
        virtual_hosts=[
            VirtualHost(
                name="all",
                domains=["*"],
                routes=[*made.refused(), *listed, *rest],
                retry_policy=_retry_where_safe(),
            )
        ],
        request_headers_to_add=[
            header("x-forwarded-port", str(listener.port)),
            *_forwarded_for(balancer),
            *_agreed(balancer, listener),
        ],
        request_headers_to_remove=[*_ENVOYS_OWN, *_not_forwarded_for(balancer)],
        response_headers_to_add=[header(each, value.replace("%", "%%")) for each, value in listener.headers.answers],
    )
    return resource("routes", name, message)


def _named(route: Any, priority: int, action: Action, sign_in: SignIn | None) -> Any:
    """Access logs tell a route by its name."""
    route.name = route_name(priority, action, signs_in=sign_in is not None)
    return route


def _forwarded_for(balancer: Balancer) -> list[Any]:
    """With the client's port Envoy cannot do it by itself; the listener then leaves it to this."""
    if balancer.attributes.forwarded_for != "append" or not balancer.attributes.forwarded_for_port:
        return []
    added = header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%")
    added.append_action = type(added).APPEND_IF_EXISTS_OR_ADD
    return [added]


def _agreed(balancer: Balancer, listener: Listener) -> list[Any]:
    """What was agreed upon with the client, for targets, under names that the listener may have of its own."""
    if listener.tls is None or not balancer.attributes.tls_headers:
        return []
    given = dict(listener.headers.names)
    return [header(given.get(each, each), value) for each, value in _TLS_HEADERS]


def _not_forwarded_for(balancer: Balancer) -> tuple[str, ...]:
    return ("x-forwarded-for",) if balancer.attributes.forwarded_for == "remove" else ()


def _retry_where_safe() -> Any:
    """Only what no target can have seen: no connection, a stream refused, a connection lost before the headers left."""
    return RetryPolicy(
        retry_on="connect-failure,refused-stream,reset-before-request",
        num_retries=UInt32Value(value=4),
        retry_host_predicate=[
            RetryPolicy.RetryHostPredicate(name="previous_hosts", typed_config=packed(PreviousHostsPredicate()))
        ],
        host_selection_retry_max_attempts=5,
        retry_back_off=RetryPolicy.RetryBackOff(base_interval=duration(0.002), max_interval=duration(0.02)),
    )


def signs_in(listener: Listener) -> bool:
    """Users have to, for some of it."""
    return listener.sign_in is not None or any(rule.sign_in is not None for rule in listener.rules)


class _Routes(NamedTuple):
    """Makes the routes of one listener. `when` are members of a RouteMatch, `first` and `settings` those of filters:
    what comes before any action, and what a forward needs."""

    balancer: Balancer
    listener: Listener
    groups: Mapping[str, Known]

    def first(self, sign_in: SignIn | None) -> Mapping[str, Any]:
        return wakes(self.balancer.id, self.listener.id, sign_in.id) if sign_in is not None else {}

    def returned(self) -> Any:
        """Who comes back from a provider: the service answers, and nothing is behind it."""
        return Route(
            name=RETURNED,
            match=RouteMatch(path=CALLBACK),
            direct_response=DirectResponseAction(status=500),
            typed_per_filter_config=wakes(self.balancer.id, self.listener.id, ""),
        )

    def of(
        self, action: Action, when: Mapping[str, Any], first: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Iterator[Any]:
        """One route; of a forward that is not to cross zones, one for each of the balancer's addresses."""
        settings = {**first, **settings}
        if not isinstance(action, Forward):
            yield self._answered(action, RouteMatch(**when), first)
        elif all(self.groups[share.group].across_zones for share in _usable(action, self.groups)):
            yield from self._forwarded(action, when, settings, None)
        else:
            for address, zone in sockets(self.balancer):
                here = {**when, "filter_state": [*when["filter_state"], came_in_at(address)]}
                yield from self._forwarded(action, here, settings, zone)

    def _forwarded(
        self, action: Forward, when: Mapping[str, Any], settings: Mapping[str, Any], zone: str | None
    ) -> Iterator[Any]:
        """One route; where clients stay with a group, one before it for those of each group."""
        if action.sticky_seconds is not None:
            for share in _usable(action, self.groups):
                own = Forward(shares=(share,))
                held = {**when, "headers": [*when["headers"], sticky.belongs_to(share.group)]}
                route = self._forward(own, RouteMatch(**held), settings, zone)
                route.response_headers_to_add.extend(self._kept(share.group, action))
                yield route
        yield self._forward(action, RouteMatch(**when), settings, zone)

    def _kept(self, group: str, action: Forward) -> list[Any]:
        seconds = action.sticky_seconds
        return [] if seconds is None else sticky.group_cookies(group, seconds, self.listener)

    def _answered(self, action: Redirect | FixedResponse, match: Any, first: Mapping[str, Any]) -> Any:
        if isinstance(action, FixedResponse):
            return Route(
                match=match,
                direct_response=_fixed(action),
                response_headers_to_add=_fixed_headers(action, self.listener),
                typed_per_filter_config=first,
            )
        if rewrites.mixed(action):
            return Route(
                match=match,
                direct_response=DirectResponseAction(status=action.status),
                typed_per_filter_config={**first, **rewrites.redirect(action, self.listener)},
            )
        return Route(
            match=match,
            redirect=_redirect(action, self.listener),
            response_headers_to_add=signature(self.listener),
            typed_per_filter_config=first,
        )

    def refused(self) -> Iterator[Any]:
        """Before all rules. Nobody is told what his request has become (source: the guide for application load
        balancers, "HTTP 405"), and one that names two hosts, which Envoy joins by a comma, names none."""
        for name, wrong, status in ((":method", {"exact": "TRACE"}, 405), (":authority", {"contains": ","}, 400)):
            page = FixedResponse(status=status, content_type="text/html", body=html(status))
            yield Route(
                match=RouteMatch(prefix="/", headers=[HeaderMatcher(name=name, string_match=StringMatcher(**wrong))]),
                direct_response=_fixed(page),
                response_headers_to_add=_fixed_headers(page, self.listener),
            )

    def _forward(self, action: Forward, match: Any, settings: Mapping[str, Any], zone: str | None) -> Any:
        shares = _usable(action, self.groups)
        if not shares:
            return _nobody(match, self.listener, settings)
        # The stream's idle timeout bounds the wait for an answer; a route has no bound of its own.
        forwarded = RouteAction(timeout=Duration())
        if len(shares) > 1:
            parts = [self._part(share, action, zone) for share in shares]
            forwarded.weighted_clusters.CopyFrom(WeightedCluster(clusters=parts))
            return Route(match=match, route=forwarded, typed_per_filter_config=settings)
        group = self.groups[shares[0].group]
        forwarded.cluster = names.cluster(self.balancer.id, group.id)
        if zone is not None and not group.across_zones:
            forwarded.metadata_match.CopyFrom(in_zone(zone))
        own = {**settings, **sticky.to_target(group, self.listener)}
        return Route(match=match, route=forwarded, typed_per_filter_config=own)

    def _part(self, share: Share, action: Forward, zone: str | None) -> Any:
        group = self.groups[share.group]
        return WeightedCluster.ClusterWeight(
            name=names.cluster(self.balancer.id, share.group),
            weight=UInt32Value(value=share.weight),
            typed_per_filter_config=sticky.to_target(group, self.listener),
            response_headers_to_add=self._kept(share.group, action),
            metadata_match=in_zone(zone) if zone is not None and not group.across_zones else None,
        )


def _usable(action: Forward, groups: Mapping[str, Known]) -> list[Share]:
    return [share for share in action.shares if share.group in groups and (share.weight or len(action.shares) == 1)]


def _nobody(match: Any, listener: Listener, settings: Mapping[str, Any]) -> Any:
    page = FixedResponse(status=503, content_type="text/html", body=html(503))
    first = {FILTER: settings[FILTER]} if FILTER in settings else {}
    return Route(
        match=match,
        direct_response=_fixed(page),
        response_headers_to_add=_fixed_headers(page, listener),
        typed_per_filter_config=first,
    )


def _fixed(action: FixedResponse) -> Any:
    return DirectResponseAction(
        status=action.status, body=DataSource(inline_string=action.body) if action.body else None
    )


def _fixed_headers(action: FixedResponse, listener: Listener) -> list[Any]:
    typed = [header("content-type", action.content_type)] if action.body else []
    return [*typed, *signature(listener)]


def _redirect(action: Redirect, listener: Listener) -> Any:
    message = RedirectAction(
        response_code=RedirectAction.MOVED_PERMANENTLY if action.status == 301 else RedirectAction.FOUND
    )
    if action.protocol is not None:
        message.scheme_redirect = action.protocol.lower()
    if action.host is not None:
        message.host_redirect = action.host
    # The place has a port always, the usual one too: as ELB writes it.
    message.port_redirect = action.port or listener.port
    if action.path is not None or action.query is not None:
        path = r"\1" if action.path is None else re.sub(r"\\", r"\\\\", action.path)
        query = "" if not action.query else "?" + re.sub(r"\\", r"\\\\", action.query)
        message.regex_rewrite.CopyFrom(
            RegexMatchAndSubstitute(pattern=RegexMatcher(regex="^(/[^?]*)$"), substitution=path + query)
        )
        message.strip_query = action.query is not None
    return message
