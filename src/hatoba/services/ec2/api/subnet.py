"""Subnets.

A new one follows its VPC's main route table and default network ACL. What `ModifySubnetAttribute` says of machines'
names is kept and told.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import (
    OF_POOLS,
    bad_token,
    described,
    dry_run,
    ec2,
    one_attribute,
    own_tags,
    refuse_turned_on,
    refuse_unknown,
    sized_block,
    tag_new,
)
from hatoba.services.ec2.defaults import default_vpc, ensure_default, put_default_subnet, zones
from hatoba.services.ec2.filters import check, flag
from hatoba.services.ec2.model import quotas
from hatoba.services.ec2.model.acl import refresh_acls
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.blocks6 import new_block, subnet_block
from hatoba.services.ec2.model.errors import dependency, invalid, missing
from hatoba.services.ec2.model.interface import enis
from hatoba.services.ec2.model.network import Subnet, Vpc, available, subnets, the_subnet, the_vpc
from hatoba.services.ec2.model.routes import route_tables
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.store.store import View


def _zone(req: t.CreateSubnetRequest | t.CreateDefaultSubnetRequest, call: Call) -> str:
    if "AvailabilityZone" in req and "AvailabilityZoneId" in req:
        raise invalid(
            "Only one of availabilityZone and availabilityZoneId must be specified.", "InvalidParameterCombination"
        )
    known = zones(call.scope.region)
    zone = req.get("AvailabilityZone")
    if zone is None and "AvailabilityZoneId" in req:
        zone = next((name for name in known if views.zone_id(name) == req["AvailabilityZoneId"]), "")
    if zone is None:
        return known[0]
    if zone not in known:
        names = ", ".join(known)
        raise invalid(
            f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently only be created in the "
            f"following availability zones: {names}."
        )
    return zone


def _overlaps(view: View, vpc: str, cidr: IPv4Network) -> bool:
    return any(other.cidr and cidr.overlaps(other.network) for other in view.index(subnets, "vpc", vpc))


def _only6(req: t.CreateSubnetRequest) -> bool:
    """Raises MissingParameter, InvalidParameterCombination."""
    if not req.get("Ipv6Native"):
        if "CidrBlock" not in req:
            raise missing("cidrBlock")
        return False
    if "CidrBlock" in req:
        raise invalid(
            "The parameter cidrBlock cannot be used with the parameter ipv6Native", "InvalidParameterCombination"
        )
    if "Ipv6CidrBlock" not in req:
        raise missing("ipv6CidrBlock")
    return True


def _cidr(view: View, vpc: Vpc, req: t.CreateSubnetRequest) -> str:
    """Raises InvalidSubnet.Range, InvalidSubnet.Conflict."""
    cidr = sized_block(req.get("CidrBlock", ""), "Subnet")
    if not any(cidr.subnet_of(IPv4Network(block)) for block in vpc.cidrs):
        raise invalid(f"The CIDR '{cidr}' is invalid.", "InvalidSubnet.Range")
    if _overlaps(view, vpc.id, cidr):
        raise invalid(f"The CIDR '{cidr}' conflicts with another subnet", "InvalidSubnet.Conflict")
    return str(cidr)


@ec2.operation
async def create_subnet(req: t.CreateSubnetRequest, call: Call) -> t.CreateSubnetResult:
    dry_run(req)
    refuse_unknown(req, *OF_POOLS, "OutpostArn")
    only6 = _only6(req)
    ensure_default(call)
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        quotas.check(tx.count(subnets, "vpc", vpc.id), quotas.SUBNETS, "subnets", "SubnetLimitExceeded")
        cidr = None if only6 else _cidr(tx, vpc, req)
        block6 = subnet_block(tx, vpc, req["Ipv6CidrBlock"]) if "Ipv6CidrBlock" in req else None
        subnet = tx.put(
            subnets,
            Subnet(
                key=subnets.key(call.scope, resource_id(call.ids, "subnet")),
                vpc=vpc.id,
                cidr=cidr,
                zone=_zone(req, call),
                assign6=only6,
                hostname_type="resource-name" if only6 else "ip-name",
                dns_aaaa=only6,
                block6=new_block(call.ids, block6) if block6 is not None else None,
            ),
        )
        refresh_acls(tx, call.scope, vpc.id)
        refresh_ways(tx, call.scope, vpc.id)
        tag_new(tx, call, subnet.id, req)
    return {"Subnet": _view(call, subnet, "associating")}


@ec2.operation
async def create_default_subnet(req: t.CreateDefaultSubnetRequest, call: Call) -> t.CreateDefaultSubnetResult:
    dry_run(req)
    refuse_unknown(req, "Ipv6Native")
    if "AvailabilityZone" not in req and "AvailabilityZoneId" not in req:
        raise missing("availabilityZone")
    ensure_default(call)
    zone = _zone(req, call)
    with call.tx() as tx:
        vpc = default_vpc(tx, call.scope)
        if vpc is None:
            raise invalid("There is no default VPC in this region.", "DefaultVpcDoesNotExist")
        for known in tx.index(subnets, "vpc", vpc.id):
            if known.default_for_zone and known.zone == zone:
                raise invalid(
                    f"'{known.id}' is already the default subnet in {zone}.",
                    "DefaultSubnetAlreadyExistsInAvailabilityZone",
                )
        cidr = next((c for c in IPv4Network(vpc.cidr).subnets(new_prefix=20) if not _overlaps(tx, vpc.id, c)), None)
        if cidr is None:
            raise invalid(
                f"There is not enough unused space in {vpc.id} for a default subnet.",
                "InsufficientFreeAddressesInSubnet",
            )
        subnet = put_default_subnet(tx, call.ids, vpc, zone, str(cidr))
        refresh_acls(tx, call.scope, vpc.id)
        refresh_ways(tx, call.scope, vpc.id)
    return {"Subnet": _view(call, subnet)}


@ec2.operation
async def describe_subnets(req: t.DescribeSubnetsRequest, call: Call) -> t.DescribeSubnetsResult:
    ensure_default(call)
    page, token = described(
        call,
        subnets,
        req,
        {
            "subnet-id": lambda subnet: (subnet.id,),
            "vpc-id": lambda subnet: (subnet.vpc,),
            "available-ip-address-count": lambda subnet: (str(available(call.store, subnet)),),
            "cidr": lambda subnet: (subnet.cidr,),
            "cidr-block": lambda subnet: (subnet.cidr,),
            "cidrBlock": lambda subnet: (subnet.cidr,),
            "availability-zone": lambda subnet: (subnet.zone,),
            "availabilityZone": lambda subnet: (subnet.zone,),
            "availability-zone-id": lambda subnet: (views.zone_id(subnet.zone),),
            "default-for-az": lambda subnet: flag(subnet.default_for_zone),
            "defaultForAz": lambda subnet: flag(subnet.default_for_zone),
            "availabilityZoneId": lambda subnet: (views.zone_id(subnet.zone),),
            "enable-dns64": lambda subnet: flag(False),
            "ipv6-cidr-block-association.ipv6-cidr-block": lambda subnet: (
                (subnet.block6.cidr,) if subnet.block6 else ()
            ),
            "ipv6-cidr-block-association.association-id": lambda subnet: (subnet.block6.id,) if subnet.block6 else (),
            "ipv6-cidr-block-association.state": lambda subnet: ("associated",) if subnet.block6 else (),
            "ipv6-native": lambda subnet: flag(subnet.only6),
            "outpost-arn": lambda subnet: (),
            "customer-owned-ipv4-pool": lambda subnet: (),
            "enable-lni-at-device-index": lambda subnet: (),
            "map-customer-owned-ip-on-launch": lambda subnet: flag(False),
            "private-dns-name-options-on-launch.hostname-type": lambda subnet: (subnet.hostname_type,),
            "private-dns-name-options-on-launch.enable-resource-name-dns-a-record": lambda subnet: flag(subnet.dns_a),
            "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": lambda subnet: flag(
                subnet.dns_aaaa
            ),
            "map-public-ip-on-launch": lambda subnet: flag(subnet.map_public),
            "owner-id": lambda subnet: (subnet.key.account,),
            "state": lambda subnet: ("available",),
            "subnet-arn": lambda subnet: (arn(call.scope, subnet.id),),
        },
        ids="SubnetIds",
        kind="subnet",
        indexed={"vpc-id": "vpc"},
    )
    return {"Subnets": [_view(call, subnet) for subnet in page], **next_token(token)}


def _view(call: Call, subnet: Subnet, state6: t.SubnetCidrBlockStateCode = "associated") -> t.Subnet:
    return views.subnet(subnet, available(call.store, subnet), own_tags(call, subnet.id), state6=state6)


@ec2.operation
async def delete_subnet(req: t.DeleteSubnetRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        subnet = the_subnet(tx, call.scope, req["SubnetId"])
        if tx.count(enis, "subnet", subnet.id):
            raise dependency(f"The subnet '{subnet.id}'")
        for table in tx.index(route_tables, "subnet", subnet.id):
            left = tuple(a for a in table.associations if a.subnet != subnet.id)
            tx.put(route_tables, replace(table, associations=left))
        tx.forget(subnets, subnet.key)
        refresh_acls(tx, call.scope, subnet.vpc)
        refresh_ways(tx, call.scope, subnet.vpc)
        forget_tags(tx, call.scope, arn(call.scope, subnet.id))


@ec2.operation
async def modify_subnet_attribute(req: t.ModifySubnetAttributeRequest, call: Call) -> None:
    one_attribute(req, "SubnetId")
    refuse_turned_on(req, "EnableDns64", "MapCustomerOwnedIpOnLaunch")
    refuse_unknown(req, "CustomerOwnedIpv4Pool", "EnableLniAtDeviceIndex", "DisableLniAtDeviceIndex")
    with call.tx() as tx:
        subnet = the_subnet(tx, call.scope, req["SubnetId"])
        if "MapPublicIpOnLaunch" in req:
            wanted = req["MapPublicIpOnLaunch"].get("Value", False)
            _refuse_in_only6(subnet, wanted, "map-public-ip-on-launch", "true")
            subnet = replace(subnet, map_public=wanted)
        if "AssignIpv6AddressOnCreation" in req:
            subnet = _assigning(subnet, req["AssignIpv6AddressOnCreation"].get("Value", False))
        if "PrivateDnsHostnameTypeOnLaunch" in req:
            kind = req["PrivateDnsHostnameTypeOnLaunch"]
            _refuse_in_only6(subnet, kind == "ip-name", "private-dns-hostname-type-on-launch", kind)
            subnet = replace(subnet, hostname_type=kind)
        if "EnableResourceNameDnsARecordOnLaunch" in req:
            subnet = replace(subnet, dns_a=req["EnableResourceNameDnsARecordOnLaunch"].get("Value", False))
        if "EnableResourceNameDnsAAAARecordOnLaunch" in req:
            subnet = replace(subnet, dns_aaaa=req["EnableResourceNameDnsAAAARecordOnLaunch"].get("Value", False))
        tx.put(subnets, subnet)


def _refuse_in_only6(subnet: Subnet, wrong: bool, attribute: str, value: str) -> None:
    if wrong and subnet.only6:
        raise invalid(f"Invalid value '{value}' for {attribute}. The subnet ({subnet.id}) is IPv6-only.")


def _assigning(subnet: Subnet, wanted: bool) -> Subnet:
    """New interfaces get an IPv6 address, or do not: those of an IPv6-only subnet always do."""
    _refuse_in_only6(subnet, not wanted, "assign-ipv6-address-on-creation", "false")
    if wanted and subnet.block6 is None:
        raise invalid(
            "Invalid value 'true' for assign-ipv6-address-on-creation. Cannot set assign-ipv6-address-on-creation to "
            f"true unless the subnet ({subnet.id}) has an IPv6 CIDR block associated with it."
        )
    return replace(subnet, assign6=wanted)


@ec2.operation
async def get_subnet_cidr_reservations(
    req: t.GetSubnetCidrReservationsRequest, call: Call
) -> t.GetSubnetCidrReservationsResult:
    """There are none, and none can be made yet."""
    the_subnet(call.store, call.scope, req["SubnetId"])
    check(req.get("Filters", ()), ("reservationType", "subnet-id"))
    if "NextToken" in req:
        raise bad_token()
    return {"SubnetIpv4CidrReservations": [], "SubnetIpv6CidrReservations": []}
