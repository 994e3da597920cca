"""Signing in, decided in values: sessions, their ends, refreshes, and every way in which it comes to nothing."""

from __future__ import annotations

import asyncio
import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hatoba.core.reach import may_be_asked
from hatoba.proxy.signin import sealing, tokens
from hatoba.proxy.signin.flow import Answered, Passed
from hatoba.proxy.signin.memory import Fading
from hatoba.proxy.signin.provider import MOST_ASKED, Failed, OverTls
from hatoba.proxy.signin.sealing import Box, TooLong, joined, pieces
from hatoba.proxy.signin.words import Rule, SignIn, SignIns
from tests.unit.proxy.signin_flow import BASIC, HOST, IDP, WANTS, Users, passes, site
from tools.identity import unsigned


def wanting(**changed: object) -> Rule:
    return replace(BASIC, wants=replace(WANTS, **changed))


async def test_who_signs_in_goes_on_to_where_they_wanted_to() -> None:
    users = Users(wanting(extra=(("prompt", "login"), ("ui", "a b&c"))))
    said = await users.sent_away("/cart?x=%2F&y=1")
    assert {name: said[name] for name in ("client_id", "redirect_uri", "response_type", "scope", "prompt", "ui")} == {
        "client_id": "shop", "redirect_uri": f"https://{HOST}/oauth2/idpresponse", "response_type": "code",
        "scope": "openid", "prompt": "login", "ui": "a b&c",
    }  # fmt: skip
    found = await users.back(said["state"])
    assert (found.status, found.location) == (302, f"https://{HOST}/cart?x=%2F&y=1")
    assert list(users.jar) == ["AWSALBAuthNonce", "Session-0"]
    told = await passes(users)
    assert (told["x-amzn-oidc-identity"], told["x-amzn-oidc-accesstoken"]) == ("alice", "access-0")
    assert users.provider.asked == ["redeem c1", "userinfo"]


async def test_the_tokens_of_targets_are_made_anew_before_they_end() -> None:
    users = Users()
    await users.sign_in()
    first = await passes(users)
    users.now += 30
    assert await passes(users) == first, "remembered"
    users.now += 40
    assert await passes(users) != first


async def test_a_session_ends_whatever_the_provider_gave() -> None:
    users = Users(wanting(timeout=60))
    await users.sign_in()
    users.now += 59
    await passes(users)
    users.now += 1
    await users.sent_away()


async def test_without_a_refresh_token_a_session_outlives_its_access_token() -> None:
    users = Users()
    await users.sign_in()
    users.now += 3599
    assert (await passes(users))["x-amzn-oidc-accesstoken"] == "access-0"
    assert len(users.provider.asked) == 2


async def refreshing(**changed: object) -> Users:
    users = Users(wanting(**changed))
    users.provider.granted = replace(users.provider.granted, refresh="r0")
    await users.sign_in()
    users.now += 300
    users.provider.claims = {"sub": "alice", "role": "new"}
    return users


async def test_an_expired_access_token_is_refreshed_once_for_all_who_come_with_it() -> None:
    users = await refreshing()
    before = "; ".join(f"{name}={value}" for name, value in users.jar.items())
    found = await asyncio.gather(*(users.ask(cookies=before) for _ in range(5)), users.ask(cookies=before))
    assert all(isinstance(each, Passed) and dict(each.headers)["x-amzn-oidc-accesstoken"] == "r0+" for each in found)
    assert all(each.cookies for each in found), "each browser gets the new session"
    assert users.provider.asked[2:] == ["refresh r0", "userinfo"]
    await passes(users)
    assert len(users.provider.asked) == 4
    users.now += 300
    await passes(users)
    assert users.provider.asked[4:] == ["refresh r0+", "userinfo"], "with the token that came with the last"
    users.now += 3000
    await users.sent_away()


@pytest.mark.parametrize("what", ["refresh", "userinfo", "another user"])
async def test_who_cannot_be_refreshed_signs_in_again(what: str) -> None:
    users = await refreshing()
    if what == "another user":
        users.provider.claims = {"sub": "mallory"}
    else:
        users.provider.fails = {what: Failed(561, "AuthTokenEpRequestFailed")}
    await users.sent_away()


async def test_strangers_are_treated_as_the_rule_says() -> None:
    for otherwise, status in (("deny", 401), ("allow", None)):
        found = await Users(wanting(otherwise=otherwise)).ask()
        assert (found.status if isinstance(found, Answered) else None) == status
    found = await Users(wanting(otherwise="allow")).ask(cookies="Session-0=nonsense")
    assert found == Passed(), "and they are nobody"


