"""Rules of listeners."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.elbv2 import signing, views
from hatoba.services.elbv2.api import quotas
from hatoba.services.elbv2.api.listener import check_action
from hatoba.services.elbv2.api.room import checked_tags, elbv2, next_marker, page, tag, the_listener, the_rule
from hatoba.services.elbv2.carried import publish, publish_all
from hatoba.services.elbv2.model.listener import (
    Listener,
    Rule,
    balancer_of,
    forget_rule,
    listeners,
    rules,
    rules_of,
)
from hatoba.services.elbv2.plan import actions, authentication, conditions, kinds, transforms
from hatoba.services.elbv2.plan.errors import invalid
from hatoba.store import Tx


def _listener_of(tx: Tx, rule: Rule) -> Listener:
    found = tx.find(listeners, rule.scope, rule.listener)
    if found is None:
        raise LookupError(f"{rule.id} has no listener")
    return found


def _shown(record: Rule | Listener) -> t.Rule:
    return views.rule(record) if isinstance(record, Rule) else views.default_rule(record)


def _not_default(record: Rule | Listener, what: str) -> Rule:
    if isinstance(record, Listener):
        raise t.OperationNotPermittedException(f"Default rule '{record.default_rule_arn}' cannot be {what}")
    return record


def _in_use(priority: int) -> t.PriorityInUseException:
    return t.PriorityInUseException(f"Priority '{priority}' is currently in use")


@elbv2.operation
async def create_rule(req: t.CreateRuleInput, call: Call) -> t.CreateRuleOutput:
    tags = checked_tags(req.get("Tags"))
    wanted = conditions.checked(req["Conditions"])
    first, rest = authentication.split(req["Actions"])
    action = actions.checked(rest)
    changed = transforms.checked(req.get("Transforms") or ())
    with call.tx() as tx:
        listener = the_listener(tx, call, req["ListenerArn"])
        balancer = balancer_of(tx, listener)
        kinds.check_rules(balancer)
        conditions.check_kind(wanted, balancer.kind)
        transforms.check_kind(changed, balancer.kind)
        authentication.check_protocol(first, listener.protocol)
        check_action(tx, call, action, balancer, listener.protocol, wanted)
        others = rules_of(tx, listener)
        if any(other.priority == req["Priority"] for other in others):
            raise _in_use(req["Priority"])
        quotas.room_for_rule(tx, balancer)
        record = Rule(
            key=rules.key(call.scope, f"{listener.id}/{call.ids.hex(16)}"),
            listener=listener.id,
            priority=req["Priority"],
            conditions=wanted,
            action=action,
            transforms=changed,
            authentication=first,
        )
        record = tx.put(rules, record)
        quotas.check_groups(tx, balancer)
        if first is not None:
            signing.ensure(tx, call, balancer)
        tag(tx, call, record.arn, tags)
        publish(tx, balancer)
    return {"Rules": [views.rule(record)]}


@elbv2.operation
async def describe_rules(req: t.DescribeRulesInput, call: Call) -> t.DescribeRulesOutput:
    arns, listener = req.get("RuleArns"), req.get("ListenerArn")
    if bool(arns) == bool(listener):
        raise invalid("You must specify either listener rule ARNs or a listener ARN")
    rows: Iterable[Rule | Listener]
    if arns:
        found_rules = (the_rule(call.store, call, arn) for arn in arns)
        rows = sorted({record.id: record for record in found_rules}.values(), key=_order)
    else:
        of = the_listener(call.store, call, listener or "")
        rows = [*rules_of(call.store, of), of]
    found, more = page(call, rows, dict(req), _order)
    return {"Rules": [_shown(record) for record in found], **next_marker(more)}


def _order(record: Rule | Listener) -> str:
    """By listener, then by priority, the default last."""
    if isinstance(record, Rule):
        return f"{record.listener} {record.priority:05d}"
    return f"{record.id} default"


@elbv2.operation
async def modify_rule(req: t.ModifyRuleInput, call: Call) -> t.ModifyRuleOutput:
    if req.get("Transforms") and req.get("ResetTransforms"):
        raise invalid("You cannot specify both Transforms and ResetTransforms")
    wanted = conditions.checked(req["Conditions"]) if "Conditions" in req else None
    changed = transforms.checked(req.get("Transforms") or ())
    with call.tx() as tx:
        record = _not_default(the_rule(tx, call, req["RuleArn"]), "modified")
        listener = _listener_of(tx, record)
        balancer = balancer_of(tx, listener)
        first, action = record.authentication, record.action
        if "Actions" in req:
            first, rest = authentication.split(req["Actions"], record.authentication)
            action = actions.checked(rest)
            authentication.check_protocol(first, listener.protocol)
        known = wanted or record.conditions
        conditions.check_kind(known, balancer.kind)
        transforms.check_kind(changed, balancer.kind)
        try:
            check_action(tx, call, action, balancer, listener.protocol, known)
        except t.InvalidConfigurationRequestException as error:  # which this operation does not declare
            raise invalid(error.message) from error
        kept = () if req.get("ResetTransforms") else record.transforms
        record = replace(
            record,
            conditions=known,
            action=action,
            transforms=changed or kept,
            authentication=first,
        )
        if first is not None:
            signing.ensure(tx, call, balancer)
        record = tx.put(rules, record)
        if "Actions" in req:
            quotas.check_groups(tx, balancer)
        publish(tx, balancer)
    return {"Rules": [views.rule(record)]}


@elbv2.operation
async def delete_rule(req: t.DeleteRuleInput, call: Call) -> t.DeleteRuleOutput:
    with call.tx() as tx:
        record = _not_default(the_rule(tx, call, req["RuleArn"]), "deleted")
        balancer = balancer_of(tx, _listener_of(tx, record))
        forget_rule(tx, record)
        publish(tx, balancer)
    return {}


@elbv2.operation
async def set_rule_priorities(req: t.SetRulePrioritiesInput, call: Call) -> t.SetRulePrioritiesOutput:
    """All at once, so that rules can change places."""
    with call.tx() as tx:
        changed: dict[str, Rule] = {}
        for pair in req["RulePriorities"]:
            if "RuleArn" not in pair or "Priority" not in pair:
                raise invalid("A rule priority must name a rule and a priority")
            record = _not_default(the_rule(tx, call, pair["RuleArn"]), "modified")
            if record.id in changed:
                raise invalid(f"Rule '{record.arn}' cannot be specified more than once")
            changed[record.id] = tx.put(rules, replace(record, priority=pair["Priority"]))
        touched = {record.listener: _listener_of(tx, record) for record in changed.values()}
        for listener in touched.values():
            taken: set[int] = set()
            for rule in rules_of(tx, listener):
                if rule.priority in taken:
                    raise _in_use(rule.priority)
                taken.add(rule.priority)
        publish_all(tx, {b.id: b for b in (balancer_of(tx, each) for each in touched.values())}.values())
    return {"Rules": [views.rule(record) for record in changed.values()]}
