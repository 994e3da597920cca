"""Tags of users, roles, policies and instance profiles: the same three operations for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from hatoba.aws.shapes import iam as t
from hatoba.gateway.call import Call
from hatoba.services.iam.api.room import drop_tags, iam, marked_page, own_tags, put_tags
from hatoba.services.iam.model import POLICY, PROFILE, ROLE, USER, Kind, Named, the_policy

N = TypeVar("N", bound=Named)


def _tag(call: Call, kind: Kind[N], record: N, given: Sequence[t.Tag]) -> None:
    with call.tx() as tx:
        put_tags(tx, record.scope, kind.arn(record), given)


def _untag(call: Call, kind: Kind[N], record: N, keys: Sequence[str]) -> None:
    with call.tx() as tx:
        drop_tags(tx, record.scope, kind.arn(record), keys)


def _listed(call: Call, kind: Kind[N], record: N, req: Mapping[str, Any]) -> t.ListRoleTagsResponse:
    """All four lists look alike."""
    own = own_tags(call.store, kind, record)
    page, marker = marked_page(call, sorted(own), req, lambda key: key, kind.arn(record))
    answer: t.ListRoleTagsResponse = {
        "Tags": [{"Key": key, "Value": own[key]} for key in page],
        "IsTruncated": marker is not None,
    }
    if marker is not None:
        answer["Marker"] = marker
    return answer


# --- users


@iam.operation
async def tag_user(req: t.TagUserRequest, call: Call) -> None:
    _tag(call, USER, USER.the(call.store, call.scope, req["UserName"]), req["Tags"])


@iam.operation
async def untag_user(req: t.UntagUserRequest, call: Call) -> None:
    _untag(call, USER, USER.the(call.store, call.scope, req["UserName"]), req["TagKeys"])


@iam.operation
async def list_user_tags(req: t.ListUserTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, USER, USER.the(call.store, call.scope, req["UserName"]), req)


# --- roles


@iam.operation
async def tag_role(req: t.TagRoleRequest, call: Call) -> None:
    _tag(call, ROLE, ROLE.the(call.store, call.scope, req["RoleName"]), req["Tags"])


@iam.operation
async def untag_role(req: t.UntagRoleRequest, call: Call) -> None:
    _untag(call, ROLE, ROLE.the(call.store, call.scope, req["RoleName"]), req["TagKeys"])


@iam.operation
async def list_role_tags(req: t.ListRoleTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, ROLE, ROLE.the(call.store, call.scope, req["RoleName"]), req)


# --- policies


@iam.operation
async def tag_policy(req: t.TagPolicyRequest, call: Call) -> None:
    _tag(call, POLICY, the_policy(call.store, call.scope, req["PolicyArn"]), req["Tags"])


@iam.operation
async def untag_policy(req: t.UntagPolicyRequest, call: Call) -> None:
    _untag(call, POLICY, the_policy(call.store, call.scope, req["PolicyArn"]), req["TagKeys"])


@iam.operation
async def list_policy_tags(req: t.ListPolicyTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, POLICY, the_policy(call.store, call.scope, req["PolicyArn"]), req)


# --- instance profiles


@iam.operation
async def tag_instance_profile(req: t.TagInstanceProfileRequest, call: Call) -> None:
    _tag(call, PROFILE, PROFILE.the(call.store, call.scope, req["InstanceProfileName"]), req["Tags"])


@iam.operation
async def untag_instance_profile(req: t.UntagInstanceProfileRequest, call: Call) -> None:
    _untag(call, PROFILE, PROFILE.the(call.store, call.scope, req["InstanceProfileName"]), req["TagKeys"])


@iam.operation
async def list_instance_profile_tags(req: t.ListInstanceProfileTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, PROFILE, PROFILE.the(call.store, call.scope, req["InstanceProfileName"]), req)
