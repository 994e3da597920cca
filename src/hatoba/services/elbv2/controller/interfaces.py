"""A load balancer's network interfaces, by EC2's public operations.

What is wanted is in the record before anything is made; what a crash left behind is found by its description, and the
client token of each place makes creating repeatable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Door
from hatoba.services.elbv2.model.balancer import Interface, LoadBalancer, Place

_GONE = "InvalidNetworkInterfaceID.NotFound"


def fitting(balancer: LoadBalancer) -> bool:
    """All interfaces are there and as they should be."""
    return balancer.complete and all(
        interface.groups == balancer.groups
        and (interface.public is not None) == balancer.public4
        and (interface.address6 is not None) == balancer.dual
        and _has_prefix(balancer, place, interface)
        for interface, place in zip(balancer.attached, balancer.places, strict=True)
    )


def _has_prefix(balancer: LoadBalancer, place: Place, interface: Interface) -> bool:
    """One, that which is wished for; or none."""
    if not balancer.prefixes:
        return interface.prefix6 is None
    return interface.prefix6 is not None and place.prefix6 in ("", interface.prefix6)


async def provide(aws: Door, balancer: LoadBalancer) -> tuple[Interface, ...]:
    """The interfaces in the places that are wanted, made or adopted where they are missing."""
    found = {interface["SubnetId"]: interface for interface in await _existing(aws, balancer)}
    return tuple([await _provide(aws, balancer, place, found.get(place.subnet)) for place in balancer.places])


async def _provide(aws: Door, balancer: LoadBalancer, place: Place, found: Mapping[str, Any] | None) -> Interface:
    if found is None:
        given: dict[str, Any] = {"PrivateIpAddress": place.address} if place.address else {}
        made = await aws.ec2.create_network_interface(
            SubnetId=place.subnet,
            Description=balancer.description,
            Groups=list(balancer.groups),  # none: EC2 gives it the default one, which does not count then
            ClientToken=place.token,
            Ipv6AddressCount=0,  # whatever the subnet gives by itself
            **given,
        )
        found = made["NetworkInterface"]
    interface = _read(found)
    if balancer.groups and set(interface.groups) != set(balancer.groups):
        await aws.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface.id, Groups=list(balancer.groups))
    changed = await _provide_ipv4(aws, balancer, place, interface)
    changed = await _provide_ipv6(aws, balancer, place, interface) or changed
    changed = await _provide_prefix(aws, balancer, place, interface) or changed
    if changed:
        described = await aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface.id])
        interface = _read(described["NetworkInterfaces"][0])
    return replace(interface, groups=balancer.groups)


async def _provide_ipv4(aws: Door, balancer: LoadBalancer, place: Place, interface: Interface) -> bool:
    """Its public address. Whether anything has changed."""
    if (interface.public is not None) == balancer.public4:
        return False
    if balancer.public4 and place.allocation:
        await aws.ec2.associate_address(AllocationId=place.allocation, NetworkInterfaceId=interface.id)
    else:
        await aws.ec2.modify_network_interface_attribute(
            NetworkInterfaceId=interface.id, AssociatePublicIpAddress=balancer.public4
        )
    return True


async def _provide_ipv6(aws: Door, balancer: LoadBalancer, place: Place, interface: Interface) -> bool:
    """Its IPv6 address. Whether anything has changed."""
    if (interface.address6 is not None) == balancer.dual:
        return False
    if not balancer.dual:
        await aws.ec2.unassign_ipv6_addresses(NetworkInterfaceId=interface.id, Ipv6Addresses=[interface.address6 or ""])
    else:
        wanted: dict[str, Any] = {"Ipv6Addresses": [place.address6]} if place.address6 else {"Ipv6AddressCount": 1}
        await aws.ec2.assign_ipv6_addresses(NetworkInterfaceId=interface.id, **wanted)
    return True


async def _provide_prefix(aws: Door, balancer: LoadBalancer, place: Place, interface: Interface) -> bool:
    """Its IPv6 prefix. Whether anything has changed."""
    if _has_prefix(balancer, place, interface):
        return False
    if balancer.prefixes:  # the other one goes afterwards: whoever has to be refused keeps what it has
        wanted: dict[str, Any] = {"Ipv6Prefixes": [place.prefix6]} if place.prefix6 else {"Ipv6PrefixCount": 1}
        await aws.ec2.assign_ipv6_addresses(NetworkInterfaceId=interface.id, **wanted)
    if interface.prefix6 is not None:
        await aws.ec2.unassign_ipv6_addresses(NetworkInterfaceId=interface.id, Ipv6Prefixes=[interface.prefix6])
    return True


def _read(interface: Mapping[str, Any]) -> Interface:
    return Interface(
        subnet=interface["SubnetId"],
        id=interface["NetworkInterfaceId"],
        address=interface["PrivateIpAddress"],
        public=interface.get("Association", {}).get("PublicIp"),
        groups=tuple(group["GroupId"] for group in interface.get("Groups") or ()),
        address6=interface.get("Ipv6Address"),
        prefix6=next((each["Ipv6Prefix"] for each in interface.get("Ipv6Prefixes") or ()), None),
    )


async def _existing(aws: Door, balancer: LoadBalancer) -> list[dict[str, Any]]:
    filters = [{"Name": "description", "Values": [balancer.description]}]
    found: list[dict[str, Any]] = (await aws.ec2.describe_network_interfaces(Filters=filters)).get(
        "NetworkInterfaces"
    ) or []
    return [interface for interface in found if interface.get("RequesterManaged")]  # a user's may be named alike


async def remove(aws: Door, balancer: LoadBalancer, *, keep: frozenset[str] = frozenset()) -> None:
    """None is left afterwards but those in the subnets to keep."""
    for interface in await _existing(aws, balancer):
        if interface["SubnetId"] in keep:
            continue
        try:
            await aws.ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
        except AwsError as error:
            if error.code != _GONE:
                raise
