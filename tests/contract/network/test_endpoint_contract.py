"""Endpoints of the platform: an address of the VPC that no task has, and a service of its router behind it.

vpc-1   10.0.0.0/24 public · 10.0.1.0/24 private, without routes · an endpoint at 10.0.0.8, another one at 10.0.1.8
"""

from __future__ import annotations

import asyncio
import socket

import msgspec
import pytest

from hatoba.gateway.http.reached import meant
from hatoba.network.base import Acl, AclRule, Border, PolicySet, RouterService, Rule, VpcSpec
from hatoba.network.beyond import HTTP, HTTPS, Endpoint, Guest, Route, Routing, Subnet
from tests.contract.network.labs import ENDPOINT, NODES, Lab, RealLab
from tests.contract.network.specs import ALL, METADATA, OPEN, peer, rule, task, vpc

NEAR, FAR = "10.0.1.8", "10.0.0.8"
PLAIN = Routing(subnets=(Subnet(blocks=("10.0.0.0/24",)), Subnet(blocks=("10.0.1.0/24",))))


def with_endpoints(*groups: str) -> Routing:
    return Routing(
        subnets=PLAIN.subnets,
        endpoints=tuple(Endpoint(address=address, groups=groups or ("sg-open",)) for address in (NEAR, FAR)),
    )


SERVED = tuple(RouterService(address=METADATA, port=port, endpoints=True) for port in (ENDPOINT, HTTPS))


def with_services(spec: VpcSpec) -> VpcSpec:
    """Its router serves endpoints, in clear and by TLS."""
    return msgspec.structs.replace(spec, services=(*spec.services, *SERVED))


async def a_vpc(lab: Lab, given: Routing, *policies: PolicySet, group: str = "sg-open") -> list[socket.socket | None]:
    """`in` at 10.0.1.10; the platform listens, on the host and in the router: its sockets there."""
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(with_services(vpc()))
    await fabric.set_policies("vpc-1", (OPEN, *policies))
    await fabric.set_routing("vpc-1", given)
    await fabric.ensure_interface(task("in", "10.0.1.10", group))
    for port in (ENDPOINT, HTTP, 22):
        await lab.listen(0, None, "0.0.0.0", port)
    return await served(lab)


async def served(lab: Lab, node: int = 0, network: str = "vpc-1") -> list[socket.socket | None]:
    return [await lab.listen(node, network, METADATA, port) for port in (ENDPOINT, HTTPS)]


async def test_it_leads_to_the_platform_and_nowhere_else(lab: Lab) -> None:
    await a_vpc(lab, with_endpoints())
    for address in (NEAR, FAR):
        assert await lab.reaches(0, "in", address, ENDPOINT)
        assert await lab.reaches(0, "in", address, HTTP), "which is the platform's own port"
        assert await lab.reaches(0, "in", address, HTTPS)
        assert not await lab.reaches(0, "in", address, 22)
    assert not await lab.reaches(0, "in", "10.0.1.9", ENDPOINT), "an address of nobody's"
    assert not await lab.reaches(0, None, NEAR, ENDPOINT), "the host is not in the VPC"


async def test_who_serves_it_sees_who_asks_for_which(lab: Lab) -> None:
    clear, tls = await a_vpc(lab, with_endpoints())
    for address, port, listener in ((NEAR, HTTP, clear), (FAR, ENDPOINT, clear), (FAR, HTTPS, tls)):
        assert await lab.reaches(0, "in", address, port)
        if lab.real:
            assert listener is not None
            taken, who = await asyncio.get_running_loop().sock_accept(listener)
            with taken:
                assert (who[0], meant(taken)) == ("10.0.1.10", address)
    closed = tuple(msgspec.structs.replace(subnet, platform=False) for subnet in PLAIN.subnets)
    await lab.fabrics[0].set_routing("vpc-1", msgspec.structs.replace(with_endpoints(), subnets=closed))
    assert await lab.reaches(0, "in", NEAR, HTTP), "whatever the routes say: it does not leave the router"
    assert not await lab.reaches(0, "in", lab.settings[0].host_address, ENDPOINT)


