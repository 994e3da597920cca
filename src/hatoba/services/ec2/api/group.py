"""Security groups and their rules.

A rule has an id of its own (`sgr-…`) and grants one port range to one peer, as DescribeSecurityGroupRules shows it; the
older shapes (`IpPermissions`) put rules of one port range together. Every change is written through to the fleet's
policy sets in the same transaction.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import arn, described, dry_run, ec2, own_tags, tag_new
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.model.errors import in_the_way, invalid, missing, not_found
from hatoba.services.ec2.model.group import (
    GroupRule,
    SecurityGroup,
    add_rules,
    allow_all,
    forget_group,
    groups,
    put_group,
    remove_rules,
    the_group,
)
from hatoba.services.ec2.model.network import the_vpc, vpcs
from hatoba.store import Tx

_NAME = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")
_NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "-1": "-1", "all": "-1"}


def _default_vpc(tx: Tx, call: Call) -> str:
    for vpc in tx.scan(vpcs, call.scope):
        if vpc.is_default:
            return vpc.id
    raise invalid("No default VPC for this user", "VPCIdNotSpecified")


@ec2.operation
async def create_security_group(req: t.CreateSecurityGroupRequest, call: Call) -> t.CreateSecurityGroupResult:
    dry_run(req)
    ensure_default(call)
    name = req["GroupName"]
    if not _NAME.fullmatch(name):
        raise invalid(
            f"Value ({name}) for parameter GroupName is invalid. Character sets beyond ASCII are not supported."
        )
    if name.startswith("sg-"):
        raise invalid(f"Value ({name}) for parameter GroupName is invalid. It may not start with 'sg-'.")
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req.get("VpcId") or _default_vpc(tx, call))
        if tx.count(groups, "name", (vpc.id, name)):
            raise invalid(f"The security group '{name}' already exists for VPC '{vpc.id}'", "InvalidGroup.Duplicate")
        id_ = resource_id(call.ids, "sg")
        group = SecurityGroup(
            key=groups.key(call.scope, id_),
            vpc=vpc.id,
            name=name,
            description=req["Description"],
            rules=(allow_all(call.ids),),
        )
        put_group(tx, group)
        tag_new(tx, call, id_, req)
    return {
        "GroupId": id_,
        "SecurityGroupArn": arn(call.scope, id_),
        "Tags": views.tags(own_tags(call, id_)),
    }


@ec2.operation
async def describe_security_groups(req: t.DescribeSecurityGroupsRequest, call: Call) -> t.DescribeSecurityGroupsResult:
    ensure_default(call)
    found: Iterable[SecurityGroup] = call.store.scan(groups, call.scope)
    if names := req.get("GroupNames"):
        found = [group for group in found if group.name in names]
        for name in names:
            if not any(group.name == name for group in found):
                raise invalid(f"The security group '{name}' does not exist", "InvalidGroup.NotFound")
    page, token = described(
        call,
        found,
        req,
        {
            "group-id": lambda group: (group.id,),
            "group-name": lambda group: (group.name,),
            "vpc-id": lambda group: (group.vpc,),
            "description": lambda group: (group.description,),
            "owner-id": lambda group: (group.key.account,),
            "ip-permission.cidr": lambda group: (r.cidr for r in group.rules if not r.egress),
            "ip-permission.group-id": lambda group: (r.group for r in group.rules if not r.egress),
            "ip-permission.protocol": lambda group: (r.protocol for r in group.rules if not r.egress),
            "egress.ip-permission.cidr": lambda group: (r.cidr for r in group.rules if r.egress),
            "egress.ip-permission.group-id": lambda group: (r.group for r in group.rules if r.egress),
        },
        ids="GroupIds",
        missing=lambda id_: not_found(id_, "sg"),
    )
    answer: t.DescribeSecurityGroupsResult = {
        "SecurityGroups": [views.security_group(group, own_tags(call, group.id)) for group in page]
    }
    if token is not None:
        answer["NextToken"] = token
    return answer


@ec2.operation
async def delete_security_group(req: t.DeleteSecurityGroupRequest, call: Call) -> t.DeleteSecurityGroupResult:
    dry_run(req)
    with call.tx() as tx:
        group = _named(tx, call, req)
        if group.name == "default":
            raise invalid(
                f'the specified group: "{group.id}" name: "default" cannot be deleted by a user', "CannotDelete"
            )
        referenced = [other for other in tx.index(groups, "names", group.id) if other.id != group.id]
        used = tx.count(fleet.interfaces, "group", group.id)
        if referenced or used:
            raise in_the_way(f"resource {group.id} has a dependent object")
        forget_group(tx, group)
        forget_tags(tx, call.scope, arn(call.scope, group.id))
    return {"Return": True, "GroupId": group.id}


def _named(tx: Tx, call: Call, req: Mapping[str, Any]) -> SecurityGroup:
    """By id, or by name in the default VPC."""
    if "GroupId" in req:
        return the_group(tx, call.scope, req["GroupId"])
    if "GroupName" not in req:
        raise missing("GroupId")
    found = tx.index(groups, "name", (_default_vpc(tx, call), req["GroupName"]))
    if not found:
        raise invalid(f"The security group '{req['GroupName']}' does not exist", "InvalidGroup.NotFound")
    return found[0]


# --- rules


@ec2.operation
async def authorize_security_group_ingress(
    req: t.AuthorizeSecurityGroupIngressRequest, call: Call
) -> t.AuthorizeSecurityGroupIngressResult:
    added, group = _authorize(req, call, egress=False)
    return {"Return": True, "SecurityGroupRules": [views.group_rule(group, rule) for rule in added]}


@ec2.operation
async def authorize_security_group_egress(
    req: t.AuthorizeSecurityGroupEgressRequest, call: Call
) -> t.AuthorizeSecurityGroupEgressResult:
    added, group = _authorize(req, call, egress=True)
    return {"Return": True, "SecurityGroupRules": [views.group_rule(group, rule) for rule in added]}


@ec2.operation
async def revoke_security_group_ingress(
    req: t.RevokeSecurityGroupIngressRequest, call: Call
) -> t.RevokeSecurityGroupIngressResult:
    _revoke(req, call, egress=False)
    return {"Return": True}


@ec2.operation
async def revoke_security_group_egress(
    req: t.RevokeSecurityGroupEgressRequest, call: Call
) -> t.RevokeSecurityGroupEgressResult:
    _revoke(req, call, egress=True)
    return {"Return": True}


def _authorize(req: Mapping[str, Any], call: Call, *, egress: bool) -> tuple[list[GroupRule], SecurityGroup]:
    dry_run(req)
    ensure_default(call)
    with call.tx() as tx:
        group = _named(tx, call, req)
        added = list(_rules(tx, call, req, egress))
        if not added:
            raise missing("IpPermissions")
        return added, add_rules(tx, group, added)


def _revoke(req: Mapping[str, Any], call: Call, *, egress: bool) -> None:
    dry_run(req)
    ensure_default(call)
    with call.tx() as tx:
        group = _named(tx, call, req)
        if ids := req.get("SecurityGroupRuleIds"):
            known = {rule.id for rule in group.rules if rule.egress == egress}
            for id_ in ids:
                if id_ not in known:
                    raise not_found(id_, "sgr")
            put_group(tx, replace(group, rules=tuple(rule for rule in group.rules if rule.id not in ids)))
        else:
            remove_rules(tx, group, _rules(tx, call, req, egress))


def _rules(tx: Tx, call: Call, req: Mapping[str, Any], egress: bool) -> Iterator[GroupRule]:
    """The rules that `IpPermissions` (or the older single-rule parameters) stand for, checked."""
    permissions = list(req.get("IpPermissions", ()))
    if "IpProtocol" in req and not permissions:
        single = {name: req[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in req}
        permissions.append({**single, "IpRanges": [{"CidrIp": req["CidrIp"]}] if "CidrIp" in req else []})
    for permission in permissions:
        protocol, from_port, to_port = _ports(permission)
        plain = GroupRule(id="", egress=egress, protocol=protocol, from_port=from_port, to_port=to_port)
        for far_end in _far_ends(tx, call, permission):
            yield msgspec.structs.replace(plain, id=resource_id(call.ids, "sgr"), **far_end)


def _ports(permission: Mapping[str, Any]) -> tuple[str, int | None, int | None]:
    if "IpProtocol" not in permission:
        raise missing("ipProtocol")
    name = permission["IpProtocol"].lower()
    protocol = _NUMBERS.get(name, name)
    if not (protocol == "-1" or (protocol.isdigit() and int(protocol) <= 255)):
        raise invalid(f'Unsupported IP protocol "{permission["IpProtocol"]}"  - supported: [tcp, udp, icmp]')
    if protocol == "-1":
        return protocol, None, None
    from_port, to_port = permission.get("FromPort"), permission.get("ToPort")
    if protocol in ("6", "17"):
        if from_port is None or to_port is None:
            raise invalid(
                "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
                "InvalidParameterValue",
            )
        if not 0 <= from_port <= to_port <= 65535:
            raise invalid(f"Invalid value for portRange: from {from_port} to {to_port}.", "InvalidParameterValue")
    return protocol, from_port, to_port


def _far_ends(tx: Tx, call: Call, permission: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for given in permission.get("IpRanges", ()):
        cidr = given.get("CidrIp", "")
        try:
            network = ipaddress.IPv4Network(cidr, strict=False)
        except ValueError:
            raise invalid(f"CIDR block {cidr} is malformed") from None
        yield {"cidr": str(network), "description": given.get("Description")}
    for given in permission.get("Ipv6Ranges", ()):
        cidr = given.get("CidrIpv6", "")
        try:
            network6 = ipaddress.IPv6Network(cidr, strict=False)
        except ValueError:
            raise invalid(f"CIDR block {cidr} is malformed") from None
        yield {"cidr6": str(network6), "description": given.get("Description")}
    for given in permission.get("UserIdGroupPairs", ()):
        other = _named(tx, call, given)
        yield {"group": other.id, "description": given.get("Description")}
    if permission.get("PrefixListIds"):
        raise invalid("Prefix lists are not implemented here yet.", "UnsupportedOperation")


@ec2.operation
async def describe_security_group_rules(
    req: t.DescribeSecurityGroupRulesRequest, call: Call
) -> t.DescribeSecurityGroupRulesResult:
    ensure_default(call)
    wanted = req.get("SecurityGroupRuleIds")
    of_groups: set[str] | None = None
    for given in req.get("Filters", ()):
        if given.get("Name") == "group-id":
            of_groups = set(given.get("Values", ()))
        elif given.get("Name") == "security-group-rule-id":
            wanted = [*(wanted or ()), *given.get("Values", ())]
        else:
            raise invalid(f"The filter '{given.get('Name')}' is invalid")
    shown = [
        views.group_rule(group, rule)
        for group in call.store.scan(groups, call.scope)
        if of_groups is None or group.id in of_groups
        for rule in group.rules
        if wanted is None or rule.id in wanted
    ]
    page, token = call.page(
        sorted(shown, key=lambda rule: rule["SecurityGroupRuleId"]),
        order=lambda rule: rule["SecurityGroupRuleId"],
        token=req.get("NextToken"),
        limit=req.get("MaxResults", 1000),
        filters=(wanted, sorted(of_groups or ())),
    )
    answer: t.DescribeSecurityGroupRulesResult = {"SecurityGroupRules": page}
    if token is not None:
        answer["NextToken"] = token
    return answer
