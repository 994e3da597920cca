"""Who of a peered network is a member of what groups, as far as it matters here."""

from __future__ import annotations

from hatoba.fleet.items import PeerItem, PolicyItem
from hatoba.fleet.model import Rule
from hatoba.network.beyond import Guest
from hatoba.node.beyond import guests_of


def far(network: str, address: str, *groups: str) -> PeerItem:
    return PeerItem(network=network, address=address, node="192.0.2.1", groups=groups)


def test_only_members_of_named_groups_of_peered_networks_are_guests() -> None:
    policies = (
        PolicyItem(network="v1", ingress=(Rule(groups=("sg-app",)),), egress=()),
        PolicyItem(network="v1", ingress=(), egress=(Rule(groups=("sg-db",)),)),
    )
    members = (
        far("v2", "10.2.0.6", "sg-db", "sg-other"),
        far("v2", "10.2.0.5", "sg-app"),
        far("v2", "10.2.0.7", "sg-other"),
        far("v3", "10.3.0.5", "sg-app"),
    )
    assert guests_of(policies, ("v2",), members) == (
        Guest(address="10.2.0.5", groups=("sg-app",)),
        Guest(address="10.2.0.6", groups=("sg-db",)),
    )
