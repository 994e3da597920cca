"""Network ACLs and DHCP options: the ones that are always there, as EC2 shows them. Others cannot be made here yet."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.gateway.call import Call
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import PAGE, bad_token, ec2, own_tags
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.filters import flag, matching
from hatoba.services.ec2.model.errors import not_found
from hatoba.services.ec2.model.network import default_dhcp_options, subnets, vpcs


@ec2.operation
async def describe_network_acls(req: t.DescribeNetworkAclsRequest, call: Call) -> t.DescribeNetworkAclsResult:
    """Every VPC has its default ACL, with all of its subnets; its id follows from the VPC's."""
    ensure_default(call)
    by_id = {views.acl_id(vpc): vpc for vpc in call.store.scan(vpcs, call.scope)}
    for id_ in req.get("NetworkAclIds", ()):
        if id_ not in by_id:
            raise not_found(id_, "acl")
    wanted = req.get("NetworkAclIds") or by_id
    rows = matching(
        [
            views.network_acl(vpc, call.store.index(subnets, "vpc", vpc.id), own_tags(call, id_))
            for id_, vpc in by_id.items()
            if id_ in wanted
        ],
        req.get("Filters", []),
        {
            "association.association-id": lambda acl: (each["NetworkAclAssociationId"] for each in acl["Associations"]),
            "association.network-acl-id": lambda acl: (each["NetworkAclId"] for each in acl["Associations"]),
            "association.subnet-id": lambda acl: (each["SubnetId"] for each in acl["Associations"]),
            "default": lambda acl: flag(acl["IsDefault"]),
            "entry.cidr": lambda acl: (entry["CidrBlock"] for entry in acl["Entries"]),
            "entry.egress": lambda acl: (text for entry in acl["Entries"] for text in flag(entry["Egress"])),
            "entry.protocol": lambda acl: (entry["Protocol"] for entry in acl["Entries"]),
            "entry.rule-action": lambda acl: (entry["RuleAction"] for entry in acl["Entries"]),
            "entry.rule-number": lambda acl: (str(entry["RuleNumber"]) for entry in acl["Entries"]),
            "network-acl-id": lambda acl: (acl["NetworkAclId"],),
            "owner-id": lambda acl: (acl["OwnerId"],),
            "vpc-id": lambda acl: (acl["VpcId"],),
        },
        lambda acl: own_tags(call, acl["NetworkAclId"]),
    )
    page, token = call.page(
        rows,
        order=lambda acl: acl["NetworkAclId"],
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=(req.get("NetworkAclIds"), req.get("Filters")),
        bad_token=bad_token,
    )
    answer: t.DescribeNetworkAclsResult = {"NetworkAcls": page}
    if token is not None:
        answer["NextToken"] = token
    return answer


@ec2.operation
async def describe_dhcp_options(req: t.DescribeDhcpOptionsRequest, call: Call) -> t.DescribeDhcpOptionsResult:
    """Every VPC has the same: the platform's own resolver, and its names."""
    own = default_dhcp_options(call.scope)
    for id_ in req.get("DhcpOptionsIds", ()):
        if id_ not in (own, "default"):
            raise not_found(id_, "dopt")
    options = views.dhcp_options(call.scope, own_tags(call, own))
    found = matching(
        [options],
        req.get("Filters", []),
        {
            "dhcp-options-id": lambda each: (each["DhcpOptionsId"],),
            "key": lambda each: (pair["Key"] for pair in each["DhcpConfigurations"]),
            "value": lambda each: (v["Value"] for pair in each["DhcpConfigurations"] for v in pair["Values"]),
            "owner-id": lambda each: (each["OwnerId"],),
        },
        lambda each: own_tags(call, each["DhcpOptionsId"]),
    )
    return {"DhcpOptions": found}


@ec2.operation
async def describe_vpn_gateways(req: t.DescribeVpnGatewaysRequest, call: Call) -> t.DescribeVpnGatewaysResult:
    """There are none. CDK asks for them when it looks a VPC up."""
    for id_ in req.get("VpnGatewayIds", ()):
        raise not_found(id_, "vgw")
    return {"VpnGateways": []}
