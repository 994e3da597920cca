"""The ways by which answers go back to where their connection began: see `fronts`.

A rule for each mark leads to a table: that of the router itself, or that of a node, in which is the only way. By IPv6
only balancers' marks do: what else came from another node goes where routes lead it, as a peered VPC without a way back
is not to be answered by another one. Works in the network namespace of the router's thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hatoba.network import messages, names
from hatoba.network.fronts import BALANCERS, OWN_TABLE, Backs, hops
from hatoba.network.namespace import has_ipv6
from hatoba.network.netlink import GETRULE, Netlink, Request, index

_PRIORITY = 31000  # before everything that looks at addresses only
_LOOPBACK = 1
_EVERYTHING = {2: "0.0.0.0/0", 10: "::/0"}  # by the kernel's number of the family


def _of(family: int, rules: Mapping[int, int]) -> set[tuple[int, int]]:
    """Marks and tables."""
    return {(mark, table) for mark, table in rules.items() if family == 2 or mark in BALANCERS}


def _families() -> list[int]:
    return [*_EVERYTHING] if has_ipv6() else [2]


def converge(netlink: Netlink, wanted: Backs) -> None:
    """From whatever is there."""
    there: dict[int, set[tuple[int, int]]] = {family: set() for family in _families()}
    for rule in netlink.dump(GETRULE, messages.any_rule()):
        if rule.get_attr("FRA_PRIORITY") == _PRIORITY:
            there[rule["family"]].add((rule.get_attr("FRA_FWMARK"), rule.get_attr("FRA_TABLE")))
    netlink.apply(*(messages.local(_EVERYTHING[family], _LOOPBACK, table=OWN_TABLE) for family in there))
    _remember(netlink, wanted.rules, wanted.nodes)
    kept = {OWN_TABLE, *wanted.nodes.values()}
    for family, rules in there.items():
        _forget(netlink, rules - _of(family, wanted.rules), {table for _, table in rules} - kept, family)


def change(netlink: Netlink, old: Backs, new: Backs) -> None:
    if old == new:
        return
    _remember(netlink, dict(new.rules.items() - old.rules.items()), dict(new.nodes.items() - old.nodes.items()))
    gone = {*old.nodes.values()} - {*new.nodes.values()}
    for family in _families():
        _forget(netlink, old.rules.items() - new.rules.items(), gone, family)


def _remember(netlink: Netlink, rules: Mapping[int, int], nodes: Mapping[str, int]) -> None:
    """Ways first: what a mark leads to is there."""
    device = index(names.TUNNEL)
    requests: list[Request] = []
    for family in _families():
        if device is not None:
            for node, number in nodes.items():
                hop = _hop(number, family)
                requests.append(messages.neighbour(device, hop, names.node_mac(node)))
                requests.append(messages.route(_EVERYTHING[family], device, via=hop, table=number))
        asked = sorted(_of(family, rules))
        requests += [messages.rule_for_mark(mark, table, _PRIORITY, family=family) for mark, table in asked]
    netlink.apply(*requests)


def _forget(netlink: Netlink, rules: Iterable[tuple[int, int]], numbers: Iterable[int], family: int) -> None:
    device = index(names.TUNNEL)
    requests = [messages.no_rule_for_mark(mark, table, _PRIORITY, family=family) for mark, table in rules]
    for number in numbers:
        requests.append(messages.no_route(_EVERYTHING[family], table=number))
        requests += [messages.no_neighbour(device, _hop(number, family))] if device is not None else []
    netlink.apply(*requests)


def _hop(number: int, family: int) -> str:
    return hops(number)[family != 2]
