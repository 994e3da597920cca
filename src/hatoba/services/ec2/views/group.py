"""Security groups and their rules → API shapes.

A rule is shown by itself, and put together with others of its protocol and ports (`IpPermission`), which is the older
way. What is shown of a group that a rule names is looked up by others (`Named`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from hatoba.aws.shapes import ec2 as t
from hatoba.services.ec2.model.group import PROTOCOL_NAMES, GroupRule, SecurityGroup
from hatoba.services.ec2.views import Tags, tags

Named = Callable[[GroupRule], t.ReferencedSecurityGroup]  # what is shown of the group that a rule names


def security_group(record: SecurityGroup, own: Tags, named: Named) -> t.SecurityGroup:
    key = record.key
    return {
        "GroupId": record.id,
        "GroupName": record.name,
        "Description": record.description,
        "VpcId": record.vpc,
        "OwnerId": key.account,
        "SecurityGroupArn": f"arn:{key.partition}:ec2:{key.region}:{key.account}:security-group/{record.id}",
        "IpPermissions": permissions((rule for rule in record.rules if not rule.egress), named),
        "IpPermissionsEgress": permissions((rule for rule in record.rules if rule.egress), named),
        "Tags": tags(own),
    }


def stale_group(record: SecurityGroup, stale: Sequence[GroupRule], named: Named) -> t.StaleSecurityGroup:
    """With its stale rules only."""
    return {
        "GroupId": record.id,
        "GroupName": record.name,
        "Description": record.description,
        "VpcId": record.vpc,
        "StaleIpPermissions": _stale((rule for rule in stale if not rule.egress), named),
        "StaleIpPermissionsEgress": _stale((rule for rule in stale if rule.egress), named),
    }


def _stale(rules: Iterable[GroupRule], named: Named) -> list[t.StaleIpPermission]:
    """They name groups, nothing else."""
    shown: list[t.StaleIpPermission] = []
    for permission in permissions(rules, named):
        stale: t.StaleIpPermission = {
            "IpProtocol": permission["IpProtocol"],
            "IpRanges": [],
            "PrefixListIds": [],
            "UserIdGroupPairs": permission["UserIdGroupPairs"],
        }
        if "FromPort" in permission:
            stale["FromPort"] = permission["FromPort"]
        if "ToPort" in permission:
            stale["ToPort"] = permission["ToPort"]
        shown.append(stale)
    return shown


def permissions(rules: Iterable[GroupRule], named: Named) -> list[t.IpPermission]:
    """Rules gathered by protocol and ports, as EC2 shows them."""
    gathered: dict[tuple[str, int | None, int | None], t.IpPermission] = {}
    for rule in rules:
        ports = (rule.protocol, rule.from_port, rule.to_port)
        permission = gathered.get(ports)
        if permission is None:
            permission = gathered[ports] = {
                "IpProtocol": PROTOCOL_NAMES.get(rule.protocol, rule.protocol),
                "IpRanges": [],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
                "UserIdGroupPairs": [],
            }
            if rule.from_port is not None:
                permission["FromPort"] = rule.from_port
            if rule.to_port is not None:
                permission["ToPort"] = rule.to_port
        if rule.cidr is not None:
            ip: t.IpRange = {"CidrIp": rule.cidr}
            permission["IpRanges"].append(ip)
            _describe(ip, rule)
        elif rule.cidr6 is not None:
            ip6: t.Ipv6Range = {"CidrIpv6": rule.cidr6}
            permission["Ipv6Ranges"].append(ip6)
            _describe(ip6, rule)
        elif rule.prefix_list is not None:
            listed: t.PrefixListId = {"PrefixListId": rule.prefix_list}
            permission["PrefixListIds"].append(listed)
            _describe(listed, rule)
        elif rule.group is not None:
            pair = cast(t.UserIdGroupPair, named(rule))
            permission["UserIdGroupPairs"].append(pair)
            _describe(pair, rule)
    return list(gathered.values())


def _describe(far_end: t.IpRange | t.Ipv6Range | t.UserIdGroupPair | t.PrefixListId, rule: GroupRule) -> None:
    if rule.description is not None:
        far_end["Description"] = rule.description


def group_for_vpc(record: SecurityGroup, own: Tags) -> t.SecurityGroupForVpc:
    return {
        "GroupId": record.id,
        "GroupName": record.name,
        "Description": record.description,
        "OwnerId": record.key.account,
        "PrimaryVpcId": record.vpc,
        "Tags": tags(own),
    }


def revoked_rule(group: SecurityGroup, rule: GroupRule) -> t.RevokedSecurityGroupRule:
    shown: t.RevokedSecurityGroupRule = {
        "SecurityGroupRuleId": rule.id,
        "GroupId": group.id,
        "IsEgress": rule.egress,
        "IpProtocol": PROTOCOL_NAMES.get(rule.protocol, rule.protocol),
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
    }
    if rule.cidr is not None:
        shown["CidrIpv4"] = rule.cidr
    if rule.cidr6 is not None:
        shown["CidrIpv6"] = rule.cidr6
    if rule.group is not None:
        shown["ReferencedGroupId"] = rule.group
    if rule.prefix_list is not None:
        shown["PrefixListId"] = rule.prefix_list
    if rule.description is not None:
        shown["Description"] = rule.description
    return shown


def group_rule(group: SecurityGroup, rule: GroupRule, own: Tags, named: Named) -> t.SecurityGroupRule:
    key = group.key
    shown: t.SecurityGroupRule = {
        "SecurityGroupRuleId": rule.id,
        "SecurityGroupRuleArn": f"arn:{key.partition}:ec2:{key.region}:{key.account}:security-group-rule/{rule.id}",
        "GroupId": group.id,
        "GroupOwnerId": key.account,
        "IsEgress": rule.egress,
        "IpProtocol": PROTOCOL_NAMES.get(rule.protocol, rule.protocol),
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
        "Tags": tags(own),
    }
    if rule.cidr is not None:
        shown["CidrIpv4"] = rule.cidr
    if rule.cidr6 is not None:
        shown["CidrIpv6"] = rule.cidr6
    if rule.group is not None:
        shown["ReferencedGroupInfo"] = named(rule)
    if rule.prefix_list is not None:
        shown["PrefixListId"] = rule.prefix_list
    if rule.description is not None:
        shown["Description"] = rule.description
    return shown
