"""What a policy is attached to: the root, units, accounts."""

from __future__ import annotations

from hatoba.aws.shapes import organizations as t
from hatoba.gateway.call import Call
from hatoba.services.organizations import model, views
from hatoba.services.organizations.api.policy import not_enabled, put_target, the_policy, type_of
from hatoba.services.organizations.api.room import (
    invalid,
    managed,
    organizations,
    page,
    seen,
    the_target,
    violation,
)
from hatoba.services.organizations.plan.managed import FIXED, KINDS


@organizations.operation
async def attach_policy(req: t.AttachPolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        org = managed(tx, call)
        policy = the_policy(tx, org, req["PolicyId"])
        target = the_target(tx, org, req["TargetId"])
        if policy.type not in org.enabled:
            raise not_enabled()
        if policy.id in target.policies:
            raise t.DuplicatePolicyAttachmentException("The policy is already attached to the specified target.")
        most = KINDS[policy.type].attached
        if sum(type_of(tx, org, id_) == policy.type for id_ in target.policies) >= most:
            raise violation(
                "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                f"At most {most} policies of the type {policy.type} can be attached to one target.",
            )
        put_target(tx, target, (*target.policies, policy.id))


@organizations.operation
async def detach_policy(req: t.DetachPolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        org = managed(tx, call)
        policy = the_policy(tx, org, req["PolicyId"])
        target = the_target(tx, org, req["TargetId"])
        if policy.id not in target.policies:
            raise t.PolicyNotAttachedException("The policy isn't attached to the specified target.")
        if policy.id in FIXED:
            raise invalid("NON_DETACHABLE_POLICY", f"{policy.name} can't be detached.")
        if sum(type_of(tx, org, id_) == policy.type for id_ in target.policies) <= KINDS[policy.type].least:
            raise violation(
                "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                "A target must keep at least one service control policy: attach another one first.",
            )
        put_target(tx, target, tuple(id_ for id_ in target.policies if id_ != policy.id))


@organizations.operation
async def list_targets_for_policy(req: t.ListTargetsForPolicyRequest, call: Call) -> t.ListTargetsForPolicyResponse:
    org = seen(call.store, call)
    the_policy(call.store, org, req["PolicyId"])
    rows = [views.target(one) for one in model.targets_of(call.store, org, req["PolicyId"])]
    found, more = page(call, rows, req, lambda one: one["TargetId"], req["PolicyId"])
    return {"Targets": found, **more}


@organizations.operation
async def list_policies_for_target(req: t.ListPoliciesForTargetRequest, call: Call) -> t.ListPoliciesForTargetResponse:
    org, type_ = seen(call.store, call), req["Filter"]
    target = the_target(call.store, org, req["TargetId"])
    held = [the_policy(call.store, org, id_) for id_ in target.policies]
    rows = [one for one in held if one.type == type_]
    found, more = page(call, rows, req, lambda one: one.id, (req["TargetId"], type_))
    shown = [views.policy(one, org.key.partition) for one in found]
    return {"Policies": shown, **more}
