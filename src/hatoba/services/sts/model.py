"""What STS stores: sessions, found by their access key id from any account's request."""

from __future__ import annotations

from itertools import islice
from typing import Any

from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.gateway.call import Principal
from hatoba.store import Table, Tx

EVERYWHERE = Scope("", "", "")


class Session(Record, frozen=True, kw_only=True):
    """The id is the access key id (`ASIA…`)."""

    principal: Principal
    secret: Secret
    token: Secret
    expires: float
    workload: Key | None = None  # of the fleet: the session ends with it


sessions = Table("sts.sessions", Session)

TABLES: tuple[Table[Any], ...] = (sessions,)

_AT_ONCE = 8  # sessions that are looked at


def forget_expired(tx: Tx, now: float, near: str) -> None:
    """Looks at a few sessions from `near` on, and forgets those that have ended.

    Whoever makes a session does this with its random id: so the table is swept evenly, and holds few dead ones.
    """
    for session in islice(tx.scan(sessions, EVERYWHERE, after=near), _AT_ONCE):
        if session.expires <= now:
            tx.forget(sessions, session.key)
