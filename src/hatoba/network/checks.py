"""What may be asked for: the values of the port, looked at before anything is done. Pure; raises `ValueError`.

The same for the real and the simulated fabric, so that a wrong value is found by the cheaper one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hatoba.network import acls as filters
from hatoba.network import further, grouprules, names
from hatoba.network.base import (
    Acl,
    AddressSpec,
    InterfaceSpec,
    Peer,
    PolicySet,
    RemotePublic,
    SeatSpec,
    Settings,
    VpcSpec,
)
from hatoba.network.beyond import Entry, Front, Guest, Instance, Routing
from hatoba.network.trouble import Blackhole, Fault, Loss

_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


def settings(given: Settings) -> None:
    pool, transit = IPv4Network(given.pool), IPv4Network(given.transit)
    if not transit.subnet_of(pool) or IPv4Address(given.host_address) not in transit:
        raise ValueError(f"{given.transit} has to lie within the pool {pool}, and {given.host_address} within it.")
    if given.underlay is not None:
        IPv4Address(given.underlay)
    IPv4Network(given.bridge)
    if given.pool6 is not None and IPv6Address(given.host_address6 or "::") not in IPv6Network(given.pool6):
        raise ValueError(f"{given.host_address6} has to lie within the pool {given.pool6}.")


def vpc(spec: VpcSpec) -> None:
    names.checked(spec.id)
    for cidr in spec.cidrs:
        ip_network(cidr)
    for service in spec.services:
        ip_address(service.address)
    if not 0 < spec.vni < 1 << 24:
        raise ValueError(f"The VPC's number {spec.vni} is not between 1 and 16777215.")


def policies(given: Iterable[PolicySet]) -> None:
    for policy in given:
        for group in (policy.id, *grouprules.references(policy)):
            names.checked(group)
        grouprules.group_chains(policy)  # raises for what cannot be written as rules


def acls(given: Iterable[Acl]) -> None:
    for acl in given:
        names.checked(acl.id)
        for border in acl.borders:
            names.checked(border.subnet)
        filters.elements([acl])  # raise for what cannot be written as rules
        filters.chains(acl)


def holder(spec: InterfaceSpec | AddressSpec, given: Settings) -> None:
    for identifier in (spec.id, spec.vpc, *spec.groups):
        names.checked(identifier)
    _addresses(spec.address, spec.address6)
    if spec.address is None and spec.public is not None:
        raise ValueError(f"{spec.id} has no IPv4 address that {spec.public} could stand for.")
    if spec.public is not None:
        public(spec.public, given)
    if isinstance(spec, InterfaceSpec):
        if (spec.gateway is None) != (spec.address is None):
            raise ValueError(f"{spec.id} has an IPv4 address and a gateway, or neither.")
        IPv4Address(spec.gateway or "0.0.0.0")
        IPv6Address(spec.gateway6)
        if not _MAC.fullmatch(spec.mac):
            raise ValueError(f"{spec.mac!r} is no hardware address: six lower-case pairs with colons are expected.")
        for each in spec.further:
            network = further.checked(each.network)
            if spec.address is None and network.version == 4:
                raise ValueError(f"{spec.id} has IPv6 only: {each.network} is no address for it.")
            if each.public is not None:
                public(each.public, given)
                if network.version == 6 or network.num_addresses > 1:
                    raise ValueError(f"{each.network} is no IPv4 address: nothing stands for it in public.")


def _addresses(four: str | None, six: str | None) -> None:
    IPv4Address(four or "0.0.0.0")
    if six is not None and str(IPv6Address(six)) != six:
        raise ValueError(f"{six} is written {IPv6Address(six)}.")


def seat(spec: SeatSpec) -> None:
    names.checked(spec.id)
    for publish in spec.ports:
        last = max(publish.port, publish.host) + publish.count - 1
        if publish.port < 1 or publish.host < 0 or publish.count < 1 or last > 65535:
            raise ValueError(f"{publish} leaves the range of ports, 1 to 65535.")


def peers(given: Iterable[Peer]) -> None:
    for each in given:
        _peer(each)


@functools.lru_cache(maxsize=1 << 16)
def _peer(peer: Peer) -> None:
    """Once: all of a network's come again with every change of one."""
    _addresses(peer.address, peer.address6)
    IPv4Address(peer.node)
    for network in peer.further:
        further.checked(network)
    for group in peer.groups:
        names.checked(group)


def routing(given: Routing, configured: Settings) -> None:
    for subnet in given.subnets:
        for network in (*subnet.blocks, *(route.to for route in subnet.routes)):
            ip_network(network)
    for gateway in given.gateways:
        names.checked(gateway.id)
        IPv4Address(gateway.address)
        if gateway.public is not None:
            public(gateway.public, configured)
        if gateway.node:
            IPv4Address(gateway.node)
    for vpc_id in given.peerings:
        names.checked(vpc_id)
    if given.gate is not None:
        IPv4Address(given.gate.address)
        _port(given.gate.port)
    for endpoint in given.endpoints:
        IPv4Address(endpoint.address)
        for group in endpoint.groups:
            names.checked(group)


def guests(given: Iterable[Guest]) -> None:
    for guest in given:
        _addresses(guest.address, guest.address6)
        for network in guest.further:
            further.checked(network)
        for group in guest.groups:
            names.checked(group)


def instances(given: Iterable[Instance]) -> None:
    for each in given:
        IPv4Address(each.address)
        if not 0 < each.port < 65536:
            raise ValueError(f"{each.port} is no port.")


def fronts(given: Iterable[Front]) -> None:
    for each in given:
        _addresses(*((None, each.address) if ":" in each.address else (each.address, None)))
        _addresses(each.balancer, each.source or None)
        _port(each.port)


def entries(given: Iterable[Entry]) -> None:
    for each in given:
        IPv4Address(each.balancer)
        _port(each.port)


def _port(number: int) -> None:
    if not 0 < number < 65536:
        raise ValueError(f"{number} is no port.")


def remote_publics(given: Iterable[RemotePublic], configured: Settings) -> None:
    for remote in given:
        public(remote.address, configured)
        IPv4Address(remote.node)


def public(address: str, given: Settings) -> None:
    if IPv4Address(address) not in IPv4Network(given.pool) or IPv4Address(address) in IPv4Network(given.transit):
        raise ValueError(f"{address} is no public address: those are of {given.pool} without {given.transit}.")


def fault(given: Fault) -> None:
    for network in given.spared:
        ip_network(network, strict=False)
    if isinstance(given, Blackhole):
        if not 0 <= given.port < 1 << 16:
            raise ValueError(f"{given.port} is no port.")
        return
    if not given.targets or not 1 <= given.flows <= 100:
        raise ValueError("A fault on what is sent needs networks, and from 1 to 100 percent of the flows.")
    for network in given.targets:
        ip_network(network, strict=False)
    if isinstance(given, Loss) and not 1 <= given.percent <= 100:
        raise ValueError(f"{given.percent} is not between 1 and 100 percent.")
