"""Secondary private addresses and delegated prefixes of network interfaces: given at creation, and to what stands.

An interface that is in use has them at once, and its connections stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.gateway.call import Call
from hatoba.services.ec2.api.holder import the_changeable
from hatoba.services.ec2.api.room import ec2
from hatoba.services.ec2.model.errors import invalid
from hatoba.services.ec2.model.further import Wish, assign, unassign


def _count(req: Mapping[str, Any], name: str) -> int:
    count: int = req.get(name, 0)
    if count < 0 or (name in req and count == 0):
        raise invalid(f"Value ({count}) for parameter {name[0].lower()}{name[1:]} is invalid.")
    return count


def _not_both(req: Mapping[str, Any], one: str, other: str) -> None:
    if req.get(one) and other in req:
        raise invalid(f"{one} and {other} may not be specified together.", "InvalidParameterCombination")


def of_new(req: t.CreateNetworkInterfaceRequest) -> tuple[str | None, Wish]:
    """The own address that is asked for (None: any), and what is asked for besides: in one of four ways."""
    listed = [each.get("PrivateIpAddress", "") for each in req.get("PrivateIpAddresses", [])]
    own = [each.get("PrivateIpAddress", "") for each in req.get("PrivateIpAddresses", []) if each.get("Primary")]
    if "PrivateIpAddress" in req:
        own.append(req["PrivateIpAddress"])
    if len(own) > 1:
        raise invalid("Only one private IP address can be designated as primary.", "InvalidParameterCombination")
    own = own or listed[:1]
    wish = Wish(
        addresses=tuple(address for address in listed if address not in own),
        count=_count(req, "SecondaryPrivateIpAddressCount"),
        prefixes=tuple(each.get("Ipv4Prefix", "") for each in req.get("Ipv4Prefixes", [])),
        prefix_count=_count(req, "Ipv4PrefixCount"),
    )
    if sum(map(bool, (wish.addresses, wish.count, wish.prefixes, wish.prefix_count))) > 1:
        raise invalid(
            "Only one of private addresses, a count of them, IPv4 prefixes and a count of them may be specified.",
            "InvalidParameterCombination",
        )
    return (own[0] if own else None), wish


def _wish(req: t.AssignPrivateIpAddressesRequest) -> Wish:
    _not_both(req, "PrivateIpAddresses", "SecondaryPrivateIpAddressCount")
    _not_both(req, "Ipv4Prefixes", "Ipv4PrefixCount")
    wish = Wish(
        addresses=tuple(req.get("PrivateIpAddresses", [])),
        count=_count(req, "SecondaryPrivateIpAddressCount"),
        prefixes=tuple(req.get("Ipv4Prefixes", [])),
        prefix_count=_count(req, "Ipv4PrefixCount"),
    )
    if not wish:
        raise invalid("Private addresses, IPv4 prefixes or a count of either must be specified.", "MissingParameter")
    return wish


@ec2.operation
async def assign_private_ip_addresses(
    req: t.AssignPrivateIpAddressesRequest, call: Call
) -> t.AssignPrivateIpAddressesResult:
    with call.tx() as tx:
        eni = the_changeable(tx, call, req["NetworkInterfaceId"])
        given = assign(tx, eni, _wish(req), move=req.get("AllowReassignment", False))
    answer: t.AssignPrivateIpAddressesResult = {"NetworkInterfaceId": eni.id}
    if given.addresses:
        answer["AssignedPrivateIpAddresses"] = [{"PrivateIpAddress": address} for address in given.addresses]
    if given.prefixes:
        answer["AssignedIpv4Prefixes"] = [{"Ipv4Prefix": prefix} for prefix in given.prefixes]
    return answer


@ec2.operation
async def unassign_private_ip_addresses(req: t.UnassignPrivateIpAddressesRequest, call: Call) -> None:
    """Elastic addresses of what is given back stay, and are associated with nothing."""
    with call.tx() as tx:
        eni = the_changeable(tx, call, req["NetworkInterfaceId"])
        if not req.get("PrivateIpAddresses") and not req.get("Ipv4Prefixes"):
            raise invalid("Private addresses or IPv4 prefixes must be specified.", "MissingParameter")
        unassign(tx, eni, req.get("PrivateIpAddresses", []), req.get("Ipv4Prefixes", []))
