"""What every fabric keeps: who reaches whom, and that asking twice changes nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hatoba.core.errors import PortError
from hatoba.network.base import AddressSpec, PolicySet, RemotePublic, Rule, VpcSpec
from tests.contract.network.labs import ENDPOINT, NODES, WORLD, Lab
from tests.contract.network.specs import CLOSED, DEFAULT, METADATA, OPEN, balancer, peer, rule, task, vpc


async def two_tasks(lab: Lab, *policies: PolicySet, first: str = "sg-default", second: str = "sg-default") -> None:
    """`a` at 10.0.0.10 and `b` at 10.0.0.11, which listens on port 80."""
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", policies or (DEFAULT,))
    await fabric.ensure_interface(task("a", "10.0.0.10", first))
    await fabric.ensure_interface(task("b", "10.0.0.11", second))
    await lab.listen(0, "b", "0.0.0.0", 80)


async def test_the_default_group_lets_its_own_members_in(lab: Lab) -> None:
    await two_tasks(lab)
    assert await lab.reaches(0, "a", "10.0.0.11")


async def test_a_stranger_is_not_let_in(lab: Lab) -> None:
    await two_tasks(lab, DEFAULT, CLOSED, first="sg-closed")
    assert not await lab.reaches(0, "a", "10.0.0.11")


async def test_a_task_whose_group_is_unknown_reaches_nobody(lab: Lab) -> None:
    await two_tasks(lab, OPEN, first="sg-unknown", second="sg-open")
    assert not await lab.reaches(0, "a", "10.0.0.11")


async def test_vpcs_may_overlap_and_do_not_see_each_other(lab: Lab) -> None:
    await two_tasks(lab, OPEN, first="sg-open", second="sg-open")
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc("vpc-2", vni=2))
    await fabric.set_policies("vpc-2", (OPEN,))
    await fabric.ensure_interface(task("twin", "10.0.0.10", "sg-open", vpc="vpc-2", egress=True))
    assert not await lab.reaches(0, "twin", "10.0.0.11"), "that is a task of the other VPC"
    await fabric.ensure_interface(task("other", "10.0.0.11", "sg-open", vpc="vpc-2"))
    await lab.listen(0, "other", "0.0.0.0", 80)
    assert await lab.reaches(0, "twin", "10.0.0.11")
    assert await lab.reaches(0, "a", "10.0.0.11")


async def test_a_rule_opens_its_port_to_its_networks_only(lab: Lab) -> None:
    web = PolicySet(id="sg-web", ingress=(rule(80, cidrs=("10.0.0.10/32", "10.0.0.0/29")),))
    await two_tasks(lab, OPEN, web, first="sg-open", second="sg-web")
    await lab.listen(0, "b", "0.0.0.0", 81)
    await lab.fabrics[0].ensure_interface(task("c", "10.0.0.12", "sg-open"))
    assert await lab.reaches(0, "a", "10.0.0.11", 80)
    assert not await lab.reaches(0, "a", "10.0.0.11", 81)
    assert not await lab.reaches(0, "c", "10.0.0.11", 80)


async def test_a_changed_rule_counts_at_once(lab: Lab) -> None:
    await two_tasks(lab, OPEN, CLOSED, first="sg-open", second="sg-closed")
    assert not await lab.reaches(0, "a", "10.0.0.11")
    opened = PolicySet(id="sg-closed", ingress=(rule(80, groups=("sg-open",)),))
    await lab.fabrics[0].set_policies("vpc-1", (OPEN, opened))
    assert await lab.reaches(0, "a", "10.0.0.11")
    await lab.fabrics[0].set_policies("vpc-1", (OPEN,))
    assert not await lab.reaches(0, "a", "10.0.0.11")


async def test_a_rule_that_names_a_group_follows_its_members(lab: Lab) -> None:
    data = PolicySet(id="sg-data", ingress=(rule(80, groups=("sg-app",)),))
    app = PolicySet(id="sg-app", egress=OPEN.egress)
    await two_tasks(lab, CLOSED, app, data, first="sg-closed", second="sg-data")
    fabric = lab.fabrics[0]
    assert not await lab.reaches(0, "a", "10.0.0.11")
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-closed", "sg-app"))
    assert await lab.reaches(0, "a", "10.0.0.11")
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-closed"))
    assert not await lab.reaches(0, "a", "10.0.0.11")


async def test_the_source_needs_to_be_let_out(lab: Lab) -> None:
    narrow = PolicySet(id="sg-narrow", egress=(rule(80, cidrs=("10.0.0.11/32",)),))
    await two_tasks(lab, OPEN, narrow, first="sg-narrow", second="sg-open")
    await lab.listen(0, "b", "0.0.0.0", 81)
    assert await lab.reaches(0, "a", "10.0.0.11", 80)
    assert not await lab.reaches(0, "a", "10.0.0.11", 81)


async def test_any_of_several_groups_suffices(lab: Lab) -> None:
    await two_tasks(lab, OPEN, CLOSED, first="sg-open")
    await lab.fabrics[0].ensure_interface(task("c", "10.0.0.12", "sg-closed", "sg-open"))
    await lab.listen(0, "c", "0.0.0.0", 80)
    assert await lab.reaches(0, "a", "10.0.0.12")


async def test_tasks_talk_over_ipv6_by_the_same_rules(lab: Lab) -> None:
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (DEFAULT, CLOSED))
    await fabric.ensure_interface(task("a", "10.0.0.10", address6="fd00::10"))
    await fabric.ensure_interface(task("b", "10.0.0.11", address6="fd00::11"))
    await fabric.ensure_interface(task("c", "10.0.0.12", "sg-closed", address6="fd00::12"))
    await lab.listen(0, "b", "::", 80)
    assert await lab.reaches(0, "a", "fd00::11")
    assert not await lab.reaches(0, "c", "fd00::11")


async def test_the_routers_services_answer_every_task(lab: Lab) -> None:
    await two_tasks(lab, first="sg-unknown")
    await lab.listen(0, "vpc-1", METADATA, 80)
    await lab.listen(0, "vpc-1", METADATA, 81)
    assert await lab.reaches(0, "a", METADATA, 80)
    assert not await lab.reaches(0, "a", METADATA, 81)


async def test_services_and_networks_of_a_vpc_may_change(lab: Lab) -> None:
    await two_tasks(lab)
    changed = VpcSpec(id="vpc-1", cidrs=("10.0.0.0/16", "10.1.0.0/16"), vni=1)
    await lab.fabrics[0].ensure_vpc(changed)
    assert await lab.reaches(0, "a", "10.0.0.11")
    assert not await lab.reaches(0, "a", METADATA, 80)


async def test_private_addresses_are_not_reached_from_the_host(lab: Lab) -> None:
    await two_tasks(lab, OPEN, first="sg-open", second="sg-open")
    assert not await lab.reaches(0, None, "10.0.0.11")


async def test_the_host_reaches_a_public_address_if_the_groups_allow(lab: Lab) -> None:
    await two_tasks(lab, OPEN, CLOSED, first="sg-open", second="sg-open")
    fabric = lab.fabrics[0]
    await lab.listen(0, "a", "0.0.0.0", 80)
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", public="100.80.8.1"))
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-closed", public="100.80.8.2"))
    assert await lab.reaches(0, None, "100.80.8.1")
    assert not await lab.reaches(0, None, "100.80.8.2")
    assert not await lab.reaches(0, None, "100.80.8.3"), "nobody holds that"


async def test_a_public_address_moves_to_another_holder(lab: Lab) -> None:
    await two_tasks(lab, OPEN, first="sg-open", second="sg-open")
    fabric = lab.fabrics[0]
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", public="100.80.8.1"))
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open"))
    assert not await lab.reaches(0, None, "100.80.8.1")
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-open", public="100.80.8.1"))
    assert await lab.reaches(0, None, "100.80.8.1")


async def test_tasks_reach_public_addresses_of_their_own_and_other_vpcs(lab: Lab) -> None:
    await two_tasks(lab, OPEN, first="sg-open", second="sg-open")
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc("vpc-2", vni=2))
    await fabric.set_policies("vpc-2", (OPEN,))
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-open", public="100.80.8.2"))
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", egress=True, public="100.80.8.1"))
    await fabric.ensure_interface(task("far", "10.0.0.11", "sg-open", vpc="vpc-2", egress=True))
    await fabric.ensure_interface(task("shut", "10.0.0.12", "sg-open", vpc="vpc-2"))
    assert await lab.reaches(0, "a", "100.80.8.2"), "within one VPC"
    assert await lab.reaches(0, "far", "100.80.8.2"), "from another VPC"
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", egress=True))
    assert await lab.reaches(0, "a", "100.80.8.2"), "within one VPC, without an own public address"
    assert not await lab.reaches(0, "shut", "100.80.8.2"), "without a way out"


async def test_tasks_reach_of_the_host_what_is_meant_for_them(lab: Lab) -> None:
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (OPEN,))
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open"))
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-open", egress=True))
    for port in (ENDPOINT, 22):
        await lab.listen(0, None, "0.0.0.0", port)
    endpoint = lab.settings[0].host_address
    for source in ("a", "b"):
        assert await lab.reaches(0, source, endpoint, ENDPOINT)
        if lab.real:
            assert not await lab.reaches(0, source, endpoint, 22)
            assert not await lab.reaches(0, source, NODES[0], 22), "whatever address of the host is meant"


async def test_the_outside_is_for_those_who_may_go_there(lab: Lab) -> None:
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (OPEN,))
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", egress=True))
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-open"))
    await fabric.ensure_interface(task("c", "10.0.0.12", "sg-open", egress=True, public="100.80.8.1"))
    await lab.listen(0, "world", WORLD, 80)
    assert await lab.reaches(0, "a", WORLD)
    assert not await lab.reaches(0, "b", WORLD)
    assert await lab.reaches(0, "c", WORLD)
    assert not await lab.reaches(0, "a", "10.0.77.77"), "an address of the VPC that nobody holds"


async def test_a_load_balancers_address_takes_and_makes_connections(lab: Lab) -> None:
    await two_tasks(lab, OPEN, CLOSED, first="sg-open", second="sg-open")
    fabric = lab.fabrics[0]
    await fabric.ensure_address(balancer("lb", "10.0.0.20", "sg-open", public="100.80.8.9"))
    await fabric.ensure_address(balancer("shut", "10.0.0.21", "sg-closed"))
    await lab.listen(0, "vpc-1", "10.0.0.20", 80)
    await lab.listen(0, "vpc-1", "10.0.0.21", 80)
    assert await lab.reaches(0, "a", "10.0.0.20")
    assert not await lab.reaches(0, "a", "10.0.0.21")
    assert await lab.reaches(0, None, "100.80.8.9")
    source = "vpc-1" if lab.real else "lb"
    assert await lab.reaches(0, source, "10.0.0.11", own="10.0.0.20")
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-closed"))
    assert not await lab.reaches(0, source, "10.0.0.11", own="10.0.0.20")
    await fabric.remove_address("vpc-1", "lb")
    assert not await lab.reaches(0, "a", "10.0.0.20")
    assert not await lab.reaches(0, None, "100.80.8.9")


async def two_nodes(lab: Lab) -> None:
    """`a` on node 0 and `b` on node 1, each other's peers, both in the default group."""
    for node, (name, address) in enumerate((("a", "10.0.0.10"), ("b", "10.0.0.11"))):
        fabric = lab.fabrics[node]
        await fabric.ensure_vpc(vpc())
        await fabric.set_policies("vpc-1", (DEFAULT, CLOSED))
        await fabric.ensure_interface(task(name, address))
        await lab.listen(node, name, "0.0.0.0", 80)
    await lab.fabrics[0].set_peers("vpc-1", (peer("10.0.0.11", NODES[1]),))
    await lab.fabrics[1].set_peers("vpc-1", (peer("10.0.0.10", NODES[0]),))


