"""What every fabric keeps of ports of nodes: a VPC's balancers reach those that were named, and nobody else does."""

from __future__ import annotations

import pytest

from hatoba.network.base import Publish, SeatSpec
from hatoba.network.beyond import Gateway, Instance, Route, Routing, Subnet
from tests.contract.network.labs import NODES, WORLD, Lab, RealLab, rules
from tests.contract.network.specs import CLOSED, OPEN, balancer, task, vpc

OWN = "10.0.0.20"
HOSTED, PUBLISHED = 7070, 8080
PRIVATE = Routing(subnets=(Subnet(blocks=("10.0.0.0/24",), routes=()),))
OUTSIDE = Routing(subnets=(Subnet(blocks=("10.0.0.0/24",), routes=(Route(to="0.0.0.0/0", kind="outside"),)),))


class Land:
    """A balancer in a VPC of the first node; on both nodes a seat that publishes 8080, and a server at 7070."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.fabric = lab.fabrics[0]
        self.here = lab.settings[0].host_address

    async def build(self, routing: Routing = PRIVATE, group: str = "sg-open", public: str | None = None) -> None:
        for node, fabric in enumerate(self.lab.fabrics):
            await fabric.ensure_bridge(())
            await fabric.ensure_seat(SeatSpec(id="web", ports=(Publish(port=80, host=PUBLISHED),)))
            await self.lab.listen(node, "web", "0.0.0.0", 80)
            await self.lab.listen(node, None, "0.0.0.0", HOSTED)
        await self.fabric.ensure_vpc(vpc())
        await self.fabric.set_policies("vpc-1", (OPEN, CLOSED))
        await self.fabric.set_routing("vpc-1", routing)
        await self.fabric.ensure_address(balancer("lb", OWN, group, public=public))

    async def name(self, *ports: tuple[str, int]) -> None:
        await self.fabric.set_instances("vpc-1", tuple(Instance(address=address, port=port) for address, port in ports))

    async def reaches(self, address: str, port: int) -> bool:
        return await self.lab.reaches(0, "vpc-1" if self.lab.real else "lb", address, port, own=OWN)


@pytest.mark.parametrize("routing", [PRIVATE, OUTSIDE])
async def test_a_balancer_reaches_the_ports_that_were_named_whatever_its_routes(lab: Lab, routing: Routing) -> None:
    land = Land(lab)
    await land.build(routing)
    every = [(address, port) for address in (land.here, NODES[1]) for port in (HOSTED, PUBLISHED)]
    for place in every:
        assert not await land.reaches(*place)
    await land.name(*every)
    for place in every:
        assert await land.reaches(*place), place
    await land.name((land.here, PUBLISHED), (NODES[1], HOSTED))
    assert [await land.reaches(*place) for place in every] == [False, True, True, False]
    await land.name()
    for place in every:
        assert not await land.reaches(*place)


async def test_with_a_public_address_it_reaches_them_as_well(lab: Lab) -> None:
    land = Land(lab)
    await land.build(OUTSIDE, public="100.80.9.9")
    await land.name((land.here, HOSTED), (land.here, PUBLISHED), (NODES[1], HOSTED))
    assert await land.reaches(land.here, HOSTED)
    assert await land.reaches(land.here, PUBLISHED)
    assert await land.reaches(NODES[1], HOSTED)


async def test_what_is_named_leads_nowhere_else(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    await land.name((land.here, PUBLISHED))
    await lab.listen(0, None, "0.0.0.0", 22)
    assert not await land.reaches(land.here, 22)
    assert not await land.reaches(NODES[0], HOSTED)
    assert not await land.reaches(WORLD, PUBLISHED)


async def test_tasks_do_not_reach_what_their_balancers_do(lab: Lab) -> None:
    land = Land(lab)
    await land.build(OUTSIDE)
    await land.name((land.here, HOSTED), (NODES[1], HOSTED))
    await land.fabric.ensure_interface(task("out", "10.0.0.10", "sg-open", egress=True))
    await land.fabric.ensure_interface(task("public", "10.0.0.11", "sg-open", egress=True, public="100.80.9.8"))
    await land.fabric.ensure_interface(task("in", "10.0.0.12", "sg-open"))
    for each in ("out", "public", "in"):
        assert not await lab.reaches(0, each, land.here, HOSTED), each
    assert not await lab.reaches(0, "in", NODES[1], HOSTED), "its subnet lets nothing out"


async def test_tasks_go_to_other_nodes_as_they_did_before(lab: Lab) -> None:
    """The balancer's way is not theirs: one that goes out by a NAT gateway takes that one's address still."""
    land = Land(lab)
    private = Subnet(blocks=("10.0.1.0/24",), routes=(Route(to="0.0.0.0/0", kind="nat", target="nat-1"),))
    gateway = Gateway(id="nat-1", address="10.0.0.9", public="100.80.9.9")
    await land.build(Routing(subnets=(*OUTSIDE.subnets, private), gateways=(gateway,)))
    await land.fabric.ensure_interface(task("in", "10.0.1.10", "sg-open"))
    assert await lab.reaches(0, "in", NODES[1], HOSTED)
    await land.name((NODES[1], HOSTED))
    assert await lab.reaches(0, "in", NODES[1], HOSTED)


async def test_another_vpc_gets_nothing_of_it(lab: Lab) -> None:
    land = Land(lab)
    await land.build(OUTSIDE)
    await land.name((land.here, HOSTED))
    await land.fabric.ensure_vpc(vpc("vpc-2", vni=2))
    await land.fabric.set_policies("vpc-2", (OPEN,))
    await land.fabric.ensure_interface(task("stranger", "10.0.0.10", "sg-open", vpc="vpc-2", egress=True))
    assert not await lab.reaches(0, "stranger", land.here, HOSTED)


async def test_a_seat_gets_nothing_of_it(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    await land.name((land.here, HOSTED))
    assert not await lab.reaches(0, "web", land.here, HOSTED)


async def test_the_balancers_groups_have_to_let_it_out(lab: Lab) -> None:
    land = Land(lab)
    await land.build(group="sg-nobody")
    await land.name((land.here, PUBLISHED))
    assert not await land.reaches(land.here, PUBLISHED)


async def test_a_node_whose_address_is_also_one_of_the_vpc_is_reached(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    wide = vpc()
    await land.fabric.ensure_vpc(type(wide)(id="vpc-1", cidrs=(*wide.cidrs, "198.51.100.0/24"), vni=1))
    await land.name((NODES[1], HOSTED))
    assert await land.reaches(NODES[1], HOSTED)


async def test_wrong_ports_and_addresses_are_refused(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    for wrong in (("node-1", 80), (land.here, 0), (land.here, 65536)):
        with pytest.raises(ValueError, match=r"is no port|Expected 4 octets|Only decimal digits"):
            await land.name(wrong)


@pytest.mark.real
async def test_it_survives_the_agent_and_goes_with_the_vpc(real: RealLab) -> None:
    land = Land(real)
    await land.build()
    await land.name((land.here, HOSTED), (land.here, PUBLISHED), (NODES[1], HOSTED))
    await land.fabric.close()
    land.fabric = real.fabrics[0] = real.restarted(0)
    await land.fabric.start()
    for place in ((land.here, HOSTED), (land.here, PUBLISHED), (NODES[1], HOSTED)):
        assert await land.reaches(*place)
    await land.fabric.set_instances("vpc-1", ())
    assert not await land.reaches(land.here, HOSTED)
    await land.name((land.here, HOSTED))
    await land.fabric.remove_vpc("vpc-1")
    assert str(HOSTED) not in rules(real.hosts[0])
