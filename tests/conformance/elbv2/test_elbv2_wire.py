"""From the API to the wire and back: the room, the fleet's items and reports, the node's balancers and a real Envoy.

Only the session between control plane and node is left out. Envoy, the targets and the clients meet in a network
namespace of their own, in which the addresses of the load balancer's interfaces lie on its loopback interface.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from hatoba.core.clock import SystemClock
from hatoba.core.tasks import TaskGroup
from hatoba.fleet import model as fleet
from hatoba.fleet.items import BalancerItem
from hatoba.fleet.messages import Report
from hatoba.fleet.needed import Ref, needed
from hatoba.fleet.reports import apply_reports
from hatoba.node.balancers import Balancers
from hatoba.node.openings import Openings
from hatoba.proxy.base import OnHealth
from hatoba.proxy.engine import EnvoyProxy
from hatoba.proxy.server import ConfigServer
from hatoba.store import Change
from tests.conformance.elbv2.world import World, world
from tests.contract.proxy.proxy_rigs import Namespace, read_answer
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real

ONE, TWO = "172.31.0.200", "172.31.16.200"
FAST = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 4}


class Node:
    """Carries what the fleet says on an Envoy, and reports."""

    def __init__(self, w: World, namespace: Namespace, folder: Path) -> None:
        self._world, self._namespace, self._folder = w, namespace, folder
        self._server = ConfigServer(folder / "xds.sock")
        self._balancers = Balancers(self._items, self._make, self._report, SystemClock(), self._let, "")
        self._tasks = TaskGroup("node")
        self._networks: set[str] = set()

    async def start(self) -> None:
        self._world.auto = False
        await self._server.start()
        self._world.store.feed.subscribe(fleet.balancers, self._changed)

    def _items(self) -> Mapping[str, BalancerItem]:
        found = {}
        for record in self._world.carried():
            body = needed(self._world.store, "node-1", Ref("balancer", record.scope, record.id))
            if body is not None:
                found[record.id] = msgspec.msgpack.decode(body, type=BalancerItem)
        return found

    def _make(self, network: str, netns: Path, on_health: OnHealth) -> EnvoyProxy:
        return EnvoyProxy(
            name=network,
            directory=self._folder / "e",
            server=self._server,
            clock=SystemClock(),
            on_health=on_health,
            netns=str(netns),
            opener=self._namespace.opener,
        )

    async def _let(self, network: str, wanted: Openings) -> None:
        """There are no ports of nodes among the targets."""
        assert not wanted.ports

    def _report(self, kind: str, report: Report) -> None:
        apply_reports(self._world.store, "node-1", [report])

    def _changed(self, change: Change[fleet.Balancer]) -> None:
        if change.after is None:
            return
        for address in self._world.wanted(change.after).balancers[0].addresses:
            place(self._namespace, address)
        network = change.after.network
        self._networks.add(network)
        self._tasks.start(self._balancers.refresh(network, Path(self._namespace.path)), network)

    async def stop(self) -> None:
        await self._tasks.close()
        for network in self._networks:
            await self._balancers.close(network)
        await self._server.close()


def place(namespace: Namespace, address: str) -> None:
    command = ["nsenter", f"--net={namespace.path}", "ip", "address", "replace", f"{address}/32", "dev", "lo"]
    subprocess.run(command, check=True)


@asynccontextmanager
async def target(wire: Namespace, address: str, status: int = 200) -> AsyncIterator[None]:
    """A web server that says its address, and `status` to the checker."""
    place(wire, address)
    listener = wire.socket()
    listener.bind((address, 80))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        code = status if "ELB-HealthChecker" in head else 200
        answer = f"HTTP/1.1 {code} X\r\nConnection: close\r\nContent-Length: {len(address)}\r\n\r\n{address}"
        writer.write(answer.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, sock=listener)
    try:
        yield
    finally:
        server.close()


async def get(wire: Namespace, address: str, path: str = "/", port: int = 80) -> tuple[int, str]:
    connection = wire.socket()
    await asyncio.get_running_loop().sock_connect(connection, (address, port))
    reader, writer = await asyncio.open_connection(sock=connection)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n".encode())
    answer = await read_answer(reader)
    writer.close()
    return answer


async def eventually(condition: Callable[[], Awaitable[bool]]) -> float:
    """The seconds until it holds."""
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110  what is asked for is on the wire
            await asyncio.sleep(0.002)
    return time.monotonic() - began


async def until(w: World, group: str, wanted: dict[str, str]) -> float:
    """The seconds until the targets are in these states."""

    async def there() -> bool:
        return await w.states(group) == wanted

    return await eventually(there)


async def answers(wire: Namespace, address: str, path: str, answer: tuple[int, str]) -> None:
    async def given() -> bool:
        return await get(wire, address, path) == answer

    await eventually(given)


async def applied(w: World) -> None:
    """What was told last is in force."""

    async def there() -> bool:
        (record,) = w.carried()
        return any(status.applied == record.version for status in w.store.all(fleet.balancer_statuses))

    await eventually(there)


@asynccontextmanager
async def wired(path: Path) -> AsyncIterator[tuple[World, Namespace]]:
    (path / "node").mkdir()
    namespace = Namespace()
    try:
        async with world(path) as w:
            node = Node(w, namespace, path / "node")
            await node.start()
            try:
                yield w, namespace
            finally:
                await node.stop()
    finally:
        namespace.close()


async def test_from_the_api_to_the_wire(tmp_path: Path) -> None:
    async with wired(tmp_path) as (w, wire), target(wire, ONE), target(wire, TWO):
        balancer, group = await w.balancer(), await w.group(**FAST)
        listener = await w.listener(balancer, group)
        await w.settle()
        await applied(w)
        address, other = w.wanted().balancers[0].addresses
        assert (await get(wire, address))[0] == 503  # nobody is there

        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": ONE}])
        spent = await until(w, group, {f"{ONE}:80": "healthy"})
        assert await get(wire, address) == (200, ONE)
        assert await get(wire, other) == (200, ONE)
        assert spent < 5 * FAST["HealthCheckIntervalSeconds"], "it need not pass as many checks as later"

        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": TWO}])
        await until(w, group, {f"{ONE}:80": "healthy", f"{TWO}:80": "healthy"})
        both = Counter([(await get(wire, address))[1] for _ in range(20)])
        assert set(both) == {ONE, TWO}

        await w.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": ONE}])
        await applied(w)
        assert {(await get(wire, address))[1] for _ in range(20)} == {TWO}
        assert await w.states(group) == {f"{ONE}:80": "draining", f"{TWO}:80": "healthy"}
        await w.pass_time(301)
        await until(w, group, {f"{TWO}:80": "healthy"})

        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "410", "MessageBody": "gone"}}
        made = await w.elb.create_rule(
            ListenerArn=listener,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/old/*"]}],
            Actions=[fixed],
        )
        await answers(wire, address, "/old/x", (410, "gone"))
        assert await get(wire, address, "/") == (200, TWO)
        await w.elb.delete_rule(RuleArn=made["Rules"][0]["RuleArn"])
        await answers(wire, address, "/old/x", (200, TWO))


async def test_a_target_that_says_502(tmp_path: Path) -> None:
    async with wired(tmp_path) as (w, wire), target(wire, ONE, status=502):
        balancer, group = await w.balancer(), await w.group(**FAST, UnhealthyThresholdCount=2)
        await w.listener(balancer, group)
        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": ONE}])
        await until(w, group, {f"{ONE}:80": "unhealthy"})
        (shown,) = (await w.elb.describe_target_health(TargetGroupArn=group))["TargetHealthDescriptions"]
        assert shown["TargetHealth"]["Reason"] == "Target.ResponseCodeMismatch"
        assert shown["TargetHealth"]["Description"] == "Health checks failed with these codes: [502]"
