"""Access keys, and what a verified request says about its sender."""

from __future__ import annotations

from typing import Any

import msgspec


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """An access key. `token` and `expires` are of temporary ones; `principal` is whatever the caller keeps there."""

    access_key_id: str
    secret: str
    token: str | None = None
    expires: float | None = None  # seconds since the epoch
    principal: Any = None

    def __repr__(self) -> str:
        return f"Credential({self.access_key_id})"


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose signature is right."""

    access_key_id: str
    date: str  # of the scope: 20240102
    region: str
    service: str  # the scope's: the service's signing name
    credential: Credential
    signature: str
    time: str  # 20240102T030405Z
    payload: str  # what the signature says of the body: its hash, or UNSIGNED-PAYLOAD, or STREAMING-...
