"""IPv6 addresses and prefixes of network interfaces: given at creation, and to what stands.

An interface that is in use has them at once, and its connections stay. The service that has an interface for itself
gives it what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ec2.api.holder import the_changeable
from hatoba.services.ec2.api.room import ec2
from hatoba.services.ec2.model.errors import invalid
from hatoba.services.ec2.model.further import Wish
from hatoba.services.ec2.model.further6 import assign6, unassign6
from hatoba.services.ec2.model.interface import Eni, enis, of_fleet
from hatoba.services.ec2.model.network import Subnet
from hatoba.store import Tx

_WAYS = ("Ipv6AddressCount", "Ipv6Addresses", "Ipv6PrefixCount", "Ipv6Prefixes")


def of_new6(req: t.CreateNetworkInterfaceRequest, subnet: Subnet) -> Wish:
    """What is asked for, in one of four ways; what the subnet gives by itself, where nothing is.

    An interface of an IPv6-only subnet has an address in any case. Raises InvalidParameterCombination,
    InvalidParameterValue.
    """
    if len([name for name in _WAYS if name in req]) > 1:
        raise invalid(f"Only one of {', '.join(_WAYS)} may be specified.", "InvalidParameterCombination")
    wish = Wish(
        addresses=tuple(each.get("Ipv6Address", "") for each in req.get("Ipv6Addresses", [])),
        count=_count(req, "Ipv6AddressCount"),
        prefixes=tuple(each.get("Ipv6Prefix", "") for each in req.get("Ipv6Prefixes", [])),
        prefix_count=_count(req, "Ipv6PrefixCount"),
    )
    if "Ipv6AddressCount" in req and not wish.count and subnet.only6:
        raise invalid(f"The subnet '{subnet.id}' is IPv6-only: an interface in it needs an IPv6 address.")
    unsaid = "Ipv6AddressCount" not in req and not wish
    if (unsaid and subnet.assign6) or (subnet.only6 and not wish.addresses and not wish.count):
        return Wish(count=1, prefixes=wish.prefixes, prefix_count=wish.prefix_count)
    return wish


def _count(req: Mapping[str, Any], name: str) -> int:
    count: int = req.get(name, 0)
    if count < 0:
        raise invalid(f"Value ({count}) for parameter {name[0].lower()}{name[1:]} is invalid.")
    return count


def make_primary(tx: Tx, eni: Eni, wanted: bool) -> Eni:
    """Its first IPv6 address, for good. Raises InvalidParameterValue."""
    if not wanted:
        if eni.primary6:
            raise invalid(f"The primary IPv6 address of {eni.id} cannot be disabled.")
        return eni
    if of_fleet(tx, eni).address6 is None:
        raise invalid(f"{eni.id} has no IPv6 address that could be its primary one.")
    return tx.put(enis, replace(eni, primary6=True))


@ec2.operation
async def assign_ipv6_addresses(req: t.AssignIpv6AddressesRequest, call: Call) -> t.AssignIpv6AddressesResult:
    for one, other in (("Ipv6Addresses", "Ipv6AddressCount"), ("Ipv6Prefixes", "Ipv6PrefixCount")):
        if req.get(one) and other in req:
            raise invalid(f"{one} and {other} may not be specified together.", "InvalidParameterCombination")
    wish = Wish(
        addresses=tuple(req.get("Ipv6Addresses", [])),
        count=_count(req, "Ipv6AddressCount"),
        prefixes=tuple(req.get("Ipv6Prefixes", [])),
        prefix_count=_count(req, "Ipv6PrefixCount"),
    )
    with call.tx() as tx:
        eni = the_changeable(tx, call, req["NetworkInterfaceId"])
        if not wish:
            raise invalid("IPv6 addresses, IPv6 prefixes or a count of either must be specified.", "MissingParameter")
        given = assign6(tx, eni, wish)
    answer: t.AssignIpv6AddressesResult = {"NetworkInterfaceId": eni.id}
    if given.addresses:
        answer["AssignedIpv6Addresses"] = list(given.addresses)
    if given.prefixes:
        answer["AssignedIpv6Prefixes"] = list(given.prefixes)
    return answer


@ec2.operation
async def unassign_ipv6_addresses(req: t.UnassignIpv6AddressesRequest, call: Call) -> t.UnassignIpv6AddressesResult:
    with call.tx() as tx:
        eni = the_changeable(tx, call, req["NetworkInterfaceId"])
        if not req.get("Ipv6Addresses") and not req.get("Ipv6Prefixes"):
            raise invalid("IPv6 addresses or IPv6 prefixes must be specified.", "MissingParameter")
        gone = unassign6(tx, eni, req.get("Ipv6Addresses", []), req.get("Ipv6Prefixes", []))
    answer: t.UnassignIpv6AddressesResult = {"NetworkInterfaceId": eni.id}
    if gone.addresses:
        answer["UnassignedIpv6Addresses"] = list(gone.addresses)
    if gone.prefixes:
        answer["UnassignedIpv6Prefixes"] = list(gone.prefixes)
    return answer
