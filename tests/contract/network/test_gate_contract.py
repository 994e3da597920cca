"""A VPC with a gate: what its tasks send to the platform's place outside comes to a service of their own router, as far
as it would have come there, and who serves it knows who asks.

vpc-1   10.0.0.0/16 · a gate      vpc-2   10.2.0.0/16 · none, peered with vpc-1
"""

from __future__ import annotations

import asyncio
import socket

import msgspec
import pytest

from hatoba.gateway.http.reached import meant
from hatoba.network.base import Acl, AclRule, Border, PolicySet, VpcSpec
from hatoba.network.beyond import HTTPS, Endpoint, Gate, Route, Routing, Subnet
from tests.contract.network.labs import ENDPOINT, Lab, RealLab, run
from tests.contract.network.specs import METADATA, OPEN, balancer, rule, task, task6, vpc
from tests.contract.network.test_endpoint_contract import served, with_services
from tools.waiting import MOMENT, PATIENCE, SILENCE

SUBNETS = (Subnet(blocks=("10.0.0.0/24",)), Subnet(blocks=("10.0.1.0/24",)))
PLAIN = Routing(subnets=SUBNETS)
EVERYTHING = AclRule(allow=True, cidrs=("0.0.0.0/0",))


def gated(lab: Lab, node: int = 0) -> Routing:
    return Routing(subnets=SUBNETS, gate=Gate(address=lab.settings[node].host_address, port=ENDPOINT))


Listener = socket.socket | None


async def a_vpc(lab: Lab, given: Routing, *policies: PolicySet, group: str = "sg-open") -> tuple[Listener, Listener]:
    """`in` at 10.0.1.10. Who listens in the router, and who at the platform's place."""
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(with_services(vpc()))
    await fabric.set_policies("vpc-1", (OPEN, *policies))
    await fabric.set_routing("vpc-1", given)
    await fabric.ensure_interface(task("in", "10.0.1.10", group))
    outside = await lab.listen(0, None, "0.0.0.0", ENDPOINT)
    inside, _ = await served(lab)
    return inside, outside


async def who(lab: Lab, listener: Listener, *, to: bool = True) -> tuple[str, str]:
    """The next client's address and, where that was translated, which one it meant."""
    assert lab.real
    assert listener is not None
    async with asyncio.timeout(PATIENCE):
        taken, (client, *_) = await asyncio.get_running_loop().sock_accept(listener)
    with taken:
        return client, meant(taken) if to else ""


def nobody(listener: Listener) -> bool:
    """Has come. To be asked once somebody has come elsewhere."""
    assert listener is not None
    try:
        listener.accept()
    except BlockingIOError:
        return True
    return False


async def test_it_comes_to_the_router_which_knows_who_asks_and_nothing_else_does(lab: Lab) -> None:
    inside, outside = await a_vpc(lab, gated(lab))
    host = lab.settings[0].host_address
    assert await lab.reaches(0, "in", host, ENDPOINT)
    if lab.real:
        assert await who(lab, inside) == ("10.0.1.10", host)
        assert nobody(outside)
    await lab.listen(0, None, "0.0.0.0", 4567)
    for port in (4567, HTTPS):
        assert not await lab.reaches(0, "in", host, port)
    public = balancer("lb", "10.0.1.9", "sg-open", public="100.80.64.1")
    await lab.fabrics[0].ensure_address(msgspec.structs.replace(public, egress=True))
    if isinstance(lab, RealLab):
        assert await lab.reaches(0, "vpc-1", host, ENDPOINT, own="10.0.1.9"), "what the router itself sends is not led"
        assert nobody(inside)


async def test_groups_are_asked_about_the_place_that_was_meant(lab: Lab) -> None:
    host = lab.settings[0].host_address
    narrow = PolicySet(id="sg-narrow", egress=(rule(ENDPOINT, cidrs=("100.80.0.0/22",)),))
    await a_vpc(lab, gated(lab), narrow, group="sg-narrow")
    assert await lab.reaches(0, "in", host, ENDPOINT)
    for egress in ((), (rule(80, cidrs=(f"{host}/32",)),), (rule(ENDPOINT, cidrs=(f"{METADATA}/32", "10.0.0.0/8")),)):
        await lab.fabrics[0].set_policies("vpc-1", (PolicySet(id="sg-narrow", egress=egress),))
        assert not await lab.reaches(0, "in", host, ENDPOINT)