async def test_an_open_address_takes_and_makes_connections_whatever_its_groups_say(lab: Lab) -> None:
    fabric = lab.fabrics[0]
    await two_tasks(lab, OPEN, CLOSED, first="sg-open", second="sg-open")
    shut = AddressSpec(id="lb", vpc="vpc-1", address="10.0.0.20", public="100.80.8.9")
    await fabric.ensure_address(shut)
    await lab.listen(0, "vpc-1", "10.0.0.20", 80)
    source = "vpc-1" if lab.real else "lb"
    assert not await lab.reaches(0, "a", "10.0.0.20")
    assert not await lab.reaches(0, source, "10.0.0.11", own="10.0.0.20")
    await fabric.ensure_address(replace(shut, open=True))
    assert await lab.reaches(0, "a", "10.0.0.20")
    assert await lab.reaches(0, None, "100.80.8.9")
    assert await lab.reaches(0, source, "10.0.0.11", own="10.0.0.20")
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-closed"))
    assert not await lab.reaches(0, source, "10.0.0.11", own="10.0.0.20"), "the target's own groups count all the same"


async def test_tasks_reach_each_other_across_nodes(lab: Lab) -> None:
    await two_nodes(lab)
    assert await lab.reaches(0, "a", "10.0.0.11")
    assert await lab.reaches(1, "b", "10.0.0.10")


