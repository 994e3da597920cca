"""What a change to one load balancer costs a node does not grow with the others: counted in calls, not in seconds.

From the item to the messages for Envoy: the node's balancers, the engine, the checker, the session; Envoy itself says
yes to everything at once, and nobody answers checks.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from hatoba.core.clock import LoopClock, ManualClock
from hatoba.fleet.items import BalancerItem
from hatoba.node.balancers import Balancers
from hatoba.proxy.base import Balancer, Forward, HealthCheck, Listener, PathIs, Rule, Share, Target, TargetGroup, Wanted
from hatoba.proxy.engine import EnvoyProxy
from hatoba.proxy.resource import KIND_OF, TYPE_URL, Kind, Snapshot
from hatoba.proxy.session import Session

VPC = "vpc-1"
RULES, TARGETS = 5, 10
_BELOW: dict[Kind, Kind] = {"cluster": "endpoints", "listener": "routes"}


class Server:
    """The real session with an Envoy that takes everything."""

    path = Path("/nowhere")

    def __init__(self) -> None:
        self._session = Session()
        self.sent: list[str] = []
        self._known: set[str] = set()
        for kind in _BELOW:
            self._ask(kind, "*")

    def _ask(self, kind: Kind, *names: str) -> None:
        self._session.receive(DeltaDiscoveryRequest(type_url=TYPE_URL[kind], resource_names_subscribe=names))

    def offer(self, name: str, snapshot: Snapshot, *, again: bool = False) -> None:
        self._session.offer(snapshot, again=again)
        while messages := self._session.pull():
            for message in messages:
                kind = KIND_OF[message.type_url]
                self._session.receive(DeltaDiscoveryRequest(type_url=message.type_url, response_nonce=message.nonce))
                self.sent += [each.name for each in message.resources]
                if kind in _BELOW:
                    needs = {need for each in message.resources for need in snapshot[kind][each.name].needs}
                    self._ask(_BELOW[kind], *sorted(needs - self._known))
                    self._known |= needs

    async def settled(self, name: str, timeout: float) -> None:
        assert self._session.settled

    def refusals(self, name: str) -> list[Any]:
        return []

    def lead(self, name: str, number: int) -> None: ...


class Node:
    def __init__(self, count: int, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        async def never(*_: Any, **__: Any) -> None:
            await asyncio.Event().wait()

        async def start() -> bool:
            return True

        async def opened(*_: Any) -> None: ...

        monkeypatch.setattr("hatoba.proxy.engine.ask", never)
        self.server = Server()
        self.proxy = EnvoyProxy(
            name=VPC,
            directory=directory,
            server=self.server,  # type: ignore[arg-type]
            clock=LoopClock(),
            on_health=lambda _: None,
        )
        monkeypatch.setattr(self.proxy.process, "start", start)
        self.items = {f"b{number}": item(number) for number in range(count)}
        self.said: list[str] = []
        self.balancers = Balancers(
            lambda: self.items,
            lambda *_: self.proxy,
            lambda _, report: self.said.append(report.id),
            ManualClock(),
            opened,
            "100.64.0.1",
        )

    async def follows(self) -> None:
        """What the items are now."""
        self.said.clear()
        self.server.sent.clear()
        await self.balancers.refresh(VPC, Path("/netns"))
        async with asyncio.timeout(20):
            while not self.said:  # noqa: ASYNC110  nothing else tells
                await asyncio.sleep(0)

    async def close(self) -> None:
        await self.balancers.release()


def item(number: int, targets: int = TARGETS, version: int = 1) -> BalancerItem:
    to = Forward(shares=(Share(group=f"g{number}"),))
    rules = tuple(
        Rule(id=f"r{each}", priority=each + 1, conditions=(PathIs(values=(f"/{each}/*",)),), action=to)
        for each in range(RULES)
    )
    main = Listener(id="main", port=1024 + number, default=to, rules=rules)
    balancer = Balancer(id=f"b{number}", addresses=("10.0.0.5",), listeners=(main,))
    ends = tuple(Target(id=f"t{each}", address=f"10.1.{number}.{each}", port=80) for each in range(targets))
    group = TargetGroup(id=f"g{number}", targets=ends, health_check=HealthCheck(enabled=False))
    spec = msgspec.msgpack.encode(Wanted(balancers=(balancer,), groups=(group,)))
    return BalancerItem(network=VPC, interfaces=(), spec=spec, version=version)


async def calls_of_a_change(beside: int, directory: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Of Python's functions, generators' steps included."""
    count = 0

    def note(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event == "call"

    node = Node(beside, directory, monkeypatch)
    await node.follows()
    for turn in range(2):  # the first one fills what is remembered
        node.items["b7"] = item(7, TARGETS - 1 - turn, 2 + turn)
        count = 0
        sys.setprofile(note)
        try:
            await node.follows()
        finally:
            sys.setprofile(None)
        assert node.said == ["b7"]
        assert set(node.server.sent) <= {"g7", "b7|g7"}
    await node.close()
    return count


async def test_a_change_to_one_load_balancer_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = 20, 120
    costs = [await calls_of_a_change(count, tmp_path, monkeypatch) for count in (few, many)]
    each = (costs[1] - costs[0]) / (many - few)
    assert each < 30, f"each of the others, with {RULES} rules and {TARGETS} targets, costs {each:.0f} calls"
