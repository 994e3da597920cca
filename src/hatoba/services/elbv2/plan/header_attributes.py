"""Attributes of an application load balancer's listener: headers that it adds to answers, names of those that it tells
targets about TLS, and whether its own answers say who gives them.

An empty value is the default, and nothing happens then. Sources: ModifyListenerAttributes in the API reference; "HTTP
header modification for your Application Load Balancer", with its limitations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hatoba.proxy.base import Headers
from hatoba.services.elbv2.plan.values import BOOLEAN, Test

SERVER = "routing.http.response.server.enabled"
_LONGEST_VALUE = 1024  # bytes
_VALUE = re.compile(r"[A-Za-z0-9_ :;.,\\/'?!(){}\[\]@<>=\-+*#&`|~^%]*")
_NAME = re.compile(r"[A-Za-z0-9_-]{0,256}")
# What requests are made of cannot be named otherwise.
_TAKEN = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "trailer"})

_ANSWERS = (
    "Strict-Transport-Security",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
)
_TOLD = (
    "X-Amzn-Mtls-Clientcert-Serial-Number",
    "X-Amzn-Mtls-Clientcert-Issuer",
    "X-Amzn-Mtls-Clientcert-Subject",
    "X-Amzn-Mtls-Clientcert-Validity",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "X-Amzn-Mtls-Clientcert",
    "X-Amzn-Tls-Version",
    "X-Amzn-Tls-Cipher-Suite",
)


def _value(value: str) -> str | None:
    if len(value.encode()) > _LONGEST_VALUE:
        return f"must not be longer than {_LONGEST_VALUE} bytes"
    if not _VALUE.fullmatch(value) or value != value.strip():
        return "contains characters that are not valid in the value of a header"
    return None


def _name(value: str) -> str | None:
    if not _NAME.fullmatch(value) or value.lower() in _TAKEN:
        return "must be the name of a header"
    return None


def _key(part: str, header: str, what: str) -> str:
    return f"routing.http.{part}.{header.lower().replace('-', '_')}.{what}"


_BY_ANSWER = {_key("response", header, "header_value"): header for header in _ANSWERS}
_BY_NAME = {_key("request", header, "header_name"): header for header in _TOLD}

_HTTP: Mapping[str, tuple[str, Test]] = {
    SERVER: ("true", BOOLEAN),
    **dict.fromkeys(_BY_ANSWER, ("", _value)),
}
TABLES: Mapping[str, Mapping[str, tuple[str, Test]]] = {
    "HTTP": _HTTP,
    "HTTPS": {**_HTTP, **dict.fromkeys(_BY_NAME, ("", _name))},
}


def proxied(given: Mapping[str, str]) -> Headers:
    """`given`: those that were set."""
    return Headers(
        answers=tuple((header, given[key]) for key, header in _BY_ANSWER.items() if given.get(key)),
        server=given.get(SERVER, "true") == "true",
        names=tuple((header, given[key]) for key, header in _BY_NAME.items() if given.get(key)),
    )