async def test_network_acls_are_asked_there_and_back(lab: Lab) -> None:
    await a_vpc(lab, gated(lab))
    host = lab.settings[0].host_address
    border = Border(subnet="subnet-in", cidrs=("10.0.1.0/24",))
    asks = AclRule(allow=True, protocol="tcp", from_port=ENDPOINT, to_port=ENDPOINT, cidrs=("100.80.0.0/16",))
    inside = AclRule(allow=True, cidrs=("10.0.0.0/8", f"{METADATA}/32"))
    for ingress, egress, passes in ((EVERYTHING, asks, True), (inside, asks, False), (EVERYTHING, inside, False)):
        acl = Acl(id="acl-1", borders=(border,), ingress=(ingress,), egress=(egress,))
        await lab.fabrics[0].set_acls("vpc-1", (acl,))
        assert await lab.reaches(0, "in", host, ENDPOINT) is passes


async def test_gates_come_and_go(lab: Lab) -> None:
    inside, outside = await a_vpc(lab, PLAIN)
    host = lab.settings[0].host_address
    for given in (PLAIN, gated(lab), PLAIN):
        await lab.fabrics[0].set_routing("vpc-1", given)
        assert await lab.reaches(0, "in", host, ENDPOINT)
        if lab.real:
            there, other = (outside, inside) if given == PLAIN else (inside, outside)
            assert await who(lab, there, to=given != PLAIN)
            assert nobody(other)
    closed = tuple(msgspec.structs.replace(subnet, platform=False) for subnet in SUBNETS)
    await lab.fabrics[0].set_routing("vpc-1", msgspec.structs.replace(gated(lab), subnets=closed))
    assert await lab.reaches(0, "in", host, ENDPOINT), "whatever the routes say: it does not leave the router"
    await lab.fabrics[0].set_routing("vpc-1", Routing(subnets=closed))
    assert not await lab.reaches(0, "in", host, ENDPOINT)


async def test_a_router_that_serves_no_endpoints_leads_nobody_away(lab: Lab) -> None:
    _, outside = await a_vpc(lab, gated(lab))
    await lab.fabrics[0].ensure_vpc(vpc())
    assert await lab.reaches(0, "in", lab.settings[0].host_address, ENDPOINT)
    if lab.real:
        assert await who(lab, outside, to=False)


async def test_peered_vpcs_have_ways_of_their_own(lab: Lab) -> None:
    """Theirs is the direct one, whatever their routes to the VPC with the gate are."""
    host = lab.settings[0].host_address
    there = Route(to="10.0.0.0/8", kind="peering", target="vpc-1")
    back = Route(to="10.2.0.0/16", kind="peering", target="vpc-2")
    subnets = tuple(msgspec.structs.replace(subnet, routes=(back,)) for subnet in SUBNETS)
    open_ = Endpoint(address="10.0.1.8", groups=("sg-open",))
    given = msgspec.structs.replace(gated(lab), subnets=subnets, peerings=("vpc-2",), endpoints=(open_,))
    inside, outside = await a_vpc(lab, given)
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(VpcSpec(id="vpc-2", cidrs=("10.2.0.0/16",), vni=2))
    await fabric.set_policies("vpc-2", (OPEN,))
    far = Subnet(blocks=("10.2.0.0/24",), routes=(there,))
    await fabric.set_routing("vpc-2", Routing(subnets=(far,), peerings=("vpc-1",)))
    await fabric.ensure_interface(task("far", "10.2.0.10", "sg-open", vpc="vpc-2"))
    assert await lab.reaches(0, "far", host, ENDPOINT)
    if lab.real:
        assert await who(lab, outside, to=False)
        assert nobody(inside)
    assert await lab.reaches(0, "far", "10.0.1.8", ENDPOINT), "interface endpoints stand beside a gate"
    everywhere = Route(to="0.0.0.0/0", kind="peering", target="vpc-1")
    far = Subnet(blocks=("10.2.0.0/24",), routes=(everywhere,), platform=False)
    await fabric.set_routing("vpc-2", Routing(subnets=(far,), peerings=("vpc-1",)))
    assert not await lab.reaches(0, "far", host, ENDPOINT), "a gate serves its own VPC"


