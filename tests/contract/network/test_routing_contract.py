"""What lies beyond a VPC, by subnet: NAT gateways, peered VPCs, the outside, and nothing.

vpc-1   10.0.0.0/24 public · 10.0.1.0/24 private · NAT gateway at 10.0.0.9
vpc-2   10.2.0.0/24
"""

from __future__ import annotations

import pytest

from hatoba.network.base import PolicySet, RemotePublic, VpcSpec
from hatoba.network.beyond import Gateway, Guest, Route, Routing, Subnet
from tests.contract.network.labs import ENDPOINT, NODES, WORLD, Lab, RealLab
from tests.contract.network.specs import ALL, OPEN, peer, rule, task

PUBLIC, PRIVATE, FAR = "10.0.0.0/24", "10.0.1.0/24", "10.2.0.0/24"
NAT = Gateway(id="nat-1", address="10.0.0.9", public="100.80.9.9")
EVERYWHERE = "0.0.0.0/0"
TO_OUTSIDE = Route(to=EVERYWHERE, kind="outside")
TO_NAT = Route(to=EVERYWHERE, kind="nat", target="nat-1")
TO_FAR = Route(to="10.2.0.0/16", kind="peering", target="vpc-2")
BACK = Route(to="10.0.0.0/16", kind="peering", target="vpc-1")


def routing(*private: Route, gateway: Gateway = NAT, platform: bool = True, public: Route = TO_OUTSIDE) -> Routing:
    return Routing(
        subnets=(
            Subnet(blocks=(PUBLIC,), routes=(public,)),
            Subnet(blocks=(PRIVATE,), routes=private, platform=platform),
        ),
        gateways=(gateway,),
        peerings=("vpc-2",) if TO_FAR in (*private, public) else (),
    )


def far(*routes: Route) -> Routing:
    return Routing(subnets=(Subnet(blocks=(FAR,), routes=routes),), peerings=("vpc-1",))


async def one_vpc(lab: Lab, given: Routing, node: int = 0) -> None:
    """`in` at 10.0.1.10 in the private subnet; `out` at 10.0.0.10 in the public one, with a public address."""
    fabric = lab.fabrics[node]
    await fabric.ensure_vpc(VpcSpec(id="vpc-1", cidrs=("10.0.0.0/16",), vni=1))
    await fabric.set_policies("vpc-1", (OPEN,))
    await fabric.set_routing("vpc-1", given)
    await fabric.ensure_interface(task("in", "10.0.1.10", "sg-open"))
    await fabric.ensure_interface(task("out", "10.0.0.10", "sg-open", public="100.80.8.1", egress=True))
    await lab.listen(node, "in", "0.0.0.0", 80)


async def two_vpcs(lab: Lab, given: Routing, theirs: Routing, *policies: PolicySet) -> None:
    """And `far` at 10.2.0.10 in the other VPC."""
    await one_vpc(lab, given)
    await the_other_vpc(lab, theirs, *policies)


async def the_other_vpc(lab: Lab, theirs: Routing, *policies: PolicySet) -> None:
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(VpcSpec(id="vpc-2", cidrs=("10.2.0.0/16",), vni=2))
    await fabric.set_policies("vpc-2", policies or (OPEN,))
    await fabric.set_routing("vpc-2", theirs)
    await fabric.ensure_interface(task("far", "10.2.0.10", policies[0].id if policies else "sg-open", vpc="vpc-2"))
    await lab.listen(0, "far", "0.0.0.0", 80)


# --- the outside


async def test_a_subnet_whose_routes_lead_nowhere_reaches_nothing_outside(lab: Lab) -> None:
    await one_vpc(lab, routing())
    await lab.listen(0, "world", WORLD, 80)
    assert not await lab.reaches(0, "in", WORLD)
    assert await lab.reaches(0, "out", WORLD)
    assert await lab.reaches(0, "out", "10.0.1.10"), "within the VPC nobody asks for routes"


async def test_a_task_that_may_leave_needs_a_route_all_the_same(lab: Lab) -> None:
    await one_vpc(lab, routing())
    await lab.listen(0, "world", WORLD, 80)
    await lab.fabrics[0].ensure_interface(task("in", "10.0.1.10", "sg-open", public="100.80.8.2", egress=True))
    assert not await lab.reaches(0, "in", WORLD)
    await lab.fabrics[0].set_routing("vpc-1", routing(Route(to="198.51.100.0/24", kind="outside")))
    assert await lab.reaches(0, "in", WORLD)
    closed = Route(to=f"{WORLD}/32", kind="closed")
    await lab.fabrics[0].set_routing("vpc-1", routing(TO_OUTSIDE, closed))
    assert not await lab.reaches(0, "in", WORLD), "the longest route counts"


