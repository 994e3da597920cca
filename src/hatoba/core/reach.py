"""Which addresses are asked for somebody who says where to ask. Pure.

Whoever may register an identity provider, name an image's registry or a log collector chooses where the platform goes
with its own machine's rights: not to that machine itself, and to nothing of which an answer is secret because only this
machine can ask (cloud metadata, link-local neighbours).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_THIS = IPv4Network("0.0.0.0/8")  # this machine, as some kernels have it
_METADATA = IPv6Address("fd00:ec2::254")  # AWS's, of which no property tells
_TRANSLATED = IPv6Network("64:ff9b::/96")  # to IPv4, by the last four bytes (RFC 6052)


def may_be_asked(address: str, *, loopback: bool = False) -> bool:
    """`address` is one that a name was resolved to. `loopback`: this machine's own is fine, too (a setting)."""
    try:
        found = _meant(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if found.is_loopback:
        return loopback
    return not (found.is_link_local or found.is_unspecified or found.is_multicast or found == _METADATA) and not (
        isinstance(found, IPv4Address) and (found.is_reserved or found in _THIS)
    )


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside one of IPv6, where there is one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
