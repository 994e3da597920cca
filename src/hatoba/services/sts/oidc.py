"""OpenID providers: their keys, fetched from where they publish them and kept for a while.

A provider is what IAM knows of it: its URL and thumbprints. Its server is trusted if the machine trusts its
certificate, or if one in its chain has a thumbprint that IAM was told; then that certificate alone is the anchor, and
the rest of the chain and the name are checked as ever. Everything fetched is bounded in time and size, no redirect is
followed, and only addresses that may be asked are (`core.reach`): the one that was looked at is the one that is used.

Source: OpenID Connect Discovery 1.0; the IAM user guide, "Obtain the thumbprint for an OpenID Connect identity
provider".
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import HatobaError
from hatoba.core.reach import may_be_asked
from hatoba.gateway.http import client

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds for one answer
LONGEST = 15.0  # seconds for all that is asked of a provider
KEPT = 3600.0  # seconds that keys are used without asking again
AGAIN = 30.0  # seconds between two fetches for the sake of a key that is not there, or after no answer
MOST_PROVIDERS = 256
MOST_KEYS = 100

Jwk = dict[str, Any]


class Unreachable(HatobaError):
    """The provider cannot be reached, or what it says cannot be used."""


class _Known(msgspec.Struct, frozen=True):
    """What a provider answered: its keys, or why there are none."""

    keys: tuple[Jwk, ...]
    at: float
    fault: str = ""


Which = tuple[str, tuple[str, ...]]  # a provider's URL and thumbprints: one that is changed is asked anew


class Keys:
    """The keys of all providers."""

    def __init__(self, clock: Clock, *, loopback: bool = False) -> None:
        """`loopback`: providers on this machine are asked, too."""
        self._clock = clock
        self._fetcher = _Fetcher(loopback)
        self._known: dict[Which, _Known] = {}
        self._asking: dict[Which, asyncio.Task[_Known]] = {}

    async def of(self, url: str, thumbprints: Sequence[str], key_id: str | None) -> tuple[Jwk, ...]:
        """`url`: https. Fetched again when they are old, or, not too often, when `key_id` is not among them or there
        was no answer: whoever sends tokens does not choose how often the provider is asked. Raises `Unreachable`."""
        which = (url, tuple(sorted(print_.lower() for print_ in thumbprints)))
        found = self._fresh(which, key_id) or await self._ask(which)
        if found.fault:
            raise Unreachable(found.fault)
        return found.keys

    def _fresh(self, which: Which, key_id: str | None) -> _Known | None:
        known = self._known.get(which)
        if known is None:
            return None
        age = self._clock.monotonic() - known.at
        there = not known.fault and (key_id is None or any(key.get("kid") == key_id for key in known.keys))
        return known if age < (KEPT if there else AGAIN) else None

    async def _ask(self, which: Which) -> _Known:
        """Once for all who want to know; one that goes away takes nothing from the others."""
        asking = self._asking.get(which)
        if asking is None:
            asking = self._asking[which] = asyncio.create_task(self._fetch(which))
            asking.add_done_callback(lambda _: self._asking.pop(which, None))
        return await asyncio.shield(asking)

    async def _fetch(self, which: Which) -> _Known:
        keys: tuple[Jwk, ...] = ()
        fault = ""
        try:
            async with asyncio.timeout(LONGEST):
                keys = await self._fetcher.keys(*which)
        except (Unreachable, TimeoutError) as error:
            fault = str(error) or f"{which[0]} takes too long to answer"
            # For the operator alone: whoever may register providers would learn what answers at which address.
            log.warning("the OpenID provider %s: %s", which[0], fault)
        while len(self._known) >= MOST_PROVIDERS:
            del self._known[next(iter(self._known))]
        self._known[which] = _Known(keys, self._clock.monotonic(), fault)
        return self._known[which]


class _Fetcher:
    def __init__(self, loopback: bool) -> None:
        self._loopback = loopback
        self._machine: ssl.SSLContext | None = None  # whom the machine trusts: read when it is needed, once

    async def keys(self, url: str, thumbprints: tuple[str, ...]) -> tuple[Jwk, ...]:
        """Raises `Unreachable`."""
        said = await self._json(f"{url.rstrip('/')}/.well-known/openid-configuration", thumbprints)
        where = said.get("jwks_uri")
        if said.get("issuer") != url or not isinstance(where, str):
            raise Unreachable(f"{url} publishes no configuration that is its own")
        keys = (await self._json(where, thumbprints)).get("keys")
        if not isinstance(keys, list):
            raise Unreachable(f"{url} publishes no keys")
        return tuple(key for key in keys[:MOST_KEYS] if isinstance(key, dict))

    async def _json(self, url: str, thumbprints: tuple[str, ...]) -> dict[str, Any]:
        try:
            address = await self._address(url)
            self._machine = self._machine or ssl.create_default_context()
            try:
                answer = await client.get(url, address, self._machine, patience=PATIENCE)
            except ssl.SSLCertVerificationError:
                anchor = _anchor(await _chain(url, address), thumbprints)
                if anchor is None:
                    raise Unreachable(f"no certificate of {url} is trusted or has a known thumbprint") from None
                answer = await client.get(url, address, _trusting(anchor), patience=PATIENCE)
            found = msgspec.json.decode(answer.body) if answer.status == 200 else None
        except (client.Unanswered, OSError, TimeoutError, msgspec.DecodeError, ValueError, RecursionError) as error:
            raise Unreachable(f"{url}: {error}") from error
        if not isinstance(found, dict):
            raise Unreachable(f"{url} answers {answer.status} without a JSON object")
        return found

    async def _address(self, url: str) -> str:
        """What the URL's name means now. Raises `Unreachable` for what may not be asked."""
        where = urlsplit(url)
        if where.scheme != "https" or not where.hostname:
            raise Unreachable(f"{url} is not an HTTPS URL")
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(where.hostname, where.port or 443, type=socket.SOCK_STREAM)
        for *_, (address, *_) in found:
            if may_be_asked(str(address), loopback=self._loopback):
                return str(address)
        raise Unreachable(f"{url} is at no address that may be asked")


async def _chain(url: str, address: str) -> list[bytes]:
    """The certificates (DER) that the server shows, believed in nothing."""
    where, context = urlsplit(url), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with asyncio.timeout(PATIENCE):
        _, writer = await asyncio.open_connection(
            address, where.port or 443, ssl=context, server_hostname=where.hostname
        )
    try:
        session = writer.get_extra_info("ssl_object")
        # Python has no public way to a chain that is not verified before 3.13.
        return [one.public_bytes(_DER) for one in session._sslobj.get_unverified_chain()]
    finally:
        writer.close()


def _anchor(chain: Sequence[bytes], thumbprints: tuple[str, ...]) -> bytes | None:
    """The certificate of a server's chain that has one of the thumbprints."""
    known = (each for each in chain if hashlib.sha1(each, usedforsecurity=False).hexdigest() in thumbprints)
    return next(known, None)


_DER = 2  # _ssl.ENCODING_DER


def _trusting(certificate: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate)
    return context
