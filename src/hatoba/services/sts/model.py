"""What STS stores: sessions, found by their access key id from any account's request."""

from __future__ import annotations

from typing import Any

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.gateway.call import Principal
from hatoba.store import Index, Table, Tx

EVERYWHERE = Scope("", "", "")


class Session(Record, frozen=True, kw_only=True):
    """The id is the access key id (`ASIA…`)."""

    principal: Principal
    secret: Secret
    token: Secret
    expires: float


sessions = Table("sts.sessions", Session, indexes=(Index("hour", lambda session: int(session.expires // 3600)),))

TABLES: tuple[Table[Any], ...] = (sessions,)


def forget_expired(tx: Tx, now: float, most: int = 8) -> None:
    """A few that ended an hour ago and more: whoever makes a new session sweeps for the old ones."""
    hour = int(now // 3600) - 1
    for past in (hour, hour - 1):
        for session in tx.index(sessions, "hour", past)[:most]:
            tx.forget(sessions, session.key)
