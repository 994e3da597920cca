"""A listener's rules and default action as Envoy's route configuration. Replacing it touches no connection. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
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
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import UInt32Value

from hatoba.proxy import names, rewrites, sticky
from hatoba.proxy.base import Action, Balancer, FixedResponse, Forward, Listener, Redirect, Share
from hatoba.proxy.clusters import duration
from hatoba.proxy.conditions import matchers
from hatoba.proxy.pages import SERVER, header, html
from hatoba.proxy.resource import Resource, packed, remembered, resource
from hatoba.proxy.sticky import Known

# Envoy adds these for mesh neighbours; a target behind a balancer must not see them.
_ENVOYS_OWN = ("x-envoy-external-address", "x-envoy-internal", "x-envoy-expected-rq-timeout-ms")


@remembered
def routes(balancer: Balancer, listener: Listener, groups: frozenset[Known]) -> Resource:
    """`groups`: those that exist; a share of one that does not is left out."""
    by_id = {group.id: group for group in groups}
    name = names.listener(balancer.id, listener.id)
    rules = sorted(listener.rules, key=lambda rule: rule.priority)
    made = _Routes(balancer, listener, by_id)
    listed = [
        route for rule in rules for route in made.of(rule.action, matchers(rule.conditions), rewrites.of_rule(rule))
    ]
    message = RouteConfiguration(
        name=name,
        virtual_hosts=[
            VirtualHost(
                name="all",
                domains=["*"],
                routes=[*listed, *made.of(listener.default, matchers(()), {})],
                retry_policy=_retry_where_safe(),
            )
        ],
        request_headers_to_add=[header("x-forwarded-port", str(listener.port)), *_forwarded_for(balancer)],
        request_headers_to_remove=[*_ENVOYS_OWN, *_not_forwarded_for(balancer)],
    )
    return resource("routes", name, message)


def _forwarded_for(balancer: Balancer) -> list[Any]:
    """With the client's port Envoy cannot do it by itself; the listener then leaves it to this."""
    if balancer.attributes.forwarded_for != "append" or not balancer.attributes.forwarded_for_port:
        return []
    added = header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%")
    added.append_action = type(added).APPEND_IF_EXISTS_OR_ADD
    return [added]


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


class _Routes(NamedTuple):
    """Makes the routes of one listener. `when` are members of a RouteMatch, `settings` those of filters."""

    balancer: Balancer
    listener: Listener
    groups: Mapping[str, Known]

    def of(self, action: Action, when: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Any]:
        """One route; where clients stay with a group, one before it for those of each group."""
        if isinstance(action, Forward) and action.sticky_seconds is not None:
            for share in _usable(action, self.groups):
                own = Forward(shares=(share,))
                held = {**when, "headers": [*when["headers"], sticky.belongs_to(share.group)]}
                route = self._route(own, held, settings)
                route.response_headers_to_add.append(sticky.group_cookie(share.group, action.sticky_seconds))
                yield route
        yield self._route(action, when, settings)

    def _route(self, action: Action, when: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
        match = RouteMatch(**when)
        if isinstance(action, Forward):
            return self._forward(action, match, settings)
        if isinstance(action, Redirect):
            if rewrites.mixed(action):
                return Route(
                    match=match,
                    direct_response=DirectResponseAction(status=action.status),
                    typed_per_filter_config=rewrites.redirect(action, self.listener),
                )
            return Route(match=match, redirect=_redirect(action), response_headers_to_add=[header("server", SERVER)])
        return Route(match=match, direct_response=_fixed(action), response_headers_to_add=_fixed_headers(action))

    def _forward(self, action: Forward, match: Any, settings: Mapping[str, Any]) -> Any:
        shares = _usable(action, self.groups)
        if not shares:
            return _nobody(match)
        # The stream's idle timeout bounds the wait for an answer; a route has no bound of its own.
        forwarded = RouteAction(timeout=Duration())
        if len(shares) == 1:
            forwarded.cluster = names.cluster(self.balancer.id, shares[0].group)
            settings = {**settings, **sticky.to_target(self.groups[shares[0].group])}
        else:
            forwarded.weighted_clusters.CopyFrom(_weighted(self.balancer, shares, self.groups, action.sticky_seconds))
        return Route(match=match, route=forwarded, typed_per_filter_config=settings)


def _usable(action: Forward, groups: Mapping[str, Known]) -> list[Share]:
    return [share for share in action.shares if share.group in groups and (share.weight or len(action.shares) == 1)]


def _weighted(balancer: Balancer, shares: list[Share], groups: Mapping[str, Known], held: int | None) -> Any:
    """`held`: seconds for which a client stays with the group that it gets."""
    return WeightedCluster(
        clusters=[
            WeightedCluster.ClusterWeight(
                name=names.cluster(balancer.id, share.group),
                weight=UInt32Value(value=share.weight),
                typed_per_filter_config=sticky.to_target(groups[share.group]),
                response_headers_to_add=[sticky.group_cookie(share.group, held)] if held is not None else (),
            )
            for share in shares
        ]
    )


def _nobody(match: Any) -> Any:
    page = FixedResponse(status=503, content_type="text/html", body=html(503))
    return Route(match=match, direct_response=_fixed(page), response_headers_to_add=_fixed_headers(page))


def _fixed(action: FixedResponse) -> Any:
    return DirectResponseAction(
        status=action.status, body=DataSource(inline_string=action.body) if action.body else None
    )


def _fixed_headers(action: FixedResponse) -> list[Any]:
    typed = [header("content-type", action.content_type)] if action.body else []
    return [*typed, header("server", SERVER)]


def _redirect(action: Redirect) -> Any:
    message = RedirectAction(
        response_code=RedirectAction.MOVED_PERMANENTLY if action.status == 301 else RedirectAction.FOUND
    )
    if action.protocol is not None:
        message.scheme_redirect = action.protocol.lower()
    if action.host is not None:
        message.host_redirect = action.host
    if action.port is not None:
        message.port_redirect = action.port
    if action.path is not None or action.query is not None:
        path = r"\1" if action.path is None else re.sub(r"\\", r"\\\\", action.path)
        query = "" if not action.query else "?" + re.sub(r"\\", r"\\\\", action.query)
        message.regex_rewrite.CopyFrom(
            RegexMatchAndSubstitute(pattern=RegexMatcher(regex="^(/[^?]*)$"), substitution=path + query)
        )
        message.strip_query = action.query is not None
    return message