async def test_a_nat_gateway_leads_outside(lab: Lab) -> None:
    await one_vpc(lab, routing(TO_NAT))
    await lab.listen(0, "world", WORLD, 80)
    assert await lab.reaches(0, "in", WORLD)
    assert not await lab.reaches(0, None, "100.80.9.9"), "nobody comes in by it"
    assert not await lab.reaches(0, "out", "10.0.0.9")
    await lab.fabrics[0].set_routing("vpc-1", routing())
    assert not await lab.reaches(0, "in", WORLD)
    await lab.fabrics[0].set_routing("vpc-1", routing(TO_NAT))
    assert await lab.reaches(0, "in", WORLD)


async def test_a_nat_gateway_hides_the_source(lab: Lab) -> None:
    """Seen by a task with a public address, which lets in nobody but the gateway."""
    await one_vpc(lab, routing(TO_NAT))
    fabric = lab.fabrics[0]
    known = PolicySet(id="sg-known", ingress=(rule(80, cidrs=("100.80.9.9/32",)),))
    await fabric.ensure_vpc(VpcSpec(id="vpc-3", cidrs=("10.0.0.0/16",), vni=3))
    await fabric.set_policies("vpc-3", (known,))
    await fabric.ensure_interface(task("shop", "10.0.1.10", "sg-known", vpc="vpc-3", public="100.80.8.3", egress=True))
    await lab.listen(0, "shop", "0.0.0.0", 80)
    assert await lab.reaches(0, "in", "100.80.8.3")
    assert not await lab.reaches(0, "out", "100.80.8.3"), "it comes as itself"
    other = Gateway(id="nat-1", address="10.0.0.9", public="100.80.9.10")
    await fabric.set_routing("vpc-1", routing(TO_NAT, gateway=other))
    assert not await lab.reaches(0, "in", "100.80.8.3"), "the gateway has another address now"


async def test_a_nat_gateway_in_a_subnet_without_a_way_outside_leads_nowhere(lab: Lab) -> None:
    await one_vpc(lab, routing(TO_NAT, public=Route(to="203.0.113.0/24", kind="outside")))
    await lab.listen(0, "world", WORLD, 80)
    assert not await lab.reaches(0, "in", WORLD)


async def test_groups_count_before_a_nat_gateway(lab: Lab) -> None:
    await one_vpc(lab, routing(TO_NAT))
    await lab.listen(0, "world", WORLD, 80)
    await lab.listen(0, "world", WORLD, 81)
    narrow = PolicySet(id="sg-narrow", egress=(rule(81, cidrs=(EVERYWHERE,)),))
    await lab.fabrics[0].set_policies("vpc-1", (OPEN, narrow))
    await lab.fabrics[0].ensure_interface(task("in", "10.0.1.10", "sg-narrow"))
    assert await lab.reaches(0, "in", WORLD, 81)
    assert not await lab.reaches(0, "in", WORLD, 80)


async def test_a_gateway_of_another_node(lab: Lab) -> None:
    """`in` is on node 0, the gateway on node 1, which writes its address and brings the answers back."""
    elsewhere = Gateway(id="nat-1", address="10.0.0.9", public="100.80.9.9", node=NODES[1])
    await one_vpc(lab, routing(TO_NAT, gateway=elsewhere))
    fabric = lab.fabrics[1]
    await fabric.ensure_vpc(VpcSpec(id="vpc-1", cidrs=("10.0.0.0/16",), vni=1))
    await fabric.set_policies("vpc-1", (OPEN,))
    await fabric.set_routing("vpc-1", routing(TO_NAT))
    await lab.fabrics[0].set_peers("vpc-1", (peer("10.0.0.9", NODES[1]),))
    await fabric.set_peers("vpc-1", (peer("10.0.1.10", NODES[0], "sg-open"),))
    await lab.listen(0, "world", WORLD, 80)
    assert await lab.reaches(0, "in", WORLD)
    known = PolicySet(id="sg-known", ingress=(rule(80, cidrs=("100.80.9.9/32",)),))
    await lab.fabrics[0].ensure_vpc(VpcSpec(id="vpc-3", cidrs=("10.0.0.0/16",), vni=3))
    await lab.fabrics[0].set_policies("vpc-3", (known,))
    await lab.fabrics[0].ensure_interface(task("shop", "10.0.0.20", "sg-known", vpc="vpc-3", public="100.80.8.3"))
    await lab.listen(0, "shop", "0.0.0.0", 80)
    await fabric.set_remote_publics((RemotePublic(address="100.80.8.3", node=NODES[0]),))
    await lab.fabrics[0].set_remote_publics((RemotePublic(address="100.80.9.9", node=NODES[1]),))
    assert await lab.reaches(0, "in", "100.80.8.3")


