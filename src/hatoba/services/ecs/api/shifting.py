"""A load balancer's advanced configuration: between which target groups and by which rules traffic is to be shifted.
ELB is asked whether it can be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.aws.shapes import ecs as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.ecs.acting import door_as
from hatoba.services.ecs.model.task import Shifting

_RULE = re.compile(r"arn:[^:]+:elasticloadbalancing:[^:]*:[^:]*:listener-rule/app/[^/]+/[^/]+/[^/]+/[^/]+")
_NETWORK = re.compile(r"arn:[^:]+:elasticloadbalancing:[^:]*:[^:]*:listener/(net|gwy)/")


def read(group: str, advanced: Mapping[str, Any] | None) -> Shifting | None:
    if not advanced:
        return None
    alternate, production = advanced.get("alternateTargetGroupArn"), advanced.get("productionListenerRule")
    if not alternate or not production:
        raise t.InvalidParameterException(
            "An advancedConfiguration needs an alternateTargetGroupArn and a productionListenerRule."
        )
    if alternate == group:
        raise t.InvalidParameterException("The alternateTargetGroupArn must be another one than the targetGroupArn.")
    test = advanced.get("testListenerRule") or ""
    for name, rule in (("productionListenerRule", production), ("testListenerRule", test)):
        _check_arn(name, rule)
    if test == production:
        raise t.InvalidParameterException("The testListenerRule must be another one than the productionListenerRule.")
    return Shifting(groups=(group, alternate), production=production, test=test, role=advanced.get("roleArn") or "")


def _check_arn(name: str, rule: str) -> None:
    if _NETWORK.match(rule):
        raise t.UnsupportedFeatureException(
            f"The {name} {rule}: listeners of Network Load Balancers are not available."
        )
    if rule and not _RULE.fullmatch(rule):
        raise t.InvalidParameterException(f"The {name} {rule} is not the ARN of a listener rule.")


def check_groups(advanced: Sequence[Shifting], balancers_of: Mapping[str, Sequence[str]]) -> None:
    """A target group belongs to one load balancer at most: it has to be that of the rules."""
    for one in advanced:
        for rule in (one.production, one.test):
            balancer = _balancer(rule)
            for group in one.groups if rule else ():
                if balancers_of[group] and balancer not in balancers_of[group]:
                    raise t.InvalidParameterException(
                        f"The target group {group} is not associated with the load balancer of the rule {rule}."
                    )


def _balancer(rule: str) -> str:
    """`…:listener-rule/app/web/<id>/<listener>/<rule>` → `…:loadbalancer/app/web/<id>`"""
    return "/".join(rule.replace(":listener-rule/", ":loadbalancer/", 1).split("/")[:-2])


async def check_rules(call: Call, advanced: Sequence[Shifting]) -> None:
    """They exist and forward, as far as the role may see them."""
    wanted = {rule: one.role for one in advanced for rule in (one.production, one.test) if rule}
    source = call.needs[0].resource  # the service, or the task set
    try:
        doors = {
            role: await door_as(call.platform, call.scope, role, source=source) for role in sorted(set(wanted.values()))
        }
    except AwsError as error:
        if error.status >= 500:
            raise
        raise t.InvalidParameterException(f"ECS cannot assume the roleArn: {error.message}") from error
    try:
        found = [(await doors[wanted[rule]].elbv2.describe_rules(RuleArns=[rule]))["Rules"][0] for rule in wanted]
    except AwsError as error:
        if error.status >= 500:
            raise
        raise t.InvalidParameterException(
            f"The listener rules are not there ({', '.join(wanted)}): {error.message}"
        ) from error
    for rule in found:
        if [action["Type"] for action in rule["Actions"]] != ["forward"]:
            raise t.InvalidParameterException(f"The listener rule {rule['RuleArn']} does not forward to target groups.")
