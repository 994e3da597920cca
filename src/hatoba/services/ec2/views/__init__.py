"""Record → API shape. Every shape ends with its owner and tags, as EC2 has it.

Each function takes the record and what it cannot know by itself (tags, associations, the records it names); nothing
here looks anything up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hatoba.aws.shapes import ec2 as t
from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from hatoba.services.ec2.model.address import Elastic
from hatoba.services.ec2.model.dhcp import default_options, domain_of
from hatoba.services.ec2.model.interface import Eni, Translation, of_balancer
from hatoba.services.ec2.model.network import Block, Subnet, Vpc

Tags = Mapping[str, str]


def tags(given: Tags) -> list[t.Tag]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def cidr_association_id(record: Vpc) -> str:
    return record.id.replace("vpc-", "vpc-cidr-assoc-", 1)


def cidr_association(id_: str, cidr: str, state: t.VpcCidrBlockStateCode = "associated") -> t.VpcCidrBlockAssociation:
    return {"AssociationId": id_, "CidrBlock": cidr, "CidrBlockState": {"State": state}}


def cidr6_association(
    block: Block, region: str, state: t.VpcCidrBlockStateCode = "associated"
) -> t.VpcIpv6CidrBlockAssociation:
    return {
        "AssociationId": block.id,
        "Ipv6CidrBlock": block.cidr,
        "Ipv6CidrBlockState": {"State": state},
        "Ipv6Pool": "Amazon",
        "NetworkBorderGroup": region,
        "IpSource": "amazon",
        "Ipv6AddressAttribute": "public",
    }


def subnet_association(
    block: Block, state: t.SubnetCidrBlockStateCode = "associated"
) -> t.SubnetIpv6CidrBlockAssociation:
    return {
        "AssociationId": block.id,
        "Ipv6CidrBlock": block.cidr,
        "Ipv6CidrBlockState": {"State": state},
        "IpSource": "amazon",
        "Ipv6AddressAttribute": "public",
    }


def vpc(record: Vpc, own: Tags, *, state6: t.VpcCidrBlockStateCode = "associated") -> t.Vpc:
    block6 = record.block6
    return {
        "VpcId": record.id,
        "CidrBlock": record.cidr,
        "CidrBlockAssociationSet": [
            cidr_association(cidr_association_id(record), record.cidr),
            *(cidr_association(block.id, block.cidr) for block in record.further),
        ],
        "Ipv6CidrBlockAssociationSet": [cidr6_association(block6, record.key.region, state6)] if block6 else [],
        "DhcpOptionsId": record.dhcp or default_options(record.scope).id,
        "InstanceTenancy": "dedicated" if record.tenancy == "dedicated" else "default",
        "IsDefault": record.is_default,
        "State": "available",
        "OwnerId": record.key.account,
        "Tags": tags(own),
    }


_REGION = re.compile(r"([a-z]+)((?:-[a-z]+)+)-(\d+)")
_POINTS = {"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}


def zone_id(zone: str) -> str:
    """`ap-southeast-1a` → `apse1-az1`: the same physical zone has the same id for every account."""
    region, number = zone[:-1], ord(zone[-1]) - ord("a") + 1
    known = _REGION.fullmatch(region)
    if known is None:  # a region that somebody made up
        return f"{region}-az{number}"
    words = known[2].split("-")
    return f"{known[1]}{''.join(_POINTS.get(word, word[:1]) for word in words)}{known[3]}-az{number}"


def subnet(record: Subnet, available: int, own: Tags, *, state6: t.SubnetCidrBlockStateCode = "associated") -> t.Subnet:
    key, block6 = record.key, record.block6
    shown: t.Subnet = {
        "SubnetId": record.id,
        "SubnetArn": f"arn:{key.partition}:ec2:{key.region}:{key.account}:subnet/{record.id}",
        "VpcId": record.vpc,
        "AvailableIpAddressCount": available,
        "AvailabilityZone": record.zone,
        "AvailabilityZoneId": zone_id(record.zone),
        "DefaultForAz": record.default_for_zone,
        "MapPublicIpOnLaunch": record.map_public,
        "AssignIpv6AddressOnCreation": record.assign6,
        "Ipv6CidrBlockAssociationSet": [subnet_association(block6, state6)] if block6 else [],
        "Ipv6Native": record.only6,
        "EnableDns64": False,
        "MapCustomerOwnedIpOnLaunch": False,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": record.hostname_type,
            "EnableResourceNameDnsARecord": record.dns_a,
            "EnableResourceNameDnsAAAARecord": record.dns_aaaa,
        },
        "State": "available",
        "OwnerId": key.account,
        "Tags": tags(own),
    }
    if record.cidr is not None:
        shown["CidrBlock"] = record.cidr
    return shown


def private_name(address: str, region: str) -> str:
    dashed = address.replace(".", "-")
    return f"ip-{dashed}.{domain_of(region)}"


def public_name(address: str, region: str) -> str:
    dashed = address.replace(".", "-")
    where = "compute-1" if region == "us-east-1" else f"{region}.compute"
    return f"ec2-{dashed}.{where}.amazonaws.com"


def attached_by(record: Eni) -> str:
    """The owner of what it is attached to."""
    if of_balancer(record):
        return "amazon-elb"
    return record.key.account if record.requester is None else "amazon-aws"


def attachment_id(record: Eni) -> str:
    return f"ela-attach-{record.id.removeprefix('eni-')}"


def address(record: Elastic, eni: Eni | None, translation: Translation | None, primary: str, own: Tags) -> t.Address:
    """`primary` is the interface's own address."""
    shown: t.Address = {
        "AllocationId": record.id,
        "Domain": "vpc",
        "NetworkBorderGroup": record.key.region,
        "PublicIp": record.public,
        "PublicIpv4Pool": "amazon",
        "Tags": tags(own),
    }
    if eni is not None and translation is not None and translation.id is not None:
        shown["AssociationId"] = translation.id
        shown["NetworkInterfaceId"] = eni.id
        shown["NetworkInterfaceOwnerId"] = eni.key.account
        shown["PrivateIpAddress"] = translation.private or primary
    return shown


