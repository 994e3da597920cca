"""Where a router's packets cross the borders of subnets that have network ACLs, as nftables text. Pure.

The ACLs themselves are chains of their own (`acls`); here is what leads to them, at each hook and before the groups.
"""

from __future__ import annotations

from hatoba.network.grouprules import NEIGHBOURS

KINDS = {
    f"acl-{way}{number}": f"map {{name}} {{{{ type ipv{number}_addr : verdict; flags interval; }}}}"
    for way in ("out", "in")
    for number in ("4", "6")
}


def asked(number: str) -> list[str]:
    """Of IPv4 ("4") or IPv6: first about what leaves a subnet, then about what comes into one."""
    ip = "ip" if number == "4" else "ip6"
    return [f"{ip} {end} vmap @acl-{way}{number}" for way, end in (("out", "saddr"), ("in", "daddr"))]


def chains() -> dict[str, list[str]]:
    """Which network ACLs a packet has to pass, before anything else and whatever its connection: see `acls`.
    Neighbours find each other whatever they say."""
    crossed = [rule for pair in zip(asked("4"), asked("6"), strict=True) for rule in pair]
    return {
        "forward-acls": ["type filter hook forward priority -10; policy accept;", *crossed],
        "input-acls": [
            "type filter hook input priority -10; policy accept;",
            NEIGHBOURS,
            "ip daddr . meta l4proto . th dport @services accept",
            "ip6 daddr . meta l4proto . th dport @services6 accept",
            *crossed,
        ],
        "output-acls": [
            "type filter hook output priority -10; policy accept;",
            NEIGHBOURS,
            "ip saddr . meta l4proto . th sport @services accept",
            "ip6 saddr . meta l4proto . th sport @services6 accept",
            *crossed,
        ],
    }
