"""The node's resolver inside the routers of two networks with the same addresses, asked from their interfaces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import msgspec
import pytest
from dns.message import Message

from hatoba.core.clock import SystemClock
from hatoba.dns.base import Entry
from hatoba.fleet import model as fleet
from hatoba.fleet.items import InterfaceItem, NetworkItem, PolicyItem, ZoneItem
from hatoba.fleet.messages import Gone, Item, Kind, encode
from hatoba.node.resolver import Resolver
from hatoba.node.services import RESOLVERS
from hatoba.node.translate import METADATA
from hatoba.node.wiring import Wiring
from tests.contract.dns.names_rig import forwarder, name_server
from tests.contract.network.labs import ENDPOINT, RealLab, inside
from tools.waiting import PATIENCE, until

pytestmark = pytest.mark.real

WORLD = {"example.com": Entry(addresses=("192.0.2.1",))}


def item(kind: Kind, id_: str, body: Any) -> Item:
    return Item(kind=kind, id=id_, body=encode(body))


def network(name: str, vni: int, **said: Any) -> list[Item]:
    """With one interface, which has no security group at all: the resolver needs no rule."""
    interface = InterfaceItem(
        network=name,
        address="10.0.0.10",
        mac="02:00:00:00:00:0a",
        gateway="10.0.0.1",
        prefix="10.0.0.0/24",
        groups=(),
        public=None,
        egress=False,
        balancer=False,
    )
    body = NetworkItem(cidrs=("10.0.0.0/16",), vni=vni, resolver="10.0.0.2", region="eu-west-1", **said)
    return [item("network", name, body), item("interface", f"eni-{name}", interface)]


def zone(name: str, network: str, *addresses: str) -> Item:
    return item("zone", name, ZoneItem(network=network, addresses=addresses, ttl=60))


class Rig:
    def __init__(self, lab: RealLab, wiring: Wiring) -> None:
        self.wiring = wiring
        self._lab = lab

    def namespace(self, network: str) -> Path:
        return self._lab.namespace(0, f"eni-{network}")

    async def listen(self, network: str, port: int) -> None:
        """The platform, in a router."""
        await self._lab.listen(0, network, METADATA, port)

    async def reaches(self, network: str, address: str, port: int) -> bool:
        return await self._lab.reaches(0, f"eni-{network}", address, port)

    def router(self, network: str) -> Path:
        return self._lab.namespace(0, network)

    async def ask(
        self, network: str, name: str, kind: str = "A", *, tcp: bool = False, server: str = "10.0.0.2"
    ) -> Message:
        query = dns.message.make_query(name, kind)
        by = dns.query.tcp if tcp else dns.query.udp
        return await asyncio.to_thread(inside, self.namespace(network), lambda: by(query, server, timeout=PATIENCE))

    async def values(self, network: str, name: str, kind: str = "A", **how: Any) -> list[str]:
        response = await self.ask(network, name, kind, **how)
        return sorted(record.to_text() for records in response.answer for record in records)

    async def tells(self, network: str, name: str, expected: list[str]) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.values(network, name) != expected:
                pass


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    lab = RealLab(folder)
    try:
        await lab.start()
        async with name_server(WORLD, ("",)) as world, forwarder(world.address) as forward:
            fabric = lab.fabrics[0]
            resolver = Resolver(
                fabric,
                lambda: wiring.items("network", NetworkItem),
                lambda: wiring.items("zone", ZoneItem),
                forward,
                SystemClock(),
            )
            wiring = Wiring(fabric, (resolver,), ENDPOINT)
            wiring.changed([*network("vpc-1", 1), *network("vpc-2", 2)], ())
            for name in ("vpc-1", "vpc-2"):
                await wiring.attach(f"eni-{name}")
            try:
                yield Rig(lab, wiring)
            finally:
                await resolver.close_all()
                await wiring.close()
    finally:
        await lab.close()


async def test_names_as_a_task_sees_them(tmp_path: Path) -> None:
    async with rig(tmp_path) as tasks:
        private = "ip-10-0-0-10.eu-west-1.compute.internal"
        for how in ({}, {"tcp": True}, {"server": RESOLVERS}, {"server": RESOLVERS, "tcp": True}):
            assert await tasks.values("vpc-1", private, **how) == ["10.0.0.10"]
        assert await tasks.values("vpc-1", "10.0.0.10.in-addr.arpa", "PTR") == [f"{private}."]
        assert (await tasks.ask("vpc-1", "ip-10-0-0-10.ec2.internal")).rcode() == dns.rcode.NXDOMAIN
        # The task has no way outside; its questions are asked from the host's network.
        assert await tasks.values("vpc-1", "example.com") == ["192.0.2.1"]


async def test_zones_reach_those_whom_they_are_for(tmp_path: Path) -> None:
    async with rig(tmp_path) as tasks:
        assert (await tasks.ask("vpc-1", "web.corp")).rcode() == dns.rcode.NXDOMAIN
        tasks.wiring.changed([zone("web.corp", "vpc-1", "10.0.0.7"), zone("lb.example", "", "100.64.0.9")], ())
        await tasks.tells("vpc-1", "web.corp", ["10.0.0.7"])
        assert await tasks.values("vpc-2", "web.corp") == []
        for name in ("vpc-1", "vpc-2"):
            await tasks.tells(name, "lb.example", ["100.64.0.9"])
        tasks.wiring.changed([zone("lb.example", "", "100.64.0.9", "100.64.0.10")], [Gone(kind="zone", id="web.corp")])
        for name in ("vpc-1", "vpc-2"):
            await tasks.tells(name, "lb.example", ["100.64.0.10", "100.64.0.9"])
        await tasks.tells("vpc-1", "web.corp", [])


async def test_a_network_that_goes_and_comes_back_is_served_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as tasks:
        tasks.wiring.changed((), [Gone(kind="interface", id="eni-vpc-2"), Gone(kind="network", id="vpc-2")])
        await until(lambda: not tasks.router("vpc-2").exists())
        tasks.wiring.changed(network("vpc-2", 2), ())
        await tasks.wiring.attach("eni-vpc-2")
        assert await tasks.values("vpc-2", "example.com") == ["192.0.2.1"]


async def test_a_network_may_do_without_the_resolver_and_without_names_of_addresses(tmp_path: Path) -> None:
    """`enableDnsSupport` and `enableDnsHostnames`, turned off and on while tasks run."""
    private = "ip-10-0-0-10.eu-west-1.compute.internal"
    async with rig(tmp_path) as tasks:

        async def silent(server: str) -> bool:
            query = dns.message.make_query(private, "A")
            try:
                await asyncio.to_thread(
                    inside, tasks.namespace("vpc-1"), lambda: dns.query.udp(query, server, timeout=0.3)
                )
            except dns.exception.Timeout:
                return True
            return False

        tasks.wiring.changed(network("vpc-1", 1, dns=False)[:1], ())
        async with asyncio.timeout(PATIENCE):
            while not await silent("10.0.0.2"):
                pass
        assert await silent(RESOLVERS)
        assert await tasks.values("vpc-2", private) == ["10.0.0.10"], "another network's"
        tasks.wiring.changed(network("vpc-1", 1, hostnames=False)[:1], ())
        async with asyncio.timeout(PATIENCE):
            while await silent("10.0.0.2"):
                pass
        assert (await tasks.ask("vpc-1", private)).rcode() == dns.rcode.NXDOMAIN
        assert await tasks.values("vpc-1", "example.com") == ["192.0.2.1"]
        tasks.wiring.changed(network("vpc-1", 1)[:1], ())
        await tasks.tells("vpc-1", private, ["10.0.0.10"])


async def test_an_endpoint_is_found_by_its_names_and_the_platform_is_there(tmp_path: Path) -> None:
    """From what the node is told to packets: made, for whom its groups let in, and removed while tasks run."""
    service, own = "ecs.eu-west-1.amazonaws.com", "vpce-1.ecs.eu-west-1.vpce.amazonaws.com"
    found = ("10.0.1.7",)
    endpoint = fleet.Endpoint(
        addresses=found,
        groups=("sg-endpoint",),
        names=(fleet.Name(name=own, addresses=found),),
        private=(fleet.Name(name=service, addresses=found),),
    )
    to_all = fleet.Rule(cidrs=("0.0.0.0/0",))
    member, interface = network("vpc-1", 1)[1], network("vpc-1", 1, endpoints=(endpoint,))[0]
    in_group = msgspec.structs.replace(msgspec.msgpack.decode(member.body, type=InterfaceItem), groups=("sg-task",))

    def policy(id_: str, **rules: tuple[fleet.Rule, ...]) -> Item:
        return item("policy", id_, PolicyItem(network="vpc-1", **{"ingress": (), "egress": (), **rules}))

    async with rig(tmp_path) as tasks:
        await tasks.listen("vpc-1", ENDPOINT)
        changes = [interface, item("interface", "eni-vpc-1", in_group), policy("sg-task", egress=(to_all,))]
        tasks.wiring.changed(changes, ())
        for name in (own, service):
            await tasks.tells("vpc-1", name, list(found))
            assert await tasks.values("vpc-2", name) == []
        assert not await tasks.reaches("vpc-1", found[0], ENDPOINT), "its group lets nobody in"
        friends = fleet.Rule(protocol="tcp", from_port=ENDPOINT, to_port=ENDPOINT, groups=("sg-task",))
        tasks.wiring.changed([policy("sg-endpoint", ingress=(friends,))], ())
        async with asyncio.timeout(PATIENCE):
            while not await tasks.reaches("vpc-1", found[0], ENDPOINT):
                pass
        assert not await tasks.reaches("vpc-2", found[0], ENDPOINT)
        tasks.wiring.changed(network("vpc-1", 1)[:1], ())
        await tasks.tells("vpc-1", own, [])
        async with asyncio.timeout(PATIENCE):  # names are taken over before the rules
            while await tasks.reaches("vpc-1", found[0], ENDPOINT):
                pass