def network_interface(
    record: Eni, interface: fleet.Interface, in_use: bool, group_names: Mapping[str, str], own: Tags
) -> t.NetworkInterface:
    four = [held for held in (interface.address, *interface.further) if held and ":" not in held]
    held = [_held(record, interface, private) for private in four]
    first6 = interface.address6
    six = [first6, *(held for held in interface.further if ":" in held)] if first6 is not None else []
    shown: t.NetworkInterface = {
        "NetworkInterfaceId": record.id,
        "VpcId": record.vpc,
        "SubnetId": record.subnet,
        "AvailabilityZone": record.zone,
        "AvailabilityZoneId": zone_id(record.zone),
        "Description": record.description,
        "Groups": [{"GroupId": id_, "GroupName": group_names.get(id_, "")} for id_ in interface.groups],
        "InterfaceType": record.kind,
        "Ipv6Addresses": [
            {"Ipv6Address": address, "IsPrimaryIpv6": record.primary6 and address == first6} for address in six
        ],
        "MacAddress": interface.mac,
        "OwnerId": record.key.account,
        "PrivateIpAddresses": held,
        "RequesterManaged": record.requester is not None,
        "SourceDestCheck": record.source_check,
        "Status": "in-use" if in_use else "available",
        "TagSet": tags(own),
    }
    if record.requester is not None:
        shown["RequesterId"] = record.requester
    if not interface.address:
        shown["Ipv6Native"] = True
    else:
        shown["PrivateDnsName"] = private_name(interface.address, record.key.region)
        shown["PrivateIpAddress"] = interface.address
    if first6 is not None:
        shown["Ipv6Address"] = first6
    if blocks := [block for block in interface.blocks if ":" not in block]:
        shown["Ipv4Prefixes"] = [{"Ipv4Prefix": block} for block in blocks]
    if blocks6 := [block for block in interface.blocks if ":" in block]:
        shown["Ipv6Prefixes"] = [{"Ipv6Prefix": block} for block in blocks6]
    if held and "Association" in held[0]:
        shown["Association"] = held[0]["Association"]
    if in_use:
        shown["Attachment"] = {
            "AttachmentId": attachment_id(record),
            "AttachTime": record.created,
            "DeleteOnTermination": False,
            "DeviceIndex": 1,
            "InstanceOwnerId": attached_by(record),
            "Status": "attached",
        }
    return shown


def _held(record: Eni, interface: fleet.Interface, private: str) -> t.NetworkInterfacePrivateIpAddress:
    """One of an interface's addresses, with the public one that stands for it."""
    primary, region = private == interface.address, record.key.region
    shown: t.NetworkInterfacePrivateIpAddress = {
        "Primary": primary,
        "PrivateDnsName": private_name(private, region),
        "PrivateIpAddress": private,
    }
    for each in record.translations:
        if each.private == (None if primary else private):
            shown["Association"] = {
                "IpOwnerId": "amazon" if each.allocation is None else record.key.account,
                "PublicDnsName": public_name(each.public, region),
                "PublicIp": each.public,
            }
            if each.id is not None:
                shown["Association"]["AssociationId"] = each.id
            if each.allocation is not None:
                shown["Association"]["AllocationId"] = each.allocation
    return shown


def availability_zone(scope: Scope, zone: str) -> t.AvailabilityZone:
    return {
        "ZoneName": zone,
        "ZoneId": zone_id(zone),
        "RegionName": scope.region,
        "GroupName": f"{scope.region}-zg-1",
        "NetworkBorderGroup": scope.region,
        "ZoneType": "availability-zone",
        "OptInStatus": "opt-in-not-required",
        "State": "available",
        "Messages": [],
    }