async def test_ipv6_has_no_gate(lab: Lab) -> None:
    """It is not translated, so that the platform knows who asks."""
    block, six = "fd68:6174:6f00:100::/64", "fd68:6174:6f00:100::10"
    fabric, there = lab.fabrics[0], lab.settings[0].host_address6
    assert there is not None
    await fabric.ensure_vpc(with_services(vpc(block6=block)))
    await fabric.set_policies("vpc-1", (OPEN,))
    subnets = (Subnet(blocks=("10.0.1.0/24", block)),)
    await fabric.set_routing("vpc-1", msgspec.structs.replace(gated(lab), subnets=subnets))
    await fabric.ensure_interface(task6("six", six, "sg-open", address="10.0.1.11"))
    listener = await lab.listen(0, None, there, ENDPOINT)
    assert await lab.reaches(0, "six", there, ENDPOINT)
    if lab.real:
        assert await who(lab, listener, to=False) == (six, "")


# --- on the wire


@pytest.mark.real
async def test_nobody_asks_under_anothers_address(real: RealLab) -> None:
    """From all that it holds, and from nothing else."""
    inside, outside = await a_vpc(real, gated(real))
    host = real.settings[0].host_address
    own = ("10.0.1.10", "10.0.1.12", "10.0.1.35")
    await real.fabrics[0].ensure_interface(task("in", own[0], "sg-open", further=(own[1], "10.0.1.32/28")))
    await real.fabrics[0].ensure_interface(task("other", "10.0.1.20", "sg-open"))
    netns = real.namespace(0, "in")
    for forged in (own[2], "10.0.1.20", "10.0.1.99", "10.0.0.9", "169.254.0.1"):
        run(netns, f"ip address add {forged}/32 dev lo")
    for address in own:
        assert await real.reaches(0, "in", host, ENDPOINT, own=address)
        assert await who(real, inside) == (address, host)
    for forged in ("10.0.1.20", "10.0.1.99", "10.0.0.9", "169.254.0.1"):
        assert not await real.reaches(0, "in", host, ENDPOINT, own=forged)
    assert (nobody(inside), nobody(outside)) == (True, True)


@pytest.mark.real
async def test_no_connection_goes_on_past_a_new_gate(real: RealLab) -> None:
    inside, outside = await a_vpc(real, PLAIN)
    host = real.settings[0].host_address
    standing = await real.connect(0, "in", host, ENDPOINT)
    assert standing is not None
    taken = await _taken(outside)
    await real.fabrics[0].set_routing("vpc-1", gated(real))
    with standing, taken:
        standing.send(b"GET ")
        assert await _ended(standing), "it was reset, and its owner connects anew"
        taken.setblocking(False)
        with pytest.raises(BlockingIOError):
            taken.recv(10)
    through = await real.connect(0, "in", host, ENDPOINT)
    assert through is not None
    taken = await _taken(inside)
    await real.fabrics[0].set_routing("vpc-1", PLAIN)
    with through, taken:
        through.send(b"GET ")
        taken.settimeout(PATIENCE)
        assert taken.recv(10) == b"GET ", "those through it go on when it goes"


@pytest.mark.real
async def test_connections_that_an_agent_died_over_end_with_its_successor(real: RealLab) -> None:
    inside, _ = await a_vpc(real, PLAIN)
    host = real.settings[0].host_address
    standing = await real.connect(0, "in", host, ENDPOINT)
    assert standing is not None
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("hatoba.network.tracking.forget", lambda addresses: 0)  # it did not come to that
        await real.fabrics[0].set_routing("vpc-1", gated(real))
    with standing:
        standing.send(b"GET ")
        assert not await _ended(standing, patience=SILENCE * MOMENT)
        await real.fabrics[0].close()
        real.fabrics[0] = real.restarted(0)
        await real.fabrics[0].start()
        standing.send(b"/ ")
        assert await _ended(standing)
    assert await real.reaches(0, "in", host, ENDPOINT)
    assert await who(real, inside) == ("10.0.1.10", host)


async def _taken(listener: Listener) -> socket.socket:
    assert listener is not None
    async with asyncio.timeout(PATIENCE):
        taken, _ = await asyncio.get_running_loop().sock_accept(listener)
    return taken


async def _ended(standing: socket.socket, patience: float = PATIENCE) -> bool:
    try:
        async with asyncio.timeout(patience):
            return await asyncio.get_running_loop().sock_recv(standing, 1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
