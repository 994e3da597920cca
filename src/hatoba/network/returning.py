"""The ways by which answers go back to where their connection began: see `fronts`.

A rule for each mark leads to a table: that of the router itself, or that of a node, in which is the only way. Works in
the network namespace of the router's thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hatoba.network import messages, names
from hatoba.network.fronts import OWN_TABLE, Backs, hop
from hatoba.network.netlink import GETRULE, Netlink, Request, index

_PRIORITY = 31000  # before everything that looks at addresses only
_LOOPBACK = 1
_EVERYTHING = "0.0.0.0/0"


def converge(netlink: Netlink, wanted: Backs) -> None:
    """From whatever is there."""
    there = {
        rule.get_attr("FRA_FWMARK"): rule.get_attr("FRA_TABLE")
        for rule in netlink.dump(GETRULE, messages.any_rule())
        if rule.get_attr("FRA_PRIORITY") == _PRIORITY
    }
    netlink.apply(messages.local(_EVERYTHING, _LOOPBACK, table=OWN_TABLE))
    _remember(netlink, wanted.rules, wanted.nodes)
    _forget(netlink, there.items() - wanted.rules.items(), {*there.values()} - {OWN_TABLE, *wanted.nodes.values()})


def change(netlink: Netlink, old: Backs, new: Backs) -> None:
    if old == new:
        return
    _remember(netlink, dict(new.rules.items() - old.rules.items()), dict(new.nodes.items() - old.nodes.items()))
    gone = {*old.nodes.values()} - {*new.nodes.values()}
    _forget(netlink, old.rules.items() - new.rules.items(), gone)


def _remember(netlink: Netlink, rules: Mapping[int, int], nodes: Mapping[str, int]) -> None:
    """Ways first: what a mark leads to is there."""
    device = index(names.TUNNEL)
    requests: list[Request] = []
    if device is not None:
        for node, number in nodes.items():
            requests.append(messages.neighbour(device, hop(number), names.node_mac(node)))
            requests.append(messages.route(_EVERYTHING, device, via=hop(number), table=number))
    requests += [messages.rule_for_mark(mark, table, _PRIORITY) for mark, table in rules.items()]
    netlink.apply(*requests)


def _forget(netlink: Netlink, rules: Iterable[tuple[int, int]], numbers: Iterable[int]) -> None:
    device = index(names.TUNNEL)
    requests = [messages.no_rule_for_mark(mark, table, _PRIORITY) for mark, table in rules]
    for number in numbers:
        requests.append(messages.no_route(_EVERYTHING, table=number))
        requests += [messages.no_neighbour(device, hop(number))] if device is not None else []
    netlink.apply(*requests)
