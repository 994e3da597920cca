"""Ports of hosts that balancers speak to under their clients' addresses: how these get there, and answers back. Pure.

A host is in no VPC, and what it answers to a client's address it would send wherever its own routes lead. So for each
VPC that needs it the host has an address of its own, towards that VPC's router: answers from there go back to it, by a
rule that looks at nothing else (`hostends`). Two VPCs whose clients have one address never meet.

    on the balancer's node  what it sends to a port of its own host is translated to that address; to another node's it
                            goes by the tunnel, as to any target there (`fronts`).
    on the target's node    what came by the tunnel from that balancer, to a port that was named (`Entry`), likewise.
    on the host             a published port leads on to the bridge, by a second address that stands for the VPC.

Nothing else that a router sends to its host keeps its address. Datagrams keep it for published ports only: a server of
the host itself would answer from another address than it was asked at. And what the host itself asks of its own ports
does not keep it: they would be asked from the very address that they have.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hatoba.core.records import replace
from hatoba.network import names
from hatoba.network.beyond import Entry, Front, Instance
from hatoba.network.fronts import BALANCERS, marks
from hatoba.network.grouprules import Elements

KINDS = {
    "entries": "set {name} {{ type mark . inet_proto . inet_service; }}",
    "heard": "set {name} {{ type inet_service; }}",
}
_ASKED = "ct mark . meta l4proto . th dport @entries"
_TO_HOST = "to-host"


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """The two addresses that stand for a VPC on its host: one that the host has, one that leads to the bridge."""

    own: str
    bridge: str


class Hosted(msgspec.Struct, frozen=True, kw_only=True):
    """What a VPC's balancers reach of nodes, here and elsewhere, and where they speak under clients' addresses."""

    host: str  # this node's, for its networks
    underlay: str | None = None  # for the other nodes
    instances: tuple[Instance, ...] = ()
    fronts: tuple[Front, ...] = ()
    entries: tuple[Entry, ...] = ()
    ends: Ends | None = None

    @property
    def needs_ends(self) -> bool:
        return bool(self.entries) or any(front.address == self.host for front in self.fronts)

    @property
    def nodes(self) -> frozenset[str]:
        """The other nodes of which ports are spoken to, by the tunnel."""
        if self.underlay is None:
            return frozenset()
        far = (each for each in self.instances if each.hears and each.address != self.host)
        ports = {(each.address, each.port, each.protocol) for each in far}
        return frozenset(each.address for each in self.fronts if (each.address, each.port, each.protocol) in ports)

    @property
    def all_instances(self) -> tuple[Instance, ...]:
        """With those of this host under the address that it has for the VPC."""
        return (*self.instances, *(_port(front, front.address) for front in self._ended))

    @property
    def all_fronts(self) -> tuple[Front, ...]:
        return (*self.fronts, *self._ended)

    @property
    def _ended(self) -> tuple[Front, ...]:
        if self.ends is None:
            return ()
        return tuple(replace(front, address=self.ends.own) for front in self.fronts if front.address == self.host)

    @property
    def of_host(self) -> frozenset[Instance]:
        """All that the host has to let in."""
        if self.ends is None:
            return frozenset(each for each in self.instances if each.address == self.host)
        found = {each for each in self.all_instances if each.address in (self.host, self.ends.own)}
        found |= {_port(entry, self.ends.own) for entry in self.entries}
        return frozenset(found | {_port(entry, self.host) for entry in self.entries if entry.protocol == "udp"})


def _port(named: Front | Entry, address: str) -> Instance:
    return Instance(address=address, port=named.port, protocol=named.protocol)


def elements(entries: Iterable[Entry], balancers: Iterable[str], heard: Iterable[int]) -> Elements:
    """`balancers`: all that speak for clients, here and elsewhere; `heard`: published ports of datagrams."""
    numbered = marks(balancers)
    found: Elements = {
        ("entries", f"{numbered[entry.balancer]} . {entry.protocol} . {entry.port}"): ""
        for entry in entries
        if entry.balancer in numbered
    }
    return found | {("heard", str(port)): "" for port in heard}


def jumps(host: str, ends: Ends) -> dict[str, list[str]]:
    """Chains without a hook."""
    return {
        _TO_HOST: [
            f"meta l4proto tcp dnat ip to {ends.own}",
            f"udp dport @heard dnat ip to {ends.own}",
            f"dnat ip to {host}",
        ]
    }


def chains(host: str) -> dict[str, list[str]]:
    """What the router itself sends under an address that is none of its own."""
    return {
        "speaking": [
            "type nat hook output priority -100; policy accept;",
            f"ip daddr {host} ip saddr != {host} fib saddr type != local jump {_TO_HOST}",
        ]
    }


def arriving(underlay: str | None) -> list[str]:
    """What another node's balancer sends, before it is known where it goes."""
    return [f'iifname "{names.TUNNEL}" ip daddr {underlay} {_ASKED} jump {_TO_HOST}'] if underlay is not None else []


def passing(host: str, ends: Ends) -> list[str]:
    """What is sent on to the host: by balancers of other nodes to what was named, by nobody else."""
    up = f'oifname "{names.UPLINK}"'
    return [
        f'iifname "{names.TUNNEL}" {up} ip daddr {{ {host}, {ends.own} }} {_ASKED} accept',
        f"{up} ip daddr {ends.own} drop",
    ]


def keeping(ends: Ends) -> list[str]:
    """What leaves for the host untranslated."""
    return [f'oifname "{names.UPLINK}" ip daddr {ends.own} ct mark >= {BALANCERS.start} accept']
