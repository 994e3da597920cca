"""VPCs."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import arn, block, described, dry_run, ec2, own_tags, tag_new
from hatoba.services.ec2.defaults import create_vpc as new_vpc
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.filters import flag
from hatoba.services.ec2.model.errors import dependency, in_the_way, missing, not_found
from hatoba.services.ec2.model.group import forget_group, groups
from hatoba.services.ec2.model.interface import enis
from hatoba.services.ec2.model.network import forget_vpc, put_vpc, subnets, the_vpc, vpcs
from hatoba.services.ec2.model.routes import internet_gateways, route_tables


@ec2.operation
async def create_vpc(req: t.CreateVpcRequest, call: Call) -> t.CreateVpcResult:
    dry_run(req)
    if "CidrBlock" not in req:
        raise missing("CidrBlock")
    ensure_default(call)
    cidr = block(req["CidrBlock"])
    with call.tx() as tx:
        vpc = new_vpc(tx, call.ids, call.scope, str(cidr), tenancy=req.get("InstanceTenancy", "default"))
        tag_new(tx, call, vpc.id, req)
    return {"Vpc": views.vpc(vpc, own_tags(call, vpc.id))}


@ec2.operation
async def describe_vpcs(req: t.DescribeVpcsRequest, call: Call) -> t.DescribeVpcsResult:
    ensure_default(call)
    page, token = described(
        call,
        call.store.scan(vpcs, call.scope),
        req,
        {
            "vpc-id": lambda vpc: (vpc.id,),
            "cidr": lambda vpc: (vpc.cidr,),
            "cidr-block-association.cidr-block": lambda vpc: (vpc.cidr,),
            "is-default": lambda vpc: flag(vpc.is_default),
            "isDefault": lambda vpc: flag(vpc.is_default),
            "owner-id": lambda vpc: (vpc.key.account,),
            "state": lambda vpc: ("available",),
            "dhcp-options-id": lambda vpc: (vpc.dhcp_options,),
        },
        ids="VpcIds",
        missing=lambda id_: not_found(id_, "vpc"),
    )
    answer: t.DescribeVpcsResult = {"Vpcs": [views.vpc(vpc, own_tags(call, vpc.id)) for vpc in page]}
    if token is not None:
        answer["NextToken"] = token
    return answer


@ec2.operation
async def delete_vpc(req: t.DeleteVpcRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        left = [group for group in tx.index(groups, "vpc", vpc.id) if group.name != "default"]
        tables = [table for table in tx.index(route_tables, "vpc", vpc.id) if not table.main]
        busy = (
            tx.count(subnets, "vpc", vpc.id)
            or tx.count(internet_gateways, "vpc", vpc.id)
            or tx.count(enis, "vpc", vpc.id)
        )
        if left or tables or busy:
            raise dependency(f"The vpc '{vpc.id}'")
        if any(workload.network == vpc.id for workload in tx.all(fleet.workloads)):
            raise in_the_way(f"Tasks are still running in the vpc '{vpc.id}'.")
        for group in tx.index(groups, "vpc", vpc.id):
            forget_group(tx, group)
        for table in tx.index(route_tables, "vpc", vpc.id):
            tx.forget(route_tables, table.key)
        forget_vpc(tx, vpc)
        forget_tags(tx, call.scope, arn(call.scope, vpc.id))


@ec2.operation
async def describe_vpc_attribute(req: t.DescribeVpcAttributeRequest, call: Call) -> t.DescribeVpcAttributeResult:
    ensure_default(call)
    vpc = the_vpc(call.store, call.scope, req["VpcId"])
    match req["Attribute"]:
        case "enableDnsSupport":
            return {"VpcId": vpc.id, "EnableDnsSupport": {"Value": vpc.dns_support}}
        case "enableDnsHostnames":
            return {"VpcId": vpc.id, "EnableDnsHostnames": {"Value": vpc.dns_hostnames}}
    return {"VpcId": vpc.id, "EnableNetworkAddressUsageMetrics": {"Value": False}}


@ec2.operation
async def modify_vpc_attribute(req: t.ModifyVpcAttributeRequest, call: Call) -> None:
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        if "EnableDnsSupport" in req:
            vpc = replace(vpc, dns_support=req["EnableDnsSupport"].get("Value", True))
        if "EnableDnsHostnames" in req:
            vpc = replace(vpc, dns_hostnames=req["EnableDnsHostnames"].get("Value", False))
        put_vpc(tx, vpc)
