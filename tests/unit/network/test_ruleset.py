"""The rules as text: golden files for what reviewers read, and the small steps between two states.

`UPDATE_GOLDEN=1 pytest …` writes the files anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.network import bridge, endpoints, gates, grouprules, hostrules, names
from hatoba.network.base import (
    Acl,
    AclRule,
    Border,
    HostRedirect,
    HostService,
    PolicySet,
    Publish,
    RouterService,
    Rule,
    Settings,
)
from hatoba.network.beyond import Endpoint, Gate
from hatoba.network.further import Further
from hatoba.network.hosted import Ends
from hatoba.network.members import Member
from hatoba.network.rulebook import RuleBook
from hatoba.network.ruleset import Frame

GOLDEN = Path(__file__).parent / "golden"

FRAME = Frame(
    host_address="100.64.0.1",
    transit="100.64.0.2",
    underlay="192.0.2.1",
    host_services=(HostService(port=4566),),
    services=(
        RouterService(address="169.254.170.2", port=80),
        RouterService(address="10.0.0.2", port=53, protocol="udp"),
    ),
)
EVERYWHERE = Rule(cidrs=("0.0.0.0/0", "::/0"))
DEFAULT = PolicySet(id="sg-default", ingress=(Rule(groups=("sg-default",)),), egress=(EVERYWHERE,))
WEB = PolicySet(
    id="sg-web",
    ingress=(
        Rule(protocol="tcp", from_port=80, to_port=80, cidrs=("0.0.0.0/0",)),
        Rule(protocol="tcp", from_port=8000, to_port=8100, groups=("sg-default",)),
        Rule(protocol="icmp", from_port=8, cidrs=("10.0.0.0/16", "10.0.1.0/24", "192.168.0.0/24")),
    ),
    egress=(EVERYWHERE,),
)
TASK = Member(address="10.0.1.5", groups=("sg-default",), device="e-task", public="100.64.4.1", egress=True)
BOTH = Member(address="10.0.1.6", address6="fd00::6", groups=("sg-web", "sg-default"), device="e-both")
BALANCER = Member(address="10.0.1.7", groups=("sg-web",), public="100.64.4.2")
BLOCK6 = "fd68:6174:6f00:100:5::/80"
PEER = Member(address="10.0.2.5", groups=("sg-default",), here=False)


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def book(frame: Frame = FRAME) -> RuleBook:
    made = RuleBook(frame)
    made.set_policies((DEFAULT, WEB))
    made.put([("task", TASK), ("both", BOTH), ("balancer", BALANCER), ("peer", PEER)])
    return made


def test_a_router_with_everything() -> None:
    golden("router.nft", book().document())


def test_an_interface_with_further_addresses() -> None:
    """What it holds besides adds elements to the sets and maps that are there, and leaves its own alone."""
    made = book()
    besides = (
        Further(network="10.0.1.9", public="100.64.4.9"),
        Further(network="10.0.1.10"),
        Further(network="10.0.1.32/28"),
    )
    holding = msgspec.structs.replace(TASK, further=besides)
    given = made.put([("task", holding)])
    golden("further.nft", given)
    taken = made.put([("task", TASK)])
    assert sorted(taken.replace("delete", "add").splitlines()) == sorted(_keys(given))
    assert made.document() == book().document()


def test_a_router_with_ipv6_beyond_its_vpc_and_blocks() -> None:
    """Who holds a block brings the sets and the questions for it; a platform that is reached by IPv6 stands there."""
    made = RuleBook(msgspec.structs.replace(FRAME, host_address6="fd68:6174:6f00::1"))
    made.set_policies((DEFAULT,))
    six = Member(address=None, address6="fd68:6174:6f00:100::6", groups=("sg-default",), device="e-six", egress6="out")
    made.put([("six", six)])
    before = made.document()
    assert "80" not in before.replace("dport 80", "").replace(":80", "").replace(". 80 ", "")
    given = made.put([("six", msgspec.structs.replace(six, egress6="both", further=(Further(network=BLOCK6),)))])
    assert given == made.document(), "the table is stated whole, once"
    golden("ipv6.nft", given)
    more = Member(
        address=None, groups=("sg-default",), here=False, further=(Further(network="fd68:6174:6f00:100:6::/80"),)
    )
    assert made.put([("more", more)]) == ("add element inet hatoba members80-sg-default { fd68:6174:6f00:100:6:: }\n")


def _keys(commands: str) -> list[str]:
    return [f"{line.split(' : ')[0].removesuffix(' }')} }}" for line in commands.splitlines()]


def test_a_bridge() -> None:
    made = RuleBook(msgspec.structs.replace(FRAME, bridge=True))
    made.set_policies((bridge.OPEN,))
    ports = (Publish(port=80, host=32768), Publish(port=5000, host=40000, count=3, protocol="udp"))
    seat = Member(address="172.17.0.4", groups=("bridge",), device="e-seat", egress=True, ports=ports)
    made.put([("seat", seat)])
    golden("bridge.nft", made.document())


def test_one_more_interface_is_a_few_elements() -> None:
    made = book()
    made.document()
    golden("interface.nft", made.put([("new", Member(address="10.0.1.9", groups=("sg-web",), device="e-new"))]))


def test_a_holder_of_a_new_combination_of_groups_brings_its_chains() -> None:
    made = book()
    made.document()
    new = Member(address="10.0.1.9", groups=("sg-web", "sg-new"), device="e-new")
    golden("combination.nft", made.put([("new", new)]))


def test_a_changed_rule_is_one_chain_pair() -> None:
    made = book()
    made.document()
    closed = PolicySet(id="sg-web", ingress=(), egress=(EVERYWHERE,))
    golden("rule.nft", made.set_policies((DEFAULT, closed)))


LEFT = Border(subnet="subnet-left", cidrs=("10.0.1.0/24", "fd00:0:0:1::/64"))
RIGHT = Border(subnet="subnet-right", cidrs=("10.0.2.0/24",))
ACL = Acl(
    id="acl-web",
    borders=(LEFT, RIGHT),
    ingress=(
        AclRule(allow=True, protocol="tcp", from_port=443, to_port=443, cidrs=("0.0.0.0/0",)),
        AclRule(protocol="tcp", from_port=22, to_port=22, cidrs=("192.0.2.0/24",)),
        AclRule(allow=True, protocol="icmp", from_port=8, to_port=0, cidrs=("10.0.0.0/8",)),
        AclRule(allow=True, cidrs=("::/0",)),
    ),
    egress=(AclRule(allow=True, protocol="50", cidrs=("0.0.0.0/0",)),),
)


def test_a_router_with_network_acls() -> None:
    made = book()
    made.set_acls((ACL,))
    golden("acls.nft", made.document())


def test_a_changed_acl_is_one_chain_and_a_subnet_that_moves_is_its_own() -> None:
    made = book()
    made.set_acls((ACL,))
    closed = msgspec.structs.replace(ACL, ingress=())
    golden("acl-changed.nft", made.set_acls((closed,)))
    apart = (msgspec.structs.replace(closed, borders=(LEFT,)), Acl(id="acl-new", borders=(RIGHT,)))
    golden("acl-moved.nft", made.set_acls(apart))
    golden("acl-gone.nft", made.set_acls(apart[:1]))


def test_who_has_no_acls_has_none_of_their_chains() -> None:
    made = book()
    plain = made.document()
    assert "acl" in made.set_acls((ACL,))
    assert "acl" not in made.set_acls(()) == plain


WAY_IN = Endpoint(address="10.0.1.8", groups=("sg-web", "sg-default"))


SERVED = tuple(RouterService(address="169.254.170.2", port=port, endpoints=True) for port in (4566, 443))


def test_a_router_with_endpoints() -> None:
    made = book(msgspec.structs.replace(FRAME, services=(*FRAME.services, *SERVED)))
    made.set_endpoints((WAY_IN,))
    golden("endpoints.nft", made.document())


def test_endpoints_lead_to_the_routers_own_services_for_them() -> None:
    assert endpoints.translation((*FRAME.services, *SERVED)) == [
        "ip daddr @endpoints tcp dport { 80, 4566 } dnat ip to 169.254.170.2:4566",
        "ip daddr @endpoints tcp dport { 443 } dnat ip to 169.254.170.2:443",
    ]


def test_endpoints_behind_network_acls_are_seen_by_them_at_their_own_address() -> None:
    made = book()
    made.set_acls((ACL,))
    golden("endpoints-acls.nft", made.set_endpoints((WAY_IN,)))


def test_one_more_endpoint_is_a_few_elements_and_who_has_none_has_none_of_their_chains() -> None:
    made = book()
    plain = made.document()
    made.set_endpoints((WAY_IN,))
    other = Endpoint(address="10.0.2.8", groups=("sg-web",))
    golden("endpoint.nft", made.set_endpoints((WAY_IN, other)))
    assert made.set_endpoints((other, WAY_IN)) == ""
    golden("endpoint-gone.nft", made.set_endpoints((other,)))
    assert made.set_endpoints(()) == plain, "the whole table again, as it was"


def test_the_hosts_own_table() -> None:
    settings = Settings(
        instance="golden",
        run_dir=Path("/nowhere"),
        host_services=(HostService(port=4566), HostService(port=53, protocol="udp")),
        underlay="192.0.2.1",
    )
    published = {("tcp", 32768): "100.64.0.2", ("udp", 53): "100.64.0.2"}
    uplink = names.host_uplink("golden", "vpc-1")
    reached: hostrules.Instances = frozenset({(uplink, "100.64.0.1", "tcp", 22), (uplink, "100.64.0.9", "tcp", 8080)})
    ends = {uplink: Ends(own="100.64.0.9", bridge="100.64.0.10")}
    golden("host.nft", hostrules.document(settings, ("eth0",), published=published, instances=reached, ends=ends))
    six = msgspec.structs.replace(settings, pool6="fd68:6174:6f00::/40", host_address6="fd68:6174:6f00::1")
    before, after = (hostrules.document(each, ("eth0",)).splitlines() for each in (settings, six))
    assert [line.split(" ", 4)[4] for line in after if line not in before] == [
        "from-routers ip6 daddr fd68:6174:6f00::1 meta l4proto . th dport { tcp . 4566, udp . 53 } accept",
        'input iifname != "lo" iifname != "hatklqevu*" ip6 daddr fd68:6174:6f00::1 drop',
        'forward iifname "hatklqevu*" ip6 saddr != fd68:6174:6f00::/40 drop',
    ]
    assert [line.split(" ", 4)[4] for line in before if line not in after] == [
        'forward iifname "hatklqevu*" meta nfproto ipv6 drop'
    ]


@pytest.mark.parametrize(
    ("tree", "cgroup", "expected"),
    [("", "hatoba-x", 'level 1 "hatoba-x"'), ("unified", "hatoba/x", 'level 2 "unified/hatoba/x"')],
)
def test_a_redirect_is_for_one_cgroup(tree: str, cgroup: str, expected: str) -> None:
    wanted = HostRedirect(address="169.254.170.2", port=80, to_port=8099, cgroup=cgroup, tree=tree)
    table = hostrules.table("golden")
    assert hostrules.redirect("golden", wanted).splitlines() == [
        f"flush chain {table} redirected",
        f"add rule {table} redirected socket cgroupv2 {expected} ip daddr 169.254.170.2 tcp dport 80 "
        "dnat ip to 127.0.0.1:8099",
    ]
    assert hostrules.redirect("golden", None) == f"flush chain {table} redirected\n"


def test_what_is_unchanged_says_nothing() -> None:
    made = book()
    assert made.put([("task", TASK)]) == ""
    assert made.set_policies((DEFAULT, WEB)) == ""
    assert made.drop(["unknown"]) == ""


def test_a_holder_that_changes_groups_replaces_its_verdicts_only() -> None:
    made = book()
    lines = made.put([("balancer", Member(address="10.0.1.7", groups=("sg-default",), public="100.64.4.2"))])
    assert lines.splitlines() == [
        "delete element inet hatoba members4-sg-web { 10.0.1.7 }",
        "delete element inet hatoba router-egress4 { 10.0.1.7 }",
        "delete element inet hatoba ingress4 { 10.0.1.7 }",
        "add element inet hatoba router-egress4 { 10.0.1.7 : goto out-sg-default }",
        "add element inet hatoba ingress4 { 10.0.1.7 : jump in-sg-default }",
        "add element inet hatoba members4-sg-default { 10.0.1.7 }",
    ]


def test_a_group_that_loses_its_policy_allows_nothing_but_keeps_its_members() -> None:
    made = book()
    lines = made.set_policies((DEFAULT,))
    assert "flush chain inet hatoba in-sg-web" in lines
    assert "add rule" not in lines
    assert "10.0.1.7" in made.document()


def test_an_address_may_have_its_old_and_its_new_holder_for_a_while() -> None:
    made = book()
    arrived = Member(address=PEER.address, groups=PEER.groups, device="e-here")
    made.put([("arrived", arrived)])
    assert made.drop(["peer"]) == "", "the members' set still needs the address"
    assert "delete element inet hatoba members4-sg-default { 10.0.2.5 }" in made.drop(["arrived"])


def test_the_later_holder_of_a_public_address_counts() -> None:
    made = book()
    later = Member(address="10.0.1.9", groups=("sg-web",), device="e-later", public="100.64.4.2")
    assert "add element inet hatoba public-in { 100.64.4.2 : 10.0.1.9 }" in made.put([("later", later)])
    assert "public-in" not in made.drop(["balancer"])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.booleans()), max_size=30))
def test_steps_and_the_whole_agree(steps: list[tuple[str, int, bool]]) -> None:
    """Whatever came and went: the elements that the steps left are those of the document."""
    made = RuleBook(FRAME)
    made.document()
    table: dict[str, set[str]] = {}
    members: dict[str, Member] = {}
    for name, number, present in steps:
        if present:
            groups = ("sg-web", "sg-default")[: number % 3]
            further = (Further(network=f"10.0.1.{(number + 1) % 4}"), Further(network="10.0.1.16/28"))[: number % 3]
            members[name] = Member(
                address=f"10.0.1.{number % 4}", groups=groups, device=f"e-{name}", egress=number > 2, further=further
            )
            text = made.put([(name, members[name])])
        else:
            text = made.drop([name])
        for verb, kind, _, _, place, *words in (line.split() for line in text.splitlines()):
            if kind == "element":
                element = " ".join(words[1:-1])
                if verb == "add":
                    assert not any(same_key(element, other) for other in table.get(place, ()))
                    table.setdefault(place, set()).add(element)
                else:
                    gone = {other for other in table[place] if same_key(element, other)}
                    assert len(gone) == 1, "the kernel refuses to delete what is not there"
                    table[place] -= gone
    whole: dict[str, set[str]] = {}
    for line in made.document().splitlines():
        if line.startswith("add element") and "services" not in line:
            place, elements = line.split()[4], line[line.index("{") + 2 : -2]
            whole[place] = set(elements.split(", "))
    assert {place: elements for place, elements in table.items() if elements} == whole


def same_key(one: str, other: str) -> bool:
    return one.split(" : ")[0] == other.split(" : ")[0]


def test_unused_groups_do_not_pile_up() -> None:
    made = RuleBook(FRAME)
    longest = 0
    for turn in range(200):
        made.set_policies((PolicySet(id=f"sg-{turn}", egress=(EVERYWHERE,)),))
        longest = max(longest, len(made.declared))
    assert longest < 50


def test_a_holder_without_groups_reaches_nobody() -> None:
    assert grouprules.verdict("in", ()) == "drop"


def test_many_groups_still_make_a_name_that_the_kernel_takes() -> None:
    groups = [f"sg-{number:017d}" for number in range(16)]
    assert len(grouprules.chain("in", groups)) < 128
    assert grouprules.chain("in", groups) == grouprules.chain("in", reversed(groups))


@pytest.mark.parametrize("protocol", ["-1", "256", "sctp ; accept", ""])
def test_a_protocol_that_cannot_be_written_is_refused(protocol: str) -> None:
    policy = PolicySet(id="sg", ingress=(Rule(protocol=protocol, cidrs=("0.0.0.0/0",)),))
    with pytest.raises(ValueError, match="protocol"):
        grouprules.group_chains(policy)


# --- gates

GATE = Gate(address="100.64.0.1", port=4566)


def test_a_router_with_a_gate_behind_network_acls() -> None:
    made = book(msgspec.structs.replace(FRAME, services=(*FRAME.services, *SERVED)))
    made.set_acls((ACL,))
    plain = made.document()
    given = made.set_gate(GATE)
    new = [line for line in given.splitlines() if line not in plain.splitlines()]
    golden("gate.nft", "\n".join(new) + "\n")
    assert made.set_gate(GATE) == ""
    assert made.set_gate(None) == plain, "the whole table again, as it was"
    assert set(plain.splitlines()) <= set(given.splitlines()), "it takes nothing from anybody"


def test_a_gate_leads_to_the_service_in_clear_and_asks_no_network_acls_where_there_are_none() -> None:
    assert gates.translation(GATE, (*FRAME.services, *SERVED)) == [
        'iifname "e-*" ip daddr 100.64.0.1 tcp dport 4566 dnat ip to 169.254.170.2:4566'
    ]
    assert gates.translation(GATE, FRAME.services) == [], "nobody serves endpoints here"
    assert gates.chains(GATE, []).keys() == {"gate-egress"}
