"""A task's network interface, by EC2's public operations.

Its client token and description follow from the task's id: asking twice finds the first, and what a crash left behind
is found by its description.
"""

from __future__ import annotations

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Door
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import Eni, Task

_GONE = ("InvalidNetworkInterfaceID.NotFound",)


def _description(task: Task) -> str:
    return arns.attachment_arn(task.scope, task.attachment)


async def create(aws: Door, task: Task) -> Eni:
    """In a subnet with an IPv6 block it has an IPv6 address as well; in one of IPv6 only it has no other."""
    assert task.network is not None
    (subnet,) = (await aws.ec2.describe_subnets(SubnetIds=[task.subnet]))["Subnets"]
    found = await aws.ec2.create_network_interface(
        SubnetId=task.subnet,
        Description=_description(task),
        ClientToken=task.attachment,
        **({"Ipv6AddressCount": 1} if subnet.get("Ipv6CidrBlockAssociationSet") else {}),
        **({"Groups": list(task.network.groups)} if task.network.groups else {}),
    )
    interface = found["NetworkInterface"]
    six = interface.get("Ipv6Addresses") or [{}]
    eni = Eni(
        id=interface["NetworkInterfaceId"],
        subnet=interface["SubnetId"],
        vpc=interface["VpcId"],
        address=interface.get("PrivateIpAddress") or "",
        mac=interface["MacAddress"],
        dns=interface.get("PrivateDnsName") or "",
        zone=interface.get("AvailabilityZone") or "",
        zone_id=interface.get("AvailabilityZoneId") or "",
        address6=six[0].get("Ipv6Address") or "",
    )
    if task.network.public:
        # As EC2 does it for the first interface of an instance; it goes with the interface.
        await aws.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni.id, AssociatePublicIpAddress=True)
    return eni


async def delete(aws: Door, task: Task) -> None:
    """Nothing is left of it afterwards, whatever there was."""
    known = [task.eni.id] if task.eni else await _left_behind(aws, task)
    for interface in known:
        await _unless_gone(aws, "delete_network_interface", NetworkInterfaceId=interface)


async def _left_behind(aws: Door, task: Task) -> list[str]:
    if task.network is None:
        return []
    filters = [{"Name": "description", "Values": [_description(task)]}]
    found = await aws.ec2.describe_network_interfaces(Filters=filters)
    return [interface["NetworkInterfaceId"] for interface in found.get("NetworkInterfaces") or []]


async def _unless_gone(aws: Door, operation: str, **params: str) -> None:
    try:
        await getattr(aws.ec2, operation)(**params)
    except AwsError as error:
        if error.code not in _GONE:
            raise
