"""Network ACLs: stateless filters at the borders of subnets, as nftables chains and as a decision. Pure.

A packet is asked by the subnet that it leaves (`acl-out…`, found by its source) and by the one it comes into
(`acl-in…`, found by its destination), on its way there and, as nothing is remembered, on its way back. A subnet's chain
lets pass what stays inside of it and goes to the rules of its ACL, which several subnets may share:

    @acl-out4 { 10.0.1.0/24 : jump acl-out-subnet-1 }
    acl-out-subnet-1   ip daddr 10.0.1.0/24 return · goto acl-out-acl-1
    acl-out-acl-1      the rules: return (it passes) or drop · drop

Source: the VPC user guide, "Network ACLs".
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from hatoba.network import grouprules, groups
from hatoba.network.base import Acl, AclRule, Border
from hatoba.network.grouprules import Elements

_WAYS = (("out", "daddr"), ("in", "saddr"))


def chains(acl: Acl) -> dict[str, list[str]]:
    """Those of the ACL and of its subnets: name → rules."""
    found: dict[str, list[str]] = {}
    for (way, far), rules in zip(_WAYS, (acl.egress, acl.ingress), strict=True):
        own = f"acl-{way}-{acl.id}"
        found[own] = [text for rule in rules for text in _rules(rule, far)] + ["drop"]
        for border in acl.borders:
            inside = [f"{_ip(cidr)} {far} {cidr} return" for cidr in border.cidrs]
            found[f"acl-{way}-{border.subnet}"] = [*inside, f"goto {own}"]
    return found


def _rules(rule: AclRule, far: str) -> list[str]:
    verdict = "return" if rule.allow else "drop"
    return [f"{end} {grouprules.protocol(rule)}{verdict}" for end in grouprules.far_ends(rule, far)]


def elements(acls: Iterable[Acl]) -> Elements:
    """What leads to the subnets' chains."""
    return {
        (f"acl-{way}{ip_network(cidr).version}", cidr): f"jump acl-{way}-{border.subnet}"
        for acl in acls
        for border in acl.borders
        for cidr in border.cidrs
        for way, _ in _WAYS
    }


def _ip(cidr: str) -> str:
    return "ip" if ip_network(cidr).version == 4 else "ip6"


def lets_pass(acls: Iterable[Acl], source: str, target: str, protocol: str, port: int) -> bool:
    """One packet, at the borders that it crosses. The same meaning as `chains`, evaluated: see `groups`."""
    for acl in acls:
        for border in acl.borders:
            leaves, comes = _inside(source, border), _inside(target, border)
            if leaves and not comes and not _says(acl.egress, target, protocol, port):
                return False
            if comes and not leaves and not _says(acl.ingress, source, protocol, port):
                return False
    return True


def _inside(address: str, border: Border) -> bool:
    return any(groups.within(address, cidr) for cidr in border.cidrs)


def _says(rules: Iterable[AclRule], far: str, protocol: str, port: int) -> bool:
    end = groups.End(address=far)
    return next((rule.allow for rule in rules if groups.fits(rule, end, protocol, port)), False)
