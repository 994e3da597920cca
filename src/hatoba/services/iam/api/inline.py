"""Inline policies of users, groups and roles: the same four operations for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import documents, views
from hatoba.services.iam.api.room import changeable, iam, marked_page, truncated
from hatoba.services.iam.model import GROUP, ROLE, USER, Kind, Principal

P = TypeVar("P", bound=Principal)

SIZES = {"user": 2048, "group": 5120, "role": 10240}  # of all inline policies together


def _put(call: Call, kind: Kind[P], owner: str, name: str, document: str) -> None:
    documents.check_identity(document)
    with call.tx() as tx:
        principal = kind.the(tx, call.scope, owner)
        changeable(principal)
        inline = {**principal.inline, name: document}
        if sum(map(documents.size, inline.values())) > SIZES[kind.noun]:
            raise t.LimitExceededException(
                f"Maximum policy size of {SIZES[kind.noun]} bytes exceeded for {kind.noun} {principal.name}"
            )
        tx.put(kind.table, replace(principal, inline=inline))


def _document(principal: Principal, kind: Kind[P], name: str) -> str:
    if name not in principal.inline:
        raise t.NoSuchEntityException(f"The {kind.noun} policy with name {name} cannot be found.")
    return principal.inline[name]


def _get(call: Call, kind: Kind[P], owner: str, name: str) -> tuple[P, str]:
    principal = kind.the(call.store, call.scope, owner)
    return principal, views.document(_document(principal, kind, name))


def _names(call: Call, kind: Kind[P], owner: str, req: Mapping[str, Any]) -> t.ListRolePoliciesResponse:
    """All three lists look alike."""
    principal = kind.the(call.store, call.scope, owner)
    page, marker = marked_page(call, sorted(principal.inline), req, lambda name: name, principal.id)
    return {"PolicyNames": page, **truncated(marker)}


def _delete(call: Call, kind: Kind[P], owner: str, name: str) -> None:
    with call.tx() as tx:
        principal = kind.the(tx, call.scope, owner)
        changeable(principal)
        _document(principal, kind, name)
        inline = {known: document for known, document in principal.inline.items() if known != name}
        tx.put(kind.table, replace(principal, inline=inline))


# --- users


@iam.operation
async def put_user_policy(req: t.PutUserPolicyRequest, call: Call) -> None:
    _put(call, USER, req["UserName"], req["PolicyName"], req["PolicyDocument"])


@iam.operation
async def get_user_policy(req: t.GetUserPolicyRequest, call: Call) -> t.GetUserPolicyResponse:
    user, document = _get(call, USER, req["UserName"], req["PolicyName"])
    return {"UserName": user.name, "PolicyName": req["PolicyName"], "PolicyDocument": document}


@iam.operation
async def list_user_policies(req: t.ListUserPoliciesRequest, call: Call) -> t.ListRolePoliciesResponse:
    return _names(call, USER, req["UserName"], req)


@iam.operation
async def delete_user_policy(req: t.DeleteUserPolicyRequest, call: Call) -> None:
    _delete(call, USER, req["UserName"], req["PolicyName"])


# --- groups


@iam.operation
async def put_group_policy(req: t.PutGroupPolicyRequest, call: Call) -> None:
    _put(call, GROUP, req["GroupName"], req["PolicyName"], req["PolicyDocument"])


@iam.operation
async def get_group_policy(req: t.GetGroupPolicyRequest, call: Call) -> t.GetGroupPolicyResponse:
    group, document = _get(call, GROUP, req["GroupName"], req["PolicyName"])
    return {"GroupName": group.name, "PolicyName": req["PolicyName"], "PolicyDocument": document}


@iam.operation
async def list_group_policies(req: t.ListGroupPoliciesRequest, call: Call) -> t.ListRolePoliciesResponse:
    return _names(call, GROUP, req["GroupName"], req)


@iam.operation
async def delete_group_policy(req: t.DeleteGroupPolicyRequest, call: Call) -> None:
    _delete(call, GROUP, req["GroupName"], req["PolicyName"])


# --- roles


@iam.operation
async def put_role_policy(req: t.PutRolePolicyRequest, call: Call) -> None:
    _put(call, ROLE, req["RoleName"], req["PolicyName"], req["PolicyDocument"])


@iam.operation
async def get_role_policy(req: t.GetRolePolicyRequest, call: Call) -> t.GetRolePolicyResponse:
    role, document = _get(call, ROLE, req["RoleName"], req["PolicyName"])
    return {"RoleName": role.name, "PolicyName": req["PolicyName"], "PolicyDocument": document}


@iam.operation
async def list_role_policies(req: t.ListRolePoliciesRequest, call: Call) -> t.ListRolePoliciesResponse:
    return _names(call, ROLE, req["RoleName"], req)


@iam.operation
async def delete_role_policy(req: t.DeleteRolePolicyRequest, call: Call) -> None:
    _delete(call, ROLE, req["RoleName"], req["PolicyName"])
