"""Which further block a VPC may have beside its own: not any, since services of AWS's own rely on what is left. Pure.

Source: the VPC user guide, "IPv4 CIDR block association restrictions".
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

_TEN = IPv4Network("10.0.0.0/8")
_PRIVATE = (_TEN, IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
_RESERVED = IPv4Network("198.19.0.0/16")
_DEFAULT = IPv4Network("172.31.0.0/16")  # default VPCs'
_FIRST, _FIRST_TWO = IPv4Network("10.0.0.0/16"), IPv4Network("10.0.0.0/15")


def restricted(blocks: Sequence[IPv4Network], new: IPv4Network) -> bool:
    """`blocks` are those that the VPC has, its primary one first."""
    here, there = _range(blocks[0]), _range(new)
    if there is None:
        return False
    if here != there:
        # From a reserved range nothing that is private, from a private one no other, from a public one neither.
        return True
    if there == _TEN and new.subnet_of(_FIRST):
        return any(block.subnet_of(_FIRST_TWO) for block in blocks)
    return new.subnet_of(_DEFAULT)


def _range(block: IPv4Network) -> IPv4Network | None:
    """None: anybody's, or of carriers (100.64.0.0/10)."""
    return next((each for each in (*_PRIVATE, _RESERVED) if block.subnet_of(each)), None)
