"""What a registry asks for when it answers 401 (RFC 7235; distribution spec, token authentication). Pure."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlencode, urlsplit

import msgspec

from hatoba.runtime.base import Credentials

_PARAMETER = re.compile(r'([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    scheme: str  # "basic", "bearer"
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse(header: str) -> Challenge | None:
    """The challenge of a WWW-Authenticate header; None when it is of no kind that we know."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() not in ("basic", "bearer"):
        return None
    found = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
    return Challenge(
        scheme=scheme.lower(),
        realm=found.get("realm", ""),
        service=found.get("service", ""),
        scope=found.get("scope", ""),
    )


def token_url(challenge: Challenge, repository: str) -> str:
    """Where the bearer token is to be had."""
    query = {"service": challenge.service} if challenge.service else {}
    query["scope"] = challenge.scope or f"repository:{repository}:pull"
    return f"{challenge.realm}{'&' if urlsplit(challenge.realm).query else '?'}{urlencode(query)}"


def basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password.reveal()}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
