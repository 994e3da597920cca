"""Security groups.

A group is of one VPC. Its rules are in `rule`; what rules that name other groups mean for these is in `reference`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2.api.reference import naming
from hatoba.services.ec2.api.room import described, dry_run, ec2, own_tags, tag_new
from hatoba.services.ec2.defaults import default_vpc, ensure_default
from hatoba.services.ec2.filters import Values
from hatoba.services.ec2.model import quotas
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import in_the_way, invalid
from hatoba.services.ec2.model.group import (
    PROTOCOL_NAMES,
    GroupRule,
    SecurityGroup,
    allow_all,
    allow_all6,
    forget_group,
    groups,
    put_group,
    the_group,
)
from hatoba.services.ec2.model.network import Vpc, the_vpc
from hatoba.services.ec2.views import group as views
from hatoba.services.ec2.views import tags
from hatoba.store import Tx
from hatoba.store.store import View

_NAME = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")


def needed_default_vpc(view: View, call: Call) -> Vpc:
    """Raises VPCIdNotSpecified when there is none any more."""
    vpc = default_vpc(view, call.scope)
    if vpc is None:
        raise invalid("No default VPC for this user", "VPCIdNotSpecified")
    return vpc


def _check_texts(name: str, description: str) -> None:
    for parameter, text in (("GroupName", name), ("GroupDescription", description)):
        if not _NAME.fullmatch(text):
            raise invalid(
                f"Value ({text}) for parameter {parameter} is invalid. Character sets beyond ASCII are not supported."
            )
    if name.startswith("sg-"):
        raise invalid(f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*.")
    if name == "default":
        raise invalid("Cannot use reserved security group name: default")


@ec2.operation
async def create_security_group(req: t.CreateSecurityGroupRequest, call: Call) -> t.CreateSecurityGroupResult:
    dry_run(req)
    ensure_default(call)
    name, description = req["GroupName"], req["Description"]
    _check_texts(name, description)
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"]) if "VpcId" in req else needed_default_vpc(tx, call)
        if tx.count(groups, "name", (vpc.id, name)):
            raise invalid(f"The security group '{name}' already exists for VPC '{vpc.id}'", "InvalidGroup.Duplicate")
        there = tx.size(groups, call.scope)
        quotas.check(there, quotas.SECURITY_GROUPS, "security groups", "SecurityGroupLimitExceeded")
        group = SecurityGroup(
            key=groups.key(call.scope, resource_id(call.ids, "sg")),
            vpc=vpc.id,
            name=name,
            description=description,
            rules=(allow_all(call.ids), *((allow_all6(call.ids),) if vpc.block6 is not None else ())),
        )
        put_group(tx, group)
        tag_new(tx, call, group.id, req)
    return {
        "GroupId": group.id,
        "SecurityGroupArn": arn(call.scope, group.id),
        "Tags": tags(own_tags(call, group.id)),
    }


@ec2.operation
async def describe_security_groups(req: t.DescribeSecurityGroupsRequest, call: Call) -> t.DescribeSecurityGroupsResult:
    ensure_default(call)
    named_ones: list[SecurityGroup] | None = None
    if names := req.get("GroupNames"):
        vpc = needed_default_vpc(call.store, call)
        named_ones = [_by_name(call.store, vpc, name) for name in names]
    page, token = described(
        call, groups, req, _filters(call), ids="GroupIds", kind="sg", indexed={"vpc-id": "vpc"}, among=named_ones
    )
    return {
        "SecurityGroups": [
            views.security_group(group, own_tags(call, group.id), naming(call.store, group)) for group in page
        ],
        **next_token(token),
    }


def _filters(call: Call) -> dict[str, Values[SecurityGroup]]:
    filters: dict[str, Values[SecurityGroup]] = {
        "group-id": lambda group: (group.id,),
        "group-name": lambda group: (group.name,),
        "vpc-id": lambda group: (group.vpc,),
        "description": lambda group: (group.description,),
        "owner-id": lambda group: (group.key.account,),
    }
    for prefix, egress in (("ip-permission", False), ("egress.ip-permission", True)):
        for name, read in _rule_filters(call).items():
            filters[f"{prefix}.{name}"] = _of_rules(egress, read)
    return filters


def _of_rules(egress: bool, read: Callable[[GroupRule], Iterable[str | None]]) -> Values[SecurityGroup]:
    return lambda group: (value for rule in group.rules if rule.egress == egress for value in read(rule))


def _rule_filters(call: Call) -> dict[str, Values[GroupRule]]:
    def name(rule: GroupRule) -> str | None:
        group = call.store.find(groups, call.scope, rule.group) if rule.group else None
        return group.name if group else None

    return {
        "cidr": lambda rule: (rule.cidr,),
        "ipv6-cidr": lambda rule: (rule.cidr6,),
        "from-port": lambda rule: (None if rule.from_port is None else str(rule.from_port),),
        "to-port": lambda rule: (None if rule.to_port is None else str(rule.to_port),),
        "group-id": lambda rule: (rule.group,),
        "group-name": lambda rule: (name(rule),),
        "prefix-list-id": lambda rule: (rule.prefix_list,),
        "protocol": lambda rule: (rule.protocol, PROTOCOL_NAMES.get(rule.protocol)),
        "user-id": lambda rule: (call.scope.account if rule.group else None,),
    }


@ec2.operation
async def get_security_groups_for_vpc(
    req: t.GetSecurityGroupsForVpcRequest, call: Call
) -> t.GetSecurityGroupsForVpcResult:
    ensure_default(call)
    vpc = the_vpc(call.store, call.scope, req["VpcId"])
    page, token = described(
        call,
        groups,
        req,
        {
            "group-id": lambda group: (group.id,),
            "description": lambda group: (group.description,),
            "group-name": lambda group: (group.name,),
            "owner-id": lambda group: (group.key.account,),
            "primary-vpc-id": lambda group: (group.vpc,),
        },
        among=call.store.index(groups, "vpc", vpc.id),
    )
    return {
        "SecurityGroupForVpcs": [views.group_for_vpc(group, own_tags(call, group.id)) for group in page],
        **next_token(token),
    }


@ec2.operation
async def delete_security_group(req: t.DeleteSecurityGroupRequest, call: Call) -> t.DeleteSecurityGroupResult:
    dry_run(req)
    with call.tx() as tx:
        group = named(tx, call, req)
        if group.name == "default":
            raise invalid(
                f'the specified group: "{group.id}" name: "default" cannot be deleted by a user', "CannotDelete"
            )
        # Rules of peered VPCs are not in the way: they go stale.
        referenced = any(
            other.id != group.id and other.vpc == group.vpc for other in tx.index(groups, "names", group.id)
        )
        if referenced or tx.count(fleet.interfaces, "group", group.id):
            raise in_the_way(f"resource {group.id} has a dependent object")
        forget_group(tx, group)
        for id_ in (group.id, *(rule.id for rule in group.rules)):
            forget_tags(tx, call.scope, arn(call.scope, id_))
    return {"Return": True, "GroupId": group.id}


def named(tx: Tx, call: Call, req: Mapping[str, Any]) -> SecurityGroup:
    """By id, or by name in the default VPC."""
    if "GroupId" in req:
        return the_group(tx, call.scope, req["GroupId"])
    if "GroupName" not in req:
        raise invalid("The request must contain the parameter groupName or groupId", "MissingParameter")
    return _by_name(tx, needed_default_vpc(tx, call), req["GroupName"])


def _by_name(view: View, vpc: Vpc, name: str) -> SecurityGroup:
    for group in view.index(groups, "name", (vpc.id, name)):
        return group
    raise invalid(f"The security group '{name}' does not exist in default VPC '{vpc.id}'", "InvalidGroup.NotFound")
