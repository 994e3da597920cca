"""Service-linked roles: made for a service, trusted by it alone, and changed by nobody else."""

from __future__ import annotations

import re

import msgspec

from hatoba.aws.shapes import iam as t
from hatoba.gateway.call import Call
from hatoba.services.iam import managed, views
from hatoba.services.iam.api.room import forget, iam
from hatoba.services.iam.model import ROLE, Role, roles, unique_id
from hatoba.services.iam.naming import linked_role

_SERVICE = re.compile(r"[\w.-]+\.amazonaws\.com(\.cn)?")
_TASK = re.compile(r"task/aws-service-role/[\w.-]+/[\w+=,.@-]+/[0-9a-f-]{36}")


@iam.operation
async def create_service_linked_role(
    req: t.CreateServiceLinkedRoleRequest, call: Call
) -> t.CreateServiceLinkedRoleResponse:
    service = req["AWSServiceName"]
    if not _SERVICE.fullmatch(service):
        raise t.InvalidInputException(f"{service} is not a valid service name.")
    name = linked_role(service, req.get("CustomSuffix"))
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
    with call.tx() as tx:
        if ROLE.find(tx, call.scope, name) is not None:
            raise t.InvalidInputException(
                f"Service role name {name} has been taken in this account, please try a different suffix."
            )
        role = Role(
            key=roles.key(call.scope.everywhere(), name.lower()),
            name=name,
            path=f"/aws-service-role/{service}/",
            unique=unique_id(call.ids, ROLE.prefix),
            created=call.now,
            inline={},
            attached=managed.of_linked_role(linked_role(service), call.scope.partition),
            trust=trust,
            description=req.get("Description"),
        )
        tx.put(roles, role)
    return {"Role": views.role(role)}


@iam.operation
async def delete_service_linked_role(
    req: t.DeleteServiceLinkedRoleRequest, call: Call
) -> t.DeleteServiceLinkedRoleResponse:
    """At once: the platform's services act under their linked roles whether or not these are on record."""
    with call.tx() as tx:
        role = ROLE.the(tx, call.scope, req["RoleName"])
        if not role.linked:
            raise t.NoSuchEntityException(f"The role with name {role.name} is not a service-linked role.")
        forget(tx, ROLE, role)
    return {"DeletionTaskId": f"task{role.path}{role.name}/{call.ids.uuid()}"}


@iam.operation
async def get_service_linked_role_deletion_status(
    req: t.GetServiceLinkedRoleDeletionStatusRequest, call: Call
) -> t.GetServiceLinkedRoleDeletionStatusResponse:
    if not _TASK.fullmatch(req["DeletionTaskId"]):
        raise t.NoSuchEntityException(f"The deletion task {req['DeletionTaskId']} cannot be found.")
    return {"Status": "SUCCEEDED"}