async def test_a_router_that_serves_none_leads_nowhere(lab: Lab) -> None:
    await a_vpc(lab, with_endpoints())
    await lab.fabrics[0].ensure_vpc(vpc())
    assert not await lab.reaches(0, "in", NEAR, ENDPOINT)
    assert not await lab.reaches(0, "in", NEAR, HTTPS)
    await lab.fabrics[0].ensure_vpc(with_services(vpc()))
    assert await lab.reaches(0, "in", NEAR, HTTPS)


async def test_its_groups_say_who_comes_in(lab: Lab) -> None:
    friends = PolicySet(id="sg-endpoint", ingress=(rule(ENDPOINT, groups=("sg-friend",)),))
    friend = PolicySet(id="sg-friend", egress=(ALL,))
    await a_vpc(lab, with_endpoints("sg-endpoint"), friends, friend)
    assert not await lab.reaches(0, "in", NEAR, ENDPOINT)
    await lab.fabrics[0].ensure_interface(task("in", "10.0.1.10", "sg-friend"))
    assert await lab.reaches(0, "in", NEAR, ENDPOINT)
    assert not await lab.reaches(0, "in", NEAR, HTTP), "groups see the port that was asked for"
    await lab.fabrics[0].set_policies("vpc-1", (friend,))
    assert not await lab.reaches(0, "in", NEAR, ENDPOINT)


@pytest.mark.parametrize(
    "to", [rule(ENDPOINT, groups=("sg-endpoint",)), rule(ENDPOINT, cidrs=(f"{NEAR}/32", f"{FAR}/32"))]
)
async def test_a_task_needs_to_be_let_out_to_the_endpoint_not_to_what_is_behind_it(lab: Lab, to: Rule) -> None:
    host = lab.settings[0].host_address
    endpoint = PolicySet(id="sg-endpoint", ingress=(ALL,))
    narrow = PolicySet(id="sg-narrow", egress=(to,))
    await a_vpc(lab, with_endpoints("sg-endpoint"), endpoint, narrow, group="sg-narrow")
    assert await lab.reaches(0, "in", NEAR, ENDPOINT)
    assert not await lab.reaches(0, "in", NEAR, HTTP)
    assert not await lab.reaches(0, "in", host, ENDPOINT)
    beside = PolicySet(id="sg-narrow", egress=(rule(ENDPOINT, cidrs=(f"{host}/32",)),))
    await lab.fabrics[0].set_policies("vpc-1", (endpoint, beside))
    assert await lab.reaches(0, "in", host, ENDPOINT)
    assert not await lab.reaches(0, "in", NEAR, ENDPOINT)


async def test_endpoints_come_and_go(lab: Lab) -> None:
    await a_vpc(lab, PLAIN)
    assert not await lab.reaches(0, "in", NEAR, ENDPOINT)
    await lab.fabrics[0].set_routing("vpc-1", with_endpoints())
    assert await lab.reaches(0, "in", NEAR, ENDPOINT)
    await lab.fabrics[0].set_routing("vpc-1", Routing(subnets=PLAIN.subnets, endpoints=with_endpoints().endpoints[1:]))
    assert not await lab.reaches(0, "in", NEAR, ENDPOINT)
    assert await lab.reaches(0, "in", FAR, ENDPOINT)
    await lab.fabrics[0].set_routing("vpc-1", PLAIN)
    assert not await lab.reaches(0, "in", FAR, ENDPOINT)
    assert await lab.reaches(0, "in", lab.settings[0].host_address, ENDPOINT), "the direct way stays"


