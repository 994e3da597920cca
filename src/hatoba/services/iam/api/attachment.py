"""Managed policies attached to users and roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import iam as t
from hatoba.core import arn as arns
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam.api.room import iam, marked_page
from hatoba.services.iam.model import Principal, is_managed_by_aws, roles, the_policy, the_role, the_user, users
from hatoba.store import Tx

LIMIT = 10


def _with(tx: Tx, call: Call, principal: Principal, arn: str) -> tuple[str, ...]:
    if arns.parse(arn) is None:
        raise t.InvalidInputException(f"ARN {arn} is not valid.")
    if not is_managed_by_aws(arn):
        the_policy(tx, call.scope, arn)
    if arn in principal.attached:
        return principal.attached
    if len(principal.attached) >= LIMIT:
        raise t.LimitExceededException(f"Cannot exceed quota for PoliciesPerRole: {LIMIT}")
    return (*principal.attached, arn)


def _without(principal: Principal, arn: str) -> tuple[str, ...]:
    if arn not in principal.attached:
        raise t.NoSuchEntityException(f"Policy {arn} was not found.")
    return tuple(known for known in principal.attached if known != arn)


def _listed(call: Call, principal: Principal, req: Mapping[str, Any]) -> dict[str, Any]:
    arns_, more = marked_page(call, sorted(principal.attached), req, lambda arn: arn, principal.id)
    shown: list[t.AttachedPolicy] = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns_]
    return {"AttachedPolicies": shown, **more}


@iam.operation
async def attach_role_policy(req: t.AttachRolePolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        role = the_role(tx, call.scope, req["RoleName"])
        tx.put(roles, replace(role, attached=_with(tx, call, role, req["PolicyArn"])))


@iam.operation
async def detach_role_policy(req: t.DetachRolePolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        role = the_role(tx, call.scope, req["RoleName"])
        tx.put(roles, replace(role, attached=_without(role, req["PolicyArn"])))


@iam.operation
async def list_attached_role_policies(
    req: t.ListAttachedRolePoliciesRequest, call: Call
) -> t.ListAttachedRolePoliciesResponse:
    return _listed(call, the_role(call.store, call.scope, req["RoleName"]), req)  # type: ignore[return-value]


@iam.operation
async def attach_user_policy(req: t.AttachUserPolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        user = the_user(tx, call.scope, req["UserName"])
        tx.put(users, replace(user, attached=_with(tx, call, user, req["PolicyArn"])))


@iam.operation
async def detach_user_policy(req: t.DetachUserPolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        user = the_user(tx, call.scope, req["UserName"])
        tx.put(users, replace(user, attached=_without(user, req["PolicyArn"])))


@iam.operation
async def list_attached_user_policies(
    req: t.ListAttachedUserPoliciesRequest, call: Call
) -> t.ListAttachedUserPoliciesResponse:
    return _listed(call, the_user(call.store, call.scope, req["UserName"]), req)  # type: ignore[return-value]
