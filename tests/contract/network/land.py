"""A small land to try who reaches whom in: EC2's room, the fleet's tables, what two nodes are told, and their networks.

All but the sessions between is the real thing: what is asked of EC2 becomes records, these become items and deltas, and
the nodes' wiring carries those out on the fabrics of a lab. What would be tasks is written into the fleet's tables as
the `ecs` room does, and listens on a port of its own.

    one   10.0.0.0/16   public 10.0.0.0/24 · private 10.0.1.0/24, out by a NAT gateway · isolated 10.0.2.0/24
    twin  10.0.0.0/16   the same block
    far   10.2.0.0/16   peered with one, once that is accepted

All have an IPv6 block too, which is nobody else's. By it public leads to an internet gateway, and private to an
egress-only one; in one there is also `six`, public, without IPv4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from ipaddress import IPv6Network
from typing import Any, NamedTuple

from hatoba.core.clock import SystemClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.fleet import model as fleet
from hatoba.fleet.assemble import Holding, NodeItems
from hatoba.fleet.changes import touched
from hatoba.gateway.call import idempotent
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.node.wiring import Wiring
from hatoba.services.ec2.api import ec2
from hatoba.services.ec2.controller import controllers
from hatoba.services.ec2.model import TABLES as EC2
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.store import Change, Store
from hatoba.store.memory import MemoryDisk, MemoryJournal
from tests.contract.network.labs import ENDPOINT, NODES, WORLD, WORLD6, Lab, RealLab
from tests.unit.gateway.roles_pass import RolesPass
from tools.waiting import PATIENCE

SCOPE = Scope("aws", "123456789012", "eu-west-1")
EVERYWHERE, EVERYWHERE6 = "0.0.0.0/0", "::/0"
PRIVATE = 9000  # a port that a process of the host has open, and that is meant for nobody


_OF_THE_HOST = (
    "world",
    "aws",
    "port",
    "loop",
    "under",
    "world6",
    "aws6",
    "port6",
)  # what the host itself asks there is no concern of ours


class Nobody:
    def find(self, access_key_id: str) -> None:
        return None


class Place(NamedTuple):
    """Somebody who asks or is asked. `holder`: an interface, or "" for what is none of the platform's."""

    node: int
    address: str
    port: int
    holder: str = ""
    vpc: str = ""
    router: bool = False  # the address is the router's: a load balancer's


