"""Client tokens: the same request with the same token is answered as before, and done once.

One table: (scope, operation, token) → hash of the request, answer. It is written in the transaction that does the work,
so that either both are durable or neither is. Remembered for a day, then forgotten by whoever comes along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hatoba.core.errors import AwsError
from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record
from hatoba.store import Index, Store, Table, Tx

SECONDS = 24 * 3600.0  # how long a client token is remembered
_HOUR = 3600
_AT_ONCE = 4  # expired answers that a new one clears away


class Idempotent(Record, frozen=True, kw_only=True):
    """The answer to a request that carried a client token."""

    request: bytes  # hash of the request without its token
    result: bytes  # the answer, as MessagePack
    expires: float


def _hour(record: Idempotent) -> int:
    return int(record.expires // _HOUR)


idempotent = Table("gateway.idempotent", Idempotent, indexes=(Index("hour", _hour),))


def token_key(scope: Scope, service: str, operation: str, token: str) -> Key:
    return idempotent.key(scope, f"{service}:{operation}:{token}")


def _hash(req: Mapping[str, Any], token: str) -> bytes:
    rest = {name: value for name, value in req.items() if value != token}
    return hashlib.blake2b(msgspec.msgpack.encode(rest, order="deterministic"), digest_size=16).digest()


def earlier(
    tx: Tx, key: Key, req: Mapping[str, Any], token: str, *, now: float, mismatch: Callable[[], AwsError]
) -> Any | None:
    """The answer given before; None when there is none. Raises `mismatch()` when it was to another request."""
    record = tx.get(idempotent, key)
    if record is None or record.expires <= now:
        return None
    if record.request != _hash(req, token):
        raise mismatch()
    return msgspec.msgpack.decode(record.result)


def remember(tx: Tx, key: Key, req: Mapping[str, Any], token: str, result: object, *, now: float) -> None:
    stored = tx.get(idempotent, key)
    tx.put(
        idempotent,
        Idempotent(
            key=key,
            version=stored.version if stored else 0,
            request=_hash(req, token),
            result=msgspec.msgpack.encode(result),
            expires=now + SECONDS,
        ),
    )
    for old in tx.index(idempotent, "hour", int(now // _HOUR) - 1)[:_AT_ONCE]:
        tx.forget(idempotent, old.key)


def forget_expired(store: Store, now: float) -> int:
    """Clears away what hours without requests left behind: for the start, and once a day. How many they were."""
    expired = [record.key for record in store.all(idempotent) if record.expires <= now]
    with store.tx() as tx:
        for key in expired:
            tx.forget(idempotent, key)
    return len(expired)
