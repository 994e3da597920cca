"""What every proxy promises, simulated or real."""

from __future__ import annotations

from hatoba.proxy.base import FixedResponse, HealthCheck, Wanted
from tests.contract.proxy.proxy_rigs import CHECK, Rig, forward, group, spread, wanted


async def test_requests_go_to_all_healthy_targets_and_to_nobody_else(rig: Rig) -> None:
    a, b, c = [await rig.backend(name) for name in "abc"]
    c.health = 500
    await rig.proxy.apply(wanted(forward("web"), group("web", a, b, c)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy", "b": "healthy", "c": "unhealthy"})
    assert set(await spread(rig)) == {"a", "b"}


async def test_a_target_serves_as_soon_as_it_listens(rig: Rig) -> None:
    a = await rig.backend("a", listening=False)
    slow = HealthCheck(interval=30.0, timeout=5.0, healthy_threshold=5, unhealthy_threshold=2)
    await rig.proxy.apply(wanted(forward("web"), group("web", a, check=slow)))
    assert set(await spread(rig, 3)) == {"503"}
    await rig.up(a)
    await rig.facts.until(rig.proxy, "web", {"a": "healthy"}, timeout=25.0)  # before anybody asks again
    assert rig.facts.of("a")[0] == "initial"
    assert rig.facts.of("a")[-1] == "healthy"
    assert set(await spread(rig, 3)) == {"a"}


async def test_when_nobody_is_healthy_all_that_answer_badly_are_tried(rig: Rig) -> None:
    a, b = [await rig.backend(name) for name in "ab"]
    await rig.proxy.apply(wanted(forward("web"), group("web", a, b)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy", "b": "healthy"})
    a.health = b.health = 404
    await rig.facts.until(rig.proxy, "web", {"a": "unhealthy", "b": "unhealthy"})
    assert set(await spread(rig)) == {"a", "b"}


async def test_a_group_without_targets_answers_503(rig: Rig) -> None:
    await rig.proxy.apply(wanted(forward("web"), group("web")))
    assert await spread(rig, 3) == {"503": 3}


async def test_a_group_that_does_not_exist_answers_503(rig: Rig) -> None:
    await rig.proxy.apply(wanted(forward("nobody")))
    assert await spread(rig, 3) == {"503": 3}


async def test_a_fixed_response_is_given(rig: Rig) -> None:
    await rig.proxy.apply(wanted(FixedResponse(status=503)))
    assert await spread(rig, 3) == {"503": 3}


async def test_requests_are_shared_by_the_groups_weights(rig: Rig) -> None:
    a, b = [await rig.backend(name) for name in "ab"]
    await rig.proxy.apply(wanted(forward(blue=3, green=1), group("blue", a), group("green", b)))
    await rig.facts.until(rig.proxy, "blue", {"a": "healthy"})
    await rig.facts.until(rig.proxy, "green", {"b": "healthy"})
    counted = await spread(rig, 200)
    assert 110 <= counted["a"] <= 185  # 150 expected; six standard deviations
    assert counted.total() == counted["a"] + counted["b"]


async def test_a_group_of_weight_zero_gets_nothing(rig: Rig) -> None:
    a, b = [await rig.backend(name) for name in "ab"]
    await rig.proxy.apply(wanted(forward(blue=1, green=0), group("blue", a), group("green", b)))
    await rig.facts.until(rig.proxy, "blue", {"a": "healthy"})
    assert set(await spread(rig)) == {"a"}


async def test_a_draining_target_gets_nothing_new(rig: Rig) -> None:
    a, b = [await rig.backend(name) for name in "ab"]
    await rig.proxy.apply(wanted(forward("web"), group("web", a, b)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy", "b": "healthy"})
    await rig.proxy.apply(wanted(forward("web"), group("web", a, b, draining=("a",))))
    assert set(await spread(rig)) == {"b"}
    assert rig.facts.of("a")[-1] == "draining"
    assert rig.facts.all[-1].health.text == "Target deregistration is in progress"


async def test_a_target_that_has_just_gone_costs_no_request(rig: Rig) -> None:
    """Before any check has noticed: the connection is refused, and another target is asked."""
    patient = HealthCheck(interval=300.0)
    a, b = [await rig.backend(name) for name in "ab"]
    await rig.proxy.apply(wanted(forward("web"), group("web", a, b, check=patient)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy", "b": "healthy"})
    await rig.down(a)
    assert set(await spread(rig)) == {"b"}


async def test_a_target_that_is_drained_and_returns_starts_anew(rig: Rig) -> None:
    a, b = [await rig.backend(name) for name in "ab"]
    await rig.proxy.apply(wanted(forward("web"), group("web", a, b)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy", "b": "healthy"})
    await rig.proxy.apply(wanted(forward("web"), group("web", a, b, draining=("a",))))
    await rig.proxy.apply(wanted(forward("web"), group("web", a, b)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy"})
    assert rig.facts.of("a")[-3:] == ["draining", "initial", "healthy"]
    assert set(await spread(rig)) == {"a", "b"}


async def test_groups_that_no_listener_names_are_not_checked(rig: Rig) -> None:
    a, b = [await rig.backend(name) for name in "ab"]
    await rig.proxy.apply(wanted(forward("web"), group("web", a), group("idle", b)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy"})
    assert {key.group for key in rig.proxy.health()} == {"web"}


async def test_without_checks_every_target_serves(rig: Rig) -> None:
    a = await rig.backend("a")
    a.health = 500 if rig.real else 200  # the simulated backend has one answer for all
    unchecked = HealthCheck(enabled=False)
    await rig.proxy.apply(wanted(forward("web"), group("web", a, check=unchecked)))
    assert rig.proxy.health()[("web", "a")].state == "unavailable"  # type: ignore[index]
    assert set(await spread(rig, 3)) == {"a"}


async def test_applying_the_same_again_changes_nothing(rig: Rig) -> None:
    a = await rig.backend("a")
    wish = wanted(forward("web"), group("web", a))
    await rig.proxy.apply(wish)
    await rig.facts.until(rig.proxy, "web", {"a": "healthy"})
    facts = len(rig.facts.all)
    await rig.proxy.apply(wish)
    assert len(rig.facts.all) == facts
    assert set(await spread(rig, 3)) == {"a"}


async def test_changed_settings_keep_what_is_known(rig: Rig) -> None:
    a = await rig.backend("a")
    await rig.proxy.apply(wanted(forward("web"), group("web", a)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy"})
    other = HealthCheck(interval=CHECK.interval * 2, timeout=CHECK.timeout)
    await rig.proxy.apply(wanted(forward("web"), group("web", a, check=other)))
    assert set(await spread(rig, 3)) == {"a"}
    assert rig.facts.of("a")[-1] == "healthy"


async def test_traffic_is_counted(rig: Rig) -> None:
    a = await rig.backend("a")
    await rig.proxy.apply(wanted(forward("web"), group("web", a)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy"})
    await spread(rig, 5)
    counted = (await rig.proxy.traffic())["web"]
    assert counted.requests == 5
    assert counted.groups["web"].requests == 5


async def test_what_is_no_longer_wanted_is_gone(rig: Rig) -> None:
    a = await rig.backend("a")
    await rig.proxy.apply(wanted(forward("web"), group("web", a)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy"})
    await rig.proxy.apply(Wanted())
    assert dict(rig.proxy.health()) == {}
    try:
        await rig.get()
    except (LookupError, ConnectionError):  # reset: it knocked while the socket was being closed
        return
    raise AssertionError("Somebody still listens.")
