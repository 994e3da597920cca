"""Listeners.

What stands behind one has to go with what it speaks, and with the kind of its load balancer. A load balancer has one at
a port, whatever it speaks.

What a listener does is asked of its rules, too (`api/rule`), by `check_action`; of a listener that comes to speak
something else they are asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import tags_of
from hatoba.services.elbv2 import signing, views
from hatoba.services.elbv2.api import quotas
from hatoba.services.elbv2.api.certificate import check_there
from hatoba.services.elbv2.api.room import (
    checked_tags,
    elbv2,
    find_listener,
    next_marker,
    page,
    tag,
    the_balancer,
    the_group,
    the_listener,
    the_trust_store,
)
from hatoba.services.elbv2.carried import publish
from hatoba.services.elbv2.families import check_behind, check_protocol
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.group import targets
from hatoba.services.elbv2.model.listener import (
    Action,
    Condition,
    Listener,
    balancer_of,
    forget_listener,
    groups_of,
    listeners,
    listeners_of,
    rules_of,
    users_of,
)
from hatoba.services.elbv2.plan import actions, authentication, kinds, security
from hatoba.services.elbv2.plan.errors import invalid
from hatoba.store.store import View


def _check_forward(
    view: View, call: Call, action: Action, balancer: LoadBalancer, protocol: str, conditions: Sequence[Condition]
) -> None:
    """The groups of an action must exist, go with what the listener speaks, be in the load balancer's VPC, and belong
    to no other load balancer. `conditions`: of the rule that has it."""
    groups = {arn: the_group(view, call, arn) for arn in groups_of(action)}
    for arn, group in groups.items():
        kinds.check_behind(protocol, group)
        check_behind(protocol, [*groups.values()], balancer, conditions)
        if group.vpc != balancer.vpc:
            raise invalid(f"Target group '{arn}' is not in the load balancer's VPC '{balancer.vpc}'")
        if protocol == "HTTP" and group.speaks == "GRPC":
            raise invalid(
                "Listener protocol 'HTTP' is not supported with a target group with the protocol-version 'GRPC'"
            )
        if any(user.id != balancer.id for user in users_of(view, group)):
            raise t.TargetGroupAssociationLimitException(
                f"The following target groups cannot be associated with more than one load balancer: {arn}"
            )


def check_action(
    view: View, call: Call, action: Action, balancer: LoadBalancer, protocol: str, conditions: Sequence[Condition] = ()
) -> None:
    """What a listener does, or a rule of it with these conditions, goes with the kind of its load balancer, and with
    its addresses."""
    check_protocol(protocol, balancer.ip_type, balancer.prefixes)
    if balancer.kind != "application" and action["Type"] != "forward":
        raise t.InvalidLoadBalancerActionException(
            f"Actions of type '{action['Type']}' are not supported for {kinds.NOUNS[balancer.kind]}"
        )
    if balancer.kind != "application" and action["ForwardConfig"]["TargetGroupStickinessConfig"]["Enabled"]:
        raise t.InvalidLoadBalancerActionException(
            f"Target group stickiness is not supported for {kinds.NOUNS[balancer.kind]}"
        )
    if protocol == "HTTPS" and action.get("RedirectConfig", {}).get("Protocol") == "HTTP":
        raise t.InvalidLoadBalancerActionException("Requests cannot be redirected from HTTPS to HTTP")
    _check_forward(view, call, action, balancer, protocol, conditions)


def _check_trust(view: View, call: Call, wanted: security.Security) -> None:
    if wanted.mutual.trust_store:
        the_trust_store(view, call, wanted.mutual.trust_store)


@elbv2.operation
async def create_listener(req: t.CreateListenerInput, call: Call) -> t.CreateListenerOutput:
    tags = checked_tags(req.get("Tags"))
    balancer = the_balancer(call.store, call, req["LoadBalancerArn"])
    if balancer.kind != "gateway" and ("Protocol" not in req or "Port" not in req):
        raise invalid("A listener must have a protocol and a port")
    port = req.get("Port", 0)
    wanted = security.checked(balancer, dict(req))
    first, rest = authentication.split(req["DefaultActions"])
    action = actions.checked(rest)
    authentication.check_protocol(first, wanted.protocol)
    ids = await check_there(call, wanted.certificates)
    with call.tx() as tx:
        balancer = the_balancer(tx, call, req["LoadBalancerArn"])
        _check_trust(tx, call, wanted)
        check_action(tx, call, action, balancer, wanted.protocol)
        others = listeners_of(tx, balancer)
        record = next((other for other in others if other.port == port), None)
        if record is None:
            quotas.room_for_listener(tx, balancer)
            key = listeners.key(call.scope, f"{balancer.id}/{call.ids.hex(16)}")
            new = Listener(
                key=key,
                balancer=balancer.id,
                port=port,
                default=action,
                default_rule=call.ids.hex(16),
                ids=ids,
                authentication=first,
                **wanted._asdict(),
            )
            record = tx.put(listeners, new)
            quotas.check_groups(tx, balancer)
            if first is not None:
                signing.ensure(tx, call, balancer)
            tag(tx, call, record.arn, tags)
            publish(tx, balancer)
        elif (record.default, record.authentication, security.of(record)) != (action, first, wanted) or (
            tags and tags != tags_of(tx, call.scope, record.arn)
        ):
            raise _there_already(balancer)
    return {"Listeners": [views.listener(record, balancer)]}


def _there_already(balancer: LoadBalancer) -> AwsError:
    return t.DuplicateListenerException(
        f"A listener already exists on this port for this load balancer '{balancer.arn}'"
    )


@elbv2.operation
async def describe_listeners(req: t.DescribeListenersInput, call: Call) -> t.DescribeListenersOutput:
    arns, balancer = req.get("ListenerArns"), req.get("LoadBalancerArn")
    if arns and balancer:
        raise invalid("You cannot specify both listener ARNs and a load balancer ARN")
    if arns:
        rows = _all_of(find_listener(call.store, call, arn) for arn in arns)
    elif balancer:
        rows = listeners_of(call.store, the_balancer(call.store, call, balancer))
    else:
        raise invalid("You must specify either listener ARNs or a load balancer ARN")
    found, more = page(call, rows, dict(req), _order)
    shown = [views.listener(record, balancer_of(call.store, record)) for record in found]
    return {"Listeners": shown, **next_marker(more)}


def _order(listener: Listener) -> str:
    return f"{listener.balancer} {listener.port:05d}"


def _all_of(found: Iterable[Listener | None]) -> list[Listener]:
    known: dict[str, Listener] = {}
    for record in found:
        if record is None:
            raise t.ListenerNotFoundException("One or more listeners not found")
        known[record.id] = record
    return sorted(known.values(), key=_order)


@elbv2.operation
async def modify_listener(req: t.ModifyListenerInput, call: Call) -> t.ModifyListenerOutput:
    before = the_listener(call.store, call, req["ListenerArn"])
    wanted = security.checked(balancer_of(call.store, before), dict(req), security.of(before))
    ids = await check_there(call, wanted.certificates if "Certificates" in req else ())
    with call.tx() as tx:
        record = the_listener(tx, call, req["ListenerArn"])
        balancer = balancer_of(tx, record)
        wanted = security.checked(balancer, dict(req), security.of(record))
        port = req.get("Port", record.port)
        if any(other.port == port and other.id != record.id for other in listeners_of(tx, balancer)):
            raise _there_already(balancer)
        _check_trust(tx, call, wanted)
        first, action = record.authentication, record.default
        if "DefaultActions" in req:
            first, rest = authentication.split(req["DefaultActions"], record.authentication)
            action = actions.checked(rest)
        for wants in (first, *(rule.authentication for rule in rules_of(tx, record))):
            authentication.check_protocol(wants, wanted.protocol)
        check_action(tx, call, action, balancer, wanted.protocol)
        if wanted.protocol != record.protocol:
            for rule in rules_of(tx, record):
                check_action(tx, call, rule.action, balancer, wanted.protocol, rule.conditions)
        ids = {arn: id_ for arn, id_ in {**record.ids, **ids}.items() if arn in wanted.certificates}
        changed = replace(record, port=port, default=action, authentication=first, ids=ids, **wanted._asdict())
        record = tx.put(listeners, changed)
        if "DefaultActions" in req:
            quotas.check_groups(tx, balancer)
        if first is not None:
            signing.ensure(tx, call, balancer)
        publish(tx, balancer)
    return {"Listeners": [views.listener(record, balancer)]}


@elbv2.operation
async def delete_listener(req: t.DeleteListenerInput, call: Call) -> t.DeleteListenerOutput:
    """One that a network load balancer leads to stays: its target would be without a port."""
    with call.tx() as tx:
        record = the_listener(tx, call, req["ListenerArn"])
        balancer = balancer_of(tx, record)
        if any(target.port == record.port for target in tx.index(targets, "address", balancer.arn)):
            raise t.ResourceInUseException(f"Listener '{record.arn}' is currently in use by a target group")
        forget_listener(tx, record)
        publish(tx, balancer)
    return {}
