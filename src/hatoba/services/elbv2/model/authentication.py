"""What a rule wants of its users before its action, and the keys by which load balancers keep and tell who they are."""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.store import Index, Table

DEFAULT_COOKIE, DEFAULT_SCOPE, DEFAULT_TIMEOUT = "AWSELBAuthSessionCookie", "openid", 604_800


class Authentication(msgspec.Struct, frozen=True, kw_only=True):
    """An action `authenticate-oidc`, complete. Its secret is never answered."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    user_info_endpoint: str
    client_id: str
    client_secret: Secret
    cookie: str = DEFAULT_COOKIE
    scope: str = DEFAULT_SCOPE
    timeout: int = DEFAULT_TIMEOUT  # seconds
    extra: dict[str, str] = msgspec.field(default_factory=dict)
    otherwise: Literal["authenticate", "deny", "allow"] = "authenticate"
    order: int = 1


class Signer(Record, frozen=True, kw_only=True):
    """Of the load balancer with the same id, from its first rule that authenticates on, until its end."""

    kid: str
    public: str  # PEM
    signing: Secret  # PEM: P-256
    session: Secret  # 32 bytes in hexadecimal, for cookies


signers = Table("elbv2.signers", Signer, indexes=(Index("kid", lambda signer: signer.kid),))
