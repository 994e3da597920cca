"""Under whose address a network balancer's flows reach their targets."""

from __future__ import annotations

import pytest

from hatoba.proxy.base import (
    Balancer,
    FixedResponse,
    Forward,
    GroupAttributes,
    Listener,
    Protocol,
    Rule,
    Share,
    Target,
    TargetGroup,
    Wanted,
)
from hatoba.proxy.forwarding import EVERYBODY
from hatoba.proxy.preserving import fronted, speaks

OWN = "10.0.0.5"


def group(id_: str, preserve: bool, *addresses: str, six: bool = False) -> TargetGroup:
    members = tuple(Target(id=each, address=each, port=53) for each in addresses)
    return TargetGroup(
        id=id_, protocol="TCP_UDP", six=six, targets=members, attributes=GroupAttributes(preserve_source=preserve)
    )


def places(protocol: Protocol, *groups: TargetGroup, weights: tuple[int, ...] = (1, 1)) -> set[tuple[str, str]]:
    shares = tuple(Share(group=each.id, weight=weight) for each, weight in zip(groups, weights, strict=False))
    listener = Listener(id="l", port=53, protocol=protocol, default=Forward(shares=shares))
    balancer = Balancer(id="net/x", kind="network", addresses=("fd00::5", OWN), listeners=(listener,))
    found = fronted(Wanted(balancers=(balancer,), groups=groups))
    assert speaks(Wanted(balancers=(balancer,), groups=groups)) == bool(found)
    assert all((each.port, each.balancer) == (53, OWN) for each in found)
    return {(each.address, each.protocol) for each in found}


@pytest.mark.parametrize(
    ("protocol", "preserve", "spoken"),
    [
        ("TCP", False, set()),
        ("TLS", False, set()),
        ("TCP", True, {"tcp"}),
        ("TLS", True, {"tcp"}),
        ("UDP", True, {"udp"}),
        ("UDP", False, {"udp"}),
        ("TCP_UDP", True, {"tcp", "udp"}),
    ],
)
def test_by_protocol_and_wish(protocol: Protocol, preserve: bool, spoken: set[str]) -> None:
    for six, address in enumerate(("10.0.0.9", "fd00::9")):
        assert places(protocol, group("g", preserve, address, six=bool(six))) == {(address, each) for each in spoken}


def test_a_listener_preserves_for_all_its_groups_or_for_none() -> None:
    with_, without = group("with", True, "10.0.0.8"), group("without", False, "10.0.0.9")
    assert places("TCP", with_, without) == set()
    assert places("TCP", with_, without, weights=(1, 0)) == {("10.0.0.8", "tcp")}


def test_application_balancers_and_other_actions_have_none() -> None:
    preserving = group("g", True, "10.0.0.9")
    to = Listener(id="l", port=80, protocol="HTTP", default=Forward(shares=(Share(group="g"),)))
    fixed = Listener(id="l", port=80, protocol="TCP", default=FixedResponse(status=200))
    for kind, listener in (("http", to), ("network", fixed)):
        balancer = Balancer(id="x", kind=kind, addresses=(OWN,), listeners=(listener,))  # type: ignore[arg-type]
        assert fronted(Wanted(balancers=(balancer,), groups=(preserving,))) == frozenset()


def test_datagrams_of_the_other_family_have_an_address_of_the_first_prefix() -> None:
    listener = Listener(id="l", port=53, protocol="TCP_UDP", default=Forward(shares=(Share(group="g"),)))
    balancer = Balancer(
        id="net/x",
        kind="network",
        addresses=(OWN, "fd00::5"),
        prefixes=("fd00:0:0:0:5::/80", "fd00:0:0:0:6::/80"),
        listeners=(listener,),
    )
    for six, address in enumerate(("10.0.0.9", "fd00::9")):
        found = fronted(Wanted(balancers=(balancer,), groups=(group("g", True, address, six=bool(six)),)))
        assert {each.protocol: each.source for each in found} == {"tcp": "", "udp": "fd00::5:0:0:1" if six else ""}


def test_by_rules_clients_of_both_families_are_seen_each_by_its_own_targets() -> None:
    rule = Rule(id="r", priority=1, conditions=(EVERYBODY[True],), action=Forward(shares=(Share(group="six"),)))
    four = Forward(shares=(Share(group="four"),))
    listener = Listener(id="l", port=53, protocol="TCP_UDP", default=four, rules=(rule,))
    balancer = Balancer(id="net/x", kind="network", addresses=(OWN, "fd00::5"), listeners=(listener,))
    groups = (group("four", True, "10.0.0.9"), group("six", True, "fd00::9", six=True))
    found = fronted(Wanted(balancers=(balancer,), groups=groups))
    assert {(each.address, each.protocol) for each in found} == {
        (address, protocol) for address in ("10.0.0.9", "fd00::9") for protocol in ("tcp", "udp")
    }
