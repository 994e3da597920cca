"""A security group's rules as chains of a router's table (`ruleset`): what they accept, and how they are named. Pure.

A group has a chain for what comes in and one for what goes out; holders of several groups have chains that ask each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from hatoba.network.base import PolicySet, Rule
from hatoba.network.further import MASK6

Elements = dict[tuple[str, str], str]  # (set or map, key) → value; "" in a set

NEIGHBOURS = "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept"
_LONGEST_NAME = 120


def verdict(direction: str, groups: tuple[str, ...], by: str = "jump") -> str:
    return f"{by} {chain(direction, groups)}" if groups else "drop"


def chain(direction: str, groups: Iterable[str]) -> str:
    """The chain that asks all the groups; for one group, its own."""
    name = ".".join(sorted(set(groups)))
    if len(name) > _LONGEST_NAME:
        name = hashlib.blake2b(name.encode(), digest_size=12).hexdigest()
    return f"{direction}-{name}"


def combination(groups: tuple[str, ...]) -> dict[str, list[str]]:
    """The chains for holders of several groups: name → rules. Empty for one group: its own chains serve."""
    members = sorted(set(groups))
    if len(members) < 2:
        return {}
    return {chain(way, members): [f"jump {chain(way, [group])}" for group in members] for way in ("in", "out")}


def group_chains(policy: PolicySet, *, with_blocks: bool = False, with_speakers: bool = False) -> dict[str, list[str]]:
    """One group's rules: name of the chain → rules. `with_blocks`: some members have IPv6 blocks; `with_speakers`: some
    speak under others' addresses (`fronts`)."""
    return {
        chain("in", [policy.id]): [
            text
            for rule in policy.ingress
            for text in (*_rules(rule, "saddr", with_blocks), *(_of_speakers(rule) if with_speakers else ()))
        ],
        chain("out", [policy.id]): [text for rule in policy.egress for text in _rules(rule, "daddr", with_blocks)],
    }


def references(policy: PolicySet) -> set[str]:
    """The groups whose members the policy's rules ask for."""
    return {group for rule in (*policy.ingress, *policy.egress) for group in rule.groups}


def _rules(rule: Rule, far: str, with_blocks: bool) -> list[str]:
    """One line for each kind of far end that the rule names."""
    said = protocol(rule)
    return [f"{source} {said}accept" for source in far_ends(rule, far, with_blocks=with_blocks)]


def _of_speakers(rule: Rule) -> list[str]:
    return [f"ct mark @speakers-{group} {protocol(rule)}accept" for group in rule.groups]


def far_ends(rule: Rule, far: str, *, with_blocks: bool = False) -> list[str]:
    networks = [ip_network(cidr) for cidr in rule.cidrs]
    # Overlapping networks are refused within one set, and mean nothing more.
    four = [str(n) for n in collapse_addresses(n for n in networks if isinstance(n, IPv4Network))]
    six = [str(n) for n in collapse_addresses(n for n in networks if isinstance(n, IPv6Network))]
    ends = []
    if four:
        ends.append("meta nfproto ipv4" if "0.0.0.0/0" in four else f"ip {far} {{ {', '.join(four)} }}")
    if six:
        ends.append("meta nfproto ipv6" if "::/0" in six else f"ip6 {far} {{ {', '.join(six)} }}")
    for group in rule.groups:
        ends += [f"ip {far} @members4-{group}", f"ip6 {far} @members6-{group}"]
        if with_blocks:
            ends.append(f"ip6 {far} & {MASK6} @members80-{group}")
    return ends


def protocol(rule: Rule) -> str:
    match rule.protocol:
        case "any":
            return ""
        case "tcp" | "udp" if rule.from_port is not None:
            last = rule.from_port if rule.to_port is None else rule.to_port
            ports = str(rule.from_port) if last == rule.from_port else f"{rule.from_port}-{last}"
            return f"{rule.protocol} dport {ports} "
        case "icmp" | "icmpv6" if rule.from_port is not None:
            code = "" if rule.to_port is None else f"{rule.protocol} code {rule.to_port} "
            return f"{rule.protocol} type {rule.from_port} {code}"
        case "tcp" | "udp" | "icmp":
            return f"meta l4proto {rule.protocol} "
        case "icmpv6":
            return "meta l4proto ipv6-icmp "
        case number if number.isdecimal() and int(number) < 256:
            return f"meta l4proto {int(number)} "
    raise ValueError(
        f"{rule.protocol!r} is no protocol: any, tcp, udp, icmp, icmpv6 or a number below 256 is expected."
    )
