"""Carries out how traffic is weighed: by ELB's public operations, on the rules and under the role that a service names.

What else a rule's action says (stickiness) stays. A listener's default rule is changed by way of its listener.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Door, Platform
from hatoba.services.ecs.acting import door_as
from hatoba.services.ecs.plan.shift.traffic import Weighing


async def weigh(platform: Platform, scope: Scope, service: str, weighings: Sequence[Weighing]) -> dict[str, str]:
    """Sets the rules for a service, by its ARN; those that would not be set, and why. Setting again changes nothing."""
    refused: dict[str, str] = {}
    for one in weighings:
        try:
            await _set(await door_as(platform, scope, one.role, source=service), one)
        except AwsError as error:
            if error.status >= 500:
                raise
            refused[one.rule] = error.message
    return refused


async def _set(aws: Door, wanted: Weighing) -> None:
    (rule,) = (await aws.elbv2.describe_rules(RuleArns=[wanted.rule]))["Rules"]
    if _shares(rule["Actions"]) == dict(wanted.shares):
        return
    actions = [_forward(rule["Actions"], wanted)]
    if rule["IsDefault"]:
        await aws.elbv2.modify_listener(ListenerArn=_listener(wanted.rule), DefaultActions=actions)
    else:
        await aws.elbv2.modify_rule(RuleArn=wanted.rule, Actions=actions)


def _shares(actions: Sequence[dict[str, Any]]) -> dict[str, int] | None:
    """By target group, whatever their order; None where the rule does anything but forward."""
    if [action["Type"] for action in actions] != ["forward"]:
        return None
    return {share["TargetGroupArn"]: share["Weight"] for share in actions[0]["ForwardConfig"]["TargetGroups"]}


def _forward(actions: Sequence[dict[str, Any]], wanted: Weighing) -> dict[str, Any]:
    now: dict[str, Any] = next((action for action in actions if action["Type"] == "forward"), {"Type": "forward"})
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in wanted.shares]
    kept = {name: value for name, value in now.items() if name != "TargetGroupArn"}
    return {**kept, "ForwardConfig": {**now.get("ForwardConfig", {}), "TargetGroups": groups}}


def _listener(rule: str) -> str:
    """`…:listener-rule/app/web/<id>/<listener>/<rule>` → `…:listener/app/web/<id>/<listener>`"""
    return rule.replace(":listener-rule/", ":listener/", 1).rpartition("/")[0]
