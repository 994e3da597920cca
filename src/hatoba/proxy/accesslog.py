"""Access logs: what Envoy notes of each request, and the line that it becomes.

Envoy writes what it knows as JSON, as fast as it can; the line is made of it later, away from requests. Its fields are
those of "Access log entries" in the guide for application load balancers, in that order. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.listener.v3.listener_components_pb2 import ListenerFilter
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector

from hatoba.proxy.base import Action, Balancer, FixedResponse, Listener, Redirect
from hatoba.proxy.resource import packed

_NONE = "-"
RETURNED = "0 authenticate"  # the route of who comes back from an identity provider
_LONGEST = 8192  # of a client's own words

_COMMANDS = {
    "began": "%START_TIME(%s.%6f)%",
    "lasted": "%DURATION%",
    "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "target": "%UPSTREAM_HOST%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "to_target": "%COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)%",
    "at_target": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
    "to_client": "%COMMON_DURATION(US_RX_BEG:DS_TX_BEG:us)%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "received": "%DOWNSTREAM_WIRE_BYTES_RECEIVED%",
    "sent": "%DOWNSTREAM_WIRE_BYTES_SENT%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ(:PATH)%",
    "asked_host": "%DYNAMIC_METADATA(hatoba.asked:host)%",
    "asked_path": "%DYNAMIC_METADATA(hatoba.asked:path)%",
    "protocol": "%PROTOCOL%",
    "upgrade": "%REQ(UPGRADE)%",
    "content": "%REQ(CONTENT-TYPE)%",
    "agent": "%REQ(USER-AGENT)%",
    "trace": "%REQ(X-AMZN-TRACE-ID)%",
    "cipher": "%DOWNSTREAM_TLS_CIPHER%",
    "tls": "%DOWNSTREAM_TLS_VERSION%",
    "name": "%REQUESTED_SERVER_NAME%",
    "route": "%ROUTE_NAME%",
    "location": "%RESP(LOCATION)%",
    "connection": "%CONNECTION_ID%",
    "reason": "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:reason)%",
}


def loggers(balancer: Balancer, listener: Listener) -> list[Any]:
    """`Balancer.access_log` is the file's whole path; "" for none."""
    if not balancer.access_log:
        return []
    form = SubstitutionFormatString(omit_empty_values=True)
    form.json_format.update(
        {
            **_COMMANDS,
            "balancer": balancer.id,
            "port": str(listener.port),
            "shown": listener.tls.certificates[0] if listener.tls and len(listener.tls.certificates) == 1 else "",
        }
    )
    return [AccessLog(name="file", typed_config=packed(FileAccessLog(path=balancer.access_log, log_format=form)))]


def name_finders(balancer: Balancer, listener: Listener) -> list[Any]:
    """What notes the name that a client asks for in TLS."""
    if not balancer.access_log or listener.tls is None:
        return []
    return [ListenerFilter(name="name", typed_config=packed(TlsInspector()))]


def route_name(priority: int, action: Action, *, signs_in: bool = False) -> str:
    """Of a rule's routes, for the log: 0 is the default action."""
    kind = "fixed-response" if isinstance(action, FixedResponse) else "forward"
    before = "authenticate," if signs_in else ""
    return f"{priority} {before}{'redirect' if isinstance(action, Redirect) else kind}"


def _certificate(prefix: str, shown: str) -> str:
    """Its ARN; that of IAM's certificates does not follow from their ids."""
    return _NONE if shown == _NONE or shown.startswith("ASCA") else prefix + shown


def line(raw: Mapping[str, Any], *, certificates: str = "") -> str:
    """`certificates`: what the id of one is put behind to make its ARN."""

    def text(key: str) -> str:
        found = raw.get(key)
        return str(found) if found not in (None, "", _NONE) else _NONE

    answered = text("details") == "via_upstream"
    target = text("target") if answered or "to_target" in raw else _NONE
    status = text("status") if answered else _NONE
    priority, _, action = text("route").partition(" ")
    if text("details").startswith("ext_authz"):
        action = "authenticate"  # and no further
    began = float(raw.get("began") or 0)
    done = began + float(raw.get("lasted") or 0) / 1000
    secure = text("tls") != _NONE
    cluster = text("cluster")
    return " ".join(
        (
            _kind(raw, secure),
            moment(done),
            text("balancer"),
            text("client"),
            target,
            *_times(raw, dispatched=target != _NONE, answered=answered),
            text("status") if text("status") != "0" else _NONE,
            status,
            text("received"),
            text("sent"),
            quoted(_request(raw, text, secure)),
            quoted(text("agent")),
            text("cipher"),
            text("tls"),
            cluster.partition("|")[2] or _NONE,
            quoted(text("trace")),
            quoted(text("name")),
            quoted(_certificate(certificates, text("shown")) if secure else _NONE),
            priority if action else "-1",
            moment(began),
            quoted(action or _NONE),
            quoted(text("location") if action.endswith("redirect") else _NONE),
            quoted(text("reason")),  # of errors of authentication; there are no functions
            quoted(target),
            quoted(status),
            quoted(_NONE),  # what Envoy lets through is not classified
            quoted(_NONE),
            f"TID_{connection_id(raw)}",
            *_transformed(text),
        )
    )


def _kind(raw: Mapping[str, Any], secure: bool) -> str:
    if str(raw.get("upgrade") or "").lower() == "websocket" and str(raw.get("status")) in ("101", "200"):
        return "wss" if secure else "ws"
    if str(raw.get("protocol")) != "HTTP/2":
        return "https" if secure else "http"
    return "grpcs" if str(raw.get("content") or "").startswith("application/grpc") else "h2"


def _times(raw: Mapping[str, Any], *, dispatched: bool, answered: bool) -> tuple[str, str, str]:
    """Seconds to a millisecond; -1 for what did not come to pass."""

    def seconds(key: str, passed: bool) -> str:
        found = raw.get(key)
        return f"{max(0.0, float(found)) / 1e6:.3f}" if passed and found not in (None, _NONE) else "-1"

    return seconds("to_target", dispatched), seconds("at_target", answered), seconds("to_client", answered)


def _request(raw: Mapping[str, Any], text: Any, secure: bool) -> str:
    host = text("asked_host") if text("asked_host") != _NONE else text("host")
    path = text("asked_path") if text("asked_path") != _NONE else text("path")
    port = "" if host.rpartition(":")[2].isdigit() else f":{text('port')}"
    place = f"{'https' if secure else 'http'}://{host}{port}{path if path != _NONE else '/'}"
    protocol = {"HTTP/2": "HTTP/2.0"}.get(text("protocol"), text("protocol"))
    return f"{text('method')} {quote(place, safe=_URL)} {protocol}"


_URL = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~\\"  # what stands in a request line as it came; quotes and others are encoded


def _transformed(text: Any) -> tuple[str, str, str]:
    host, path = text("asked_host") != _NONE, text("asked_path") != _NONE
    return (
        quoted(text("host") if host else _NONE),
        quoted(text("path") if path else _NONE),
        quoted("TransformSuccess" if host or path else _NONE),
    )


def quoted(value: str) -> str:
    return '"' + value[:_LONGEST].replace("\\", "\\\\").replace('"', "\\x22") + '"'


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def connection_id(raw: Mapping[str, Any]) -> str:
    """The same for all requests of a connection, and for its own line."""
    known = f"{raw.get('balancer')} {raw.get('client')} {raw.get('connection')}"
    return hashlib.blake2b(known.encode(), digest_size=16).hexdigest()
