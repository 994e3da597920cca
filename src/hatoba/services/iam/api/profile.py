"""Instance profiles: how a role is handed to a machine. Each holds one role at most."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import views
from hatoba.services.iam.api.room import (
    changeable,
    conflict,
    forget,
    iam,
    marked_page,
    named_page,
    new,
    own_tags,
    put_new,
    truncated,
)
from hatoba.services.iam.model import PROFILE, ROLE, InstanceProfile, instance_profiles, roles


def shown(call: Call, profile: InstanceProfile, *, tagged: bool = False) -> t.InstanceProfile:
    """With its role."""
    role = call.store.find(roles, profile.scope, profile.role) if profile.role else None
    return views.instance_profile(profile, role, own_tags(call.store, PROFILE, profile) if tagged else None)


@iam.operation
async def create_instance_profile(req: t.CreateInstanceProfileRequest, call: Call) -> t.CreateInstanceProfileResponse:
    with call.tx() as tx:
        profile = put_new(tx, PROFILE, InstanceProfile(**new(call, PROFILE, req)), req)
    return {"InstanceProfile": shown(call, profile, tagged=True)}


@iam.operation
async def get_instance_profile(req: t.GetInstanceProfileRequest, call: Call) -> t.GetInstanceProfileResponse:
    profile = PROFILE.the(call.store, call.scope, req["InstanceProfileName"])
    return {"InstanceProfile": shown(call, profile, tagged=True)}


@iam.operation
async def list_instance_profiles(req: t.ListInstanceProfilesRequest, call: Call) -> t.ListInstanceProfilesResponse:
    page, marker = named_page(call, PROFILE, req)
    return {"InstanceProfiles": [shown(call, profile) for profile in page], **truncated(marker)}


@iam.operation
async def list_instance_profiles_for_role(
    req: t.ListInstanceProfilesForRoleRequest, call: Call
) -> t.ListInstanceProfilesForRoleResponse:
    role = ROLE.the(call.store, call.scope, req["RoleName"])
    rows = call.store.index(instance_profiles, "role", (role.key.account, role.id))
    page, marker = marked_page(call, rows, req, lambda profile: profile.id, role.id)
    return {"InstanceProfiles": [shown(call, profile) for profile in page], **truncated(marker)}


@iam.operation
async def add_role_to_instance_profile(req: t.AddRoleToInstanceProfileRequest, call: Call) -> None:
    with call.tx() as tx:
        profile = PROFILE.the(tx, call.scope, req["InstanceProfileName"])
        role = ROLE.the(tx, call.scope, req["RoleName"])
        changeable(role)
        if profile.role is not None:
            raise t.LimitExceededException("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
        tx.put(instance_profiles, replace(profile, role=role.id))


@iam.operation
async def remove_role_from_instance_profile(req: t.RemoveRoleFromInstanceProfileRequest, call: Call) -> None:
    with call.tx() as tx:
        profile = PROFILE.the(tx, call.scope, req["InstanceProfileName"])
        if profile.role != req["RoleName"].lower():
            raise t.NoSuchEntityException(f"Role {req['RoleName']} in Instance Profile {profile.name} cannot be found.")
        tx.put(instance_profiles, replace(profile, role=None))


@iam.operation
async def delete_instance_profile(req: t.DeleteInstanceProfileRequest, call: Call) -> None:
    with call.tx() as tx:
        profile = PROFILE.the(tx, call.scope, req["InstanceProfileName"])
        if profile.role is not None:
            raise conflict("Cannot delete entity, must remove roles from instance profile first.")
        forget(tx, PROFILE, profile)
