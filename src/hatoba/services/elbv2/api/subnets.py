"""Where a load balancer is to be, and who may reach it: EC2 is asked.

Subnets have to have what its addresses need, of each family; addresses that somebody wishes for have to be of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Any

import msgspec

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.elbv2.model.balancer import IpType, Kind, Place, Scheme
from hatoba.services.elbv2.plan.errors import invalid

_MOST_GROUPS = 5
_ANY = "auto_assigned"  # a prefix
_LENGTH = 80


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
    given: Sequence[t.SubnetMapping] = mappings or [{"SubnetId": subnet} for subnet in subnets]
    wanted = {mapping.get("SubnetId") or "": mapping for mapping in given}
    if len(wanted) < len(given):
        raise invalid("A subnet cannot be specified more than once")
    return wanted


def checked_type(wanted: IpType, kind: Kind, scheme: Scheme) -> IpType:
    """Raises InvalidConfigurationRequest.

    The model says that internal ones must use `ipv4`, and what `ipv6.deny_all_igw_traffic` is for those that do not;
    the user guides ("IP address type", and how one is created) let them be `dualstack`.
    """
    if wanted == "dualstack-without-public-ipv4" and (kind != "application" or scheme == "internal"):
        which = f"type '{kind}'" if kind != "application" else "scheme 'internal'"
        raise t.InvalidConfigurationRequestException(
            f"The IP address type '{wanted}' is not supported for load balancers with {which}"
        )
    return wanted


async def check_blocks(call: Call, subnets: Sequence[str], ip_type: IpType) -> None:
    """That subnets have what the addresses need. Raises ValidationError."""
    _check_blocks((await call.aws.ec2.describe_subnets(SubnetIds=list(subnets)))["Subnets"], ip_type)


def _check_blocks(found: Sequence[Mapping[str, Any]], ip_type: IpType) -> None:
    if ip_type != "ipv4" and not all(subnet.get("Ipv6CidrBlockAssociationSet") for subnet in found):
        raise invalid("You must specify subnets with an associated IPv6 CIDR block.")


async def checked_subnets(
    call: Call, req: Mapping[str, Any], kind: Kind, scheme: Scheme, ip_type: IpType, prefixes: bool
) -> Where:
    """Raises ValidationError, SubnetNotFound, InvalidSubnet, InvalidConfigurationRequest, AllocationIdNotFound."""
    mappings = _wanted(req, kind)
    wanted = list(mappings)
    if not wanted:
        raise invalid("You must specify subnets")
    try:
        found = (await call.aws.ec2.describe_subnets(SubnetIds=list(wanted)))["Subnets"]
    except AwsError as error:
        raise _no_subnet(wanted, error) from error
    by_id = {subnet["SubnetId"]: subnet for subnet in found}
    if only6 := [subnet["SubnetId"] for subnet in found if subnet.get("Ipv6Native")]:
        raise t.InvalidSubnetException(f"The subnets [{', '.join(only6)}] have IPv6 only")
    _check_blocks(found, ip_type)
    if len({subnet["VpcId"] for subnet in found}) > 1:
        raise t.InvalidConfigurationRequestException("The subnets of a load balancer must belong to the same VPC")
    places = tuple(
        Place(
            subnet=id_,
            zone=by_id[id_]["AvailabilityZone"],
            token=call.ids.hex(32),
            address=mappings[id_].get("PrivateIPv4Address") or "",
            allocation=mappings[id_].get("AllocationId") or "",
            address6=_canonical(mappings[id_].get("IPv6Address") or ""),
            prefix6=_prefix(mappings[id_].get("SourceNatIpv6Prefix") or _ANY),
        )
        for id_ in sorted(wanted)
    )
    zones = {place.zone for place in places}
    if len(zones) < len(places):
        raise t.InvalidConfigurationRequestException(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        )
    await _check_addresses(call, places, by_id, scheme)
    _check_addresses6(places, by_id, ip_type)
    if not prefixes and any("SourceNatIpv6Prefix" in mapping for mapping in mappings.values()):
        raise t.InvalidConfigurationRequestException(
            "SourceNatIpv6Prefix can be specified only when EnablePrefixForIpv6SourceNat is 'on'"
        )
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


def _check_addresses6(places: Sequence[Place], subnets: Mapping[str, Mapping[str, Any]], ip_type: IpType) -> None:
    for place in places:
        if place.address6 and ip_type == "ipv4":
            raise t.InvalidConfigurationRequestException(
                "IPv6 addresses are not supported for load balancers with the IP address type 'ipv4'"
            )
        blocks = [each["Ipv6CidrBlock"] for each in subnets[place.subnet].get("Ipv6CidrBlockAssociationSet") or ()]
        if place.address6 and not any(_within(place.address6, block) for block in blocks):
            raise t.InvalidConfigurationRequestException(
                f"The IPv6 address '{place.address6}' is not within the block {blocks} of its subnet"
            )
        if place.prefix6 and not any(_is_prefix(place.prefix6, block) for block in blocks):
            raise t.InvalidConfigurationRequestException(
                f"The source NAT IPv6 prefix '{place.prefix6}' is not a prefix with the length 80 within the block "
                f"{blocks} of its subnet"
            )


def _canonical(address: str) -> str:
    """As EC2 writes it; what is no address stays as it is."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def _prefix(wanted: str) -> str:
    """As EC2 writes it; "": any."""
    try:
        return "" if wanted == _ANY else str(IPv6Network(wanted))
    except ValueError:
        return wanted


def _is_prefix(prefix: str, block: str) -> bool:
    try:
        network = IPv6Network(prefix)
    except ValueError:
        return False
    return "%" not in prefix and network.prefixlen == _LENGTH and network.subnet_of(IPv6Network(block))


def _within(address: str, block: str) -> bool:
    try:
        return "%" not in address and ip_address(address) in ip_network(block)
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
