"""Managed policies attached to users, groups and roles: the same three operations for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hatoba.aws.shapes import iam as t
from hatoba.core import arn as arns
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import managed
from hatoba.services.iam.api.room import changeable, iam, marked_page, truncated
from hatoba.services.iam.model import GROUP, POLICY, ROLE, USER, Kind, Principal
from hatoba.store.store import View

P = TypeVar("P", bound=Principal)

LIMIT = 10  # policies of one principal


def _is_there(view: View, call: Call, arn: str) -> bool:
    """A customer's policy of this account."""
    found = POLICY.find(view, call.scope, arn.rpartition("/")[2])
    return found is not None and POLICY.arn(found) == arn


def _attach(call: Call, kind: Kind[P], owner: str, arn: str) -> None:
    parsed = arns.parse(arn)
    if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("policy/"):
        raise t.InvalidInputException(f"ARN {arn} is not valid.")
    with call.tx() as tx:
        principal = kind.the(tx, call.scope, owner)
        changeable(principal)
        known = managed.find(arn)
        if known.linked if known is not None else not _is_there(tx, call, arn):
            raise t.NoSuchEntityException(f"Policy {arn} does not exist or is not attachable.")
        if arn in principal.attached:
            return
        if len(principal.attached) >= LIMIT:
            raise t.LimitExceededException(f"Cannot exceed quota for PoliciesPer{kind.title}: {LIMIT}")
        tx.put(kind.table, replace(principal, attached=(*principal.attached, arn)))


def _detach(call: Call, kind: Kind[P], owner: str, arn: str) -> None:
    with call.tx() as tx:
        principal = kind.the(tx, call.scope, owner)
        changeable(principal)
        if arn not in principal.attached:
            raise t.NoSuchEntityException(f"Policy {arn} was not found.")
        left = tuple(known for known in principal.attached if known != arn)
        tx.put(kind.table, replace(principal, attached=left))


def _listed(call: Call, kind: Kind[P], owner: str, req: Mapping[str, Any]) -> t.ListAttachedRolePoliciesResponse:
    """All three lists look alike. `PathPrefix` is the policies'."""
    principal, prefix = kind.the(call.store, call.scope, owner), req.get("PathPrefix", "/")
    rows = [arn for arn in sorted(principal.attached) if arn.partition(":policy")[2].startswith(prefix)]
    page, marker = marked_page(call, rows, req, lambda arn: arn, (principal.id, prefix))
    return {
        "AttachedPolicies": [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in page],
        **truncated(marker),
    }


# --- users


@iam.operation
async def attach_user_policy(req: t.AttachUserPolicyRequest, call: Call) -> None:
    _attach(call, USER, req["UserName"], req["PolicyArn"])


@iam.operation
async def detach_user_policy(req: t.DetachUserPolicyRequest, call: Call) -> None:
    _detach(call, USER, req["UserName"], req["PolicyArn"])


@iam.operation
async def list_attached_user_policies(
    req: t.ListAttachedUserPoliciesRequest, call: Call
) -> t.ListAttachedRolePoliciesResponse:
    return _listed(call, USER, req["UserName"], req)


# --- groups


@iam.operation
async def attach_group_policy(req: t.AttachGroupPolicyRequest, call: Call) -> None:
    _attach(call, GROUP, req["GroupName"], req["PolicyArn"])


@iam.operation
async def detach_group_policy(req: t.DetachGroupPolicyRequest, call: Call) -> None:
    _detach(call, GROUP, req["GroupName"], req["PolicyArn"])


@iam.operation
async def list_attached_group_policies(
    req: t.ListAttachedGroupPoliciesRequest, call: Call
) -> t.ListAttachedRolePoliciesResponse:
    return _listed(call, GROUP, req["GroupName"], req)


# --- roles


@iam.operation
async def attach_role_policy(req: t.AttachRolePolicyRequest, call: Call) -> None:
    _attach(call, ROLE, req["RoleName"], req["PolicyArn"])


@iam.operation
async def detach_role_policy(req: t.DetachRolePolicyRequest, call: Call) -> None:
    _detach(call, ROLE, req["RoleName"], req["PolicyArn"])


@iam.operation
async def list_attached_role_policies(
    req: t.ListAttachedRolePoliciesRequest, call: Call
) -> t.ListAttachedRolePoliciesResponse:
    return _listed(call, ROLE, req["RoleName"], req)
