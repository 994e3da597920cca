"""What somebody may try on the users of a load balancer who sign in: to be one of them, or to lead them astray."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec
import pytest
from msgspec.structs import replace

from hatoba.core import reach
from hatoba.proxy.signin import envoy
from hatoba.proxy.signin.flow import Answered, Passed, Session
from hatoba.proxy.signin.words import Rule
from tests.conformance.threats.disarm import without
from tests.unit.proxy.signin_flow import BASIC, WANTS, Users

OTHER_LISTENER = replace(BASIC, listener="l2", wants=replace(WANTS, id="r2"))
OTHER_CLIENT = replace(BASIC, wants=replace(WANTS, id="r2", client="admin"))


async def gets_in(users: Users, rule: str = "r1", listener: str = "l1") -> bool:
    return isinstance(await users.ask("/", rule, listener=listener), Passed)


async def with_a_cookie_of_ones_own_making() -> bool:
    users = Users()
    root = Session(subject="root", claims={"sub": "root"}, access="a", access_until=0.0, refresh="", until=2e9)
    sealed = bytes(12) + zlib.compress(msgspec.msgpack.encode(root))
    users.jar["Session-0"] = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    return await gets_in(users)


async def with_a_session_for(other: Rule) -> bool:
    users = Users(other, BASIC)
    said = await users.sent_away("/", "r2")
    users.provider.tells = {"aud": other.wants.client}
    await users.back(said["state"], listener=other.listener)
    return await gets_in(users)


async def with_the_session_of_another_listener() -> bool:
    return await with_a_session_for(OTHER_LISTENER)


async def with_the_session_of_another_client() -> bool:
    return await with_a_session_for(OTHER_CLIENT)


async def with_a_session_that_is_over() -> bool:
    users = Users()
    await users.sign_in()
    users.now += WANTS.timeout + 1
    return await gets_in(users)


async def with_a_state_that_was_used() -> bool:
    """With all cookies that were there then, from a browser's memory or a log."""
    users = Users()
    state = (await users.sent_away())["state"]
    before = dict(users.jar)
    await users.back(state)
    users.jar = before
    return (await users.back(state, "c2")).status == 302


async def by_a_link_into_somebody_elses_session() -> bool:
    """Mallory begins to sign in, and has Alice open where it would end: as Mallory, without knowing it."""
    users = Users()
    state = (await users.sent_away())["state"]
    users.jar = {"AWSALBAuthNonce": "of-alices-own-browser-"}
    return (await users.back(state)).status == 302


async def with_a_state_that_is_old() -> bool:
    users = Users()
    state = (await users.sent_away())["state"]
    users.now += 901
    return (await users.back(state)).status == 302


async def with_the_state_of_another_listener() -> bool:
    users = Users(OTHER_LISTENER, BASIC)
    state = (await users.sent_away("/", "r2"))["state"]
    return (await users.back(state, listener="l1")).status == 302


async def by_a_host_that_is_somebody_elses() -> bool:
    users = Users()
    found = await users.ask("/", host="evil.example")
    assert isinstance(found, Answered)
    state = found.location.partition("state=")[2].partition("&")[0]
    users.provider.nonce = found.location.partition("nonce=")[2]
    return urlsplit((await users.back(state)).location).hostname == "evil.example"


async def by_a_path_that_looks_like_a_host() -> bool:
    """A browser takes `//evil.example` for another site."""
    found = await Users().sign_in("//evil.example/")
    return urlsplit(found.location).hostname == "evil.example"


async def with_the_claims_of_another_user() -> bool:
    users = Users()
    users.provider.claims = {"sub": "root"}
    await users.sign_in()
    return await gets_in(users)


async def with_a_token_that_the_provider_gave_another_client() -> bool:
    users = Users()
    users.provider.tells = {"aud": "mallorys-own"}
    await users.sign_in()
    return await gets_in(users)


async def with_a_name_that_ends_a_header() -> bool:
    users = Users()
    name = "alice\r\nx-amzn-oidc-identity: root"
    users.provider.claims = users.provider.tells = {"sub": name}
    await users.sign_in()
    return await gets_in(users)


async def with_headers_of_ones_own() -> bool:
    """Where strangers are let in, targets must not take them for users."""
    ok = envoy.verdict(Passed(), None).ok_response
    return "x-amzn-oidc-identity" not in ok.headers_to_remove


async def with_a_provider_at_the_metadata_address() -> bool:
    return reach.may_be_asked("169.254.169.254", loopback=False)


FLOW, TOKENS = "hatoba.proxy.signin.flow", "hatoba.proxy.signin.tokens"
HOST = (f"{FLOW}:Balancer._state", "if asked.host.lower() != state.host:", "if False:")
PLACE = (f"{FLOW}:Balancer._returned", 'f"https://{state.host}{state.path}"', "state.path")
OPENED = "plain = self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], _context(bound))"
Attack = Callable[[], Awaitable[bool]]
THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (with_a_cookie_of_ones_own_making, ("hatoba.proxy.signin.sealing:Box.opened", OPENED, "plain = sealed[NONCE:]")),
    (with_the_session_of_another_listener, (f"{FLOW}:_of_session", "rule.listener, ", "")),
    (with_the_session_of_another_client, (f"{FLOW}:_of_session", "wants.client, ", "")),
    (with_a_session_that_is_over, (f"{FLOW}:Balancer._with_session", "if session.until <= now:", "if False:")),
    (with_a_state_that_was_used, (f"{FLOW}:Balancer._state", "self._used.get(state.id, now) is not None", "False")),
    (
        by_a_link_into_somebody_elses_session,
        (f"{FLOW}:Balancer._state", "not hmac.compare_digest(_bound(nonce), state.bound)", "False"),
    ),
    (with_a_state_that_is_old, (f"{FLOW}:Balancer._state", " or now >= state.until", "")),
    (with_the_state_of_another_listener, (f"{FLOW}:_of_state", '("state", listener)', '("state",)')),
    (by_a_host_that_is_somebody_elses, HOST),
    (by_a_path_that_looks_like_a_host, PLACE),
    (with_the_claims_of_another_user, (f"{FLOW}:Balancer._session", " or subject != who", "")),
    (with_a_token_that_the_provider_gave_another_client, (f"{TOKENS}:subject", "and wants.client in audiences", "")),
    (with_a_name_that_ends_a_header, (f"{TOKENS}:fits_in_header", "32 <= ord(char) < 127", "True")),
    (with_headers_of_ones_own, ("hatoba.proxy.signin.envoy:_passing", "if name not in told", "if False")),
    (
        with_a_provider_at_the_metadata_address,
        ("hatoba.core.reach:may_be_asked", "found.is_link_local or ", ""),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
async def test_refused_by_a_check_that_is_needed(attack: Attack, check: tuple[str, str, str]) -> None:
    assert not await attack()
    with without(*check):
        assert await attack(), "it is not this check that refuses it"
