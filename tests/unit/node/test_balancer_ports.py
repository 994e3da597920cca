"""Ports of nodes as targets of balancers: addresses are filled in, and ways stand while the proxy may use them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.fleet.items import BalancerItem
from hatoba.network.beyond import Instance
from hatoba.node.balancers import Balancers
from hatoba.node.openings import Openings
from hatoba.proxy.base import (
    Balancer,
    Forward,
    HealthCheck,
    Listener,
    Protocol,
    Rejected,
    Share,
    Target,
    TargetGroup,
    Wanted,
)

HERE = "100.64.0.1"
VPC = "vpc-1"


class Proxy:
    """Notes what it is given, among what is opened."""

    def __init__(self, story: list[Any], refusals: list[Rejected]) -> None:
        self._story, self.refusals = story, refusals

    async def start(self) -> bool:
        return False

    async def apply(self, wanted: Wanted) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self._story.append(("apply", [(t.address, t.port) for group in wanted.groups for t in group.targets]))

    async def stop(self) -> None:
        self._story.append(("stop", []))

    async def release(self) -> None: ...


class Node:
    def __init__(self) -> None:
        self.story: list[Any] = []
        self.items: dict[str, BalancerItem] = {}
        self.refuse = 0
        self.refusals: list[Rejected] = []  # what the proxy says the next times
        self.balancers = Balancers(
            lambda: self.items,
            lambda *_: Proxy(self.story, self.refusals),
            lambda *_: None,
            ManualClock(),
            self._open,
            HERE,  # type: ignore[arg-type, return-value]
        )

    async def _open(self, network: str, wanted: Openings) -> None:
        assert network == VPC
        if self.refuse:
            self.refuse -= 1
            raise PortError("kernel", "not now")
        opened = [(each.address, each.port) for each in wanted.ports]
        fronts = [(each.address, each.port, each.protocol) for each in wanted.fronts]
        self.story.append(("open", opened + fronts))

    def wants(self, *targets: Target, check: int | None = None, protocol: Protocol = "HTTP", **nodes: str) -> None:
        group = TargetGroup(id="g", protocol=protocol, targets=targets, health_check=HealthCheck(port=check))
        spec = msgspec.msgpack.encode(Wanted(groups=(group,)))
        self.items = {"b": BalancerItem(network=VPC, interfaces=(), spec=spec, version=1, nodes=nodes)}

    async def told(self, done: Callable[[], bool] | None = None) -> list[Any]:
        """What was done since the last time, once the proxy has been told."""
        self.story.clear()
        await self.balancers.refresh(VPC, Path("/netns"))
        async with asyncio.timeout(10):
            while not (done() if done else self._is_done()):  # noqa: ASYNC110  the story is all there is to see
                await asyncio.sleep(0)
        return self.story

    def _is_done(self) -> bool:
        kinds = [kind for kind, _ in self.story]
        return "apply" in kinds and kinds[-1] == "open"


def port(number: int, node: str = "n1", **fields: Any) -> Target:
    return Target(id=f"{node}:{number}", address="", port=number, node=node, **fields)


async def test_ways_come_before_what_uses_them_and_go_after_it() -> None:
    node = Node()
    node.wants(port(8080), port(32768, "n2"), port(1, "gone"), n1="", n2="192.0.2.2")
    first = [(HERE, 8080), ("192.0.2.2", 32768)]
    assert await node.told(lambda: ("apply", first) in node.story) == [("open", first), ("apply", first)]
    node.wants(port(32769, "n2"), n2="192.0.2.2")
    second = [("192.0.2.2", 32769)]
    assert await node.told() == [("open", [*first, *second]), ("apply", second), ("open", second)]
    node.items = {}
    assert await node.told(lambda: node.story[-1:] == [("open", [])]) == [("stop", []), ("open", [])]
    await node.balancers.release()


async def test_clients_addresses_go_to_other_nodes_that_know_of_it() -> None:
    node = Node()
    node.wants(port(8080), port(8081, "n2"), port(8082, "n3"), n1="", n2="192.0.2.2", n3="192.0.2.3")
    node.items = {"b": replace(node.items["b"], hearing=("n3",))}
    await node.told(lambda: node.story[-1:] == [("apply", [(HERE, 8080), ("192.0.2.2", 8081), ("192.0.2.3", 8082)])])
    opened = node.balancers._carried[VPC].opened
    assert opened is not None
    assert {each.port for each in opened.ports if each.hears} == {8082}
    await node.balancers.release()


async def test_draining_ones_are_still_reached_and_checks_have_their_port() -> None:
    node = Node()
    node.wants(port(8080, state="draining"), check=9090, n1="")
    told = await node.told(lambda: node.story[-1:] == [("apply", [(HERE, 8080)])])
    assert told[0] == ("open", [(HERE, 8080), (HERE, 9090)])
    await node.balancers.release()


async def test_targets_with_addresses_need_no_way() -> None:
    node = Node()
    node.wants(Target(id="t", address="10.0.0.9", port=80))
    told = await node.told(lambda: node.story[-1:] == [("apply", [("10.0.0.9", 80)])])
    assert told == [("open", []), ("apply", [("10.0.0.9", 80)])]
    await node.balancers.release()


async def test_what_an_earlier_agent_opened_is_closed_where_nobody_wants_it() -> None:
    node = Node()
    await node.balancers.open(VPC, Path("/netns"))
    assert node.story == [("open", [])]
    await node.balancers.release()


async def test_a_way_that_cannot_be_opened_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hatoba.node.balancers.RETRY", 0.001)
    node = Node()
    node.refuse = 2
    node.wants(port(8080), n1="")
    told = await node.told(lambda: node.story[-1:] == [("apply", [(HERE, 8080)])])
    assert told == [("open", [(HERE, 8080)]), ("apply", [(HERE, 8080)])]
    await node.balancers.release()


async def test_datagrams_have_ways_of_their_own() -> None:
    node = Node()
    node.wants(port(53), protocol="TCP_UDP", n1="")
    await node.told(lambda: node.story[-1:] == [("apply", [(HERE, 53)])])
    assert node.balancers._carried[VPC].opened == Openings(
        ports=(Instance(address=HERE, port=53), Instance(address=HERE, port=53, protocol="udp"))
    )
    await node.balancers.release()


async def test_where_it_speaks_for_its_clients_is_opened_first_and_closed_last() -> None:
    node = Node()
    target = Target(id="t", address="10.0.0.9", port=53)
    group = TargetGroup(id="g", protocol="UDP", targets=(target,))
    listener = Listener(id="l", port=53, protocol="UDP", default=Forward(shares=(Share(group="g"),)))
    balancer = Balancer(id="net/x", kind="network", addresses=("10.0.0.5",), listeners=(listener,))
    for wanted in (Wanted(balancers=(balancer,), groups=(group,)), Wanted(groups=(group,))):
        spec = msgspec.msgpack.encode(wanted)
        node.items = {"b": BalancerItem(network=VPC, interfaces=(), spec=spec, version=1)}
        applied = ("apply", [("10.0.0.9", 53)])
        if wanted.balancers:
            told = await node.told(lambda: node.story[-1:] == [applied])  # noqa: B023  within its round
            assert told == [("open", [("10.0.0.9", 53, "udp")]), applied]
        else:
            assert await node.told() == [applied, ("open", [])]
    await node.balancers.release()


async def test_a_port_that_somebody_has_is_waited_for_and_a_mistake_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hatoba.node.balancers.RETRY", 0.0)
    node = Node()
    node.refusals = [Rejected("listener l", "cannot bind '10.0.0.5:53': Address already in use")] * 2
    node.wants(port(8080), n1="")
    applied = ("apply", [(HERE, 8080)])
    await node.told(lambda: node.story[-1:] == [applied])
    node.refusals.append(Rejected("listener l", "it is wrong"))
    node.wants(port(8081), n1="")
    await node.told(lambda: not node.refusals)
    for _ in range(100):
        await asyncio.sleep(0)  # it would have been tried again by then
    assert [kind for kind, _ in node.story] == ["open"]
    await node.balancers.release()
