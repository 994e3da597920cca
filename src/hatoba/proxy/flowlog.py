"""Access logs of network load balancers: what Envoy notes of a TLS listener's connections, and the line it becomes.

Noted when the connection ends; one whose handshake came to nothing, too. Fields are those of "Access log entries" in
the guide for network load balancers, in that order. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.listener.v3.listener_components_pb2 import ListenerFilter
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector

from hatoba.proxy.base import Listener
from hatoba.proxy.resource import packed

_NONE = "-"
_LONGEST = 256  # of a name that a client asks for

_COMMANDS = {
    "kind": "flow",
    "began": "%START_TIME(%s.%6f)%",
    "lasted": "%DURATION%",
    "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "destination": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "received": "%BYTES_RECEIVED%",
    "sent": "%BYTES_SENT%",
    "cipher": "%DOWNSTREAM_TLS_CIPHER%",
    "tls": "%DOWNSTREAM_TLS_VERSION%",
    "name": "%REQUESTED_SERVER_NAME%",
}


def loggers(balancer: str, file: str, listener: Listener) -> list[Any]:
    """`file`: the whole path, "" for none. Only what is encrypted is noted, as is documented."""
    if not file or listener.tls is None:
        return []
    form = SubstitutionFormatString(omit_empty_values=True)
    shown = listener.tls.certificates[0] if len(listener.tls.certificates) == 1 else ""
    form.json_format.update({**_COMMANDS, "balancer": balancer, "listener": listener.id, "shown": shown})
    return [AccessLog(name="file", typed_config=packed(FileAccessLog(path=file, log_format=form)))]


def name_finders(file: str, listener: Listener) -> list[Any]:
    """What notes the name that a client asks for."""
    if not file or listener.tls is None:
        return []
    return [ListenerFilter(name="name", typed_config=packed(TlsInspector()))]


def line(raw: Mapping[str, Any], *, certificates: str = "") -> str:
    """`certificates`: what the id of one is put behind to make its ARN."""

    def text(key: str) -> str:
        found = raw.get(key)
        return str(found) if found not in (None, "", _NONE) else _NONE

    began = float(raw.get("began") or 0)
    lasted = float(raw.get("lasted") or 0)
    agreed = text("cipher") != _NONE  # a version is told of handshakes that fail, too
    shown = text("shown")
    return " ".join(
        (
            "tls",
            "2.0",
            _second(began + lasted / 1000),
            text("balancer"),
            text("listener"),
            text("client"),
            text("destination"),
            f"{lasted:.0f}",
            _NONE,  # how long the handshake took, Envoy does not tell
            text("received"),
            text("sent"),
            _NONE,  # alerts of clients, which Envoy does not tell
            # Which of several it was, Envoy does not tell; the ARN of one of IAM does not follow from its id.
            _NONE if not agreed or shown == _NONE or shown.startswith("ASCA") else certificates + shown,
            _NONE,
            text("cipher") if agreed else _NONE,
            text("tls").lower().replace(".", "") if agreed else _NONE,
            _NONE,
            quote(text("name")[:_LONGEST], safe=""),
            _NONE,  # what was agreed on by ALPN, with the client and with the target, and what the client prefers
            _NONE,
            _NONE,
            _second(began),
        )
    )


def _second(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
