"""The addresses of the host that stand for one VPC each (`hosted`): given, led to the VPC's router, taken away.

What comes from one of them has the router as its only way, whomever it is for: a routing table of ours with that way,
and a rule of ours for each address, beside which the host's own rules and tables stay as they are. Works in the thread
of the host's namespace. Additions may be repeated; the ways go with their devices, rules are taken away here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network

from hatoba.network import hostrules, messages, names, tracking
from hatoba.network.base import BRIDGE, Settings
from hatoba.network.hosted import Ends
from hatoba.network.namespace import Namespace
from hatoba.network.netlink import GETRULE, Request, index

_PRIORITY = 172  # after the host's own addresses (0), before everything that knows where other addresses are
_EVERYTHING = "0.0.0.0/0"


class HostEnds:
    def __init__(self, settings: Settings, namespace: Namespace) -> None:
        self._settings = settings
        self._namespace = namespace
        self._given: dict[str, Ends] = {}  # by VPC

    def keep(self, given: Mapping[str, Ends]) -> dict[str, Ends]:
        """What an earlier process has given; answers them by uplink, for the whole table of rules."""
        self._given = dict(given)
        return {self._uplink(vpc): ends for vpc, ends in given.items()}

    def give(self, vpc: str, transit: str, ends: Ends) -> None:
        """Towards the VPC's router, whose uplink is there."""
        link, table = index(self._uplink(vpc)), _table(ends)
        if link is None:
            return
        self._namespace.netlink.apply(
            # What goes on from there by a tunnel has no more room.
            messages.route(_EVERYTHING, link, via=transit, table=table, mtu=self._settings.mtu),
            messages.host_rule(ends.own, table, _PRIORITY),
            messages.host_rule(ends.bridge, table, _PRIORITY),
            messages.address(link, ends.own),
        )
        if self._given.get(vpc) != ends:
            self._given[vpc] = ends
            self._namespace.rules("\n".join(hostrules.give(self._settings.instance, self._uplink(vpc), ends)))
        self._lead_on([ends])

    def lead_on(self) -> None:
        """The bridge is there: all of them lead to it."""
        self._lead_on(self._given.values())

    def _lead_on(self, ends: Iterable[Ends]) -> None:
        link = index(self._uplink(BRIDGE))
        requests: list[Request] = []
        for each in ends if link is not None else ():
            assert link is not None
            requests.append(messages.neighbour(link, each.bridge, names.UPLINK_MAC))
            requests.append(messages.route(f"{each.bridge}/32", link, origin=messages.OURS))
        self._namespace.netlink.apply(*requests)

    def take(self, vpc: str) -> None:
        """After the VPC's uplink has gone, and with it what led there."""
        ends = self._given.pop(vpc, None)
        if ends is None:
            return
        self._namespace.rules("\n".join(hostrules.take(self._settings.instance, self._uplink(vpc), ends)))
        self._namespace.netlink.apply(
            messages.no_route(f"{ends.bridge}/32", origin=messages.OURS),
            *(messages.no_host_rule(address, _table(ends), _PRIORITY) for address in (ends.own, ends.bridge)),
        )
        tracking.forget([ends.own, ends.bridge])  # the next VPC may be given them

    def adopt(self) -> None:
        """Takes away what stands for nobody any more."""
        self._sweep({address for ends in self._given.values() for address in (ends.own, ends.bridge)})

    def teardown(self) -> None:
        self._sweep(())

    def _sweep(self, known: Container[str]) -> None:
        """Rules of this instance: it has its pool for itself."""
        found = [
            (rule.get_attr("FRA_SRC"), rule.get_attr("FRA_TABLE"))
            for rule in self._namespace.netlink.dump(GETRULE, messages.any_rule())
            if rule.get_attr("FRA_PROTOCOL") == messages.OURS and rule.get_attr("FRA_PRIORITY") == _PRIORITY
        ]
        pool = IPv4Network(self._settings.pool)
        self._namespace.netlink.apply(
            *(
                messages.no_host_rule(source, table, _PRIORITY)
                for source, table in found
                if IPv4Address(source) in pool and source not in known
            )
        )

    def _uplink(self, vpc: str) -> str:
        return names.host_uplink(self._settings.instance, vpc)


def _table(ends: Ends) -> int:
    """No two instances have addresses in common, and nobody else numbers tables so high."""
    return int(IPv4Address(ends.own))
