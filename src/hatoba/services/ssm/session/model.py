"""Sessions as they are stored: who started them, what runs in them, and a token that opens the data channel once."""

from __future__ import annotations

import hmac
import re
from itertools import islice
from typing import Literal, NamedTuple

from hatoba.core import arn
from hatoba.core.errors import HatobaError
from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.core.secret import Secret
from hatoba.gateway.call import Principal
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

TOKEN_SECONDS = 60.0  # within which a session has to be connected to
KEPT_SECONDS = 3600.0  # for which one that is over is remembered: a client may ask to resume it

_AT_ONCE = 8  # sessions that are looked at
_TARGET = re.compile(r"ecs:(.+?)_([0-9a-f]{32})_(.+)")


class Target(NamedTuple):
    """A task's container."""

    cluster: str
    task: str
    runtime: str


def target_of(text: str) -> Target | None:
    """`ecs:<cluster>_<task>_<runtime id>`; None for anything else."""
    parsed = _TARGET.fullmatch(text)
    return Target(*parsed.groups()) if parsed is not None else None


def task_arn(scope: Scope, target: Target) -> str:
    return arn.make(scope, "ecs", f"task/{target.cluster}/{target.task}")


class Session(Record, frozen=True, kw_only=True):
    """The id is `ecs-execute-command-…`. Writers: the API starts it, the talk connects and ends it."""

    owner: str  # ARN of the user, or of the role, whoever has assumed it
    target: str  # "ecs:<cluster>_<task>_<runtime id>"
    workload: str  # the task's id
    container: str
    command: str
    log_group: str = ""  # "": not logged to one
    log_bucket: str = ""  # likewise
    log_prefix: str = ""  # of its objects there
    document: str = "AmazonECS-ExecuteInteractiveCommand"
    reason: str = ""  # for which it was started, as whoever did so says
    token: Secret | None = None  # until it was used
    token_until: float = 0.0
    state: Literal["offered", "connected", "ended"] = "offered"
    started: float
    ended: float | None = None
    why: str = ""  # it ended; "" by itself


sessions = Table("ssm.sessions", Session, indexes=(Index("id", lambda session: session.key.id),))
TABLES = (sessions,)


def over(session: Session, now: float) -> bool:
    """It has ended; or nobody came for it as long as its token was good, and nobody can any more."""
    return session.state == "ended" or (session.state == "offered" and now > session.token_until)


class BadToken(HatobaError):
    """The token does not open this session; the text says why."""


def owner(principal: Principal) -> str:
    """Whose sessions are one's own: of a role, those of all who have assumed it."""
    return principal.role or principal.arn


def find(view: View, id_: str) -> Session | None:
    """By its id alone, which is all that a stream's URL has."""
    return next(iter(view.index(sessions, "id", id_)), None)


def claim(tx: Tx, id_: str, token: str, now: float) -> Session:
    """Uses the token up. Raises `BadToken`."""
    session = find(tx, id_)
    if session is None:
        raise BadToken(f"There is no session {id_}.")
    if session.token is None:
        raise BadToken("The token was used before: it opens the session once.")
    if not hmac.compare_digest(session.token.reveal().encode(), token.encode()):
        raise BadToken("The token is not this session's.")
    if now > session.token_until:
        raise BadToken(f"The token has expired: it is valid for {TOKEN_SECONDS:.0f} seconds.")
    return tx.put(sessions, replace(session, token=None, state="connected"))


def end(tx: Tx, id_: str, now: float, why: str) -> None:
    session = find(tx, id_)
    if session is not None and session.state != "ended":
        tx.put(sessions, replace(session, state="ended", token=None, ended=now, why=why))


def forget_old(tx: Tx, scope: Scope, now: float, near: str) -> None:
    """Looks at a few sessions from `near` on, a random id, and forgets those that are long over. See `sts.model`."""
    for session in islice(tx.scan(sessions, scope, after=near), _AT_ONCE):
        over = session.ended if session.state == "ended" else session.token_until
        if session.state != "connected" and over is not None and now - over > KEPT_SECONDS:
            tx.forget(sessions, session.key)
