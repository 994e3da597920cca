"""What balancers reach of nodes under their clients' addresses, as values, rules and ways."""

from __future__ import annotations

import pytest

from hatoba.core.records import replace
from hatoba.network.beyond import Entry, Front, Instance, Routing
from hatoba.network.hosted import Ends, Hosted
from hatoba.network.members import Member
from hatoba.network.routing import INSTANCES, SPOKEN, Early, Hop, Host, Spoken, ways
from tests.unit.network.test_ruleset import BALANCER, book, golden

HOST, NODE, LB = "100.64.0.1", "192.0.2.7", BALANCER.address or ""
ENDS = Ends(own="100.64.0.9", bridge="100.64.0.10")
PORTS = tuple(Instance(address=address, port=8080, hears=True) for address in (HOST, NODE))
FRONTS = (*(Front(address=address, port=8080, balancer=LB) for address in (HOST, NODE)),)
TASK = Front(address="10.0.9.9", port=80, balancer=LB)
FAR = Member(address="10.0.2.9", groups=("sg-default",), here=False, fronting=True)
ENTRY = Entry(port=53, balancer="10.0.2.9", protocol="udp")
ALL = Hosted(host=HOST, underlay="192.0.2.1", instances=PORTS, fronts=(*FRONTS, TASK), entries=(ENTRY,), ends=ENDS)


def test_other_nodes_are_those_of_which_ports_are_spoken_to() -> None:
    assert ALL.nodes == {NODE}
    assert replace(ALL, instances=()).nodes == frozenset()
    assert replace(ALL, fronts=(TASK,)).nodes == frozenset()
    assert replace(ALL, instances=tuple(replace(each, hears=False) for each in PORTS)).nodes == frozenset()
    assert replace(ALL, underlay=None).nodes == frozenset(), "there is no tunnel"


@pytest.mark.parametrize(
    ("hosted", "needed"),
    [
        (ALL, True),
        (replace(ALL, entries=()), True),
        (replace(ALL, fronts=()), True),
        (replace(ALL, fronts=(FRONTS[1], TASK), entries=()), False),
    ],
)
def test_the_host_has_an_address_for_who_needs_it(hosted: Hosted, needed: bool) -> None:
    assert hosted.needs_ends == needed


def test_the_host_lets_in_what_was_named_at_either_address() -> None:
    found = {(each.address, each.protocol, each.port) for each in ALL.of_host}
    own = {(ENDS.own, "tcp", 8080), (ENDS.own, "udp", 53)}
    # A server of the host itself that hears datagrams is asked as before.
    assert found == {(HOST, "tcp", 8080), (HOST, "udp", 53), *own}
    assert {each.address for each in replace(ALL, ends=None).of_host} == {HOST}


def test_a_router_whose_balancers_speak_to_ports_of_hosts() -> None:
    made = book()
    made.set_hosted(ALL)
    made.set_heard(frozenset({53}))
    made.set_nodes([NODE])
    made.put([("far", FAR)])
    golden("hosted.nft", made.document())


def test_who_speaks_to_none_does_not_pay_for_it() -> None:
    made, plain = book(), book()
    made.set_hosted(replace(ALL, fronts=(TASK,), entries=(), ends=None))
    plain.set_instances(PORTS)
    plain.set_fronts((TASK,))
    assert made.set_heard(frozenset({53})) == ""
    assert made.document() == plain.document()


def test_a_further_port_is_a_few_elements() -> None:
    made = book()
    made.set_hosted(ALL)
    made.put([("far", FAR)])
    more = Entry(port=54, balancer="10.0.2.9")
    said = made.set_hosted(replace(ALL, entries=(ENTRY, more)))
    assert said == "add element inet hatoba entries { 16777737 . tcp . 54 }\n"
    assert "add element inet hatoba heard { 53 }" in made.set_heard(frozenset({53}))
    assert "delete element inet hatoba heard { 53 }" in made.set_heard(frozenset())


def test_an_entry_counts_while_its_balancer_is_known_to_speak_for_clients() -> None:
    made = book()
    made.set_hosted(ALL)
    assert "entries {" in made.put([("far", FAR)])
    assert "delete element inet hatoba entries {" in made.put([("far", replace(FAR, fronting=False))])


def test_under_others_addresses_another_node_is_reached_by_the_tunnel() -> None:
    host = Host(HOST)
    plain = ways(Routing(), host, ALL.instances)
    found = ways(Routing(), host, ALL.instances, spoken=Spoken({NODE: "240.0.2.7"}, frozenset({LB}), entered=True))
    assert plain.early == frozenset()
    assert found.hops[SPOKEN, f"{NODE}/32"] == Hop("vxlan", "240.0.2.7")
    assert found.hops[INSTANCES, f"{NODE}/32"] == plain.hops[INSTANCES, f"{NODE}/32"] == host.hop(4)
    assert found.early == {Early(LB, "", "lo"), Early("", HOST, "vxlan")}
