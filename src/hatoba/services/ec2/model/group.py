"""Security groups and their rules.

A rule is kept with its group, and written through to the fleet's policy set of it. What it names (a group, a prefix
list) is found by an index, so that whoever changes or deletes that knows whom it concerns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import msgspec

from hatoba.core.errors import AwsError
from hatoba.core.ids import Ids, resource_id
from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.fleet import model as fleet
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.services.ec2.model.network import Vpc
from hatoba.services.ec2.model.prefixlist import prefix_lists
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

RULES = 60  # of a group, in each direction and of each family
PROTOCOL_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}


class Far(msgspec.Struct, frozen=True, kw_only=True):
    """Where a group of a peered VPC is, and by which connection it was named: the rule outlives both."""

    account: str
    vpc: str
    peering: str


class GroupRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule has one far end: a network, those of a prefix list, or the members of a group.

    `protocol` "-1" is all; ports None are all. `listed` are the networks of a list of AWS's, which do not change.
    `far` goes with a group that is of another VPC.
    """

    id: str
    egress: bool = False
    protocol: str = "-1"
    from_port: int | None = None
    to_port: int | None = None
    cidr: str | None = None
    cidr6: str | None = None
    group: str | None = None
    far: Far | None = None
    prefix_list: str | None = None
    listed: tuple[str, ...] = ()
    description: str | None = None

    def same(self, other: GroupRule) -> bool:
        """The same traffic: ids and descriptions do not count."""
        plain = {"id": "", "description": None, "far": None}
        return msgspec.structs.replace(self, **plain) == msgspec.structs.replace(other, **plain)


class SecurityGroup(Record, frozen=True, kw_only=True):
    vpc: str
    name: str
    description: str
    rules: tuple[GroupRule, ...] = ()


groups = Table(
    "ec2.security_groups",
    SecurityGroup,
    indexes=(
        Index("vpc", lambda group: group.vpc),
        Index("name", lambda group: (group.vpc, group.name)),
        Index("names", lambda group: {rule.group for rule in group.rules if rule.group}, many=True),
        Index("prefix_list", lambda group: {rule.prefix_list for rule in group.rules if rule.prefix_list}, many=True),
        Index("rule", lambda group: (rule.id for rule in group.rules), many=True),
    ),
)


def the_group(view: View, scope: Scope, id_: str) -> SecurityGroup:
    group = view.find(groups, scope, id_)
    if group is None:
        raise not_found(id_, "sg")
    return group


def default_group(view: View, vpc: Vpc) -> SecurityGroup:
    return view.index(groups, "name", (vpc.id, "default"))[0]


def allow_all(ids: Ids) -> GroupRule:
    """The egress rule that every new group has."""
    return GroupRule(id=resource_id(ids, "sgr"), egress=True, cidr="0.0.0.0/0")


def allow_all6(ids: Ids) -> GroupRule:
    """That of IPv6, of new groups in VPCs with an IPv6 block."""
    return GroupRule(id=resource_id(ids, "sgr"), egress=True, cidr6="::/0")


def put_group(tx: Tx, group: SecurityGroup) -> SecurityGroup:
    """Writes a group, and its rules for the nodes."""
    key = fleet.policy_sets.key(group.scope, group.id)
    policy = fleet.PolicySet(
        key=key,
        network=group.vpc,
        ingress=_fleet_rules(tx, group, egress=False),
        egress=_fleet_rules(tx, group, egress=True),
    )
    tx.renew(fleet.policy_sets, policy)
    return tx.put(groups, group)


def forget_group(tx: Tx, group: SecurityGroup) -> None:
    tx.forget(fleet.policy_sets, fleet.policy_sets.key(group.scope, group.id))
    tx.forget(groups, group.key)


def _fleet_rules(view: View, group: SecurityGroup, *, egress: bool) -> tuple[fleet.Rule, ...]:
    return tuple(
        fleet.Rule(
            protocol="any" if rule.protocol == "-1" else PROTOCOL_NAMES.get(rule.protocol, rule.protocol),
            from_port=None if rule.from_port == -1 else rule.from_port,
            to_port=None if rule.to_port == -1 else rule.to_port,
            cidrs=_networks(view, group.scope, rule),
            groups=(rule.group,) if rule.group else (),
        )
        for rule in group.rules
        if rule.egress == egress
    )


def _networks(view: View, scope: Scope, rule: GroupRule) -> tuple[str, ...]:
    listed = view.find(prefix_lists, scope, rule.prefix_list) if rule.prefix_list else None
    return (*(cidr for cidr in (rule.cidr, rule.cidr6) if cidr), *(listed.cidrs if listed else rule.listed))


def add_rules(tx: Tx, group: SecurityGroup, new: Sequence[GroupRule]) -> SecurityGroup:
    """Raises InvalidPermission.Duplicate, RulesPerSecurityGroupLimitExceeded."""
    for number, rule in enumerate(new):
        if any(rule.same(other) for other in new[:number]):
            raise invalid("The same permission must not appear multiple times")
        if any(rule.same(other) for other in group.rules):
            raise duplicate(rule)
    return put_group(tx, within_limits(tx, replace(group, rules=(*group.rules, *new))))


def within_limits(view: View, group: SecurityGroup) -> SecurityGroup:
    """Each family has room for its own. A rule that names a prefix list counts as often as that has room for entries.

    Source: the VPC user guide, "Amazon VPC quotas".
    """
    for egress, version in product((False, True), (4, 6)):
        rules = (rule for rule in group.rules if rule.egress == egress)
        if sum(_weight(view, group.scope, rule, version) for rule in rules) > RULES:
            raise invalid(
                "The maximum number of rules per security group has been reached.", "RulesPerSecurityGroupLimitExceeded"
            )
    return group


def _weight(view: View, scope: Scope, rule: GroupRule, version: int) -> int:
    """How much a rule takes of the room for a family: one that names a group, of both."""
    if rule.prefix_list is None:
        other = rule.cidr6 if version == 4 else rule.cidr
        return 0 if other is not None else 1
    listed = view.find(prefix_lists, scope, rule.prefix_list)
    if listed is None:  # one of AWS's, whose networks are of IPv4
        return int(version == 4)
    return listed.max_entries if listed.family == f"IPv{version}" else 0


def duplicate(rule: GroupRule) -> AwsError:
    protocol = "ALL" if rule.protocol == "-1" else PROTOCOL_NAMES.get(rule.protocol, rule.protocol).upper()
    ports = f", from port: {rule.from_port}, to port: {rule.to_port}" if rule.from_port is not None else ""
    peer = rule.cidr or rule.cidr6 or rule.group or rule.prefix_list
    return invalid(
        f'the specified rule "peer: {peer}, {protocol}{ports}, ALLOW" already exists', "InvalidPermission.Duplicate"
    )


def the_rule(group: SecurityGroup, wanted: GroupRule) -> GroupRule:
    """The group's own rule for the same traffic. Raises InvalidPermission.NotFound."""
    for rule in group.rules:
        if rule.same(wanted):
            return rule
    raise no_such_rule()


def no_such_rule() -> AwsError:
    return invalid("The specified rule does not exist in this security group.", "InvalidPermission.NotFound")


def rule_of(group: SecurityGroup, id_: str, *, egress: bool) -> GroupRule:
    """Raises InvalidSecurityGroupRuleId.NotFound."""
    for rule in group.rules:
        if rule.id == id_ and rule.egress == egress:
            return rule
    raise not_found(id_, "sgr")
