"""Clients that stay: with the target they got first, or with the target group, by a cookie. Pure.

The cookie names the target, so nothing has to be remembered anywhere, and any restart is survived. A target that is
draining, unhealthy or gone is not held to: the client gets another one, and its cookie. An application's own cookie
(`app_cookie`) is not waited for: the client is held from its first answer on, for as long as that cookie would last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher
from envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2 import (
    StatefulSession,
    StatefulSessionPerRoute,
)
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.extensions.http.stateful_session.cookie.v3.cookie_pb2 import CookieBasedSessionState
from envoy.type.http.v3.cookie_pb2 import Cookie
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from hatoba.proxy.base import TargetGroup
from hatoba.proxy.clusters import duration
from hatoba.proxy.pages import header
from hatoba.proxy.resource import packed

TARGET_COOKIE, APPLICATION_COOKIE, GROUP_COOKIE = "AWSALB", "AWSALBAPP-0", "AWSALBTG"
_FILTER = "session"


class Known(NamedTuple):
    """A group that exists, as far as routes are concerned."""

    id: str
    sticky_seconds: int | None
    application: bool  # by the application's cookie


def known(group: TargetGroup) -> Known:
    attributes = group.attributes
    return Known(group.id, attributes.sticky_seconds, attributes.sticky_cookie is not None)


def session_filter() -> Any:
    """On every listener, and asleep but on the routes that wake it: so that stickiness never opens a socket again."""
    return HttpFilter(name=_FILTER, typed_config=packed(StatefulSession()), disabled=True)


def to_target(group: Known) -> Mapping[str, Any]:
    """For a route, or a share of it, that leads to the group: settings of filters."""
    if group.sticky_seconds is None:
        return {}
    name = APPLICATION_COOKIE if group.application else TARGET_COOKIE
    cookie = Cookie(name=name, ttl=duration(group.sticky_seconds), path="/")
    state = TypedExtensionConfig(
        name="envoy.http.stateful_session.cookie", typed_config=packed(CookieBasedSessionState(cookie=cookie))
    )
    return {_FILTER: packed(StatefulSessionPerRoute(stateful_session=StatefulSession(session_state=state)))}


def group_cookie(group: str, seconds: int) -> Any:
    """A header of answers that makes the client come back to this group."""
    added = header("set-cookie", f"{GROUP_COOKIE}={_token(group)}; Max-Age={seconds}; Path=/")
    added.append_action = type(added).APPEND_IF_EXISTS_OR_ADD
    return added


def belongs_to(group: str) -> Any:
    """A condition: the client has been given to this group."""
    pattern = rf"(^|.*;\s*){GROUP_COOKIE}={_token(group)}(;.*|$)"
    return HeaderMatcher(name="cookie", string_match=StringMatcher(safe_regex=RegexMatcher(regex=pattern)))


def _token(group: str) -> str:
    """Says nothing of the group to who reads the cookie."""
    return hashlib.blake2b(group.encode(), digest_size=12).hexdigest()