async def test_groups_hold_across_nodes(lab: Lab) -> None:
    await two_nodes(lab)
    await lab.fabrics[0].ensure_interface(task("a", "10.0.0.10", "sg-closed"))
    await lab.fabrics[1].set_peers("vpc-1", (peer("10.0.0.10", NODES[0], "sg-closed"),))
    assert not await lab.reaches(0, "a", "10.0.0.11"), "the target's node does not let it in"
    assert not await lab.reaches(1, "b", "10.0.0.10")


async def test_a_peer_that_is_gone_is_not_reached(lab: Lab) -> None:
    await two_nodes(lab)
    await lab.fabrics[0].set_peers("vpc-1", ())
    assert not await lab.reaches(0, "a", "10.0.0.11")


async def test_a_task_moves_to_another_node(lab: Lab) -> None:
    await two_nodes(lab)
    await lab.fabrics[0].set_peers("vpc-1", ())
    await lab.fabrics[1].remove_interface("vpc-1", "b")
    await lab.fabrics[0].ensure_interface(task("b", "10.0.0.11"))
    await lab.listen(0, "b", "0.0.0.0", 80)
    assert await lab.reaches(0, "a", "10.0.0.11")


async def test_a_task_that_moves_may_be_on_both_nodes_for_a_moment(lab: Lab) -> None:
    await two_nodes(lab)
    await lab.fabrics[0].ensure_interface(task("b2", "10.0.0.11"))
    await lab.listen(0, "b2", "0.0.0.0", 80)
    await lab.fabrics[0].set_peers("vpc-1", ())
    assert await lab.reaches(0, "a", "10.0.0.11")
    await lab.fabrics[0].set_peers("vpc-1", (peer("10.0.0.11", NODES[1]),))
    await lab.fabrics[0].remove_interface("vpc-1", "b2")
    assert await lab.reaches(0, "a", "10.0.0.11")


