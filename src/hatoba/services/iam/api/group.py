"""Groups, and who belongs to them."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import views
from hatoba.services.iam.api.room import conflict, forget, iam, marked_page, named_page, new, put_new, rename, truncated
from hatoba.services.iam.model import GROUP, USER, Group, User, groups, users
from hatoba.store.store import View

LIMIT = 10  # groups of one user


def _members(view: View, group: Group) -> list[User]:
    return view.index(users, "group", (group.key.account, group.id))


@iam.operation
async def create_group(req: t.CreateGroupRequest, call: Call) -> t.CreateGroupResponse:
    with call.tx() as tx:
        group = put_new(tx, GROUP, Group(**new(call, GROUP, req), inline={}), req)
    return {"Group": views.group(group)}


@iam.operation
async def get_group(req: t.GetGroupRequest, call: Call) -> t.GetGroupResponse:
    group = GROUP.the(call.store, call.scope, req["GroupName"])
    page, marker = marked_page(call, _members(call.store, group), req, lambda user: user.id, group.id)
    return {"Group": views.group(group), "Users": [views.user(user) for user in page], **truncated(marker)}


@iam.operation
async def list_groups(req: t.ListGroupsRequest, call: Call) -> t.ListGroupsResponse:
    page, marker = named_page(call, GROUP, req)
    return {"Groups": [views.group(group) for group in page], **truncated(marker)}


@iam.operation
async def update_group(req: t.UpdateGroupRequest, call: Call) -> None:
    with call.tx() as tx:
        group = GROUP.the(tx, call.scope, req["GroupName"])
        members = _members(tx, group)
        renamed = rename(tx, GROUP, group, req.get("NewGroupName", group.name), req.get("NewPath", group.path))
        for user in members:
            now = tuple(renamed.id if id_ == group.id else id_ for id_ in user.groups)
            tx.put(users, replace(user, groups=now))


@iam.operation
async def delete_group(req: t.DeleteGroupRequest, call: Call) -> None:
    with call.tx() as tx:
        group = GROUP.the(tx, call.scope, req["GroupName"])
        if _members(tx, group):
            raise conflict("Cannot delete entity, must remove users from group first.")
        if group.inline:
            raise conflict("Cannot delete entity, must delete policies first.")
        if group.attached:
            raise conflict("Cannot delete entity, must detach all policies first.")
        forget(tx, GROUP, group)


@iam.operation
async def add_user_to_group(req: t.AddUserToGroupRequest, call: Call) -> None:
    with call.tx() as tx:
        group = GROUP.the(tx, call.scope, req["GroupName"])
        user = USER.the(tx, call.scope, req["UserName"])
        if group.id in user.groups:
            return
        if len(user.groups) >= LIMIT:
            raise t.LimitExceededException(f"Cannot exceed quota for GroupsPerUser: {LIMIT}")
        tx.put(users, replace(user, groups=(*user.groups, group.id)))


@iam.operation
async def remove_user_from_group(req: t.RemoveUserFromGroupRequest, call: Call) -> None:
    with call.tx() as tx:
        group = GROUP.the(tx, call.scope, req["GroupName"])
        user = USER.the(tx, call.scope, req["UserName"])
        if group.id in user.groups:
            tx.put(users, replace(user, groups=tuple(id_ for id_ in user.groups if id_ != group.id)))


@iam.operation
async def list_groups_for_user(req: t.ListGroupsForUserRequest, call: Call) -> t.ListGroupsForUserResponse:
    user = USER.the(call.store, call.scope, req["UserName"])
    found = (call.store.find(groups, user.scope, id_) for id_ in sorted(user.groups))
    rows = [group for group in found if group is not None]
    page, marker = marked_page(call, rows, req, lambda group: group.id, user.id)
    return {"Groups": [views.group(group) for group in page], **truncated(marker)}
