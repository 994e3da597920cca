"""VPCs.

Each comes with a main route table, a default security group and a default network ACL, which go with it; whatever else
is in it is in the way of its deletion.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from hatoba.aws.shapes import ec2 as t
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import (
    OF_POOLS,
    described,
    dry_run,
    ec2,
    one_attribute,
    own_tags,
    provided_block6,
    refuse_unknown,
    sized_block,
    tag_new,
)
from hatoba.services.ec2.defaults import create_default_vpc as new_default_vpc
from hatoba.services.ec2.defaults import create_vpc as new_vpc
from hatoba.services.ec2.defaults import default_vpc, ensure_default
from hatoba.services.ec2.filters import flag
from hatoba.services.ec2.model import quotas
from hatoba.services.ec2.model.acl import acls_in, network_acls
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.blocks6 import give_block
from hatoba.services.ec2.model.dhcp import default_options
from hatoba.services.ec2.model.endpoint import vpc_endpoints
from hatoba.services.ec2.model.errors import dependency, in_the_way, invalid, missing
from hatoba.services.ec2.model.group import forget_group, groups
from hatoba.services.ec2.model.interface import PublicPool, enis
from hatoba.services.ec2.model.network import forget_vpc, put_vpc, subnets, the_vpc, vpcs
from hatoba.services.ec2.model.peering import ended, peerings, put_peering
from hatoba.services.ec2.model.routes import egress_gateways, internet_gateways, route_tables
from hatoba.services.ec2.model.ways import refresh_both_ways


def vpc_block(text: str, call: Call) -> IPv4Network:
    """Raises InvalidVpc.Range, also for what the platform itself needs."""
    cidr = sized_block(text, "Vpc")
    pool = call.get(PublicPool).network
    for used, why in ((pool, "this platform's public addresses"), *_RESERVED):
        if cidr.overlaps(IPv4Network(used)):
            raise invalid(f"The CIDR '{text}' is invalid. It overlaps {used}, {why}.", "InvalidVpc.Range")
    return cidr


_RESERVED = (
    ("0.0.0.0/8", "which is nobody's"),
    ("127.0.0.0/8", "each machine's own addresses"),
    ("169.254.0.0/16", "the link-local addresses"),
    ("224.0.0.0/3", "which is for groups of machines"),
)


@ec2.operation
async def create_vpc(req: t.CreateVpcRequest, call: Call) -> t.CreateVpcResult:
    dry_run(req)
    refuse_unknown(req, *OF_POOLS, "VpcEncryptionControl")
    if "CidrBlock" not in req:
        raise missing("cidrBlock")
    if req.get("InstanceTenancy") == "host":  # in the model, and not for VPCs
        raise invalid("Value (host) for parameter instanceTenancy is invalid.")
    with_ipv6 = provided_block6(req, call)
    ensure_default(call)
    cidr = vpc_block(req["CidrBlock"], call)
    with call.tx() as tx:
        quotas.check(tx.size(vpcs, call.scope), quotas.VPCS, "VPCs", "VpcLimitExceeded")
        vpc = new_vpc(tx, call.ids, call.scope, str(cidr), tenancy=req.get("InstanceTenancy", "default"))
        if with_ipv6:
            vpc = give_block(tx, call.ids, vpc, call.get(PublicPool))
        tag_new(tx, call, vpc.id, req)
    return {"Vpc": views.vpc(vpc, own_tags(call, vpc.id), state6="associating")}


@ec2.operation
async def describe_vpcs(req: t.DescribeVpcsRequest, call: Call) -> t.DescribeVpcsResult:
    ensure_default(call)
    page, token = described(
        call,
        vpcs,
        req,
        {
            "vpc-id": lambda vpc: (vpc.id,),
            "cidr": lambda vpc: (vpc.cidr,),
            "cidr-block": lambda vpc: (vpc.cidr,),
            "cidr-block-association.cidr-block": lambda vpc: vpc.cidrs,
            "cidr-block-association.association-id": lambda vpc: (
                views.cidr_association_id(vpc),
                *(block.id for block in vpc.further),
            ),
            "cidr-block-association.state": lambda vpc: ("associated",),
            "ipv6-cidr-block-association.ipv6-cidr-block": lambda vpc: (vpc.block6.cidr,) if vpc.block6 else (),
            "ipv6-cidr-block-association.ipv6-pool": lambda vpc: ("Amazon",) if vpc.block6 else (),
            "ipv6-cidr-block-association.association-id": lambda vpc: (vpc.block6.id,) if vpc.block6 else (),
            "ipv6-cidr-block-association.state": lambda vpc: ("associated",) if vpc.block6 else (),
            "is-default": lambda vpc: flag(vpc.is_default),
            "isDefault": lambda vpc: flag(vpc.is_default),
            "owner-id": lambda vpc: (vpc.key.account,),
            "state": lambda vpc: ("available",),
            "dhcp-options-id": lambda vpc: (vpc.dhcp or default_options(call.scope).id,),
        },
        ids="VpcIds",
        kind="vpc",
    )
    return {"Vpcs": [views.vpc(vpc, own_tags(call, vpc.id)) for vpc in page], **next_token(token)}


@ec2.operation
async def delete_vpc(req: t.DeleteVpcRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        own_groups, tables = tx.index(groups, "vpc", vpc.id), tx.index(route_tables, "vpc", vpc.id)
        acls = acls_in(tx, vpc)
        if (
            any(group.name != "default" for group in own_groups)
            or any(not table.main for table in tables)
            or len(acls) > 1
            or tx.count(subnets, "vpc", vpc.id)
            or tx.count(internet_gateways, "vpc", vpc.id)
            or tx.count(egress_gateways, "vpc", vpc.id)
            or tx.count(enis, "vpc", vpc.id)
            or tx.count(vpc_endpoints, "vpc", vpc.id)
        ):
            raise dependency(f"The vpc '{vpc.id}'")
        if any(workload.network == vpc.id for workload in tx.all(fleet.workloads)):
            raise in_the_way(f"Tasks are still running in the vpc '{vpc.id}'.")
        for group in own_groups:
            forget_group(tx, group)
        for table in tables:
            tx.forget(route_tables, table.key)
        for acl in tx.index(network_acls, "vpc", vpc.id):
            tx.forget(network_acls, acl.key)
        for peering in tx.index(peerings, "vpc", vpc.id):
            put_peering(tx, ended(peering, "deleted", f"Deleted by {call.scope.account}", call.now))
            refresh_both_ways(tx, peering)
        forget_vpc(tx, vpc)
        rules = (rule.id for group in own_groups for rule in group.rules)
        of_vpc = (record.id for record in (vpc, *own_groups, *tables, *acls))
        for id_ in (*of_vpc, *rules):
            forget_tags(tx, call.scope, arn(call.scope, id_))


@ec2.operation
async def create_default_vpc(req: t.CreateDefaultVpcRequest, call: Call) -> t.CreateDefaultVpcResult:
    dry_run(req)
    ensure_default(call)
    with call.tx() as tx:
        if default_vpc(tx, call.scope) is not None:
            raise invalid("A Default VPC already exists for this account in this region.", "DefaultVpcAlreadyExists")
        quotas.check(tx.size(vpcs, call.scope), quotas.VPCS, "VPCs", "VpcLimitExceeded")
        vpc = new_default_vpc(tx, call.ids, call.scope)
    return {"Vpc": views.vpc(vpc, {})}


@ec2.operation
async def describe_vpc_attribute(req: t.DescribeVpcAttributeRequest, call: Call) -> t.DescribeVpcAttributeResult:
    ensure_default(call)
    vpc = the_vpc(call.store, call.scope, req["VpcId"])
    match req["Attribute"]:
        case "enableDnsSupport":
            return {"VpcId": vpc.id, "EnableDnsSupport": {"Value": vpc.dns_support}}
        case "enableDnsHostnames":
            return {"VpcId": vpc.id, "EnableDnsHostnames": {"Value": vpc.dns_hostnames}}
        case "enableNetworkAddressUsageMetrics":
            return {"VpcId": vpc.id, "EnableNetworkAddressUsageMetrics": {"Value": vpc.usage_metrics}}


@ec2.operation
async def modify_vpc_attribute(req: t.ModifyVpcAttributeRequest, call: Call) -> None:
    one_attribute(req, "VpcId")
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        if "EnableDnsSupport" in req:
            vpc = replace(vpc, dns_support=req["EnableDnsSupport"].get("Value", False))
        if "EnableDnsHostnames" in req:
            vpc = replace(vpc, dns_hostnames=req["EnableDnsHostnames"].get("Value", False))
        if "EnableNetworkAddressUsageMetrics" in req:
            vpc = replace(vpc, usage_metrics=req["EnableNetworkAddressUsageMetrics"].get("Value", False))
        put_vpc(tx, vpc)


@ec2.operation
async def modify_vpc_tenancy(req: t.ModifyVpcTenancyRequest, call: Call) -> t.ModifyVpcTenancyResult:
    """From dedicated to default: the one way there is."""
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        tx.put(vpcs, replace(vpc, tenancy=req["InstanceTenancy"]))
    return {"ReturnValue": True}


@ec2.operation
async def describe_vpc_block_public_access_options(
    req: t.DescribeVpcBlockPublicAccessOptionsRequest, call: Call
) -> t.DescribeVpcBlockPublicAccessOptionsResult:
    return {"VpcBlockPublicAccessOptions": _public_access(call)}


@ec2.operation
async def modify_vpc_block_public_access_options(
    req: t.ModifyVpcBlockPublicAccessOptionsRequest, call: Call
) -> t.ModifyVpcBlockPublicAccessOptionsResult:
    """It can stay off."""
    if req["InternetGatewayBlockMode"] != "off":
        raise invalid("Public access cannot be blocked for a whole region here yet.", "UnsupportedOperation")
    return {"VpcBlockPublicAccessOptions": _public_access(call)}


def _public_access(call: Call) -> t.VpcBlockPublicAccessOptions:
    return {
        "AwsAccountId": call.scope.account,
        "AwsRegion": call.scope.region,
        "State": "default-state",
        "InternetGatewayBlockMode": "off",
        "ManagedBy": "account",
        "ExclusionsAllowed": "allowed",
    }
