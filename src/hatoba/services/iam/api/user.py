"""Users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import usage, views
from hatoba.services.iam.api.boundary import checked
from hatoba.services.iam.api.room import conflict, forget, iam, named_page, new, own_tags, put_new, rename, truncated
from hatoba.services.iam.model import (
    USER,
    OfUser,
    User,
    access_keys,
    mfa_devices,
    service_credentials,
    signing_certificates,
    ssh_keys,
)
from hatoba.store import Table
from hatoba.store.store import View

_OF_USERS: tuple[Table[Any], ...] = (signing_certificates, ssh_keys, service_credentials)


def _held(view: View, user: User) -> Iterator[tuple[Table[Any], OfUser]]:
    for table in _OF_USERS:
        for record in view.index(table, "user", (user.key.account, user.id)):
            yield table, record


def asked(view: View, call: Call, name: str | None) -> User:
    """The named user, or the one who asks."""
    if name is None:
        if call.principal.kind != "user":
            raise AwsError("Must specify userName when calling with non-User credentials", code="ValidationError")
        name = call.principal.arn.rpartition("/")[2]
    return USER.the(view, call.scope, name)


@iam.operation
async def create_user(req: t.CreateUserRequest, call: Call) -> t.CreateUserResponse:
    with call.tx() as tx:
        user = User(**new(call, USER, req), boundary=checked(tx, call, req.get("PermissionsBoundary")), inline={})
        user = put_new(tx, USER, user, req)
    return {"User": views.user(user, own_tags(call.store, USER, user))}


@iam.operation
async def get_user(req: t.GetUserRequest, call: Call) -> t.GetUserResponse:
    if "UserName" not in req and call.principal.kind == "root":
        own = call.principal
        return {"User": {"Path": "/", "UserName": "root", "UserId": own.account, "Arn": own.arn, "CreateDate": 0.0}}
    user = asked(call.store, call, req.get("UserName"))
    return {"User": views.user(user, own_tags(call.store, USER, user))}


@iam.operation
async def list_users(req: t.ListUsersRequest, call: Call) -> t.ListUsersResponse:
    page, marker = named_page(call, USER, req)
    return {"Users": [views.user(user) for user in page], **truncated(marker)}


@iam.operation
async def update_user(req: t.UpdateUserRequest, call: Call) -> None:
    with call.tx() as tx:
        user = USER.the(tx, call.scope, req["UserName"])
        renamed = rename(tx, USER, user, req.get("NewUserName", user.name), req.get("NewPath", user.path))
        for key in tx.index(access_keys, "user", (user.key.account, user.id)):
            tx.put(access_keys, replace(key, user=renamed.name))
        for device in tx.index(mfa_devices, "user", (user.key.account, user.id)):
            tx.put(mfa_devices, replace(device, user=renamed.id))
        for table, record in list(_held(tx, user)):
            tx.put(table, replace(record, user=renamed.name))


@iam.operation
async def delete_user(req: t.DeleteUserRequest, call: Call) -> None:
    with call.tx() as tx:
        user = USER.the(tx, call.scope, req["UserName"])
        if tx.count(access_keys, "user", (user.key.account, user.id)):
            raise conflict("Cannot delete entity, must delete access keys first.")
        if tx.count(mfa_devices, "user", (user.key.account, user.id)):
            raise conflict("Cannot delete entity, must delete MFA device first.")
        if user.login is not None:
            raise conflict("Cannot delete entity, must delete login profile first.")
        if any(_held(tx, user)):
            raise conflict("Cannot delete entity, must remove referenced objects first.")
        if user.inline:
            raise conflict("Cannot delete entity, must delete policies first.")
        if user.attached:
            raise conflict("Cannot delete entity, must detach all policies first.")
        if user.groups:
            raise conflict("Cannot delete entity, must remove users from group first.")
        forget(tx, USER, user)
        usage.forget(tx, call.scope, user.unique)
