"""The ways by which answers go back to where their connection began: see `fronts`.

A rule for each mark, a table for each rule, and in it the only way: to the router itself, or to the node with that
number. Works in the network namespace of the router's thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hatoba.network import messages, names
from hatoba.network.fronts import HERE, OWN_TABLE, hop, numbers
from hatoba.network.netlink import GETRULE, Netlink, Request, index

_PRIORITY = 31000  # before everything that looks at addresses only
_LOOPBACK = 1
_EVERYTHING = "0.0.0.0/0"


def converge(netlink: Netlink, nodes: Iterable[str]) -> None:
    """From whatever is there."""
    there = {
        rule.get_attr("FRA_TABLE")
        for rule in netlink.dump(GETRULE, messages.any_rule())
        if rule.get_attr("FRA_PRIORITY") == _PRIORITY
    }
    wanted = numbers(nodes)
    strays = there - {OWN_TABLE, *wanted.values()}
    netlink.apply(
        messages.local(_EVERYTHING, _LOOPBACK, table=OWN_TABLE),
        messages.rule_for_mark(HERE, OWN_TABLE, _PRIORITY),
        *(request for number in sorted(strays) for request in _forget(number)),
    )
    _remember(netlink, wanted)


def change(netlink: Netlink, old: Iterable[str], new: Iterable[str]) -> None:
    before, after = numbers(old), numbers(new)
    if before == after:
        return
    kept = set(after.values())
    netlink.apply(*(request for n in before.values() if n not in kept for request in _forget(n)))
    _remember(netlink, {node: n for node, n in after.items() if before.get(node) != n})


def _remember(netlink: Netlink, wanted: Mapping[str, int]) -> None:
    device = index(names.TUNNEL)
    if device is None:
        return
    requests: list[Request] = []
    for node, number in wanted.items():
        requests += [
            messages.neighbour(device, hop(number), names.node_mac(node)),
            messages.route(_EVERYTHING, device, via=hop(number), table=number),
            messages.rule_for_mark(number, number, _PRIORITY),
        ]
    netlink.apply(*requests)


def _forget(number: int) -> list[Request]:
    device = index(names.TUNNEL)
    requests = [messages.no_rule_for_mark(number, number, _PRIORITY), messages.no_route(_EVERYTHING, table=number)]
    return requests + ([messages.no_neighbour(device, hop(number))] if device is not None else [])
