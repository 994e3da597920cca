"""A task's network interface, by EC2's public operations.

Its client token and description follow from the task's id: asking twice finds the first, and what a crash left behind
is found by its description.
"""

from __future__ import annotations

from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Door
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import Eni, Task

_GONE = ("InvalidNetworkInterfaceID.NotFound", "InvalidAllocationID.NotFound", "InvalidAssociationID.NotFound")


def _description(task: Task) -> str:
    return arns.attachment_arn(task.scope, task.attachment)


def subnet_of(task: Task) -> str:
    """Tasks spread over the subnets that were given, by their ids: the same for the same task."""
    assert task.network is not None
    return task.network.subnets[int(task.id[:8], 16) % len(task.network.subnets)]


async def create(aws: Door, task: Task) -> Eni:
    assert task.network is not None
    found = await aws.ec2.create_network_interface(
        SubnetId=subnet_of(task),
        Description=_description(task),
        ClientToken=task.attachment,
        **({"Groups": list(task.network.groups)} if task.network.groups else {}),
    )
    interface = found["NetworkInterface"]
    six = interface.get("Ipv6Addresses") or [{}]
    eni = Eni(
        id=interface["NetworkInterfaceId"],
        subnet=interface["SubnetId"],
        vpc=interface["VpcId"],
        address=interface["PrivateIpAddress"],
        mac=interface["MacAddress"],
        dns=interface.get("PrivateDnsName") or "",
        zone=interface.get("AvailabilityZone") or "",
        address6=six[0].get("Ipv6Address") or "",
    )
    return replace(eni, allocation=await _give_public(aws, task, eni)) if task.network.public else eni


async def _give_public(aws: Door, task: Task, eni: Eni) -> str:
    """A public address, found again by its tag when a crash came in between."""
    tag = {"Key": "ecs-attachment", "Value": task.attachment}
    filters = [{"Name": f"tag:{tag['Key']}", "Values": [tag["Value"]]}]
    known = (await aws.ec2.describe_addresses(Filters=filters)).get("Addresses") or []
    allocation: str
    if known:
        allocation = known[0]["AllocationId"]
    else:
        made = await aws.ec2.allocate_address(
            Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [tag]}]
        )
        allocation = made["AllocationId"]
    await aws.ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=eni.id)
    return allocation


async def delete(aws: Door, task: Task) -> None:
    """Nothing is left of it afterwards, whatever there was."""
    known = [task.eni.id] if task.eni else await _left_behind(aws, task)
    if task.network is not None and task.network.public:
        await _take_public(aws, task)
    for interface in known:
        await _unless_gone(aws, "delete_network_interface", NetworkInterfaceId=interface)


async def _left_behind(aws: Door, task: Task) -> list[str]:
    if task.network is None:
        return []
    filters = [{"Name": "description", "Values": [_description(task)]}]
    found = await aws.ec2.describe_network_interfaces(Filters=filters)
    return [interface["NetworkInterfaceId"] for interface in found.get("NetworkInterfaces") or []]


async def _take_public(aws: Door, task: Task) -> None:
    filters = [{"Name": "tag:ecs-attachment", "Values": [task.attachment]}]
    for address in (await aws.ec2.describe_addresses(Filters=filters)).get("Addresses") or []:
        if association := address.get("AssociationId"):
            await _unless_gone(aws, "disassociate_address", AssociationId=association)
        await _unless_gone(aws, "release_address", AllocationId=address["AllocationId"])


async def _unless_gone(aws: Door, operation: str, **params: str) -> None:
    try:
        await getattr(aws.ec2, operation)(**params)
    except AwsError as error:
        if error.code not in _GONE:
            raise
