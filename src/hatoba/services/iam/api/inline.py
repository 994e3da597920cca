"""Inline policies of users and roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import documents
from hatoba.services.iam.api.room import iam, marked_page
from hatoba.services.iam.model import Principal, roles, the_role, the_user, users


def _document(principal: Principal, kind: str, name: str) -> str:
    if name not in principal.inline:
        raise t.NoSuchEntityException(f"The {kind} policy with name {name} cannot be found.")
    return principal.inline[name]


def _with(principal: Principal, name: str, document: str) -> dict[str, str]:
    documents.check_identity(document)
    return {**principal.inline, name: document}


def _without(principal: Principal, kind: str, name: str) -> dict[str, str]:
    _document(principal, kind, name)
    return {known: document for known, document in principal.inline.items() if known != name}


def _names(call: Call, principal: Principal, req: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    return marked_page(call, sorted(principal.inline), req, lambda name: name, principal.id)


@iam.operation
async def put_role_policy(req: t.PutRolePolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        role = the_role(tx, call.scope, req["RoleName"])
        tx.put(roles, replace(role, inline=_with(role, req["PolicyName"], req["PolicyDocument"])))


@iam.operation
async def get_role_policy(req: t.GetRolePolicyRequest, call: Call) -> t.GetRolePolicyResponse:
    role = the_role(call.store, call.scope, req["RoleName"])
    document = _document(role, "role", req["PolicyName"])
    return {"RoleName": role.name, "PolicyName": req["PolicyName"], "PolicyDocument": quote(document, safe="")}


@iam.operation
async def list_role_policies(req: t.ListRolePoliciesRequest, call: Call) -> t.ListRolePoliciesResponse:
    names, more = _names(call, the_role(call.store, call.scope, req["RoleName"]), req)
    return {"PolicyNames": names, **more}  # type: ignore[typeddict-item]


@iam.operation
async def delete_role_policy(req: t.DeleteRolePolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        role = the_role(tx, call.scope, req["RoleName"])
        tx.put(roles, replace(role, inline=_without(role, "role", req["PolicyName"])))


@iam.operation
async def put_user_policy(req: t.PutUserPolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        user = the_user(tx, call.scope, req["UserName"])
        tx.put(users, replace(user, inline=_with(user, req["PolicyName"], req["PolicyDocument"])))


@iam.operation
async def get_user_policy(req: t.GetUserPolicyRequest, call: Call) -> t.GetUserPolicyResponse:
    user = the_user(call.store, call.scope, req["UserName"])
    document = _document(user, "user", req["PolicyName"])
    return {"UserName": user.name, "PolicyName": req["PolicyName"], "PolicyDocument": quote(document, safe="")}


@iam.operation
async def list_user_policies(req: t.ListUserPoliciesRequest, call: Call) -> t.ListUserPoliciesResponse:
    names, more = _names(call, the_user(call.store, call.scope, req["UserName"]), req)
    return {"PolicyNames": names, **more}  # type: ignore[typeddict-item]


@iam.operation
async def delete_user_policy(req: t.DeleteUserPolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        user = the_user(tx, call.scope, req["UserName"])
        tx.put(users, replace(user, inline=_without(user, "user", req["PolicyName"])))
