"""What a rule changes in a request: host and URL by regular expression, and redirects made of the request's own parts.

The substitution is Envoy's (`header_to_metadata`: compiled once, RE2), a script then puts the results in place, once
the route has been chosen. Both filters are on every listener and asleep but on the routes that wake them, so that a
rule never opens a socket again. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from envoy.extensions.filters.http.header_to_metadata.v3.header_to_metadata_pb2 import Config as ToMetadata
from envoy.extensions.filters.http.lua.v3.lua_pb2 import LuaPerRoute
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.type.matcher.v3.regex_pb2 import RegexMatchAndSubstitute, RegexMatcher
from google.protobuf.struct_pb2 import Struct

from hatoba.proxy.base import Listener, Redirect, Rule
from hatoba.proxy.conditions import before_port
from hatoba.proxy.headers import scripts
from hatoba.proxy.pages import SERVER, html
from hatoba.proxy.resource import packed

_SUBSTITUTE, _SCRIPT = "substitute", "script"
_NAMESPACE = "hatoba.rewrite"
WORDS = ("#{host}", "#{path}", "#{query}")

# What was substituted replaces the request's own. A result that no request can have is an error of the rule (500).
_REWRITE = f"""\
local page = {json.dumps(html(500))}
local function fit(text) return text ~= "" and not text:find("[%z\\1-\\32\\127]") end
function envoy_on_request(handle)
  local made = handle:streamInfo():dynamicMetadata():get("{_NAMESPACE}")
  if made == nil then return end
  local url, host = made["url"], made["host"]
  if url ~= nil and not (fit(url) and url:sub(1, 1) == "/") or host ~= nil and not fit(host) then
    handle:respond({{[":status"] = "500", ["content-type"] = "text/html", ["server"] = signature}}, page)
    return
  end
  local headers, known = handle:headers(), handle:streamInfo():dynamicMetadata()
  if url ~= nil then
    known:set("hatoba.asked", "path", headers:get(":path"))
    headers:replace(":path", url)
  end
  if host ~= nil then
    known:set("hatoba.asked", "host", headers:get(":authority"))
    headers:replace(":authority", host)
  end
end
"""

_REDIRECT = """\
function envoy_on_request(handle)
  local headers, to = handle:headers(), handle:filterContext()
  local path, query = headers:get(":path"):match("^/?([^?]*)%??(.*)$")
  local host = headers:get(":authority") or ""
  local own = {host = host:gsub(":%d+$", ""), path = path, query = query}
  local function filled(text) return (text:gsub("#{(%a+)}", own)) end
  local place = to:get("scheme") .. "://" .. filled(to:get("host")) .. to:get("port") .. filled(to:get("path"))
  local asked = filled(to:get("query"))
  if asked ~= "" then place = place .. "?" .. asked end
  local answer = {[":status"] = to:get("status"), ["location"] = place, ["server"] = signature}
  for name, value in pairs(to:get("added")) do answer[name] = value end
  handle:respond(answer, "")
end
"""


def filters(listener: Listener) -> list[Any]:
    signature = f"local signature = {json.dumps(SERVER) if listener.headers.server else 'nil'}\n"
    codes = {"rewrite": signature + _REWRITE, "redirect": signature + _REDIRECT}
    return [
        HttpFilter(name=_SUBSTITUTE, typed_config=packed(ToMetadata()), disabled=True),
        HttpFilter(name=_SCRIPT, typed_config=scripts("rules", codes), disabled=True),
    ]


def of_rule(rule: Rule) -> Mapping[str, Any]:
    """For the rule's routes: settings of filters."""
    rules = [
        _substitution(header, key, expression, given.replacement)
        for header, key, given, expression in (
            (":authority", "host", rule.host, f"(?i){before_port(rule.host.expression)}" if rule.host else ""),
            (":path", "url", rule.url, rule.url.expression if rule.url else ""),
        )
        if given is not None
    ]
    if not rules:
        return {}
    return {
        _SUBSTITUTE: packed(ToMetadata(request_rules=rules)),
        _SCRIPT: packed(LuaPerRoute(name="rewrite")),
    }


def _substitution(header: str, key: str, expression: str, replacement: str) -> Any:
    made = ToMetadata.KeyValuePair(
        metadata_namespace=_NAMESPACE,
        key=key,
        regex_value_rewrite=RegexMatchAndSubstitute(pattern=RegexMatcher(regex=expression), substitution=replacement),
    )
    return ToMetadata.Rule(header=header, on_header_present=made)


def mixed(action: Redirect) -> bool:
    """It has the request's own parts within other text."""
    return any(word in (part or "") for word in WORDS for part in (action.host, action.path, action.query))


def redirect(action: Redirect, listener: Listener) -> Mapping[str, Any]:
    """Settings of filters for a route that answers by a redirect."""
    own = (action.protocol or listener.protocol).lower()
    context = Struct()
    context.update(
        {
            "status": str(action.status),
            "scheme": own,
            "host": "#{host}" if action.host is None else action.host,
            "port": f":{action.port or listener.port}",
            "path": "/#{path}" if action.path is None else action.path,
            "query": "#{query}" if action.query is None else action.query,
            # Envoy adds them to answers of routes; this one is a script's.
            "added": dict(listener.headers.answers),
        }
    )
    return {_SCRIPT: packed(LuaPerRoute(name="redirect", filter_context=context))}