async def test_the_platform_is_reached_where_a_subnet_may(lab: Lab) -> None:
    await one_vpc(lab, routing())
    await lab.listen(0, None, "0.0.0.0", ENDPOINT)
    endpoint = lab.settings[0].host_address
    assert await lab.reaches(0, "in", endpoint, ENDPOINT)
    await lab.fabrics[0].set_routing("vpc-1", routing(platform=False))
    assert not await lab.reaches(0, "in", endpoint, ENDPOINT)
    assert await lab.reaches(0, "out", endpoint, ENDPOINT)
    await lab.fabrics[0].set_routing("vpc-1", routing(TO_NAT, platform=False))
    assert await lab.reaches(0, "in", endpoint, ENDPOINT)


async def test_a_vpc_grows_and_its_subnets_keep_their_ways(lab: Lab) -> None:
    await one_vpc(lab, routing())
    await lab.listen(0, "world", WORLD, 80)
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(VpcSpec(id="vpc-1", cidrs=("10.0.0.0/16", "10.60.0.0/20"), vni=1))
    assert not await lab.reaches(0, "in", WORLD)
    await fabric.set_routing("vpc-1", routing(TO_NAT))
    assert await lab.reaches(0, "in", WORLD)
    await fabric.ensure_interface(task("more", "10.60.1.10", "sg-open"))
    assert await lab.reaches(0, "more", "10.0.1.10")


async def test_a_new_process_takes_over_the_ways(real: RealLab) -> None:
    await one_vpc(real, routing())
    await real.listen(0, "world", WORLD, 80)
    await real.fabrics[0].close()
    real.fabrics[0] = real.restarted(0)
    await real.fabrics[0].start()
    assert not await real.reaches(0, "in", WORLD)
    await real.fabrics[0].set_routing("vpc-1", routing(TO_NAT))
    assert await real.reaches(0, "in", WORLD)


# --- peered VPCs


async def test_peering_opens_what_routes_on_both_sides_open(lab: Lab) -> None:
    await two_vpcs(lab, routing(), far())
    assert not await lab.reaches(0, "in", "10.2.0.10")
    fabric = lab.fabrics[0]
    await fabric.set_routing("vpc-1", routing(TO_FAR))
    assert not await lab.reaches(0, "in", "10.2.0.10"), "no way back"
    await fabric.set_routing("vpc-2", far(BACK))
    assert await lab.reaches(0, "in", "10.2.0.10")
    assert await lab.reaches(0, "far", "10.0.1.10")
    await fabric.ensure_interface(task("plain", "10.0.0.11", "sg-open"))
    assert not await lab.reaches(0, "plain", "10.2.0.10"), "its subnet has no such route"
    await fabric.set_routing("vpc-1", routing())
    assert not await lab.reaches(0, "in", "10.2.0.10")
    assert not await lab.reaches(0, "far", "10.0.1.10")


async def test_a_narrow_route_opens_no_more_than_itself(lab: Lab) -> None:
    await two_vpcs(lab, routing(TO_FAR), far(Route(to="10.0.1.10/32", kind="peering", target="vpc-1")))
    await lab.fabrics[0].ensure_interface(task("more", "10.0.1.11", "sg-open"))
    assert await lab.reaches(0, "in", "10.2.0.10")
    assert not await lab.reaches(0, "more", "10.2.0.10")


async def test_groups_count_in_peered_vpcs(lab: Lab) -> None:
    web = PolicySet(id="sg-web", ingress=(rule(80, cidrs=("10.0.1.10/32",)),))
    await two_vpcs(lab, routing(TO_FAR), far(BACK), web)
    await lab.listen(0, "far", "0.0.0.0", 81)
    await lab.fabrics[0].ensure_interface(task("more", "10.0.1.11", "sg-open"))
    assert await lab.reaches(0, "in", "10.2.0.10", 80)
    assert not await lab.reaches(0, "in", "10.2.0.10", 81)
    assert not await lab.reaches(0, "more", "10.2.0.10", 80)
    assert not await lab.reaches(0, "far", "10.0.1.10"), "nothing lets it out"


async def test_a_rule_may_name_a_group_of_a_peered_vpc(lab: Lab) -> None:
    web = PolicySet(id="sg-web", ingress=(rule(80, groups=("sg-app",)),))
    await two_vpcs(lab, routing(TO_FAR), far(BACK), web)
    assert not await lab.reaches(0, "in", "10.2.0.10")
    await lab.fabrics[0].set_guests("vpc-2", (Guest(address="10.0.1.10", groups=("sg-app",)),))
    assert await lab.reaches(0, "in", "10.2.0.10")
    await lab.fabrics[0].set_guests("vpc-2", ())
    assert not await lab.reaches(0, "in", "10.2.0.10")