async def test_public_addresses_of_another_node(lab: Lab) -> None:
    await two_nodes(lab)
    await lab.fabrics[1].set_policies("vpc-1", (OPEN,))
    await lab.fabrics[1].ensure_interface(task("b", "10.0.0.11", "sg-open", public="100.80.8.1"))
    await lab.fabrics[0].ensure_interface(task("a", "10.0.0.10", egress=True))
    assert not await lab.reaches(0, None, "100.80.8.1")
    await lab.fabrics[0].set_remote_publics((RemotePublic(address="100.80.8.1", node=NODES[1]),))
    assert await lab.reaches(0, None, "100.80.8.1")
    assert await lab.reaches(0, "a", "100.80.8.1")
    await lab.fabrics[0].set_remote_publics(())
    assert not await lab.reaches(0, None, "100.80.8.1")


async def test_a_removed_interface_is_gone_and_its_address_free(lab: Lab) -> None:
    await two_tasks(lab)
    fabric = lab.fabrics[0]
    await fabric.remove_interface("vpc-1", "b")
    assert not await lab.reaches(0, "a", "10.0.0.11")
    await fabric.ensure_interface(task("c", "10.0.0.11"))
    await lab.listen(0, "c", "0.0.0.0", 80)
    assert await lab.reaches(0, "a", "10.0.0.11")