async def test_network_acls_see_the_endpoint(lab: Lab) -> None:
    """The one in the task's own subnet is behind no border, the other one behind two: there, and back."""
    await a_vpc(lab, with_endpoints())
    everything = AclRule(allow=True, cidrs=("0.0.0.0/0",))
    border = Border(subnet="subnet-far", cidrs=("10.0.0.0/24",))
    asked = AclRule(allow=True, protocol="tcp", from_port=ENDPOINT, to_port=ENDPOINT, cidrs=("10.0.1.0/24",))

    async def acl(ingress: AclRule, *egress: AclRule) -> None:
        await lab.fabrics[0].set_acls("vpc-1", (Acl(id="acl-1", borders=(border,), ingress=(ingress,), egress=egress),))

    await acl(asked, everything)
    assert await lab.reaches(0, "in", FAR, ENDPOINT)
    assert not await lab.reaches(0, "in", FAR, HTTP)
    assert await lab.reaches(0, "in", NEAR, HTTP)
    await acl(asked)
    assert not await lab.reaches(0, "in", FAR, ENDPOINT), "nothing comes back"
    assert await lab.reaches(0, "in", NEAR, ENDPOINT)
    own = Border(subnet="subnet-near", cidrs=("10.0.1.0/24",))
    inside = AclRule(allow=True, cidrs=("10.0.0.0/16",))
    await lab.fabrics[0].set_acls("vpc-1", (Acl(id="acl-2", borders=(own,), ingress=(inside,), egress=(inside,)),))
    assert await lab.reaches(0, "in", FAR, ENDPOINT), "the host's address is nothing that it hears of"
    assert not await lab.reaches(0, "in", lab.settings[0].host_address, ENDPOINT)


async def test_each_node_serves_its_own_tasks(lab: Lab) -> None:
    await a_vpc(lab, with_endpoints())
    fabric = lab.fabrics[1]
    await fabric.ensure_vpc(with_services(vpc()))
    await fabric.set_policies("vpc-1", (OPEN,))
    await fabric.set_routing("vpc-1", with_endpoints())
    await fabric.ensure_interface(task("there", "10.0.1.20", "sg-open"))
    await fabric.set_peers("vpc-1", (peer("10.0.1.10", str(lab.settings[0].underlay), "sg-open"),))
    await served(lab, 1)
    assert await lab.reaches(1, "there", NEAR, ENDPOINT)
    assert await lab.reaches(0, "in", NEAR, ENDPOINT)


# --- from peered VPCs

THERE = Route(to="10.0.0.0/16", kind="peering", target="vpc-1")
BACK = Route(to="10.2.0.0/16", kind="peering", target="vpc-2")
OF_ENDPOINT = PolicySet(id="sg-endpoint", ingress=(rule(HTTPS, cidrs=("10.2.0.0/24",)), rule(HTTP, groups=("sg-far",))))


def peered(near: tuple[Route, ...] = (BACK,), far: tuple[Route, ...] = ()) -> Routing:
    """Of vpc-1, whose endpoints are NEAR and FAR. The routes are those of the subnets that these are in."""
    given = with_endpoints("sg-endpoint")
    subnets = (Subnet(blocks=("10.0.0.0/24",), routes=far), Subnet(blocks=("10.0.1.0/24",), routes=near))
    return msgspec.structs.replace(given, subnets=subnets, peerings=("vpc-2",))


async def two_vpcs(lab: Lab, given: Routing, *, group: str = "sg-open") -> list[socket.socket | None]:
    """Beside vpc-1, `far` at 10.2.0.10 in vpc-2."""
    listening = await a_vpc(lab, given, OF_ENDPOINT)
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(VpcSpec(id="vpc-2", cidrs=("10.2.0.0/16",), vni=2))
    await fabric.set_policies("vpc-2", (OPEN, PolicySet(id="sg-far", egress=(ALL,))))
    await fabric.set_routing(
        "vpc-2", Routing(subnets=(Subnet(blocks=("10.2.0.0/24",), routes=(THERE,)),), peerings=("vpc-1",))
    )
    await fabric.ensure_interface(task("far", "10.2.0.10", group, vpc="vpc-2"))
    return listening