class Land:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        sealer = Sealer(b"k" * 32)
        self.store = Store(MemoryJournal(MemoryDisk()), (*EC2, *fleet.TABLES, idempotent, tags), sealer)
        self.store.open()
        self._plane = ControlPlane(
            store=self.store,
            clock=SystemClock(),
            ids=SeededIds(7),
            pager=Pager(sealer),
            rooms=[ec2],
            identities=Nobody(),
            authorizer=RolesPass(),
            strict=True,
        )
        self._plane.provide(PublicPool, PublicPool(network="100.80.0.0/16", transit="100.80.0.0/21"))
        self.ec2 = self._plane.door(SCOPE, "ecs").ec2
        self.places: dict[str, Place] = {}
        self.made: dict[str, str] = {}  # what EC2 made, by our names for it
        self._controllers = controllers(self._plane)
        holding = Holding()
        with self.store.tx() as tx:
            for number, address in enumerate(NODES):
                key = fleet.nodes.key(fleet.FLEET, f"n{number}")
                record = fleet.Node(
                    key=key, name=key.id, number=number, address=address, cpu=1, memory=1, state="ready"
                )
                tx.put(fleet.nodes, record)
        self._items = [NodeItems(self.store, f"n{number}", 1, holding=holding) for number in range(len(NODES))]
        for items in self._items:
            items.snapshot()
        self.wirings = [Wiring(fabric, ()) for fabric in lab.fabrics]
        for table in fleet.TABLES:
            self.store.feed.subscribe(table, self._changed)

    def _changed(self, change: Change[Any]) -> None:
        for items in self._items:
            items.touch(touched(self.store, change))

    async def told(self) -> None:
        """Every controller has looked, and every node knows what there is to know."""
        for controller in self._controllers:
            everything = controller.keys()
            for key in everything:
                await controller.reconcile(key)
        await self.store.durable()
        for items, wiring in zip(self._items, self.wirings, strict=True):
            delta = items.delta()
            if delta is not None:
                wiring.changed(delta.put, delta.gone)

    async def close(self) -> None:
        for wiring in self.wirings:
            await wiring.close()
        self.store.close()

    # --- what is made

    async def build(self) -> None:
        await self._networks()
        await self._groups()
        task, made = self._task, self.made
        made["out eni"] = await task("out", 0, "public", "web", port=80, public=True)
        await task("shy", 0, "public", "web", port=80)
        await task("in", 1, "private", "app", port=80)
        await task("iso", 0, "isolated", "app", port=80)
        await task("mute", 0, "isolated", "mute", port=80)
        await task("deaf", 1, "private", "deaf", port=80)
        await task("twin", 0, "twin", "twins", port=81, address=self.places["in"].address)
        await task("far", 1, "far", "fars", port=80)
        await task("six", 0, "six", "web", port=80)
        await self._balancer()
        self.places["nat*"] = Place(0, made["nat public"], 80)
        for name, address in (("world", WORLD), ("world6", WORLD6)):
            self.places[name] = Place(0, address, 80)
            await self.lab.listen(0, "world", address, 80)
        for node in range(len(NODES)):
            for port in (ENDPOINT, PRIVATE):
                await self.lab.listen(node, None, "::", port)
            await self.lab.listen(node, None, "127.0.0.1", PRIVATE + 1)

    async def _networks(self) -> None:
        ask, made = self.ec2, self.made
        for name, block in (("one", "10.0.0.0/16"), ("twin vpc", "10.0.0.0/16"), ("far vpc", "10.2.0.0/16")):
            vpc = (await ask.create_vpc(CidrBlock=block, AmazonProvidedIpv6CidrBlock=True))["Vpc"]
            made[name], made[f"{name} block6"] = vpc["VpcId"], vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        for number, (name, vpc, block) in enumerate(
            (
                ("public", "one", "10.0.0.0/24"),
                ("private", "one", "10.0.1.0/24"),
                ("isolated", "one", "10.0.2.0/24"),
                ("twin", "twin vpc", "10.0.1.0/24"),
                ("far", "far vpc", "10.2.0.0/24"),
                ("six", "one", ""),
            )
        ):
            given: dict[str, Any] = {"CidrBlock": block} if block else {"Ipv6Native": True}
            given["Ipv6CidrBlock"] = str(list(IPv6Network(made[f"{vpc} block6"]).subnets(new_prefix=64))[number])
            made[name] = (await ask.create_subnet(VpcId=made[vpc], **given))["Subnet"]["SubnetId"]
        made["igw"] = (await ask.create_internet_gateway())["InternetGateway"]["InternetGatewayId"]
        await ask.attach_internet_gateway(InternetGatewayId=made["igw"], VpcId=made["one"])
        for subnet in ("public", "private", "far"):
            vpc = "far vpc" if subnet == "far" else "one"
            table = (await ask.create_route_table(VpcId=made[vpc]))["RouteTable"]["RouteTableId"]
            await ask.associate_route_table(RouteTableId=table, SubnetId=made[subnet])
            made[f"{subnet} table"] = table
        await ask.associate_route_table(RouteTableId=made["public table"], SubnetId=made["six"])
        await self._lead6()
        await ask.create_route(
            RouteTableId=made["public table"], DestinationCidrBlock=EVERYWHERE, GatewayId=made["igw"]
        )
        elastic = await ask.allocate_address()
        made["nat public"] = elastic["PublicIp"]
        nat = await ask.create_nat_gateway(SubnetId=made["public"], AllocationId=elastic["AllocationId"])
        made["nat"] = nat["NatGateway"]["NatGatewayId"]
        await self.leads("private", EVERYWHERE, NatGatewayId=made["nat"])
        asked = await ask.create_vpc_peering_connection(VpcId=made["one"], PeerVpcId=made["far vpc"])
        made["peering"] = asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]

    async def _lead6(self) -> None:
        """Out of the public subnets and into them, and out of the private one."""
        only = await self.ec2.create_egress_only_internet_gateway(VpcId=self.made["one"])
        self.made["eigw"] = only["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        await self.leads("public", EVERYWHERE6, GatewayId=self.made["igw"])
        await self.leads("private", EVERYWHERE6, EgressOnlyInternetGatewayId=self.made["eigw"])

    async def _groups(self) -> None:
        """web: from everywhere · app: from members of web, and of itself · mute: says nothing · deaf: hears nothing."""
        for name, vpc in (
            *((name, "one") for name in ("web", "app", "mute", "deaf")),
            ("twins", "twin vpc"),
            ("fars", "far vpc"),
        ):
            group = await self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.made[vpc])
            self.made[name] = group["GroupId"]
        for name in ("web", "mute", "twins"):
            for everywhere in (EVERYWHERE, EVERYWHERE6):
                await self.opens(name, cidr=everywhere)
        await self.opens("app", members="web")
        await self.opens("app", members="app")
        for block in ("10.2.0.0/16", self.made["far vpc block6"]):
            await self.opens("fars", cidr=block)
        everything = [
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": EVERYWHERE}], "Ipv6Ranges": [{"CidrIpv6": EVERYWHERE6}]}
        ]
        await self.ec2.revoke_security_group_egress(GroupId=self.made["mute"], IpPermissions=everything)

    async def _task(
        self, name: str, node: int, subnet: str, group: str, *, port: int, public: bool = False, address: str = ""
    ) -> str:
        eni, address, address6 = await self._interface(subnet, group, address)
        vpc = self._network(eni)
        if public:
            self.places[f"{name}*"] = Place(node, await self._public(eni), port)
        with self.store.tx() as tx:
            key = fleet.workloads.key(SCOPE, f"task-{name}")
            tx.put(
                fleet.workloads, fleet.Workload(key=key, node=f"n{node}", want="running", network=vpc, interface=eni)
            )
        await self.told()
        await self.wirings[node].attach(eni)
        await self.lab.listen(node, eni, "::", port)
        self.places[name] = Place(node, address or address6, port, holder=eni)
        self.places[f"{name}6"] = Place(node, address6, port, holder=eni)
        if isinstance(self.lab, RealLab):
            self.lab.tell_world(address6, node)
        return eni

    async def _balancer(self) -> None:
        eni, address, address6 = await self._interface("public", "web", "")
        vpc = self._network(eni)
        public = await self._public(eni)
        with self.store.tx() as tx:
            key = fleet.balancers.key(SCOPE, "lb")
            tx.put(fleet.balancers, fleet.Balancer(key=key, node="n0", network=vpc, interfaces=(eni,)))
        await self.told()
        async with asyncio.timeout(PATIENCE):
            while not any(held.id == eni for held in (await self.lab.fabrics[0].inventory()).addresses):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        for name, own in (("lb", address), ("lb6", address6)):
            await self.lab.listen(0, vpc, own, 80)
            self.places[name] = Place(0, own, 80, holder=eni, vpc=vpc, router=True)
        self.places["lb*"] = Place(0, public, 80)

    async def _interface(self, subnet: str, group: str, address: str) -> tuple[str, str, str]:
        """Its id and addresses; of IPv4 "" where there is none."""
        asked: dict[str, Any] = {"SubnetId": self.made[subnet], "Groups": [self.made[group]], "Ipv6AddressCount": 1}
        if address:
            asked["PrivateIpAddress"] = address
        found = (await self.ec2.create_network_interface(**asked))["NetworkInterface"]
        address6: str = found["Ipv6Addresses"][0]["Ipv6Address"]
        return found["NetworkInterfaceId"], found.get("PrivateIpAddress", ""), address6

    def _network(self, eni: str) -> str:
        record = self.store.find(fleet.interfaces, SCOPE, eni)
        assert record is not None
        return record.network

    async def _public(self, eni: str) -> str:
        await self.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, AssociatePublicIpAddress=True)
        found = await self.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])
        public: str = found["NetworkInterfaces"][0]["Association"]["PublicIp"]
        return public

    # --- what is changed

    async def cut_off(self, subnet: str) -> None:
        """Its network ACL is a new one from now on, which lets nothing pass."""
        acl = (await self.ec2.create_network_acl(VpcId=self.made["one"]))["NetworkAcl"]["NetworkAclId"]
        found = await self.ec2.describe_network_acls(
            Filters=[{"Name": "association.subnet-id", "Values": [self.made[subnet]]}]
        )
        (association,) = (a for a in found["NetworkAcls"][0]["Associations"] if a["SubnetId"] == self.made[subnet])
        await self.ec2.replace_network_acl_association(
            AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl
        )

    async def leads(self, subnet: str, to: str, **target: str) -> None:
        await self.ec2.create_route(**self._route(subnet, to), **target)

    async def leads_otherwise(self, subnet: str, to: str, **target: str) -> None:
        await self.ec2.replace_route(**self._route(subnet, to), **target)

    async def leads_no_more(self, subnet: str, to: str) -> None:
        await self.ec2.delete_route(**self._route(subnet, to))

    def _route(self, subnet: str, to: str) -> dict[str, str]:
        destination = "DestinationIpv6CidrBlock" if ":" in to else "DestinationCidrBlock"
        return {"RouteTableId": self.made[f"{subnet} table"], destination: to}

    async def loses_ipv6(self, name: str) -> None:
        place = self.places[f"{name}6"]
        await self.ec2.unassign_ipv6_addresses(NetworkInterfaceId=place.holder, Ipv6Addresses=[place.address])

    async def opens(self, group: str, **far: str) -> None:
        permission = [_permission(self.made, **far)]
        await self.ec2.authorize_security_group_ingress(GroupId=self.made[group], IpPermissions=permission)

    async def closes(self, group: str, **far: str) -> None:
        permission = [_permission(self.made, **far)]
        await self.ec2.revoke_security_group_ingress(GroupId=self.made[group], IpPermissions=permission)

    async def joins(self, name: str, *groups: str) -> None:
        """These are its groups from now on."""
        await self.ec2.modify_network_interface_attribute(
            NetworkInterfaceId=self.places[name].holder, Groups=[self.made[group] for group in groups]
        )

    # --- who reaches whom

    async def row(self, source: str, targets: Iterable[str]) -> str:
        return "".join(await asyncio.gather(*(self._cell(source, target) for target in targets)))

    async def _cell(self, source: str, target: str) -> str:
        """`+` reached · `-` silence · `x` somebody else is there, who refuses · `=` the same."""
        asks = self.places.get(source)  # None: node 0's host
        node = asks.node if asks is not None else 0
        match target:
            case "aws" | "port" | "loop":
                port = {"aws": ENDPOINT, "port": PRIVATE, "loop": PRIVATE + 1}[target]
                asked = Place(node, self.lab.settings[node].host_address, port)
            case "aws6" | "port6":
                asked = Place(
                    node, self.lab.settings[node].host_address6 or "", ENDPOINT if target == "aws6" else PRIVATE
                )
            case "under":
                asked = Place(node, NODES[node], PRIVATE)
            case _:
                asked = self.places[target]
        if target.rstrip("*6") == source or (asks is None and target in _OF_THE_HOST):
            return "="
        holder, own = None if asks is None else asks.holder, None
        if asks is not None and asks.router and self.lab.real:
            holder, own = asks.vpc, self.places[f"{source}6" if ":" in asked.address else source].address
        try:
            reached = await self.lab.reaches(node, holder, asked.address, asked.port, own=own)
        except AssertionError:
            return "x"
        return "+" if reached else "-"


def _permission(made: dict[str, str], *, cidr: str = "", members: str = "") -> dict[str, Any]:
    ports = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81}
    if members:
        return {**ports, "UserIdGroupPairs": [{"GroupId": made[members]}]}
    return {**ports, "Ipv6Ranges": [{"CidrIpv6": cidr}]} if ":" in cidr else {**ports, "IpRanges": [{"CidrIp": cidr}]}
