"""A request of a rule that wants its users to sign in, and what becomes of it.

    who has a session                 passes, with what targets are told of them
    whose access token has expired    passes, with a new session, if the provider gives another for the refresh token
    who has none                      is sent to the provider, refused (401), or passes without, as the rule says
    who comes back from the provider  is sent on to where they wanted to go, with a session

Nothing is kept but what may be lost: who somebody is stands in their cookies. A state is good once, for a quarter of an
hour, for the browser that it was made for and the host that was asked.

Sources: "Authenticate users using an Application Load Balancer"; "Troubleshoot your Application Load Balancers" (401,
500, 561); "Access logs", error reason codes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hatoba.proxy.signin import sealing, tokens
from hatoba.proxy.signin.memory import Fading
from hatoba.proxy.signin.provider import Failed, Granted, Provider
from hatoba.proxy.signin.sealing import Box, TooLong
from hatoba.proxy.signin.words import CALLBACK, NONCE_COOKIE, Rule, SignIns, Site

LOGIN_SECONDS = 900  # within which a client must have signed in
COOKIE_SECONDS = 604_800  # that browsers keep a session's cookies, however long the session is
MOST_CLAIMS = 11 * 1024  # bytes of claims and access token
REFRESHED_FOR = 60.0  # seconds for which requests with the former cookie get what it was refreshed to
_REMEMBERED = 4096
_MOST_STATES = 100_000
_HOST = re.compile(r"(?i)(?:[a-z0-9](?:[a-z0-9.-]{0,252})|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}")

Chance = Callable[[int], bytes]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`rule` is the id of what the rule wants; "" for what comes back from the provider."""

    listener: str
    rule: str
    host: str
    path: str  # and query
    cookies: str


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """`headers` are all that targets are told: what the client sent under those names is taken away. `cookies` are set
    in the answer."""

    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """`reason`: in the words of access logs."""

    status: Literal[302, 401, 500, 561]
    location: str = ""
    cookies: tuple[str, ...] = ()
    reason: str = ""
    rule: Rule | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What goes to the provider and comes back. `bound` is of the browser's nonce, `id` the request's own."""

    rule: str
    host: str
    path: str
    id: str
    bound: str
    until: float


class Session(msgspec.Struct, frozen=True, kw_only=True):
    subject: str
    claims: dict[str, Any]
    access: str
    access_until: float  # 0: it does not say
    refresh: str
    until: float


# Source: "Access log entries", which of the reasons counts as a failure; of the others, which metric.
_FAILURES = frozenset(
    {
        "AuthInvalidCookie",
        "AuthInvalidGrantError",
        "AuthInvalidIdToken",
        "AuthInvalidStateParam",
        "AuthInvalidTokenResponse",
        "AuthInvalidUserinfoResponse",
        "AuthMissingCodeParam",
        "AuthMissingStateParam",
        "AuthInvalidAWSALBAuthNonce",
        "AuthMissingAWSALBAuthNonce",
    }
)
_TOO_LONG = "AuthUserinfoResponseSizeExceeded"


class Balancer:
    """One balancer's: its rules and keys, and what is remembered to be quick."""

    def __init__(
        self,
        site: Site,
        provider: Provider,
        now: Callable[[], float],
        chance: Chance,
        before: SignIns = SignIns(),  # noqa: B008  frozen
    ) -> None:
        """`before`: what came of it so far."""
        self.counted = before
        key = load_pem_private_key(site.signing.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "the room makes no other"
        self._key = key
        self._site = site
        self._provider = provider
        self._now = now
        self._chance = chance
        self._box = Box(site.session)
        self._rules = {rule.wants.id: rule for rule in site.rules}
        self._passes: Fading[Passed] = Fading(_REMEMBERED)  # by rule and cookie
        self._used: Fading[bool] = Fading(_MOST_STATES)  # states, by id
        self._refreshing: dict[str, asyncio.Task[Session | None]] = {}
        self._refreshed: Fading[Session] = Fading(_REMEMBERED)

    def known(self, rule: str) -> Rule | None:
        return self._rules.get(rule)

    async def check(self, asked: Asked) -> Passed | Answered:
        found = await self._check(asked)
        if isinstance(found, Answered):
            self._count(found, asked)
        return found

    def _count(self, found: Answered, asked: Asked) -> None:
        if found.reason == _TOO_LONG:
            self._add(error=1, too_long=1)
        elif found.reason in _FAILURES or (asked.rule == "" and found.status != 302 and not found.reason):
            self._add(failure=1)
        elif found.reason:
            self._add(error=1)

    def _add(self, **more: float) -> None:
        changed = {name: getattr(self.counted, name) + value for name, value in more.items()}
        self.counted = msgspec.structs.replace(self.counted, **changed)

    async def _check(self, asked: Asked) -> Passed | Answered:
        if asked.rule == "":
            return await self._returned(asked)
        rule = self._rules.get(asked.rule)
        if rule is None:
            return Answered(status=500, reason="AuthUnhandledException")
        cookies = sealing.read(asked.cookies)
        text = sealing.joined(rule.wants.cookie, cookies)
        if not text:
            return self._stranger(asked, rule, cookies)
        which = hashlib.blake2b(f"{asked.rule}\0{text}".encode(), digest_size=16).hexdigest()
        known = self._passes.get(which, self._now())
        if known is not None:
            return known
        session = self._box.opened(text, _of_session(rule), Session)
        if session is None:
            return self._stranger(asked, rule, cookies, reason="AuthInvalidCookie")
        return await self._with_session(asked, rule, cookies, session, which)

    async def _with_session(
        self, asked: Asked, rule: Rule, cookies: Mapping[str, str], session: Session, which: str
    ) -> Passed | Answered:
        now = self._now()
        if session.until <= now:
            return self._stranger(asked, rule, cookies)
        set_cookies: tuple[str, ...] = ()
        if _stale(session, now):
            renewed = await self._refresh(rule, session)
            if renewed is None:
                return self._stranger(asked, rule, cookies)
            try:
                set_cookies = self._session_cookies(rule, renewed, cookies)
            except TooLong:
                return Answered(status=500, reason=_TOO_LONG, rule=rule)
            session = renewed
        passed = Passed(headers=self._told(rule, session), cookies=set_cookies)
        if not set_cookies:
            until = min(session.until, now + tokens.TELLS_FOR / 2)
            if session.refresh and session.access_until:
                until = min(until, session.access_until)
            self._passes.put(which, passed, until, now)
        return passed

    def _told(self, rule: Rule, session: Session) -> tuple[tuple[str, str], ...]:
        data = tokens.signed(session.claims, rule.wants, self._site.signer, self._key, self._now())
        return ((tokens.IDENTITY, session.subject), (tokens.ACCESS_TOKEN, session.access), (tokens.DATA, data))

    # --- without a session

    def _stranger(self, asked: Asked, rule: Rule, cookies: Mapping[str, str], reason: str = "") -> Passed | Answered:
        wants = rule.wants
        if wants.otherwise == "allow":
            return Passed()
        if wants.otherwise == "deny":
            return Answered(status=401, reason=reason, rule=rule)
        host = asked.host.lower()
        if not _HOST.fullmatch(host):
            return Answered(status=401, reason="AuthMissingHostHeader", rule=rule)
        nonce = cookies.get(NONCE_COOKIE, "")
        if not _NONCE.fullmatch(nonce):  # else another tab is signing in
            nonce = sealing.letters(self._chance(16))
        state = State(
            rule=wants.id,
            host=host,
            path=asked.path,
            id=sealing.letters(self._chance(16)),
            bound=_bound(nonce),
            until=self._now() + LOGIN_SECONDS,
        )
        query = {
            "client_id": wants.client,
            "redirect_uri": _callback(host),
            "response_type": "code",
            "scope": wants.scope,
            "state": self._box.seal(state, _of_state(rule.listener), self._chance(sealing.NONCE)),
            "nonce": state.id,
        }
        place = wants.authorization + ("&" if "?" in wants.authorization else "?")
        location = place + urlencode([*wants.extra, *query.items()])
        cookie = f"{NONCE_COOKIE}={nonce}; Max-Age={LOGIN_SECONDS}; Path=/; Secure; HttpOnly"
        return Answered(status=302, location=location, cookies=(cookie,), reason=reason, rule=rule)

    # --- back from the provider

    async def _returned(self, asked: Asked) -> Answered:
        given = _query(asked.path)
        cookies = sealing.read(asked.cookies)
        found = self._state(asked, given.get("state", ""), cookies)
        if isinstance(found, str):
            return Answered(status=401, reason=found)
        state, rule = found
        if "error" in given:
            return Answered(status=401 if given["error"] == "access_denied" else 561, rule=rule)
        if not given.get("code"):
            return Answered(status=401, reason="AuthMissingCodeParam", rule=rule)
        began = self._now()
        try:
            session = await self._signed_in(rule, state, given["code"])
            set_cookies = self._session_cookies(rule, session, cookies)
        except Failed as failed:
            return Answered(status=failed.status, reason=failed.reason, rule=rule)
        except TooLong:
            return Answered(status=500, reason=_TOO_LONG, rule=rule)
        self._add(success=1, seconds=max(0.0, self._now() - began))
        # The nonce stays: another tab may be signing in by it.
        return Answered(status=302, location=f"https://{state.host}{state.path}", cookies=set_cookies, rule=rule)

    def _state(self, asked: Asked, text: str, cookies: Mapping[str, str]) -> tuple[State, Rule] | str:
        """What was asked for, or in the words of access logs why it is not to be believed."""
        if not text:
            return "AuthMissingStateParam"
        now = self._now()
        state = self._box.opened(text, _of_state(asked.listener), State)
        rule = self._rules.get(state.rule) if state is not None else None
        if state is None or rule is None or now >= state.until:
            return "AuthInvalidStateParam"
        if asked.host.lower() != state.host:
            return "AuthInvalidStateParam"
        nonce = cookies.get(NONCE_COOKIE)
        if nonce is None:
            return "AuthMissingAWSALBAuthNonce"
        if not hmac.compare_digest(_bound(nonce), state.bound):
            return "AuthInvalidAWSALBAuthNonce"
        if self._used.get(state.id, now) is not None:
            return "AuthInvalidStateParam"
        self._used.put(state.id, True, state.until, now)
        return state, rule

    async def _signed_in(self, rule: Rule, state: State, code: str) -> Session:
        """Raises `Failed`."""
        granted = await self._provider.redeem(self._site, rule, code, _callback(state.host))
        now = self._now()
        who = tokens.subject(granted.id_token, rule.wants, state.id, now) if granted.id_token else None
        if who is None:
            raise Failed(401, "AuthInvalidIdToken")
        return await self._session(rule, granted, who, now + rule.wants.timeout)

    async def _session(self, rule: Rule, granted: Granted, who: str, until: float) -> Session:
        """Raises `Failed`."""
        claims = await self._provider.user_info(self._site, rule, granted.access)
        subject = claims.get("sub")
        # Another one's claims must not be taken for those of who signed in (OpenID Connect Core 1.0, 5.3.2).
        if not isinstance(subject, str) or subject != who:
            raise Failed(561, "AuthInvalidUserinfoResponse")
        if not tokens.fits_in_header(subject) or not tokens.fits_in_header(granted.access):
            raise Failed(561, "AuthInvalidUserinfoResponse")
        if len(msgspec.json.encode(claims)) + len(granted.access) > MOST_CLAIMS:
            raise Failed(500, _TOO_LONG)
        return Session(
            subject=subject,
            claims=claims,
            access=granted.access,
            access_until=self._now() + granted.lasts if granted.lasts else 0.0,
            refresh=granted.refresh,
            until=until,
        )

    # --- the access token has expired

    async def _refresh(self, rule: Rule, session: Session) -> Session | None:
        """Once for all requests that come with it: a provider may take a refresh token once. None where it fails."""
        which = hashlib.blake2b(f"{rule.wants.id}\0{session.refresh}".encode(), digest_size=16).hexdigest()
        known = self._refreshed.get(which, self._now())
        if known is not None:
            return known
        running = self._refreshing.get(which)
        if running is None:
            running = self._refreshing[which] = asyncio.create_task(self._renewed(rule, session, which))
            running.add_done_callback(lambda _: self._refreshing.pop(which, None))
        return await asyncio.shield(running)

    async def _renewed(self, rule: Rule, session: Session, which: str) -> Session | None:
        try:
            granted = await self._provider.refresh(self._site, rule, session.refresh)
            if not granted.refresh:
                granted = msgspec.structs.replace(granted, refresh=session.refresh)
            renewed = await self._session(rule, granted, session.subject, session.until)
        except Failed:
            return None
        self._add(refreshed=1)
        now = self._now()
        self._refreshed.put(which, renewed, now + REFRESHED_FOR, now)
        return renewed

    # --- cookies

    def _session_cookies(self, rule: Rule, session: Session, before: Mapping[str, str]) -> tuple[str, ...]:
        """Those that are too many from before are taken away. Raises `TooLong`."""
        text = self._box.seal(session, _of_session(rule), self._chance(sealing.NONCE))
        cut = sealing.pieces(rule.wants.cookie, text)
        expires = formatdate(self._now() + COOKIE_SECONDS, usegmt=True)
        made = [f"{name}={value}; Expires={expires}; Path=/; Secure; HttpOnly" for name, value in cut]
        names = (f"{rule.wants.cookie}-{number}" for number in range(len(cut), sealing.MOST_PIECES))
        gone = [f"{name}=; Max-Age=0; Path=/; Secure; HttpOnly" for name in names if name in before]
        return (*made, *gone)


def _stale(session: Session, now: float) -> bool:
    """Without a refresh token a session lasts until its own end, whatever the access token says."""
    return bool(session.refresh) and 0.0 < session.access_until <= now


def _of_session(rule: Rule) -> tuple[str, ...]:
    """A session counts for all rules of the listener that ask the same provider in the same way."""
    wants = rule.wants
    return ("session", rule.listener, wants.issuer, wants.client, wants.scope)


def _of_state(listener: str) -> tuple[str, ...]:
    return ("state", listener)


def _query(path: str) -> dict[str, str]:
    """Of several with one name the first; nothing where there are more than any provider sends."""
    try:
        found = parse_qs(path.partition("?")[2], max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _callback(host: str) -> str:
    return f"https://{host}{CALLBACK}"


def _bound(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()
