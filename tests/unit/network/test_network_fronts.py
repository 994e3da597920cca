"""Numbers of nodes, and the rules by which answers find back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hatoba.network.base import Peer
from hatoba.network.beyond import Front
from hatoba.network.fronts import NO_BACKS, OWN_TABLE, TABLES, backs, hops, marks, numbers
from hatoba.network.members import Member
from hatoba.network.routing import ENTRANCES, INSTANCES, OUTSIDE, SPOKEN, table_of
from tests.unit.network.test_ruleset import BALANCER, book, golden

NODE = "192.0.2.7"
FRONTS = (
    Front(address="10.0.1.5", port=53, protocol="udp", balancer=BALANCER.address),
    Front(address="10.0.9.9", port=80, balancer=BALANCER.address),
    Front(address="10.0.9.9", port=81, balancer="10.0.1.99"),  # which is not here
    Front(address="fd00::9:9", port=80, balancer=BALANCER.address),
    Front(address="fd00::9:9", port=53, protocol="udp", balancer=BALANCER.address, source="fd00:0:0:0:5::1"),
)


@given(st.sets(st.ip_addresses(v=4).map(str), max_size=20))
def test_nodes_have_numbers_of_their_own_that_nothing_else_has(nodes: set[str]) -> None:
    found = numbers(nodes)
    assert found.keys() == nodes
    assert len({*found.values()}) == len(nodes)
    assert all(number in TABLES for number in found.values())
    assert OWN_TABLE not in found.values()
    assert not any(table in TABLES for table in (OUTSIDE, INSTANCES, ENTRANCES, SPOKEN))
    assert len({hop for number in found.values() for hop in hops(number)}) == 2 * len(nodes)


def test_a_number_stays_when_others_come() -> None:
    assert numbers([NODE, "10.0.0.1"])[NODE] == numbers([NODE])[NODE]


def test_two_nodes_that_would_share_a_number_do_not() -> None:
    assert sorted(numbers(["10.1.2.3", "192.1.2.3"]).values()) == [0x010203, 0x010204]


@given(st.sets(st.ip_addresses(v=4).map(str), max_size=20), st.sets(st.ip_addresses(v=4).map(str), max_size=20))
def test_no_balancer_has_the_mark_of_a_node_or_of_another(balancers: set[str], nodes: set[str]) -> None:
    found = marks(balancers)
    assert len({*found.values()} | {*numbers(nodes).values()}) == len(balancers) + len(nodes)
    assert all(mark < 1 << 32 for mark in found.values())


def test_a_mark_leads_to_the_router_itself_or_to_the_balancers_node() -> None:
    own, far = BALANCER.address or "", "10.0.1.98"
    peers = (Peer(address=far, node=NODE, fronting=True), Peer(address="10.0.1.96", node=NODE))
    found = backs(FRONTS, [own, "10.0.1.97", None], peers)
    number, both = numbers([NODE])[NODE], marks([own, far])
    assert found.rules == {number: number, both[own]: OWN_TABLE, both[far]: number}
    assert found.nodes == {NODE: number}
    assert backs((), [own], ()) == NO_BACKS


def test_no_subnet_has_a_table_of_ours() -> None:
    assert table_of("1.0.0.0/8") not in TABLES
    assert table_of("fd00::/64") not in TABLES


DUAL = Member(address="10.0.1.8", address6="fd00::8", groups=("sg-web",))
FAR = Member(address="10.0.2.9", groups=("sg-default",), here=False, fronting=True)


def test_a_router_that_has_answers_to_lead_back() -> None:
    made = book()
    made.set_fronts(FRONTS)
    made.set_nodes([NODE])
    made.put([("far", FAR), ("dual", DUAL)])
    golden("fronts.nft", made.document())


def test_who_has_none_does_not_pay_for_it() -> None:
    made = book()
    before = made.document()
    made.set_fronts(FRONTS)
    made.set_nodes([NODE])
    assert "delete table netdev hatoba" in made.set_fronts(())
    assert made.set_nodes(()) == before == made.document()


def test_one_that_is_not_here_is_no_reason_to_pay() -> None:
    made = book()
    before = made.document()
    assert made.set_fronts(FRONTS[2:3]) == ""
    assert made.document() == before


def test_a_further_target_is_two_elements() -> None:
    made = book()
    made.set_nodes([NODE])
    made.set_fronts(FRONTS[:1])
    assert made.set_fronts(FRONTS[:2]) == (
        "add element inet hatoba fronts4 { 10.0.9.9 . tcp . 80 : goto out-sg-web }\n"
        "add element inet hatoba fronts-by4 { 10.0.9.9 . tcp . 80 : 16777479 }\n"
    )
    assert made.set_nodes([NODE, "192.0.2.8"]) == "add element inet hatoba came-by { 02:69:c0:00:02:08 : 520 }\n"


def test_other_groups_of_a_balancer_count_for_its_fronts() -> None:
    made = book()
    made.set_fronts(FRONTS)
    other = Member(address=BALANCER.address, groups=("sg-default",))
    said = made.put([("balancer", other)])
    assert "fronts4 { 10.0.9.9 . tcp . 80 : goto out-sg-default }" in said
    assert "delete element inet hatoba speakers-sg-web { 16777479 }" in said
    assert "add element inet hatoba speakers-sg-default { 16777479 }" in said
    assert "10.0.9.9 . tcp . 81 : drop" in made.put([("late", Member(address="10.0.1.99", groups=()))])
    assert "delete element inet hatoba fronts4 { 10.0.9.9 . tcp . 81 }" in made.drop(["late"])
    task = Member(address="10.0.1.50", groups=("sg-web",), device="e-x")
    assert "fronts" not in made.put([("task", task)])


def test_another_nodes_balancer_is_known_by_its_hardware_address() -> None:
    made = book()
    made.set_nodes([NODE])
    assert "ct mark @speakers-sg-default accept" in made.put([("far", FAR)]), "the whole table, with rules about it"
    second = Member(address="10.0.2.8", groups=("sg-web",), here=False, fronting=True)
    assert "add element inet hatoba came-by { 02:6a:0a:00:02:08 : " in made.put([("second", second)])
    made.drop(["far"])
    assert "speakers" not in made.drop(["second"])


def test_whatever_address_of_its_own_a_router_takes_it_is_replaced() -> None:
    made = book()
    made.set_fronts(FRONTS)
    assert "add element inet hatoba fronts-own { fd00::8 }" in made.put([("dual", DUAL)])
    assert "delete element inet hatoba fronts-own { fd00::8 }" in made.drop(["dual"])
    made.set_fronts(FRONTS[:4])
    assert "fronts-own" not in made.put([("dual", DUAL)]), "nobody asks"
