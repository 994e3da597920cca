"""What a rule wants of who asks, and what the service beside Envoy is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from hatoba.core.secret import Secret

CALLBACK = "/oauth2/idpresponse"  # where the provider sends users back to
NONCE_COOKIE = "AWSALBAuthNonce"

# By which names a balancer's secrets are handed over.
SESSION_KEY, SIGNING_KEY, CLIENT = "session", "signing", "client/"

Otherwise = Literal["authenticate", "deny", "allow"]


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Of a rule. The client's secret is not in it: it is handed over as `client/<id>`."""

    id: str  # unique within the balancer
    issuer: str
    authorization: str  # URLs, https
    token: str
    user_info: str
    client: str
    cookie: str
    scope: str
    timeout: int  # seconds that a session lasts
    extra: tuple[tuple[str, str], ...] = ()  # (name, value): in the request to the authorization endpoint
    otherwise: Otherwise = "authenticate"  # what becomes of who has not signed in


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """As whom a balancer speaks to its targets."""

    name: str
    key: str  # the id of the key that it signs with


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Of one balancer: its keys (`session`: 32 bytes in hexadecimal, `signing`: PEM) and its clients' secrets."""

    balancer: str
    values: Mapping[str, Secret]


class SignIns(msgspec.Struct, frozen=True, kw_only=True):
    """Of one balancer's users, since its service started: what came of it, in the words of CloudWatch's metrics."""

    success: int = 0
    failure: int = 0  # the provider denied it, or what came back was not to be believed
    error: int = 0  # the provider could not be asked, or a rule does not fit it
    refreshed: int = 0
    too_long: int = 0  # claims; errors, too
    seconds: float = 0.0  # that providers took, of all successes


# --- what the service is told (secrets in clear: over a socket that nobody else can open) ---------------------------


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`answers` are headers that the listener adds to whatever is answered, `signed` whether it says who answers."""

    listener: str
    wants: SignIn
    secret: str
    answers: tuple[tuple[str, str], ...] = ()
    server: str = ""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One balancer. `anchors` (PEM) are authorities that are trusted beside the machine's."""

    balancer: str
    signer: Signer
    session: str
    signing: str
    source: str  # the address from which the provider is asked
    rules: tuple[Rule, ...]
    anchors: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Everything: what is not in it is no longer wanted."""

    sites: tuple[Site, ...] = ()
