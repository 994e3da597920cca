"""Clients that stay: with the target they got first, or with the target group, by a cookie. Pure.

The cookie names the target, so nothing has to be remembered anywhere, and any restart is survived. A target that is
draining, unhealthy or gone is not held to: the client gets another one, and its cookie. Cookies are renewed with each
answer, and doubled for browsers that send them to other sites only when told so (`…CORS`). Of a group that is held by
an application's own cookie the balancer's comes with that one, and not before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher
from envoy.extensions.filters.http.lua.v3.lua_pb2 import LuaPerRoute
from envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2 import (
    StatefulSession,
    StatefulSessionPerRoute,
)
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.extensions.http.stateful_session.cookie.v3.cookie_pb2 import CookieBasedSessionState
from envoy.type.http.v3.cookie_pb2 import Cookie
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.struct_pb2 import Struct

from hatoba.proxy.base import Listener, TargetGroup
from hatoba.proxy.clusters import duration
from hatoba.proxy.headers import scripts
from hatoba.proxy.pages import header
from hatoba.proxy.resource import packed

TARGET_COOKIE, APPLICATION_COOKIE, GROUP_COOKIE = "AWSALB", "AWSALBAPP-0", "AWSALBTG"
_FILTER, _SCRIPT = "session", "cookies"

# Around the session filter, which reads and sets the cookie itself, but only when the target is another one.
_COOKIES = """\
local space = "hatoba.cookies"
local function value(cookies, name)
  for each in cookies:gmatch("[^;]+") do
    local found = each:match("^%s*" .. name .. "=(.*)$")
    if found ~= nil then return found end
  end
end
function envoy_on_request(handle)
  local headers, to = handle:headers(), handle:filterContext()
  local cookies, name = headers:get("cookie"), to:get("name")
  if cookies == nil then return end
  local own = value(cookies, to:get("pattern"))
  if own == nil and to:get("double") ~= "" then
    own = value(cookies, to:get("pattern") .. "CORS")
    if own ~= nil then headers:replace("cookie", cookies .. "; " .. name .. "=" .. own) end
  end
  if own ~= nil then handle:streamInfo():dynamicMetadata():set(space, "own", own) end
end
function envoy_on_response(handle)
  local headers, to = handle:headers(), handle:filterContext()
  local name, application, double = to:get("name"), to:get("application"), to:get("double")
  local made, asked, others = nil, application == "", {}
  for number = 0, headers:getNumValues("set-cookie") - 1 do
    local each = headers:getAtIndex("set-cookie", number)
    if each:sub(1, #name + 1) == name .. "=" then
      made = each:match('="?([^";]*)')
    else
      others[#others + 1] = each
      if each:sub(1, #application + 1) == application .. "=" then asked = true end
    end
  end
  local before = handle:streamInfo():dynamicMetadata():get(space)
  if made == nil and before ~= nil then made = before["own"] end
  if made == nil then return end
  headers:remove("set-cookie")
  for _, each in ipairs(others) do headers:add("set-cookie", each) end
  if asked then
    made = "=" .. made .. to:get("rest")
    headers:add("set-cookie", name .. made)
    if double ~= "" then headers:add("set-cookie", name .. "CORS" .. made .. double) end
  end
end
"""


class Known(NamedTuple):
    """A group that exists, as far as routes are concerned."""

    id: str
    sticky_seconds: int | None
    application: str  # the application's cookie, by which it is held; or none
    across_zones: bool


def known(group: TargetGroup) -> Known:
    attributes = group.attributes
    return Known(group.id, attributes.sticky_seconds, attributes.sticky_cookie or "", attributes.across_zones)


def cookie_filter() -> Any:
    return HttpFilter(name=_SCRIPT, typed_config=scripts("cookies", {"cookies": _COOKIES}), disabled=True)


def session_filter() -> Any:
    """On every listener, and asleep but on the routes that wake it: so that stickiness never opens a socket again."""
    return HttpFilter(name=_FILTER, typed_config=packed(StatefulSession()), disabled=True)


def to_target(group: Known, listener: Listener) -> Mapping[str, Any]:
    """For a route, or a share of it, that leads to the group: settings of filters."""
    if group.sticky_seconds is None:
        return {}
    name = APPLICATION_COOKIE if group.application else TARGET_COOKIE
    cookie = Cookie(name=name, ttl=duration(group.sticky_seconds), path="/")
    state = TypedExtensionConfig(
        name="envoy.http.stateful_session.cookie", typed_config=packed(CookieBasedSessionState(cookie=cookie))
    )
    context = Struct()
    context.update(
        {
            "name": name,
            "pattern": name.replace("-", "%-"),
            "application": group.application,
            "rest": f"; Max-Age={group.sticky_seconds}; Path=/",
            "double": "" if group.application else _elsewhere(listener),
        }
    )
    return {
        _FILTER: packed(StatefulSessionPerRoute(stateful_session=StatefulSession(session_state=state))),
        _SCRIPT: packed(LuaPerRoute(name="cookies", filter_context=context)),
    }


def _elsewhere(listener: Listener) -> str:
    """What a cookie needs to be sent along from other sites; browsers want it to be secure, then."""
    return "; SameSite=None; Secure" if listener.protocol == "HTTPS" else "; SameSite=None"


def group_cookies(group: str, seconds: int, listener: Listener) -> list[Any]:
    """Headers of answers that make the client come back to this group."""
    rest = f"={_token(group)}; Max-Age={seconds}; Path=/"
    made = [header("set-cookie", GROUP_COOKIE + rest)]
    made.append(header("set-cookie", f"{GROUP_COOKIE}CORS{rest}{_elsewhere(listener)}"))
    for each in made:
        each.append_action = type(each).APPEND_IF_EXISTS_OR_ADD
    return made


def belongs_to(group: str) -> Any:
    """A condition: the client has been given to this group."""
    pattern = rf"(^|.*;\s*){GROUP_COOKIE}(CORS)?={_token(group)}(;.*|$)"
    return HeaderMatcher(name="cookie", string_match=StringMatcher(safe_regex=RegexMatcher(regex=pattern)))


def _token(group: str) -> str:
    """Says nothing of the group to who reads the cookie."""
    return hashlib.blake2b(group.encode(), digest_size=12).hexdigest()