async def test_peering_leads_no_further_than_the_peered_vpc(lab: Lab) -> None:
    beyond = Route(to="10.3.0.0/16", kind="peering", target="vpc-2")
    through = Routing(
        subnets=(
            Subnet(blocks=(FAR,), routes=(BACK, TO_OUTSIDE, Route(to="10.3.0.0/16", kind="peering", target="vpc-3"))),
        ),
        peerings=("vpc-1", "vpc-3"),
    )
    everything = Route(to=EVERYWHERE, kind="peering", target="vpc-2")
    await two_vpcs(lab, routing(TO_FAR, beyond, everything), through)
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(VpcSpec(id="vpc-3", cidrs=("10.3.0.0/16",), vni=3))
    await fabric.set_policies("vpc-3", (OPEN,))
    routes = tuple(Route(to=to, kind="peering", target="vpc-2") for to in ("10.0.0.0/16", "10.2.0.0/16"))
    await fabric.set_routing(
        "vpc-3", Routing(subnets=(Subnet(blocks=("10.3.0.0/24",), routes=routes),), peerings=("vpc-2",))
    )
    await fabric.ensure_interface(task("third", "10.3.0.10", "sg-open", vpc="vpc-3"))
    await lab.listen(0, "third", "0.0.0.0", 80)
    await lab.listen(0, "world", WORLD, 80)
    assert await lab.reaches(0, "far", "10.3.0.10")
    assert not await lab.reaches(0, "in", "10.3.0.10")
    assert not await lab.reaches(0, "in", WORLD)


async def test_a_private_gateway_hides_the_source_from_a_peered_vpc(lab: Lab) -> None:
    private = Gateway(id="nat-1", address="10.0.0.9")
    through = Route(to="10.2.0.0/16", kind="nat", target="nat-1")
    web = PolicySet(id="sg-web", ingress=(rule(80, cidrs=("10.0.0.9/32",)),))
    await two_vpcs(lab, routing(through, gateway=private, public=TO_FAR), far(BACK), web)
    assert await lab.reaches(0, "in", "10.2.0.10")
    assert not await lab.reaches(0, "out", "10.2.0.10"), "it comes as itself"
    await lab.listen(0, "world", WORLD, 80)
    assert not await lab.reaches(0, "in", WORLD)


async def test_a_peered_vpc_may_be_gone_and_come_back(lab: Lab) -> None:
    await two_vpcs(lab, routing(TO_FAR), far(BACK))
    fabric = lab.fabrics[0]
    await fabric.remove_vpc("vpc-2")
    assert not await lab.reaches(0, "in", "10.2.0.10")
    await the_other_vpc(lab, far(BACK))
    assert await lab.reaches(0, "in", "10.2.0.10")


@pytest.mark.parametrize("home", [0, 1])
async def test_peered_vpcs_on_two_nodes(lab: Lab, home: int) -> None:
    """`in` of vpc-1 on one node, `far` of vpc-2 on the other: both VPCs have a router on both."""
    away = 1 - home
    for node in (home, away):
        fabric = lab.fabrics[node]
        for number, given in ((1, routing(TO_FAR)), (2, far(BACK))):
            vpc = f"vpc-{number}"
            await fabric.ensure_vpc(VpcSpec(id=vpc, cidrs=(f"10.{2 * (number - 1)}.0.0/16",), vni=number))
            await fabric.set_policies(vpc, (OPEN,))
            await fabric.set_routing(vpc, given)
    await lab.fabrics[home].ensure_interface(task("in", "10.0.1.10", "sg-open"))
    await lab.fabrics[away].ensure_interface(task("far", "10.2.0.10", "sg-open", vpc="vpc-2"))
    await lab.listen(home, "in", "0.0.0.0", 80)
    await lab.listen(away, "far", "0.0.0.0", 80)
    await lab.fabrics[away].set_peers("vpc-1", (peer("10.0.1.10", NODES[home], "sg-open"),))
    await lab.fabrics[home].set_peers("vpc-2", (peer("10.2.0.10", NODES[away], "sg-open"),))
    assert await lab.reaches(home, "in", "10.2.0.10")
    assert await lab.reaches(away, "far", "10.0.1.10")
    closed = PolicySet(id="sg-open", egress=(ALL,))
    await lab.fabrics[away].set_policies("vpc-2", (closed,))
    assert not await lab.reaches(home, "in", "10.2.0.10")
    await lab.fabrics[home].set_routing("vpc-1", routing())
    assert not await lab.reaches(away, "far", "10.0.1.10")
