"""What targets are told of a client's certificate: all that was verified of it, or else the whole chain as it came.

What a client itself sends under these names never reaches a target. Distinguished names are as RFC 2253 has them,
certificates URL-encoded PEM with `+`, `=` and `/` as they are. Source: "HTTP headers and mutual TLS" in the guide for
application load balancers. Pure.
"""

from __future__ import annotations

import json
from typing import Any

from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter

from hatoba.proxy.base import Listener
from hatoba.proxy.headers import script

_WHOLE = "X-Amzn-Mtls-Clientcert"
_PARTS = ("Serial-Number", "Issuer", "Subject", "Validity", "Leaf")

_VERIFIED = """\
    local from, to = tls:validFromPeerCertificate(), tls:expirationPeerCertificate()
    local function at(seconds) return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds) end
    told["Serial-Number"] = tls:serialNumberPeerCertificate():upper()
    told["Issuer"] = tls:issuerPeerCertificate()
    told["Subject"] = tls:subjectPeerCertificate()
    told["Validity"] = "NotBefore=" .. at(from) .. ";NotAfter=" .. at(to)
    told["Leaf"] = plain(tls:urlEncodedPemEncodedPeerCertificate())
"""
_PASSED = """\
    told["Chain"] = plain(tls:urlEncodedPemEncodedPeerCertificateChain())
"""
_TELL = """\
local safe = {["%%2B"] = "+", ["%%2F"] = "/", ["%%3D"] = "="}
local function plain(text) return (text:gsub("%%%%%%x%%x", safe)) end
function envoy_on_request(handle)
  local headers, tls, told = handle:headers(), handle:streamInfo():downstreamSslConnection(), {}
  if tls ~= nil and tls:peerCertificatePresented() then
%s  end
  for key, name in pairs(names) do
    if told[key] ~= nil then headers:replace(name, told[key]) else headers:remove(name) end
  end
end
"""


def filters(listener: Listener) -> list[Any]:
    """None, or the one that tells."""
    clients = listener.tls.clients if listener.tls is not None else None
    if clients is None:
        return []
    usual = {"Chain": _WHOLE, **{part: f"{_WHOLE}-{part}" for part in _PARTS}}
    given = dict(listener.headers.names)
    listed = ", ".join(f"[{json.dumps(key)}] = {json.dumps(given.get(name, name))}" for key, name in usual.items())
    code = f"local names = {{{listed}}}\n" + _TELL % (_VERIFIED if clients.authorities else _PASSED)
    return [HttpFilter(name="clients", typed_config=script("clients", code))]
