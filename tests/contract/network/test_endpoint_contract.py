"""Endpoints of the platform: an address of the VPC that no task has, and the host's service behind it.

vpc-1   10.0.0.0/24 public · 10.0.1.0/24 private, without routes · an endpoint at 10.0.0.8, another one at 10.0.1.8
"""

from __future__ import annotations

import socket

import msgspec
import pytest

from hatoba.gateway.http.reached import meant
from hatoba.network.base import Acl, AclRule, Border, PolicySet, RouterService, Rule
from hatoba.network.beyond import HTTP, Endpoint, Routing, Subnet
from tests.contract.network.labs import ENDPOINT, Lab, RealLab
from tests.contract.network.specs import ALL, METADATA, OPEN, peer, rule, task, vpc

NEAR, FAR = "10.0.1.8", "10.0.0.8"
PLAIN = Routing(subnets=(Subnet(blocks=("10.0.0.0/24",)), Subnet(blocks=("10.0.1.0/24",))))


def with_endpoints(*groups: str) -> Routing:
    return Routing(
        subnets=PLAIN.subnets,
        endpoints=tuple(Endpoint(address=address, groups=groups or ("sg-open",)) for address in (NEAR, FAR)),
    )


async def a_vpc(lab: Lab, given: Routing, *policies: PolicySet, group: str = "sg-open") -> None:
    """`in` at 10.0.1.10; the platform listens."""
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (OPEN, *policies))
    await fabric.set_routing("vpc-1", given)
    await fabric.ensure_interface(task("in", "10.0.1.10", group))
    for port in (ENDPOINT, HTTP, 22):
        await lab.listen(0, None, "0.0.0.0", port)


async def test_it_leads_to_the_platform_and_nowhere_else(lab: Lab) -> None:
    await a_vpc(lab, with_endpoints())
    for address in (NEAR, FAR):
        assert await lab.reaches(0, "in", address, ENDPOINT)
        assert await lab.reaches(0, "in", address, HTTP), "which is the platform's own port on the host"
        assert not await lab.reaches(0, "in", address, 22)
    assert not await lab.reaches(0, "in", "10.0.1.9", ENDPOINT), "an address of nobody's"
    assert not await lab.reaches(0, None, NEAR, ENDPOINT), "the host is not in the VPC"


async def test_the_routers_own_service_for_them_sees_who_asks_for_which(lab: Lab) -> None:
    await a_vpc(lab, with_endpoints())
    fabric, spec = lab.fabrics[0], vpc()
    own = RouterService(address=METADATA, port=ENDPOINT, endpoints=True)
    await fabric.ensure_vpc(msgspec.structs.replace(spec, services=(*spec.services, own)))
    listener = await fabric.open_socket("vpc-1", socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        if lab.real:
            listener.bind((METADATA, ENDPOINT))
            listener.listen()
        for address, port in ((NEAR, HTTP), (FAR, ENDPOINT)):
            assert await lab.reaches(0, "in", address, port)
            if lab.real:
                taken, who = listener.accept()
                with taken:
                    assert (who[0], meant(taken)) == ("10.0.1.10", address)
        assert not await lab.reaches(0, "in", NEAR, 22)
        closed = tuple(msgspec.structs.replace(subnet, platform=False) for subnet in PLAIN.subnets)
        await fabric.set_routing("vpc-1", msgspec.structs.replace(with_endpoints(), subnets=closed))
        assert await lab.reaches(0, "in", NEAR, HTTP), "whatever the routes say: it does not leave the router"
        assert not await lab.reaches(0, "in", lab.settings[0].host_address, ENDPOINT)


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
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (OPEN,))
    await fabric.set_routing("vpc-1", with_endpoints())
    await fabric.ensure_interface(task("there", "10.0.1.20", "sg-open"))
    await fabric.set_peers("vpc-1", (peer("10.0.1.10", str(lab.settings[0].underlay), "sg-open"),))
    await lab.listen(1, None, "0.0.0.0", ENDPOINT)
    assert await lab.reaches(1, "there", NEAR, ENDPOINT)
    assert await lab.reaches(0, "in", NEAR, ENDPOINT)


@pytest.mark.real
async def test_a_router_that_is_taken_over_has_its_endpoints(real: RealLab) -> None:
    await a_vpc(real, with_endpoints())
    await real.fabrics[0].close()
    real.fabrics[0] = real.restarted(0)
    await real.fabrics[0].start()
    assert await real.reaches(0, "in", NEAR, ENDPOINT)
