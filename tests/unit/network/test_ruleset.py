"""The rules as text: golden files for what reviewers read, and the small steps between two states.

`UPDATE_GOLDEN=1 pytest …` writes the files anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hatoba.network import hostrules, ruleset
from hatoba.network.base import HostService, PolicySet, RouterService, Rule, Settings
from hatoba.network.rulebook import RuleBook
from hatoba.network.ruleset import Frame, Member

GOLDEN = Path(__file__).parent / "golden"

FRAME = Frame(
    host_address="100.64.0.1",
    transit="100.64.0.2",
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
PEER = Member(address="10.0.2.5", groups=("sg-default",), here=False)


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def book() -> RuleBook:
    made = RuleBook(FRAME)
    made.set_policies((DEFAULT, WEB))
    made.put([("task", TASK), ("both", BOTH), ("balancer", BALANCER), ("peer", PEER)])
    return made


def test_a_router_with_everything() -> None:
    golden("router.nft", book().document())


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


def test_the_hosts_own_table() -> None:
    settings = Settings(
        instance="golden",
        run_dir=Path("/nowhere"),
        host_services=(HostService(port=4566), HostService(port=53, protocol="udp")),
        underlay="192.0.2.1",
    )
    golden("host.nft", hostrules.document(settings, ("eth0",)))


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
        "add element inet hatoba members4-sg-default { 10.0.1.7 }",
        "add element inet hatoba router-egress4 { 10.0.1.7 : jump out-sg-default }",
        "add element inet hatoba ingress4 { 10.0.1.7 : jump in-sg-default }",
    ]


def test_a_group_that_loses_its_policy_allows_nothing_but_keeps_its_members() -> None:
    made = book()
    lines = made.set_policies((DEFAULT,))
    assert "flush chain inet hatoba in-sg-web" in lines
    assert "add rule" not in lines
    assert "10.0.1.7" in made.document()


def test_unused_groups_do_not_pile_up() -> None:
    made = RuleBook(FRAME)
    longest = 0
    for turn in range(200):
        made.set_policies((PolicySet(id=f"sg-{turn}", egress=(EVERYWHERE,)),))
        longest = max(longest, len(made.declared))
    assert longest < 50


def test_a_holder_without_groups_reaches_nobody() -> None:
    assert ruleset.verdict("in", ()) == "drop"


def test_many_groups_still_make_a_name_that_the_kernel_takes() -> None:
    groups = [f"sg-{number:017d}" for number in range(16)]
    assert len(ruleset.chain("in", groups)) < 128
    assert ruleset.chain("in", groups) == ruleset.chain("in", reversed(groups))


@pytest.mark.parametrize("protocol", ["-1", "256", "sctp ; accept", ""])
def test_a_protocol_that_cannot_be_written_is_refused(protocol: str) -> None:
    policy = PolicySet(id="sg", ingress=(Rule(protocol=protocol, cidrs=("0.0.0.0/0",)),))
    with pytest.raises(ValueError, match="protocol"):
        ruleset.group_chains(policy)
