"""What is full: the documented error, and nothing has changed. The numbers are small here, but for those as told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.services.elbv2.plan import quotas
from tests.conformance.elbv2.world import World, world


async def full(code: str, words: str, asked: Any, w: World) -> None:
    await w.settle()
    before = w.store.seq
    with pytest.raises(AwsError) as caught:
        await asked
    assert (caught.value.code, words in caught.value.message) == (code, True), caught.value
    assert w.store.seq == before, "nothing is written"


async def rule(w: World, listener: str, group: str, priority: int) -> str:
    found = await w.elb.create_rule(
        ListenerArn=listener,
        Priority=priority,
        Conditions=[{"Field": "path-pattern", "Values": [f"/{priority}"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    arn: str = found["Rules"][0]["RuleArn"]
    return arn


def few(monkeypatch: pytest.MonkeyPatch, **numbers: int) -> None:
    for name, number in numbers.items():
        monkeypatch.setattr(quotas, name, number)


async def test_a_region_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, TARGET_GROUPS=2)
    monkeypatch.setitem(quotas.LOAD_BALANCERS, "application", 2)
    async with world(tmp_path) as w:
        one, two = await w.balancer("one"), await w.balancer("two")
        await full("TooManyLoadBalancers", "maximum number of load balancers", w.balancer("three"), w)
        assert await w.balancer("two") == two, "what is there is found"
        await w.balancer("net", Type="network")
        await w.elb.delete_load_balancer(LoadBalancerArn=one)
        await w.balancer("three")
        group = await w.group("a")
        await w.group("b")
        await full("TooManyTargetGroups", "maximum number of target groups", w.group("c"), w)
        assert await w.group("a") == group


async def test_rules_are_counted_over_all_listeners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, RULES=3, LISTENERS=2)
    async with world(tmp_path) as w:
        balancer, group = await w.balancer(), await w.group()
        one, two = await w.listener(balancer, group), await w.listener(balancer, group, port=81)
        words = f"listeners per load balancer '2' has been reached on load balancer '{balancer}'"
        await full("TooManyListeners", words, w.listener(balancer, group, port=82), w)
        made = [await rule(w, one, group, 1), await rule(w, one, group, 2), await rule(w, two, group, 1)]
        words = f"The maximum number of rules on load balancer '{balancer}' has been reached"
        await full("TooManyRules", words, rule(w, two, group, 2), w)
        await w.elb.delete_rule(RuleArn=made[0])
        await rule(w, two, group, 2)


async def test_groups_of_all_rules_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, GROUPS=2)
    async with world(tmp_path) as w:
        balancer, (a, b, c) = await w.balancer(), [await w.group(name) for name in "abc"]
        listener = await w.listener(balancer, a)
        own = await rule(w, listener, b, 1)
        await rule(w, listener, a, 2)
        code, words = "TooManyUniqueTargetGroupsPerLoadBalancer", "unique target groups per load balancer '2'"
        await full(code, words, rule(w, listener, c, 3), w)
        await full(code, words, w.listener(balancer, c, port=81), w)
        other: list[dict[str, Any]] = [{"Type": "forward", "TargetGroupArn": c}]
        await full(code, words, w.elb.modify_listener(ListenerArn=listener, DefaultActions=other), w)
        await w.elb.modify_rule(RuleArn=own, Actions=other)  # b is free by that
        back: list[dict[str, Any]] = [{"Type": "forward", "TargetGroupArn": b}]
        await w.elb.modify_listener(ListenerArn=listener, DefaultActions=other)
        await full(code, words, w.elb.modify_rule(RuleArn=own, Actions=back), w)


async def test_targets_of_all_groups_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quotas.TARGETS, "application", 3)
    async with world(tmp_path) as w:
        balancer, (a, b, free) = await w.balancer(), [await w.group(name) for name in ("a", "b", "free")]
        listener = await w.listener(balancer, a)
        await rule(w, listener, b, 1)

        async def register(group: str, *ports: int) -> None:
            given = [{"Id": "172.31.0.10", "Port": port} for port in ports]
            await w.elb.register_targets(TargetGroupArn=group, Targets=given)

        await register(a, 1, 2)
        await register(b, 3)
        words = f"The maximum number of targets per load balancer '3' has been reached on load balancer '{balancer}'"
        await full("TooManyTargets", words, register(b, 4), w)
        await register(b, 3)
        await register(free, 1, 2, 3, 4)
        await full("TooManyTargets", words, rule(w, listener, free, 2), w)


async def test_a_target_is_registered_so_often_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, REGISTRATIONS=2)
    async with world(tmp_path) as w:
        balancer, group, free = await w.balancer(), await w.group(), await w.group("free")
        listener = await w.listener(balancer, group)

        async def register(group: str, *given: tuple[str, int]) -> None:
            targets = [{"Id": address, "Port": port} for address, port in given]
            await w.elb.register_targets(TargetGroupArn=group, Targets=targets)

        mine = "172.31.0.10"
        await register(group, (mine, 1), (mine, 2), ("172.31.0.11", 1))
        code = "TooManyRegistrationsForTargetId"
        await full(code, mine, register(group, ("172.31.0.11", 2), (mine, 3)), w)
        await register(free, (mine, 1), (mine, 2), (mine, 3))
        await full(code, mine, rule(w, listener, free, 1), w)


async def test_what_is_told_is_what_holds(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        told = {each["Name"]: each["Max"] for each in (await w.elb.describe_account_limits())["Limits"]}
    assert told["listeners-per-application-load-balancer"] == str(quotas.LISTENERS) == "50"
    assert told["rules-per-application-load-balancer"] == str(quotas.RULES) == "100"
    assert told["targets-per-application-load-balancer"] == str(quotas.TARGETS["application"]) == "1000"
    assert told["target-groups"] == str(quotas.TARGET_GROUPS) == "3000"
    assert int(told["application-load-balancers"]) >= 200, "as many as benches make"
