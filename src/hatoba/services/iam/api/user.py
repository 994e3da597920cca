"""Users."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags, tags_of
from hatoba.services.iam import views
from hatoba.services.iam.api.room import conflict, iam, marked_page, tag_new, under
from hatoba.services.iam.model import User, access_keys, the_user, unique_id, user_arn, users


@iam.operation
async def create_user(req: t.CreateUserRequest, call: Call) -> t.CreateUserResponse:
    name, scope = req["UserName"], call.scope.everywhere()
    with call.tx() as tx:
        if tx.find(users, scope, name.lower()) is not None:
            raise t.EntityAlreadyExistsException(f"User with name {name} already exists.")
        user = tx.put(
            users,
            User(
                key=users.key(scope, name.lower()),
                name=name,
                path=req.get("Path", "/"),
                unique=unique_id(call.ids, "AIDA"),
                created=call.now,
                boundary=req.get("PermissionsBoundary"),
                inline={},
            ),
        )
        tag_new(tx, call, user_arn(user), req)
    return {"User": views.user(user, {tag["Key"]: tag["Value"] for tag in req.get("Tags", ())})}


@iam.operation
async def get_user(req: t.GetUserRequest, call: Call) -> t.GetUserResponse:
    name = req.get("UserName")
    if name is None:  # the caller
        if call.principal.kind != "user":
            return {
                "User": {
                    "Path": "/",
                    "UserName": "root",
                    "UserId": call.principal.account,
                    "Arn": call.principal.arn,
                    "CreateDate": 0.0,
                }
            }
        name = call.principal.arn.rpartition("/")[2]
    user = the_user(call.store, call.scope, name)
    return {"User": views.user(user, tags_of(call.store, call.scope.everywhere(), user_arn(user)))}


@iam.operation
async def list_users(req: t.ListUsersRequest, call: Call) -> t.ListUsersResponse:
    rows = filter(under(req.get("PathPrefix")), call.store.scan(users, call.scope.everywhere()))
    page, more = marked_page(call, rows, req, lambda user: user.id, req.get("PathPrefix"))
    return {"Users": [views.user(user) for user in page if isinstance(user, User)], **more}  # type: ignore[typeddict-item]


@iam.operation
async def update_user(req: t.UpdateUserRequest, call: Call) -> None:
    with call.tx() as tx:
        user = the_user(tx, call.scope, req["UserName"])
        new = req.get("NewUserName", user.name)
        renamed = replace(user, name=new, path=req.get("NewPath", user.path))
        if new.lower() == user.id:
            tx.put(users, renamed)
            return
        if tx.find(users, user.scope, new.lower()) is not None:
            raise t.EntityAlreadyExistsException(f"User with name {new} already exists.")
        tx.forget(users, user.key)
        tx.put(users, replace(renamed, key=users.key(user.scope, new.lower()), version=0))
        for key in tx.index(access_keys, "user", (user.key.account, user.id)):
            tx.put(access_keys, replace(key, user=new))


@iam.operation
async def delete_user(req: t.DeleteUserRequest, call: Call) -> None:
    with call.tx() as tx:
        user = the_user(tx, call.scope, req["UserName"])
        if tx.count(access_keys, "user", (user.key.account, user.id)):
            raise conflict("Cannot delete entity, must delete access keys first.")
        if user.inline:
            raise conflict("Cannot delete entity, must delete policies first.")
        if user.attached:
            raise conflict("Cannot delete entity, must detach all policies first.")
        tx.forget(users, user.key)
        forget_tags(tx, user.scope, user_arn(user))
