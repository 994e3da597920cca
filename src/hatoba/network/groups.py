"""Security groups as a decision: may this end open a connection to that one? Pure.

The same meaning as `ruleset`, evaluated instead of written down: the simulated fabric answers with it, and the contract
tests hold both against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network

import msgspec

from hatoba.network.base import PolicySet, Rule

_WITH_PORTS = ("tcp", "udp")


class End(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a connection, as the other one sees it."""

    address: str
    groups: tuple[str, ...] = ()  # none for an end outside of the VPC


def lets_out(source: End, target: End, policies: Mapping[str, PolicySet], protocol: str, port: int | None) -> bool:
    rules = (rule for group in source.groups if group in policies for rule in policies[group].egress)
    return _any(rules, target, protocol, port)


def lets_in(source: End, target: End, policies: Mapping[str, PolicySet], protocol: str, port: int | None) -> bool:
    rules = (rule for group in target.groups if group in policies for rule in policies[group].ingress)
    return _any(rules, source, protocol, port)


def _any(rules: Iterable[Rule], far: End, protocol: str, port: int | None) -> bool:
    return any(fits(rule, far, protocol, port) for rule in rules)


def fits(rule: Rule, far: End, protocol: str, port: int | None) -> bool:
    return _covers(rule, protocol, port) and _names(rule, far)


def _covers(rule: Rule, protocol: str, port: int | None) -> bool:
    if rule.protocol not in ("any", protocol):
        return False
    if rule.protocol not in _WITH_PORTS or rule.from_port is None:
        return True
    last = rule.from_port if rule.to_port is None else rule.to_port
    return port is not None and rule.from_port <= port <= last


def _names(rule: Rule, far: End) -> bool:
    if set(rule.groups) & set(far.groups):
        return True
    return any(within(far.address, network) for network in rule.cidrs)


def within(address: str, network: str) -> bool:
    """An address of the other version is in no network."""
    one, many = ip_address(address), ip_network(network)
    return one.version == many.version and one in many
