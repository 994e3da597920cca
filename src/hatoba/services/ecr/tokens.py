"""Authorization tokens and download tickets: sealed, so that they need no record and outlive a restart.

A token opens the registry to whoever got it for 12 hours (GetAuthorizationToken), with the permissions that they have
when they use it, and no longer than the access key works that it was got with: not after the end of the session, nor
once the key is inactive, its user deleted or its task stopped. A ticket opens one path for an hour
(GetDownloadUrlForLayer), to anybody. Neither can be made or changed without the instance's key.
"""

from __future__ import annotations

import base64
import binascii
from typing import cast

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import Refused
from hatoba.core.secret import Sealer
from hatoba.gateway.access import Identities
from hatoba.gateway.call import Principal
from hatoba.registry import ports

USER = "AWS"
TOKEN_SECONDS = 12 * 3600.0
TICKET_SECONDS = 3600.0

_TOKEN = b"ecr-token:2"
_TICKET = b"ecr-ticket:"


class _Permit(msgspec.Struct, frozen=True, array_like=True):
    principal: Principal | None  # None: a ticket
    expires: float


class Ticket(msgspec.Struct, frozen=True):
    """In place of a principal: who has a link that carries its permission."""


class Tokens:
    """The registry's `Access`. `open_to` is who comes without credentials (with `--auth off`); None: nobody may."""

    def __init__(self, sealer: Sealer, clock: Clock, identities: Identities, open_to: Principal | None = None) -> None:
        self._sealer = sealer
        self._clock = clock
        self._identities = identities
        self._open_to = open_to

    @property
    def checked(self) -> bool:
        """Whether it matters who asks."""
        return self._open_to is None

    def token(self, principal: Principal) -> tuple[str, float]:
        """What `docker login` wants, in base64 (`AWS:<password>`), and when it expires."""
        known = self._identities.find(principal.access_key) if principal.access_key is not None else None
        ends = known.expires if known is not None and self.checked else None
        password, expires = self._permit(principal, TOKEN_SECONDS, _TOKEN, ends)
        return base64.b64encode(f"{USER}:{password}".encode()).decode(), expires

    def link_ticket(self, path: str) -> str:
        return self._permit(None, TICKET_SECONDS, _TICKET + path.encode())[0]

    async def verify(self, user: str, password: str) -> ports.Principal | None:
        permit = self._read(password, _TOKEN) if user == USER else None
        who = None if permit is None or permit.principal is None else self._still(permit.principal)
        # Without authentication any login will do: people log in out of habit.
        return self.anonymous() if who is None else ports.Principal(who)

    def ticket(self, path: str, ticket: str) -> ports.Principal | None:
        return None if self._read(ticket, _TICKET + path.encode()) is None else ports.Principal(Ticket())

    def anonymous(self) -> ports.Principal | None:
        return None if self._open_to is None else ports.Principal(self._open_to)

    def _still(self, who: Principal) -> Principal | None:
        """Whose the key is by now: users may have got another name. None when it does not work any more. Rooms that ask
        under their own names have no key."""
        if who.access_key is None or not self.checked:
            return who
        known = self._identities.find(who.access_key)
        now = cast(Principal, known.principal) if known is not None else None
        return now if now is not None and now.id == who.id else None

    def _permit(
        self, principal: Principal | None, seconds: float, context: bytes, ends: float | None = None
    ) -> tuple[str, float]:
        expires = self._clock.now() + seconds
        if ends is not None:
            expires = min(expires, ends)
        sealed = self._sealer.seal(msgspec.msgpack.encode(_Permit(principal, expires)), context)
        return base64.urlsafe_b64encode(sealed).decode(), expires

    def _read(self, text: str, context: bytes) -> _Permit | None:
        try:
            plain = self._sealer.unseal(base64.urlsafe_b64decode(text.encode()), context)
        except (Refused, binascii.Error, ValueError):
            return None
        permit = msgspec.msgpack.decode(plain, type=_Permit)
        return permit if permit.expires > self._clock.now() else None
