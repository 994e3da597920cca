"""Encoded authorisation messages: why a request was refused, in a form that only the platform can read.

Whoever is refused may not know why; whoever may call STS's DecodeAuthorizationMessage, in the same account, may. The
text is sealed (`core.secret`) with the account: it cannot be made up, nor read in another account.

    verdicts.encode("123456789012", {"allowed": False, "explicitDeny": True, …}) → "AbC…"
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from hatoba.core.errors import Refused
from hatoba.core.secret import Sealer

LONGEST = 10240  # characters of an encoded message, as DecodeAuthorizationMessage takes it
_UNPACKED = 256 * 1024  # bytes


class NotOurs(ValueError):
    """The message was not made here, or for another account."""


class Verdicts:
    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def encode(self, account: str, verdict: Mapping[str, Any]) -> str:
        """`verdict`: what JSON can say. One that is too long loses its `context`, then its `matchedStatements`."""
        for without in ((), ("context",), ("context", "matchedStatements")):
            told = {key: value for key, value in verdict.items() if key not in without}
            sealed = self._sealer.seal(zlib.compress(msgspec.json.encode(told)), _bound(account))
            text = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
            if len(text) <= LONGEST:
                break
        return text

    def decode(self, account: str, text: str) -> str:
        """The verdict as JSON. Raises `NotOurs`."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            packed = self._sealer.unseal(sealed, _bound(account))
        except (Refused, ValueError, binascii.Error):
            raise NotOurs(text[:32]) from None
        return zlib.decompressobj().decompress(packed, _UNPACKED).decode()


def _bound(account: str) -> bytes:
    return b"verdict\0" + account.encode()
