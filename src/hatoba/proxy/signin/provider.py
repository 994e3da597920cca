"""Asking an identity provider: a token for a code or a refresh token, and who somebody is.

Over TLS whose certificate and name are verified, from the balancer's own address, so that the routes and security
groups of its interface hold. The client shows its secret as HTTP Basic authentication has it (OpenID Connect Core 1.0,
section 9). No redirect is followed; every answer has bounds in time and size, and what is no answer has a status and a
reason.
"""

from __future__ import annotations

import base64
import functools
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from hatoba.core.errors import HatobaError
from hatoba.core.reach import may_be_asked
from hatoba.gateway.http import client
from hatoba.proxy.signin.words import Rule, Site

PATIENCE = 5.0  # seconds for one answer
MOST_ASKED = 256  # at a time: strangers choose when a provider is asked, but not how much of it we bear

Resolve = Callable[[str], Awaitable[str]]  # a host's address; raises `OSError`
_FORM = "application/x-www-form-urlencoded"


class Failed(HatobaError):
    """How the user is answered, and why in the words of access logs."""

    def __init__(self, status: Literal[401, 500, 561], reason: str) -> None:
        super().__init__(reason)
        self.status: Literal[401, 500, 561] = status
        self.reason = reason


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    access: str
    id_token: str = ""
    refresh: str = ""
    lasts: float = 0.0  # seconds, of the access token; 0: it is not said


class Provider(Protocol):
    """Each raises `Failed`."""

    async def redeem(self, site: Site, rule: Rule, code: str, callback: str) -> Granted: ...

    async def refresh(self, site: Site, rule: Rule, token: str) -> Granted: ...

    async def user_info(self, site: Site, rule: Rule, access: str) -> dict[str, Any]: ...


class OverTls:
    """The real one. `loopback`: a provider on this machine is asked, too."""

    def __init__(self, resolve: Resolve, *, loopback: bool = False) -> None:
        self._resolve = resolve
        self._loopback = loopback
        self._asking = 0

    async def redeem(self, site: Site, rule: Rule, code: str, callback: str) -> Granted:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback}
        return await self._grant(site, rule, form)

    async def refresh(self, site: Site, rule: Rule, token: str) -> Granted:
        return await self._grant(site, rule, {"grant_type": "refresh_token", "refresh_token": token})

    async def user_info(self, site: Site, rule: Rule, access: str) -> dict[str, Any]:
        told = {"authorization": f"Bearer {access}"}
        answer = await self._ask(site, "GET", rule.wants.user_info, told, b"", "AuthUserinfoEpRequestTimeout")
        if answer.status // 100 != 2:
            raise Failed(561, "AuthUserinfoEpRequestFailed")
        return _json(answer.body, "AuthInvalidUserinfoResponse")

    async def _grant(self, site: Site, rule: Rule, form: Mapping[str, str]) -> Granted:
        who = f"{quote_plus(rule.wants.client)}:{quote_plus(rule.secret)}"
        told = {"authorization": f"Basic {base64.b64encode(who.encode()).decode()}", "content-type": _FORM}
        body = urlencode(form).encode()
        answer = await self._ask(site, "POST", rule.wants.token, told, body, "AuthTokenEpRequestTimeout")
        if answer.status // 100 != 2:
            invalid = b'"invalid_grant"' in answer.body
            raise Failed(561, "AuthInvalidGrantError" if invalid else "AuthTokenEpRequestFailed")
        return _granted(_json(answer.body, "AuthInvalidTokenResponse"))

    async def _ask(
        self, site: Site, method: str, url: str, headers: Mapping[str, str], body: bytes, silent: str
    ) -> client.Answer:
        where = urlsplit(url)
        if self._asking >= MOST_ASKED:
            raise Failed(500, silent)
        self._asking += 1
        try:
            address = await self._resolve(where.hostname or "")
            if not may_be_asked(address, loopback=self._loopback):
                raise Failed(500, silent)
            return await client.ask(
                method, url, address, _trusting(site.anchors), headers=headers, body=body, source=site.source or None,
                patience=PATIENCE,
            )  # fmt: skip
        except (client.Unanswered, OSError, TimeoutError, ValueError):
            raise Failed(500, silent) from None
        finally:
            self._asking -= 1


@functools.lru_cache(maxsize=64)
def _trusting(anchors: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if anchors:
        context.load_verify_locations(cadata=anchors)
    return context


def _json(body: bytes, reason: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise Failed(561, reason)
    return found


def _granted(said: Mapping[str, Any]) -> Granted:
    access, lasts = said.get("access_token"), said.get("expires_in")
    texts = [said.get("id_token") or "", said.get("refresh_token") or ""]
    if not isinstance(access, str) or not access or not all(isinstance(each, str) for each in texts):
        raise Failed(561, "AuthInvalidTokenResponse")
    if isinstance(lasts, str) and lasts.isascii() and lasts.isdigit():
        lasts = int(lasts[:12])
    if isinstance(lasts, bool) or not isinstance(lasts, int | float) or not 0 < lasts < 1e12:
        lasts = 0
    return Granted(access=access, id_token=texts[0], refresh=texts[1], lasts=float(lasts))
