"""Rules of security groups.

A rule has an id of its own (`sgr-…`) and grants one port range to one peer, as DescribeSecurityGroupRules shows it; the
older shapes (`IpPermissions`) put rules of one port range together. Every change is written through to the fleet's
policy sets in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hatoba.aws.shapes import ec2 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2.api import permissions
from hatoba.services.ec2.api.group import named
from hatoba.services.ec2.api.reference import naming
from hatoba.services.ec2.api.room import PAGE, bad_token, dry_run, ec2, own_tags, tag_new
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import missing, not_found
from hatoba.services.ec2.model.group import (
    GroupRule,
    SecurityGroup,
    add_rules,
    duplicate,
    groups,
    no_such_rule,
    put_group,
    rule_of,
    the_group,
    the_rule,
    within_limits,
)
from hatoba.services.ec2.model.network import the_vpc
from hatoba.services.ec2.views import group as views

# --- adding


@ec2.operation
async def authorize_security_group_ingress(
    req: t.AuthorizeSecurityGroupIngressRequest, call: Call
) -> t.AuthorizeSecurityGroupIngressResult:
    return {"Return": True, "SecurityGroupRules": _authorize(req, call, egress=False)}


@ec2.operation
async def authorize_security_group_egress(
    req: t.AuthorizeSecurityGroupEgressRequest, call: Call
) -> t.AuthorizeSecurityGroupEgressResult:
    return {"Return": True, "SecurityGroupRules": _authorize(req, call, egress=True)}


def _authorize(req: Mapping[str, Any], call: Call, *, egress: bool) -> list[t.SecurityGroupRule]:
    dry_run(req)
    ensure_default(call)
    with call.tx() as tx:
        group = named(tx, call, req)
        added = permissions.rules(tx, call, group, req, egress=egress, new=True)
        if not added:
            raise missing("ipPermissions")
        group = add_rules(tx, group, added)
        for rule in added:
            tag_new(tx, call, rule.id, req)
    named_by = naming(call.store, group)
    return [views.group_rule(group, rule, own_tags(call, rule.id), named_by) for rule in added]


# --- removing


@ec2.operation
async def revoke_security_group_ingress(
    req: t.RevokeSecurityGroupIngressRequest, call: Call
) -> t.RevokeSecurityGroupIngressResult:
    revoked, unknown = _revoke(req, call, egress=False)
    answer: t.RevokeSecurityGroupIngressResult = {"Return": True, "RevokedSecurityGroupRules": revoked}
    if unknown:
        answer["UnknownIpPermissions"] = unknown
    return answer


@ec2.operation
async def revoke_security_group_egress(
    req: t.RevokeSecurityGroupEgressRequest, call: Call
) -> t.RevokeSecurityGroupEgressResult:
    revoked, unknown = _revoke(req, call, egress=True)
    answer: t.RevokeSecurityGroupEgressResult = {"Return": True, "RevokedSecurityGroupRules": revoked}
    if unknown:
        answer["UnknownIpPermissions"] = unknown
    return answer


def _revoke(
    req: Mapping[str, Any], call: Call, *, egress: bool
) -> tuple[list[t.RevokedSecurityGroupRule], list[t.IpPermission]]:
    """What was revoked, and what there is none of: only in a default VPC that is no error."""
    dry_run(req)
    ensure_default(call)
    with call.tx() as tx:
        group = named(tx, call, req)
        gone = [rule_of(group, id_, egress=egress) for id_ in req.get("SecurityGroupRuleIds", ())]
        wanted = permissions.rules(tx, call, group, req, egress=egress)
        if not gone and not wanted:
            raise missing("ipPermissions")
        unknown = [rule for rule in wanted if not any(rule.same(own) for own in group.rules)]
        if unknown and not the_vpc(tx, call.scope, group.vpc).is_default:
            raise no_such_rule()
        gone += [the_rule(group, rule) for rule in wanted if rule not in unknown]
        put_group(tx, replace(group, rules=tuple(rule for rule in group.rules if rule not in gone)))
        for rule in gone:
            forget_tags(tx, call.scope, arn(call.scope, rule.id))
    shown = [views.revoked_rule(group, rule) for rule in dict.fromkeys(gone)]
    return shown, views.permissions(unknown, naming(call.store, group))


# --- changing


@ec2.operation
async def modify_security_group_rules(
    req: t.ModifySecurityGroupRulesRequest, call: Call
) -> t.ModifySecurityGroupRulesResult:
    dry_run(req)
    with call.tx() as tx:
        group = the_group(tx, call.scope, req["GroupId"])
        known = {rule.id: rule for rule in group.rules}
        for update in req["SecurityGroupRules"]:
            before = known.get(update["SecurityGroupRuleId"])
            if before is None:
                raise not_found(update["SecurityGroupRuleId"], "sgr")
            after = permissions.updated(tx, call, group, before, update.get("SecurityGroupRule", {}))
            if any(rule.same(after) for rule in known.values() if rule.id != after.id):
                raise duplicate(after)
            known[after.id] = after
        put_group(tx, within_limits(tx, replace(group, rules=tuple(known.values()))))
    return {"Return": True}


@ec2.operation
async def update_security_group_rule_descriptions_ingress(
    req: t.UpdateSecurityGroupRuleDescriptionsIngressRequest, call: Call
) -> t.UpdateSecurityGroupRuleDescriptionsIngressResult:
    _describe(req, call, egress=False)
    return {"Return": True}


@ec2.operation
async def update_security_group_rule_descriptions_egress(
    req: t.UpdateSecurityGroupRuleDescriptionsEgressRequest, call: Call
) -> t.UpdateSecurityGroupRuleDescriptionsEgressResult:
    _describe(req, call, egress=True)
    return {"Return": True}


def _describe(req: Mapping[str, Any], call: Call, *, egress: bool) -> None:
    dry_run(req)
    ensure_default(call)
    with call.tx() as tx:
        group = named(tx, call, req)
        texts: dict[str, str | None] = {}
        for given in req.get("SecurityGroupRuleDescriptions", ()):
            rule = rule_of(group, given.get("SecurityGroupRuleId", ""), egress=egress)
            texts[rule.id] = permissions.description(given.get("Description"))
        for wanted in permissions.rules(tx, call, group, req, egress=egress):
            texts[the_rule(group, wanted).id] = wanted.description
        if not texts:
            raise missing("ipPermissions")
        put_group(tx, replace(group, rules=tuple(_described(rule, texts) for rule in group.rules)))


def _described(rule: GroupRule, texts: Mapping[str, str | None]) -> GroupRule:
    return msgspec.structs.replace(rule, description=texts[rule.id]) if rule.id in texts else rule


# --- asking


@ec2.operation
async def describe_security_group_rules(
    req: t.DescribeSecurityGroupRulesRequest, call: Call
) -> t.DescribeSecurityGroupRulesResult:
    ensure_default(call)
    found = {rule.id: (group, rule) for group in call.store.scan(groups, call.scope) for rule in group.rules}
    rows: list[tuple[SecurityGroup, GroupRule]] = list(found.values())
    if ids := req.get("SecurityGroupRuleIds"):
        for id_ in ids:
            if id_ not in found:
                raise not_found(id_, "sgr")
        rows = [found[id_] for id_ in dict.fromkeys(ids)]
    rows = matching(
        rows,
        req.get("Filters", []),
        {"group-id": lambda row: (row[0].id,), "security-group-rule-id": lambda row: (row[1].id,)},
        lambda row: own_tags(call, row[1].id),
    )
    page, token = call.page(
        sorted(rows, key=lambda row: row[1].id),
        order=lambda row: row[1].id,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=(req.get("SecurityGroupRuleIds"), req.get("Filters")),
        bad_token=bad_token,
    )
    return {
        "SecurityGroupRules": [
            views.group_rule(group, rule, own_tags(call, rule.id), naming(call.store, group)) for group, rule in page
        ],
        **next_token(token),
    }
