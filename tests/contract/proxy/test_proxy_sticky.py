"""Clients that stay with a target or a group, by the cookies that they are given, with a real Envoy."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import pytest
from msgspec.structs import replace

from hatoba.proxy.base import Forward, GroupAttributes, Share, TargetGroup, Wanted
from tests.contract.proxy.proxy_rigs import Backend, RealRig, forward, group, wanted
from tests.contract.proxy.serving import NEVER, request

pytestmark = pytest.mark.real


def held(wish: Wanted, **attributes: object) -> Wanted:
    """With these attributes on all groups."""
    groups = tuple(replace(each, attributes=GroupAttributes(**attributes)) for each in wish.groups)  # type: ignore[arg-type]
    return replace(wish, groups=groups)


async def ask_all(rig: RealRig, cookie: str = "", path: str = "/") -> tuple[str, list[str]]:
    """Who answered, and all cookies that came along, as they were set."""
    answer = await rig.raw(request(path, *([f"Cookie: {cookie}"] if cookie else [])))
    assert answer.startswith("HTTP/1.1 200"), answer
    return answer.rpartition("\r\n")[2].strip(), re.findall(r"(?i)\r\nset-cookie: ([^\r]*)", answer)


async def ask(rig: RealRig, cookie: str = "") -> tuple[str, str, str]:
    """Who answered, and the first cookie that came along: as it is sent back, and as it was set."""
    body, cookies = await ask_all(rig, cookie)
    whole = cookies[0] if cookies else ""
    return body, whole.partition(";")[0], whole


async def ready(rig: RealRig, wish: Wanted, *groups: TargetGroup) -> None:
    await rig.proxy.apply(wish)
    for each in groups:
        await rig.facts.until(rig.proxy, each.id, {target.id: "healthy" for target in each.targets})


async def backends(rig: RealRig, *names: str) -> list[Backend]:
    return [await rig.backend(name) for name in names]


async def test_a_client_stays_with_the_target_that_it_got_first(real: RealRig) -> None:
    web = group("web", *await backends(real, "a", "b", "c"), check=NEVER)
    await ready(real, held(wanted(forward("web"), web), sticky_seconds=3600), web)
    for _ in range(3):
        first, cookie, whole = await ask(real)
        assert cookie.startswith("AWSALB=")
        assert "Max-Age=3600" in whole
        assert {(await ask(real, cookie))[0] for _ in range(10)} == {first}
    assert len({(await ask(real))[0] for _ in range(12)}) > 1, "clients without the cookie are shared out"


async def test_without_stickiness_there_is_no_cookie(real: RealRig) -> None:
    web = group("web", *await backends(real, "a"), check=NEVER)
    await ready(real, wanted(forward("web"), web), web)
    assert (await ask(real))[1] == ""


async def test_a_client_of_a_target_that_goes_gets_another_one_and_its_cookie(real: RealRig) -> None:
    a, b = await backends(real, "a", "b")
    web = group("web", a, b, check=NEVER)
    await ready(real, held(wanted(forward("web"), web), sticky_seconds=60), web)
    first, cookie, _ = await ask(real)
    other = {"a": "b", "b": "a"}[first]
    targets = tuple(replace(each, state="draining") if each.id == first else each for each in web.targets)
    await real.proxy.apply(held(wanted(forward("web"), replace(web, targets=targets)), sticky_seconds=60))
    moved, fresh, _ = await ask(real, cookie)
    assert moved == other
    assert fresh.startswith("AWSALB=")
    assert fresh != cookie


async def test_cookies_are_renewed_and_doubled_for_requests_from_other_sites(real: RealRig) -> None:
    web = group("web", *await backends(real, "a", "b"), check=NEVER)
    await ready(real, held(wanted(forward("web"), web), sticky_seconds=60), web)
    first, cookies = await ask_all(real, path="/login")
    session, own, double = cookies
    assert session == "SESSION=1; HttpOnly", "the application's own stay as they were, in their place"
    value = own.partition(";")[0].removeprefix("AWSALB=")
    assert double == f"AWSALBCORS={value}; Max-Age=60; Path=/; SameSite=None"
    for sent in (f"a=1; AWSALB={value}; b=2", f"AWSALBCORS={value}"):
        for _ in range(6):
            who, renewed = await ask_all(real, sent)
            assert who == first
            assert renewed == [f"AWSALB={value}; Max-Age=60; Path=/", double]


async def test_a_client_is_held_from_the_applications_own_cookie_on(real: RealRig) -> None:
    web = group("web", *await backends(real, "a", "b"), check=NEVER)
    wish = held(wanted(forward("web"), web), sticky_seconds=120, sticky_cookie="SESSION")
    await ready(real, wish, web)
    answers = [await ask_all(real) for _ in range(8)]
    assert {who for who, _ in answers} == {"a", "b"}
    assert all(cookies == [] for _, cookies in answers), "the application has not asked for it"
    first, (session, own) = await ask_all(real, path="/login")
    assert session == "SESSION=1; HttpOnly"
    cookie = own.partition(";")[0]
    assert cookie.startswith("AWSALBAPP-0=")
    assert "Max-Age=120" in own
    for _ in range(8):
        assert await ask_all(real, f"SESSION=1; {cookie}") == (first, [])
    again, cookies = await ask_all(real, f"SESSION=1; {cookie}", path="/login")
    assert again == first
    assert [each.partition(";")[0] for each in cookies] == ["SESSION=1", cookie]


async def test_shares_of_a_weighted_forward_hold_their_clients_each_in_its_way(real: RealRig) -> None:
    blue = group("blue", *await backends(real, "a", "b"), check=NEVER)
    green = group("green", *await backends(real, "c"), check=NEVER)
    wish = wanted(Forward(shares=(Share(group="blue"), Share(group="green")), sticky_seconds=30), blue, green)
    sticky = replace(blue, attributes=GroupAttributes(sticky_seconds=60))
    await ready(real, replace(wish, groups=(sticky, green)), blue, green)
    seen: dict[str, set[str]] = {}
    for _ in range(30):
        who, cookies = await ask_all(real)
        seen.setdefault(who, set()).update(each.partition("=")[0] for each in cookies)
    groups = {"AWSALBTG", "AWSALBTGCORS"}
    assert seen == {"a": {*groups, "AWSALB", "AWSALBCORS"}, "b": {*groups, "AWSALB", "AWSALBCORS"}, "c": groups}


async def test_a_client_stays_with_the_group_while_others_are_shared_out_by_weight(real: RealRig) -> None:
    blue = group("blue", *await backends(real, "a", "b"), check=NEVER)
    green = group("green", *await backends(real, "c"), check=NEVER)
    shares = (Share(group="blue", weight=60), Share(group="green", weight=40))
    await ready(real, wanted(Forward(shares=shares, sticky_seconds=600), blue, green), blue, green)
    of = {"a": "blue", "b": "blue", "c": "green"}
    first: Counter[str] = Counter()
    for _ in range(40):
        who, cookie, whole = await ask(real)
        assert cookie.startswith("AWSALBTG=")
        assert "Max-Age=600" in whole
        first[of[who]] += 1
        again = await asyncio.gather(*(ask(real, cookie) for _ in range(3)))
        assert {of[each[0]] for each in again} == {of[who]}
    assert 8 <= first["green"] <= 26, first


async def test_turning_it_on_and_off_touches_no_connection(real: RealRig) -> None:
    web = group("web", *await backends(real, "a"), check=NEVER)
    plain = wanted(forward("web"), web)
    await ready(real, plain, web)
    reader, writer = await real.connect()
    for wish in (held(plain, sticky_seconds=60), plain):
        await real.proxy.apply(wish)
        writer.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert (b"AWSALB" in head) == (wish is not plain)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length
        await reader.readexactly(int(length[1]))
    writer.close()
