"""Subnets."""

from __future__ import annotations

from ipaddress import IPv4Network

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import arn, block, described, dry_run, ec2, own_tags, tag_new
from hatoba.services.ec2.defaults import ensure_default, zones
from hatoba.services.ec2.filters import flag
from hatoba.services.ec2.model.errors import dependency, invalid, missing, not_found
from hatoba.services.ec2.model.interface import enis
from hatoba.services.ec2.model.network import Subnet, available, subnets, the_subnet, the_vpc
from hatoba.services.ec2.model.routes import route_tables


def _zone(req: t.CreateSubnetRequest, call: Call) -> str:
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


@ec2.operation
async def create_subnet(req: t.CreateSubnetRequest, call: Call) -> t.CreateSubnetResult:
    dry_run(req)
    if "CidrBlock" not in req:
        raise missing("CidrBlock")
    ensure_default(call)
    cidr = block(req["CidrBlock"], name="cidrBlock")
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        if not cidr.subnet_of(IPv4Network(vpc.cidr)):
            raise invalid(f"The CIDR '{cidr}' is invalid.", "InvalidSubnet.Range")
        if any(cidr.overlaps(IPv4Network(other.cidr)) for other in tx.index(subnets, "vpc", vpc.id)):
            raise invalid(f"The CIDR '{cidr}' conflicts with another subnet", "InvalidSubnet.Conflict")
        id_ = resource_id(call.ids, "subnet")
        record = Subnet(key=subnets.key(call.scope, id_), vpc=vpc.id, cidr=str(cidr), zone=_zone(req, call))
        subnet = tx.put(subnets, record)
        tag_new(tx, call, subnet.id, req)
    return {"Subnet": _view(call, subnet)}


@ec2.operation
async def describe_subnets(req: t.DescribeSubnetsRequest, call: Call) -> t.DescribeSubnetsResult:
    ensure_default(call)
    page, token = described(
        call,
        call.store.scan(subnets, call.scope),
        req,
        {
            "subnet-id": lambda subnet: (subnet.id,),
            "vpc-id": lambda subnet: (subnet.vpc,),
            "cidr": lambda subnet: (subnet.cidr,),
            "cidr-block": lambda subnet: (subnet.cidr,),
            "cidrBlock": lambda subnet: (subnet.cidr,),
            "availability-zone": lambda subnet: (subnet.zone,),
            "availabilityZone": lambda subnet: (subnet.zone,),
            "availability-zone-id": lambda subnet: (views.zone_id(subnet.zone),),
            "default-for-az": lambda subnet: flag(subnet.default_for_zone),
            "defaultForAz": lambda subnet: flag(subnet.default_for_zone),
            "map-public-ip-on-launch": lambda subnet: flag(subnet.map_public),
            "owner-id": lambda subnet: (subnet.key.account,),
            "state": lambda subnet: ("available",),
            "subnet-arn": lambda subnet: (arn(call.scope, subnet.id),),
        },
        ids="SubnetIds",
        missing=lambda id_: not_found(id_, "subnet"),
    )
    answer: t.DescribeSubnetsResult = {"Subnets": [_view(call, subnet) for subnet in page]}
    if token is not None:
        answer["NextToken"] = token
    return answer


def _view(call: Call, subnet: Subnet) -> t.Subnet:
    return views.subnet(subnet, available(call.store, subnet), own_tags(call, subnet.id))


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
        forget_tags(tx, call.scope, arn(call.scope, subnet.id))


@ec2.operation
async def modify_subnet_attribute(req: t.ModifySubnetAttributeRequest, call: Call) -> None:
    with call.tx() as tx:
        subnet = the_subnet(tx, call.scope, req["SubnetId"])
        if "MapPublicIpOnLaunch" in req:
            tx.put(subnets, replace(subnet, map_public=req["MapPublicIpOnLaunch"].get("Value", False)))
        else:
            raise invalid("Only MapPublicIpOnLaunch can be modified here.", "UnsupportedOperation")
