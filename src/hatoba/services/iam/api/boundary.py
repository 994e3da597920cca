"""Permissions boundaries of users and roles: the most that their policies can give."""

from __future__ import annotations

from typing import TypeVar

from hatoba.aws.shapes import iam as t
from hatoba.core import arn as arns
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import managed
from hatoba.services.iam.api.room import changeable, iam
from hatoba.services.iam.model import ROLE, USER, Kind, Principal, the_document
from hatoba.store.store import View

P = TypeVar("P", bound=Principal)


def checked(view: View, call: Call, arn: str | None) -> str | None:
    """The ARN, of a policy that is there. Raises InvalidInput, NoSuchEntity."""
    if arn is None:
        return None
    parsed = arns.parse(arn)
    if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("policy/"):
        raise t.InvalidInputException(f"ARN {arn} is not valid.")
    known = managed.find(arn)
    if (known is not None and known.linked) or the_document(view, call.scope, arn) is None:
        raise t.NoSuchEntityException(f"Scope ARN: {arn} does not exist or is not attachable.")
    return arn


def _put(call: Call, kind: Kind[P], owner: str, arn: str) -> None:
    with call.tx() as tx:
        principal = kind.the(tx, call.scope, owner)
        changeable(principal)
        tx.put(kind.table, replace(principal, boundary=checked(tx, call, arn)))


def _delete(call: Call, kind: Kind[P], owner: str) -> None:
    with call.tx() as tx:
        principal = kind.the(tx, call.scope, owner)
        changeable(principal)
        if principal.boundary is None:
            raise t.NoSuchEntityException(f"{kind.noun.capitalize()} {principal.name} has no permissions boundary.")
        tx.put(kind.table, replace(principal, boundary=None))


@iam.operation
async def put_user_permissions_boundary(req: t.PutUserPermissionsBoundaryRequest, call: Call) -> None:
    _put(call, USER, req["UserName"], req["PermissionsBoundary"])


@iam.operation
async def delete_user_permissions_boundary(req: t.DeleteUserPermissionsBoundaryRequest, call: Call) -> None:
    _delete(call, USER, req["UserName"])


@iam.operation
async def put_role_permissions_boundary(req: t.PutRolePermissionsBoundaryRequest, call: Call) -> None:
    _put(call, ROLE, req["RoleName"], req["PermissionsBoundary"])


@iam.operation
async def delete_role_permissions_boundary(req: t.DeleteRolePermissionsBoundaryRequest, call: Call) -> None:
    _delete(call, ROLE, req["RoleName"])