async def test_tasks_of_a_peered_vpc_are_served_as_its_groups_say(lab: Lab) -> None:
    _, tls = await two_vpcs(lab, peered())
    assert await lab.reaches(0, "far", NEAR, HTTPS)
    if lab.real:
        assert tls is not None
        taken, who = tls.accept()
        with taken:
            assert (who[0], meant(taken)) == ("10.2.0.10", NEAR)
    assert not await lab.reaches(0, "far", NEAR, HTTP), "its group is another one"
    assert not await lab.reaches(0, "far", METADATA, HTTPS), "that is its own router's"
    await lab.fabrics[0].ensure_interface(task("far", "10.2.0.10", "sg-far", vpc="vpc-2"))
    await lab.fabrics[0].set_guests("vpc-1", (Guest(address="10.2.0.10", groups=("sg-far",)),))
    assert await lab.reaches(0, "far", NEAR, HTTP)
    assert not await lab.reaches(0, "far", NEAR, 22)


async def test_there_has_to_be_a_way_back_from_the_endpoints_subnet(lab: Lab) -> None:
    await two_vpcs(lab, peered())
    assert await lab.reaches(0, "far", NEAR, HTTPS)
    assert not await lab.reaches(0, "far", FAR, HTTPS), "that one's subnet has none"
    await lab.fabrics[0].set_routing("vpc-1", peered(near=(), far=(BACK,)))
    assert not await lab.reaches(0, "far", NEAR, HTTPS)
    assert await lab.reaches(0, "far", FAR, HTTPS)
    await lab.fabrics[0].set_routing("vpc-1", peered(near=()))
    assert not await lab.reaches(0, "far", FAR, HTTPS)


async def test_network_acls_see_who_comes_from_a_peered_vpc(lab: Lab) -> None:
    await two_vpcs(lab, peered())
    border = Border(subnet="subnet-near", cidrs=("10.0.1.0/24",))
    everything = AclRule(allow=True, cidrs=("0.0.0.0/0",))
    for ingress, egress in (
        (everything, everything),
        (AclRule(cidrs=("10.2.0.0/16",)), everything),
        (everything, None),
    ):
        acl = Acl(id="acl-1", borders=(border,), ingress=(ingress,), egress=(egress,) if egress else ())
        await lab.fabrics[0].set_acls("vpc-1", (acl,))
        assert await lab.reaches(0, "far", NEAR, HTTPS) is (ingress == egress)


async def test_peering_that_ends_ends_it(lab: Lab) -> None:
    await two_vpcs(lab, peered())
    assert await lab.reaches(0, "far", NEAR, HTTPS)
    await lab.fabrics[0].set_routing("vpc-1", msgspec.structs.replace(peered(), peerings=()))
    assert not await lab.reaches(0, "far", NEAR, HTTPS)
    await lab.fabrics[0].set_routing("vpc-1", peered())
    assert await lab.reaches(0, "far", NEAR, HTTPS)


@pytest.mark.real
async def test_a_router_that_is_taken_over_has_its_endpoints(real: RealLab) -> None:
    await two_vpcs(real, peered())
    await real.fabrics[0].close()
    real.fabrics[0] = real.restarted(0)
    await real.fabrics[0].start()
    assert await real.reaches(0, "far", NEAR, HTTPS)


@pytest.mark.real
async def test_what_comes_by_the_tunnel_is_another_routers(real: RealLab) -> None:
    """A task of the other node, whose router does not know the endpoint and is told that it is here."""
    await a_vpc(real, with_endpoints())
    far = real.fabrics[1]
    await far.ensure_vpc(vpc())
    await far.set_policies("vpc-1", (OPEN,))
    await far.set_routing("vpc-1", PLAIN)
    await far.ensure_interface(task("there", "10.0.1.20", "sg-open"))
    await far.set_peers("vpc-1", (peer(NEAR, NODES[0], "sg-open"), peer("10.0.1.10", NODES[0], "sg-open")))
    await real.fabrics[0].set_peers("vpc-1", (peer("10.0.1.20", NODES[1], "sg-open"),))
    await real.listen(0, "in", "0.0.0.0", HTTPS)
    assert await real.reaches(1, "there", "10.0.1.10", HTTPS)
    assert not await real.reaches(1, "there", NEAR, HTTPS)
