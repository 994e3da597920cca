"""Rules that name groups: of the same VPC, or of one that it is peered with.

Who names a group keeps it from being deleted within its VPC only. A rule that names one of a peered VPC stays when that
group is deleted or the peering ends: it is stale then, lets nobody through, and can still be removed. Source:
DescribeStaleSecurityGroups, and the VPC peering guide, "Update your security groups".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hatoba.aws.shapes import ec2 as t
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.ec2.api.room import ec2, paged
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.model.group import GroupRule, SecurityGroup, groups, the_group
from hatoba.services.ec2.model.network import the_vpc
from hatoba.services.ec2.model.peering import between, state_of
from hatoba.services.ec2.views import group as views
from hatoba.store.store import View


def naming(view: View, group: SecurityGroup) -> Callable[[GroupRule], t.ReferencedSecurityGroup]:
    """What is shown of the groups that its rules name."""
    return partial(_named, view, group)


def _named(view: View, group: SecurityGroup, rule: GroupRule) -> t.ReferencedSecurityGroup:
    shown: t.ReferencedSecurityGroup = {"GroupId": rule.group or "", "UserId": group.key.account}
    if (far := rule.far) is not None:
        way = between(view, group.vpc, far.vpc)
        shown["UserId"], shown["VpcId"] = far.account, far.vpc
        shown["VpcPeeringConnectionId"] = way.id if way else far.peering
        shown["PeeringStatus"] = way.state if way else state_of(view, far.peering)
    return shown


def _is_stale(view: View, group: SecurityGroup, rule: GroupRule) -> bool:
    if rule.group is None or (far := rule.far) is None:
        return False
    there = view.find(groups, Scope(group.key.partition, far.account, group.key.region), rule.group)
    return there is None or between(view, group.vpc, far.vpc) is None


@ec2.operation
async def describe_stale_security_groups(
    req: t.DescribeStaleSecurityGroupsRequest, call: Call
) -> t.DescribeStaleSecurityGroupsResult:
    ensure_default(call)
    vpc = the_vpc(call.store, call.scope, req["VpcId"])
    rows = []
    for group in call.store.index(groups, "vpc", vpc.id):
        stale = [rule for rule in group.rules if _is_stale(call.store, group, rule)]
        if stale:
            rows.append((group, stale))
    page, token = paged(call, req, rows, order=lambda row: row[0].id, within=vpc.id)
    return {
        "StaleSecurityGroupSet": [views.stale_group(group, stale, naming(call.store, group)) for group, stale in page],
        **next_token(token),
    }


@ec2.operation
async def describe_security_group_references(
    req: t.DescribeSecurityGroupReferencesRequest, call: Call
) -> t.DescribeSecurityGroupReferencesResult:
    """The peered VPCs whose rules name the groups; those of the same VPC are not told."""
    ensure_default(call)
    found: dict[tuple[str, str], t.SecurityGroupReference] = {}
    for id_ in req["GroupId"]:
        group = the_group(call.store, call.scope, id_)
        for other in call.store.index(groups, "names", id_):
            way = between(call.store, group.vpc, other.vpc) if other.vpc != group.vpc else None
            if way is not None:
                found[id_, other.vpc] = {
                    "GroupId": id_,
                    "ReferencingVpcId": other.vpc,
                    "VpcPeeringConnectionId": way.id,
                }
    return {"SecurityGroupReferenceSet": [found[key] for key in sorted(found)]}
