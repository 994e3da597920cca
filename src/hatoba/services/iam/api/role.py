"""Roles that users make. Those of services are in `linked`."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import documents, trusts, usage, views
from hatoba.services.iam.api.boundary import checked
from hatoba.services.iam.api.room import (
    changeable,
    conflict,
    forget,
    iam,
    named_page,
    new,
    own_tags,
    put_new,
    truncated,
)
from hatoba.services.iam.model import ROLE, Role, instance_profiles, roles

TRUST_SIZE = 2048


def _check_trust(document: str) -> None:
    documents.check_trust(document)
    if documents.size(document) > TRUST_SIZE:
        raise t.LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {TRUST_SIZE}")


def _whole(call: Call, role: Role) -> t.Role:
    used = usage.last(call.store, role.scope, role.unique)
    return views.role(trusts.told(call.store, role), own_tags(call.store, ROLE, role), used)


@iam.operation
async def create_role(req: t.CreateRoleRequest, call: Call) -> t.CreateRoleResponse:
    _check_trust(req["AssumeRolePolicyDocument"])
    if req.get("Path", "/").startswith("/aws-service-role/"):
        # Whoever could make one would have a role that nobody may change and that service control policies spare.
        raise t.InvalidInputException("The path /aws-service-role/ is reserved for service-linked roles.")
    with call.tx() as tx:
        role = Role(
            **new(call, ROLE, req),
            boundary=checked(tx, call, req.get("PermissionsBoundary")),
            inline={},
            trust=trusts.kept(tx, call.scope, req["AssumeRolePolicyDocument"]),
            description=req.get("Description"),
            max_session=req.get("MaxSessionDuration", 3600),
        )
        role = put_new(tx, ROLE, role, req)
    return {"Role": views.role(trusts.told(call.store, role), own_tags(call.store, ROLE, role))}


@iam.operation
async def get_role(req: t.GetRoleRequest, call: Call) -> t.GetRoleResponse:
    return {"Role": _whole(call, ROLE.the(call.store, call.scope, req["RoleName"]))}


@iam.operation
async def list_roles(req: t.ListRolesRequest, call: Call) -> t.ListRolesResponse:
    page, marker = named_page(call, ROLE, req)
    return {"Roles": [views.role(trusts.told(call.store, role)) for role in page], **truncated(marker)}


@iam.operation
async def update_role(req: t.UpdateRoleRequest, call: Call) -> t.UpdateRoleResponse:
    with call.tx() as tx:
        role = ROLE.the(tx, call.scope, req["RoleName"])
        changeable(role)
        description, longest = req.get("Description", role.description), req.get("MaxSessionDuration", role.max_session)
        tx.put(roles, replace(role, description=description, max_session=longest))
    return {}


@iam.operation
async def update_role_description(req: t.UpdateRoleDescriptionRequest, call: Call) -> t.UpdateRoleDescriptionResponse:
    with call.tx() as tx:
        role = ROLE.the(tx, call.scope, req["RoleName"])
        changeable(role)
        role = tx.put(roles, replace(role, description=req["Description"]))
    return {"Role": _whole(call, role)}


@iam.operation
async def update_assume_role_policy(req: t.UpdateAssumeRolePolicyRequest, call: Call) -> None:
    _check_trust(req["PolicyDocument"])
    with call.tx() as tx:
        role = ROLE.the(tx, call.scope, req["RoleName"])
        changeable(role)
        tx.put(roles, replace(role, trust=trusts.kept(tx, call.scope, req["PolicyDocument"])))


@iam.operation
async def delete_role(req: t.DeleteRoleRequest, call: Call) -> None:
    with call.tx() as tx:
        role = ROLE.the(tx, call.scope, req["RoleName"])
        changeable(role)
        if tx.count(instance_profiles, "role", (role.key.account, role.id)):
            raise conflict("Cannot delete entity, must remove roles from instance profile first.")
        if role.inline:
            raise conflict("Cannot delete entity, must delete policies first.")
        if role.attached:
            raise conflict("Cannot delete entity, must detach all policies first.")
        forget(tx, ROLE, role)
        usage.forget(tx, call.scope, role.unique)
