"""Who gets requests, by zone, by health and by how they answer, with a real Envoy."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
from msgspec.structs import replace

from hatoba.proxy.base import GroupAttributes, Share, Wanted
from tests.contract.proxy.proxy_rigs import ADDRESS, CHECK, Backend, RealRig, forward, group, spread, wanted
from tests.contract.proxy.serving import NEVER, request
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real

OTHER = "127.0.0.6"  # the balancer's address in the other zone


def zoned(wish: Wanted, zones: dict[str, str], **attributes: object) -> Wanted:
    """The balancer in two zones, its targets where they are said to be."""
    balancer = replace(wish.balancers[0], addresses=(ADDRESS, OTHER), zones=("one", "two"))
    groups = tuple(
        replace(
            each,
            attributes=GroupAttributes(**attributes),  # type: ignore[arg-type]
            targets=tuple(replace(target, zone=zones[target.id]) for target in each.targets),
        )
        for each in wish.groups
    )
    return replace(wish, balancers=(balancer,), groups=groups)


async def at(rig: RealRig, address: str) -> Counter[str]:
    answers = [await rig.raw(request(), address=address) for _ in range(12)]
    return Counter(each.rpartition("\r\n")[2] if each.startswith("HTTP/1.1 200") else each[9:12] for each in answers)


async def backends(rig: RealRig, *names: str) -> list[Backend]:
    return [await rig.backend(name) for name in names]


async def test_without_crossing_zones_an_address_serves_its_own(real: RealRig) -> None:
    a, b, c = await backends(real, "a", "b", "c")
    web = group("web", a, b, c, check=CHECK)
    zones = {"a": "one", "b": "two", "c": ""}
    wish = wanted(forward("web"), web)
    await real.proxy.apply(zoned(wish, zones, across_zones=False))
    await real.facts.until(real.proxy, "web", dict.fromkeys("abc", "healthy"))
    assert set(await at(real, ADDRESS)) == {"a", "c"}
    assert set(await at(real, OTHER)) == {"b", "c"}
    await real.proxy.apply(zoned(wish, zones))
    assert set(await at(real, OTHER)) == {"a", "b", "c"}
    # Nobody is well in a zone: those there are asked nevertheless, and no others.
    b.health = 500
    zones = {"a": "one", "b": "two", "c": "one"}
    await real.proxy.apply(zoned(wish, zones, across_zones=False))
    await real.facts.until(real.proxy, "web", {"b": "unhealthy"})
    assert set(await at(real, OTHER)) == {"b"}
    assert set(await at(real, ADDRESS)) == {"a", "c"}


async def test_shares_cross_zones_each_in_its_way(real: RealRig) -> None:
    a, b, c = await backends(real, "a", "b", "c")
    blue, green = group("blue", a, b, check=NEVER), group("green", c, check=NEVER)
    action = replace(forward(), shares=(Share(group="blue"), Share(group="green")))
    wish = zoned(wanted(action, blue, green), {"a": "one", "b": "two", "c": "one"}, across_zones=False)
    across = replace(wish.groups[1], attributes=GroupAttributes())
    await real.proxy.apply(replace(wish, groups=(wish.groups[0], across)))
    for each, names in ((blue, "ab"), (green, "c")):
        await real.facts.until(real.proxy, each.id, dict.fromkeys(names, "healthy"))
    assert set(await at(real, ADDRESS)) == {"a", "c"}
    assert set(await at(real, OTHER)) == {"b", "c"}


async def test_too_few_healthy_ones_are_helped_by_the_others(real: RealRig) -> None:
    a, b, c = await backends(real, "a", "b", "c")
    b.health = c.health = 500
    wish = wanted(forward("web"), group("web", a, b, c, check=CHECK))
    here = dict.fromkeys("abc", "one")
    await real.proxy.apply(zoned(wish, here))
    await real.facts.until(real.proxy, "web", {"a": "healthy", "b": "unhealthy", "c": "unhealthy"})
    assert set(await spread(real)) == {"a"}
    for attributes in ({"least_healthy": 2}, {"least_healthy_percent": 34}):
        await real.proxy.apply(zoned(wish, here, **attributes))
        assert set(await spread(real)) == {"a", "b", "c"}
    await real.proxy.apply(zoned(wish, here, least_healthy_percent=33))
    assert set(await spread(real)) == {"a"}


async def test_a_target_that_answers_badly_is_passed_over(real: RealRig) -> None:
    good = await backends(real, "a", "b", "c")
    (bad,) = await backends(real, "bad")
    wish = wanted(forward("web"), group("web", *good, bad, check=NEVER))
    wish = zoned(wish, dict.fromkeys(("a", "b", "c", "bad"), ""), algorithm="weighted_random", anomalies=True)
    await real.proxy.apply(wish)
    await real.facts.until(real.proxy, "web", dict.fromkeys(("a", "b", "c", "bad"), "healthy"))
    bad.failing = True
    async with asyncio.timeout(PATIENCE):  # rounds of requests, until a look at the figures falls between two of them
        while (await spread(real))["500"]:
            pass


@pytest.mark.slow
async def test_a_newly_healthy_target_gets_its_share_little_by_little(real: RealRig) -> None:
    a, b = await backends(real, "a", "b")
    window = 4.0

    async def serve(*targets: Backend) -> None:
        web = replace(group("web", *targets), attributes=GroupAttributes(slow_start=window))
        await real.proxy.apply(wanted(forward("web"), web))
        await real.facts.until(real.proxy, "web", {each.name: "healthy" for each in targets})

    await serve(a)
    for _ in range(5):
        await asyncio.sleep(window + 0.5)  # the first one's own beginning has to be over: nothing tells of it
        began = time.monotonic()
        await serve(a, b)
        first = await spread(real, 20)
        if time.monotonic() < began + window / 4:
            break
        await serve(a)  # a machine that stood still meanwhile has seen something else: once more
    else:
        pytest.skip("twenty requests take this machine a second")
    assert first["b"] < first["a"] / 2, first
    async with asyncio.timeout(PATIENCE):
        while (shared := await spread(real, 20))["b"] != 10:
            assert shared.total() == shared["a"] + shared["b"] == 20, "no request is lost meanwhile"
            await asyncio.sleep(0.2)
