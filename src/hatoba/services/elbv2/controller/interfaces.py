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
    public = balancer.scheme == "internet-facing"
    return balancer.complete and all(
        interface.groups == balancer.groups and (interface.public is not None) == public
        for interface in balancer.attached
    )


async def provide(aws: Door, balancer: LoadBalancer) -> tuple[Interface, ...]:
    """The interfaces in the places that are wanted, made or adopted where they are missing."""
    found = {interface["SubnetId"]: interface for interface in await _existing(aws, balancer)}
    return tuple([await _provide(aws, balancer, place, found.get(place.subnet)) for place in balancer.places])


async def _provide(aws: Door, balancer: LoadBalancer, place: Place, found: Mapping[str, Any] | None) -> Interface:
    if found is None:
        given = {"PrivateIpAddress": place.address} if place.address else {}
        made = await aws.ec2.create_network_interface(
            SubnetId=place.subnet,
            Description=balancer.description,
            Groups=list(balancer.groups),  # none: EC2 gives it the default one, which does not count then
            ClientToken=place.token,
            **given,
        )
        found = made["NetworkInterface"]
    interface = _read(found)
    if balancer.groups and set(interface.groups) != set(balancer.groups):
        await aws.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface.id, Groups=list(balancer.groups))
    if balancer.scheme == "internet-facing" and interface.public is None:
        if place.allocation:
            await aws.ec2.associate_address(AllocationId=place.allocation, NetworkInterfaceId=interface.id)
        else:
            await aws.ec2.modify_network_interface_attribute(
                NetworkInterfaceId=interface.id, AssociatePublicIpAddress=True
            )
        described = await aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface.id])
        interface = _read(described["NetworkInterfaces"][0])
    return replace(interface, groups=balancer.groups)


def _read(interface: Mapping[str, Any]) -> Interface:
    return Interface(
        subnet=interface["SubnetId"],
        id=interface["NetworkInterfaceId"],
        address=interface["PrivateIpAddress"],
        public=interface.get("Association", {}).get("PublicIp"),
        groups=tuple(group["GroupId"] for group in interface.get("Groups") or ()),
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
