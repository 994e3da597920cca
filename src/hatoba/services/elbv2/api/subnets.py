"""Where a load balancer is to be, and who may reach it: EC2 is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.elbv2.model.balancer import Kind, Place, Scheme
from hatoba.services.elbv2.plan.errors import invalid, not_here

_MOST_GROUPS = 5


class Where(msgspec.Struct, frozen=True, kw_only=True):
    vpc: str
    places: tuple[Place, ...]


def _wanted(req: Mapping[str, Any], kind: Kind) -> dict[str, t.SubnetMapping]:
    """By subnet: what is wished for there."""
    mappings: Sequence[t.SubnetMapping] = req.get("SubnetMappings") or ()
    subnets: Sequence[str] = req.get("Subnets") or ()
    if mappings and subnets:
        raise invalid("You must specify either subnets or subnet mappings, not both")
    for mapping in mappings:
        if set(mapping) - {"SubnetId"} and kind != "network":
            raise t.InvalidConfigurationRequestException(
                f"Addresses in subnet mappings are not supported for load balancers with type '{kind}'"
            )
        for member in ("IPv6Address", "SourceNatIpv6Prefix"):
            if member in mapping:
                raise not_here(f"{member} in subnet mappings is")
    given: Sequence[t.SubnetMapping] = mappings or [{"SubnetId": subnet} for subnet in subnets]
    wanted = {mapping.get("SubnetId") or "": mapping for mapping in given}
    if len(wanted) < len(given):
        raise invalid("A subnet cannot be specified more than once")
    return wanted


async def checked_subnets(call: Call, req: Mapping[str, Any], kind: Kind, scheme: Scheme) -> Where:
    """Raises ValidationError, SubnetNotFound, InvalidConfigurationRequest, AllocationIdNotFound."""
    if req.get("IpAddressType", "ipv4") != "ipv4":
        raise not_here(f"The IP address type '{req['IpAddressType']}' is")
    mappings = _wanted(req, kind)
    wanted = list(mappings)
    if not wanted:
        raise invalid("You must specify subnets")
    try:
        found = (await call.aws.ec2.describe_subnets(SubnetIds=list(wanted)))["Subnets"]
    except AwsError as error:
        raise _no_subnet(wanted, error) from error
    by_id = {subnet["SubnetId"]: subnet for subnet in found}
    if len({subnet["VpcId"] for subnet in found}) > 1:
        raise t.InvalidConfigurationRequestException("The subnets of a load balancer must belong to the same VPC")
    places = tuple(
        Place(
            subnet=id_,
            zone=by_id[id_]["AvailabilityZone"],
            token=call.ids.hex(32),
            address=mappings[id_].get("PrivateIPv4Address") or "",
            allocation=mappings[id_].get("AllocationId") or "",
        )
        for id_ in sorted(wanted)
    )
    zones = {place.zone for place in places}
    if len(zones) < len(places):
        raise t.InvalidConfigurationRequestException(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        )
    await _check_addresses(call, places, by_id, scheme)
    if len(zones) < 2 and kind == "application":
        raise invalid("At least two subnets in two different Availability Zones must be specified")
    return Where(vpc=found[0]["VpcId"], places=places)


async def _check_addresses(
    call: Call, places: Sequence[Place], subnets: Mapping[str, Mapping[str, Any]], scheme: Scheme
) -> None:
    for place in places:
        if place.allocation and scheme == "internal":
            raise t.InvalidConfigurationRequestException(
                "Elastic IP addresses are not supported for internal load balancers"
            )
        if place.address and scheme == "internet-facing":
            raise t.InvalidConfigurationRequestException(
                "Private IP addresses are not supported for internet-facing load balancers"
            )
        block = subnets[place.subnet]["CidrBlock"]
        if place.address and not _within(place.address, block):
            raise t.InvalidConfigurationRequestException(
                f"The private IPv4 address '{place.address}' is not within the block '{block}' of its subnet"
            )
    allocations = [place.allocation for place in places if place.allocation]
    if not allocations:
        return
    try:
        found = (await call.aws.ec2.describe_addresses(AllocationIds=allocations))["Addresses"]
    except AwsError as error:
        if error.status >= 500:
            raise
        raise t.AllocationIdNotFoundException(f"One or more allocation IDs are not found: {error.message}") from error
    if used := [each["AllocationId"] for each in found if "AssociationId" in each]:
        raise t.ResourceInUseException(f"The allocation IDs [{', '.join(used)}] are in use")


def _within(address: str, block: str) -> bool:
    try:
        return ip_address(address) in ip_network(block)
    except ValueError:
        return False


def _no_subnet(wanted: Sequence[str], error: AwsError) -> AwsError:
    if error.status >= 500:
        return error
    if error.code.startswith("InvalidSubnetID."):  # not found, or malformed
        return t.SubnetNotFoundException(error.message)
    return invalid(f"The subnets [{', '.join(wanted)}] are not valid: {error.message}")


async def checked_groups(call: Call, vpc: str, wanted: Sequence[str], kind: Kind) -> tuple[str, ...]:
    """The security groups; when there are none, the VPC's default group for an application load balancer, and none for
    others. Raises InvalidSecurityGroup."""
    if len(wanted) > _MOST_GROUPS:
        raise t.InvalidConfigurationRequestException(
            f"You can specify at most {_MOST_GROUPS} security groups for a load balancer"
        )
    if not wanted and kind != "application":
        return ()
    if not wanted:
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
        found = (await call.aws.ec2.describe_security_groups(Filters=filters))["SecurityGroups"]
        return (found[0]["GroupId"],)
    try:
        found = (await call.aws.ec2.describe_security_groups(GroupIds=list(dict.fromkeys(wanted))))["SecurityGroups"]
    except AwsError as error:
        if error.status >= 500:
            raise
        raise t.InvalidSecurityGroupException(f"One or more security groups are invalid: {error.message}") from error
    for group in found:
        if group["VpcId"] != vpc:
            raise t.InvalidConfigurationRequestException(
                f"One or more security groups are invalid: '{group['GroupId']}' does not belong to VPC '{vpc}'"
            )
    return tuple(dict.fromkeys(wanted))


async def check_gateway(call: Call, vpc: str) -> None:
    """An internet-facing load balancer's VPC must have a way to the internet. Raises InvalidSubnet."""
    filters = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    if not (await call.aws.ec2.describe_internet_gateways(Filters=filters)).get("InternetGateways"):
        raise t.InvalidSubnetException(f"VPC {vpc} has no internet gateway")