async def test_two_tabs_sign_in_at_a_time() -> None:
    users = Users()
    one, other = await users.sent_away("/one"), await users.sent_away("/other")
    assert (await users.back(other["state"])).location.endswith("/other")
    users.provider.nonce = one["nonce"]
    assert (await users.back(one["state"])).location.endswith("/one")


FAILURES: dict[str, tuple[dict[str, object], int, str]] = {
    "refused": ({"fails": {"redeem": Failed(561, "AuthInvalidGrantError")}}, 561, "AuthInvalidGrantError"),
    "silence": ({"fails": {"redeem": Failed(500, "AuthTokenEpRequestTimeout")}}, 500, "AuthTokenEpRequestTimeout"),
    "no id token": ({"id_token": ""}, 401, "AuthInvalidIdToken"),
    "no token at all": ({"id_token": "a.b.c"}, 401, "AuthInvalidIdToken"),
    "another issuer": ({"tells": {"iss": "https://evil.example"}}, 401, "AuthInvalidIdToken"),
    "for others": ({"tells": {"aud": ["other", "third"]}}, 401, "AuthInvalidIdToken"),
    "for others, too": ({"tells": {"aud": ["shop", "other"]}}, 401, "AuthInvalidIdToken"),
    "of yesterday": ({"tells": {"exp": 1.0}}, 401, "AuthInvalidIdToken"),
    "of another request": ({"tells": {"nonce": "x"}}, 401, "AuthInvalidIdToken"),
    "claims of another": ({"claims": {"sub": "root"}}, 561, "AuthInvalidUserinfoResponse"),
    "claims of nobody": ({"claims": {}}, 561, "AuthInvalidUserinfoResponse"),
    "too much": ({"claims": {"sub": "alice", "x": "x" * 11_300}}, 500, "AuthUserinfoResponseSizeExceeded"),
    "no header": ({"claims": {"sub": "a\r\nx: y"}, "tells": {"sub": "a\r\nx: y"}}, 561, "AuthInvalidUserinfoResponse"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
async def test_what_fails_has_its_status_and_reason(case: str) -> None:
    changed, status, reason = FAILURES[case]
    users = Users()
    for name, value in changed.items():
        setattr(users.provider, name, value)
    found = await users.sign_in()
    assert (found.status, found.reason) == (status, reason)
    assert "Session-0" not in users.jar


async def test_what_came_of_it_is_counted() -> None:
    users = await refreshing()
    await passes(users)
    assert users.balancer.counted == SignIns(success=1, refreshed=1)
    users.jar = {}
    for failed in (Failed(561, "AuthInvalidGrantError"), Failed(500, "AuthTokenEpRequestTimeout")):
        users.provider.fails = {"redeem": failed}
        await users.sign_in()
    users.provider.fails = {}
    users.provider.claims = {"sub": "alice", "x": "x" * 12_000}
    await users.sign_in()
    await users.ask("/oauth2/idpresponse", "")
    state = (await users.sent_away())["state"]
    await users.ask(f"/oauth2/idpresponse?error=access_denied&state={state}", "")
    assert users.balancer.counted == SignIns(success=1, refreshed=1, failure=3, error=2, too_long=1)


async def test_what_comes_back_without_what_was_asked_for_is_refused() -> None:
    users = Users()
    state = (await users.sent_away())["state"]
    for path, status, reason in (
        ("/oauth2/idpresponse", 401, "AuthMissingStateParam"),
        (f"/oauth2/idpresponse?state={state[:-2]}&code=1", 401, "AuthInvalidStateParam"),
        ("/oauth2/idpresponse?" + "a=1&" * 60, 401, "AuthMissingStateParam"),
    ):
        found = await users.ask(path, "")
        assert isinstance(found, Answered)
        assert (found.status, found.reason) == (status, reason), path
    for said, status in (("error=access_denied", 401), ("error=server_error", 561), ("code=", 401)):
        state = (await users.sent_away())["state"]
        found = await users.ask(f"/oauth2/idpresponse?{said}&state={state}", "")
        assert isinstance(found, Answered)
        assert found.status == status, said


async def test_a_host_that_cannot_be_one_is_sent_nowhere() -> None:
    for host in ("", "a b", "evil.example/@shop", "x" * 300, "shop.example:port", "a\\b"):
        found = await Users().ask(host=host)
        assert isinstance(found, Answered)
        assert (found.status, found.reason) == (401, "AuthMissingHostHeader"), host


async def test_long_sessions_come_in_pieces_and_shorter_ones_take_the_rest_away() -> None:
    users = Users()
    noise = base64.b64encode(bytes(range(256)) * 24).decode()[:7000]
    users.provider.claims = {
        "sub": "alice",
        "groups": "".join(chr(33 + (ord(c) * 7 + n) % 90) for n, c in enumerate(noise)),
    }
    users.provider.granted = replace(users.provider.granted, refresh="r0")
    found = await users.sign_in()
    kept = [name for name in users.jar if name.startswith("Session-")]
    assert len(kept) > 1
    assert all(len(cookie) <= 4096 for cookie in found.cookies)
    await passes(users)
    users.jar.pop(kept[-1])
    await users.sent_away()
    users.provider.claims = {"sub": "alice"}
    users.jar.update(dict.fromkeys(kept, "x"))
    await users.sign_in()
    assert [name for name in users.jar if name.startswith("Session-")] == ["Session-0"]


@given(
    st.text(alphabet=string.ascii_letters + string.digits, max_size=17_000), st.text("ab-", min_size=1, max_size=128)
)
def test_pieces_are_what_they_were_cut_from(text: str, name: str) -> None:
    try:
        cut = pieces(name, text)
    except TooLong:
        assert len(text) > 4 * 3700
        return
    assert all(len(f"{each}={value}") < 4006 for each, value in cut)
    assert joined(name, dict(cut)) == text


def test_what_is_sealed_opens_for_what_it_was_sealed_for_and_every_letter_counts() -> None:
    box = Box((b"k" * 32).hex())
    text = box.seal(WANTS, ("session", "l1"), bytes(12))
    assert box.opened(text, ("session", "l1"), SignIn) == WANTS
    assert box.opened(text, ("session", "l2"), SignIn) is None
    assert Box((b"j" * 32).hex()).opened(text, ("session", "l1"), SignIn) is None
    for at in range(0, len(text) - 1, 7):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert box.opened(changed, ("session", "l1"), SignIn) is None
    for nonsense in ("", "a", "ä", "=" * 9, "A" * 40):
        assert box.opened(nonsense, (), SignIn) is None


@given(st.text())
def test_any_id_token_is_one_or_none(text: str) -> None:
    assert tokens.subject(text, WANTS, "", 0.0) is None
    assert sealing.read(text).keys() <= {part.strip().partition("=")[0] for part in text.split(";")}


def test_an_id_token_is_for_us_alone_or_says_that_we_are_the_authorised_one() -> None:
    claims = {"iss": IDP, "sub": "alice", "exp": 10.0, "nonce": "n"}
    for audience, azp, who in (("shop", None, "alice"), (["shop"], None, "alice"), (["shop", "x"], "shop", "alice"),
                               (["shop", "x"], "x", None), ("shopper", None, None)):  # fmt: skip
        assert tokens.subject(unsigned({**claims, "aud": audience, "azp": azp}), WANTS, "n", 0.0) == who


def test_nothing_of_this_machine_is_asked() -> None:
    for address in ("127.0.0.1", "169.254.169.254", "169.254.170.2", "0.0.0.0", "224.0.0.1", "::1", "fe80::1"):
        assert not may_be_asked(address, loopback=False)
    assert may_be_asked("10.0.0.7", loopback=False)
    assert may_be_asked("127.0.0.1", loopback=True)


async def test_no_more_is_asked_at_a_time_than_we_bear() -> None:
    hold, waiting = asyncio.Event(), asyncio.Event()
    asked = 0

    async def resolve(name: str) -> str:
        nonlocal asked
        asked += 1
        if asked == MOST_ASKED:
            waiting.set()
        await hold.wait()
        raise OSError("nobody is there")

    provider = OverTls(resolve)
    many = [asyncio.create_task(provider.user_info(site(), BASIC, "a")) for _ in range(MOST_ASKED)]
    await waiting.wait()
    with pytest.raises(Failed):
        await provider.user_info(site(), BASIC, "a")
    assert asked == MOST_ASKED
    hold.set()
    await asyncio.gather(*many, return_exceptions=True)
    with pytest.raises(Failed):
        await provider.user_info(site(), BASIC, "a")
    assert asked == MOST_ASKED + 1


def test_what_is_remembered_has_an_end_and_a_bound() -> None:
    held: Fading[int] = Fading(3)
    for number in range(5):
        held.put(str(number), number, until=10.0, now=0.0)
    assert [held.get(str(number), 1.0) for number in range(5)] == [None, None, 2, 3, 4]
    assert held.get("4", 10.0) is None
    held.put("5", 5, until=20.0, now=11.0)
    assert len(held) == 1
