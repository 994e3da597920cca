"""What a node says of its balancers: what is news, and nothing of those that a change did not touch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.fleet import messages as msg
from hatoba.fleet.items import BalancerItem
from hatoba.network.beyond import Instance
from hatoba.node.balancers import Balancers
from hatoba.proxy.base import Balancer, Wanted

VPC = "vpc-1"


class Proxy:
    """Accepts everything, or what it is told to refuse."""

    def __init__(self) -> None:
        self.applied = asyncio.Event()
        self.refusal = ""

    async def start(self) -> bool:
        return False

    async def apply(self, wanted: Wanted) -> None:
        self.applied.set()
        if self.refusal:
            raise PortError("Rejected", self.refusal)

    async def stop(self) -> None: ...

    async def release(self) -> None: ...


class Node:
    def __init__(self, count: int) -> None:
        self.proxy = Proxy()
        self.said: list[tuple[str, int, str]] = []
        self.items = {f"b{number}": item(f"b{number}") for number in range(count)}
        self.balancers = Balancers(
            lambda: self.items,
            lambda *_: self.proxy,  # type: ignore[arg-type, return-value]
            self._report,
            ManualClock(),
            self._open,
            "100.64.0.1",
        )

    def _report(self, kind: str, report: msg.Report) -> None:
        assert isinstance(report, msg.BalancerReport)
        self.said.append((report.id, report.status.applied, report.status.error))

    async def _open(self, network: str, ports: tuple[Instance, ...]) -> None: ...

    async def says(self) -> list[tuple[str, int, str]]:
        """Of the items as they are now."""
        self.said.clear()
        self.proxy.applied.clear()
        await self.balancers.refresh(VPC, Path("/netns"))
        await asyncio.wait_for(self.proxy.applied.wait(), 5)
        for _ in range(5):  # what follows waits for nothing
            await asyncio.sleep(0)
        return self.said


def item(id_: str, version: int = 1) -> BalancerItem:
    spec = msgspec.msgpack.encode(Wanted(balancers=(Balancer(id=id_, addresses=("10.0.0.5",), listeners=()),)))
    return BalancerItem(network=VPC, interfaces=(), spec=spec, version=version)


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    made = Node(200)
    assert len(await made.says()) == 200
    yield made
    await made.balancers.release()


async def test_a_change_to_one_balancer_is_one_word(node: Node) -> None:
    node.items["b7"] = item("b7", 2)
    assert await node.says() == [("b7", 2, "")]
    assert await node.says() == []


async def test_what_is_wrong_is_said_once_and_that_it_is_over_too(node: Node) -> None:
    node.proxy.refusal = "no"
    assert {error for _, _, error in await node.says()} == {"no"}
    assert await node.says() == []
    node.proxy.refusal = ""
    assert len(await node.says()) == 200


async def test_one_that_was_away_is_spoken_of_again(node: Node) -> None:
    gone = node.items.pop("b7")
    assert await node.says() == []
    node.items["b7"] = gone
    assert await node.says() == [("b7", 1, "")]
    node.items, kept = {}, node.items
    await node.balancers.refresh(VPC, Path("/netns"))
    for _ in range(5):
        await asyncio.sleep(0)
    node.items = {id_: replace(each) for id_, each in kept.items()}
    assert len(await node.says()) == 200