async def test_an_interface_may_be_removed_and_made_again_under_its_name(lab: Lab) -> None:
    await two_tasks(lab)
    fabric = lab.fabrics[0]
    for _ in range(3):
        await fabric.remove_interface("vpc-1", "a")
        await fabric.ensure_interface(task("a", "10.0.0.10"))
        assert await lab.reaches(0, "a", "10.0.0.11")


async def test_asking_twice_is_asking_once(lab: Lab) -> None:
    await two_tasks(lab)
    kept = await lab.fabrics[0].inventory()
    await two_tasks_again(lab)
    assert await lab.fabrics[0].inventory() == kept
    assert await lab.reaches(0, "a", "10.0.0.11")


async def two_tasks_again(lab: Lab) -> None:
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (DEFAULT,))
    first = await fabric.ensure_interface(task("a", "10.0.0.10"))
    assert first == await fabric.ensure_interface(task("a", "10.0.0.10"))


async def test_the_inventory_names_what_was_asked_for(lab: Lab) -> None:
    await two_tasks(lab)
    fabric = lab.fabrics[0]
    await fabric.ensure_address(balancer("lb", "10.0.0.20"))
    await fabric.remove_interface("vpc-1", "b")
    kept = await fabric.inventory()
    assert kept.vpcs == (vpc(),)
    assert kept.interfaces == (task("a", "10.0.0.10"),)
    assert kept.addresses == (balancer("lb", "10.0.0.20"),)


async def test_a_removed_vpc_takes_everything_with_it_and_can_be_made_again(lab: Lab) -> None:
    await two_tasks(lab)
    fabric = lab.fabrics[0]
    await fabric.ensure_interface(task("b", "10.0.0.11", public="100.80.8.1"))
    await fabric.remove_vpc("vpc-1")
    await fabric.remove_vpc("vpc-1")
    kept = await fabric.inventory()
    assert (kept.vpcs, kept.interfaces) == ((), ())
    await two_tasks(lab)
    assert await lab.reaches(0, "a", "10.0.0.11")


async def test_what_is_unknown_is_refused_by_name(lab: Lab) -> None:
    fabric = lab.fabrics[0]
    with pytest.raises(PortError, match="vpc-1") as caught:
        await fabric.ensure_interface(task("a", "10.0.0.10"))
    assert caught.value.code == "unknown_vpc"
    await fabric.remove_interface("vpc-1", "a")


async def test_malformed_values_are_refused_and_leave_nothing(lab: Lab) -> None:
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    for wrong in (
        task("../a", "10.0.0.10"),
        task("a", "10.0.0.10", "sg; accept"),
        task("a", "10.0.0.10", public="192.0.2.1"),
        task("a", "10.0.0.10", public="100.80.0.5"),
    ):
        with pytest.raises(ValueError, match=r"is no\b"):
            await fabric.ensure_interface(wrong)
    with pytest.raises(ValueError, match="protocol"):
        await fabric.set_policies("vpc-1", (PolicySet(id="sg", ingress=(Rule(protocol="x", cidrs=("0.0.0.0/0",)),)),))
    assert (await fabric.inventory()).interfaces == ()
