"""Connection logs: what Envoy notes of each connection of a client, and the line that it becomes.

Noted when the connection ends, with the time at which it began; one that came to nothing, too. Fields and reasons are
those of "Connection log entries" in the guide for application load balancers, in that order. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog

from hatoba.proxy.accesslog import connection_id, moment, quoted
from hatoba.proxy.base import Balancer, Listener
from hatoba.proxy.resource import packed

_NONE = "-"

_COMMANDS = {
    "kind": "connection",
    "began": "%START_TIME(%s.%6f)%",
    "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "cipher": "%DOWNSTREAM_TLS_CIPHER%",
    "tls": "%DOWNSTREAM_TLS_VERSION%",
    "failure": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "subject": "%DOWNSTREAM_PEER_SUBJECT%",
    "serial": "%DOWNSTREAM_PEER_SERIAL%",
    "from": "%DOWNSTREAM_PEER_CERT_V_START(%s)%",
    "to": "%DOWNSTREAM_PEER_CERT_V_END(%s)%",
    "connection": "%CONNECTION_ID%",
}

# What Envoy's words (joined by underscores) have in them → why a certificate was refused. The first counts.
_REASONS = (
    ("certificate has expired", "ClientCertExpired"),
    ("not yet valid", "ClientCertNotYetValid"),
    ("revoked", "ClientCertCrlHit"),
    ("CRL", "ClientCertCrlProcessingError"),
    ("chain too long", "ClientCertMaxChainDepthExceeded"),
    ("purpose", "ClientCertPurposeInvalid"),
    ("CERTIFICATE VERIFY FAILED", "ClientCertUntrusted"),
)


def loggers(balancer: Balancer, listener: Listener) -> list[Any]:
    """`Balancer.connection_log` is the file's whole path; "" for none."""
    if not balancer.connection_log:
        return []
    form = SubstitutionFormatString(omit_empty_values=True)
    form.json_format.update({**_COMMANDS, "balancer": balancer.id, "port": str(listener.port)})
    return [AccessLog(name="file", typed_config=packed(FileAccessLog(path=balancer.connection_log, log_format=form)))]


def line(raw: Mapping[str, Any]) -> str:
    """How long a handshake took, Envoy does not say."""

    def text(key: str) -> str:
        found = raw.get(key)
        return str(found) if found not in (None, "", _NONE) else _NONE

    address, _, port = text("client").rpartition(":")
    shown = text("serial") != _NONE
    return " ".join(
        (
            moment(float(raw.get("began") or 0)),
            address.strip("[]") or _NONE,
            port,
            text("port"),
            text("tls"),
            text("cipher"),
            _NONE,
            quoted(text("subject")),
            f"NotBefore={_day(raw, 'from')};NotAfter={_day(raw, 'to')}" if shown else _NONE,
            text("serial").upper(),
            _verified(text("tls"), text("failure")),
            f"TID_{connection_id(raw)}",
        )
    )


def _day(raw: Mapping[str, Any], key: str) -> str:
    return datetime.fromtimestamp(int(raw.get(key) or 0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _verified(tls: str, failure: str) -> str:
    if failure == _NONE:
        return _NONE if tls == _NONE else "Success"
    said = failure.replace("_", " ")
    return "Failed:" + next((code for words, code in _REASONS if words in said), "UnmappedConnectionError")
