"""What happens to every request before rules: its host, headers that have no place in one, and requests whose end two
servers could see in two places.

Envoy itself refuses what is plainly wrong (two lengths, a length beside chunks, a broken number). Of what is only
unusual, strict screening refuses: a GET or HEAD that has a body or says that it has none, and headers that something
else might take for those that tell where a request ends. Source: "Desync mitigation mode" and "Host header
preservation" in the guide for application load balancers.

The script is made for the listener, so that one which asks for nothing has none. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter

from hatoba.proxy.base import Balancer, Listener
from hatoba.proxy.headers import script
from hatoba.proxy.pages import SERVER, html

_USUAL_PORTS = (80, 443)

_STRICT = """\
  local method = headers:get(":method")
  local bare = method == "GET" or method == "HEAD"
  local bad = bare and (headers:get("content-length") or headers:get("transfer-encoding")) ~= nil
  for name in pairs(headers) do
    local plain = name:lower():gsub("[^%a]", "")
    local ends = plain == "contentlength" or plain == "transferencoding"
    if ends and name ~= "content-length" and name ~= "transfer-encoding" then bad = true end
  end
  if bad then
    handle:respond(refusal, page)
    return
  end
"""

# Names may consist of letters, digits and hyphens; a colon begins those that are Envoy's way to keep the request line.
_DROP = """\
  local gone = {}
  for name in pairs(headers) do
    if name:find("[^%w%-:]") then gone[#gone + 1] = name end
  end
  for _, name in ipairs(gone) do headers:remove(name) end
"""

_PORT = """\
  local host = headers:get(":authority")
  if host ~= nil and not host:find(":%%d+$") then headers:replace(":authority", host .. ":%d") end
"""


def strips_port(balancer: Balancer, listener: Listener) -> bool:
    """The host that targets see has no port, whatever the client wrote."""
    return not balancer.attributes.preserve_host and listener.port in _USUAL_PORTS


def filters(balancer: Balancer, listener: Listener) -> list[Any]:
    """None, or the one that screens."""
    steps = "".join(_steps(balancer, listener))
    if not steps:
        return []
    server = f', ["server"] = "{SERVER}"' if listener.headers.server else ""
    code = (
        f"local page = {json.dumps(html(400))}\n"
        f'local refusal = {{[":status"] = "400", ["content-type"] = "text/html"{server}}}\n'
        f"function envoy_on_request(handle)\n  local headers = handle:headers()\n{steps}end\n"
    )
    return [HttpFilter(name="screen", typed_config=script("screen", code))]


def _steps(balancer: Balancer, listener: Listener) -> Iterator[str]:
    attributes = balancer.attributes
    if attributes.desync == "strictest":
        yield _STRICT
    if attributes.drop_invalid_headers:
        yield _DROP
    if not attributes.preserve_host and listener.port not in _USUAL_PORTS:
        yield _PORT % listener.port
