"""What IAM's operations need to be allowed.

Users, groups and roles are needed by their whole ARNs, paths included; what is not there by the name that it is given.
Lists are needed as the path that they are of (`user/`, `role/team/`), as IAM's refusals show. Sources: the service
authorisation reference, "AWS Identity and Access Management"; the user guide, "IAM and AWS STS condition context keys",
"Tags for IAM resources"; the references of UpdateUser and UpdateGroup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from hatoba.gateway.call import Call
from hatoba.gateway.needs import (
    EVERYTHING,
    Access,
    Extra,
    Keys,
    Need,
    Params,
    Passed,
    Rule,
    Values,
    all_of,
    on,
    pass_role,
    tag_keys,
    untagged,
    when,
)
from hatoba.gateway.tags import tags_of
from hatoba.services.iam.model import GROUP, POLICY, PROFILE, ROLE, USER, Kind, Named, Principal
from hatoba.services.iam.naming import linked_role

MACHINES = "ec2.amazonaws.com"  # whom instance profiles hand roles to


class Target(NamedTuple):
    resource: str
    record: Named | None = None


Find = Callable[[Params, Call], Target]


def _arn(call: Call, resource: str) -> str:
    return f"arn:{call.scope.partition}:iam::{call.scope.account}:{resource}"


# --- what a request names


def by_name(kind: Kind[Any]) -> Find:
    """Of users, whoever asks when none is named."""

    def find(req: Params, call: Call) -> Target:
        name = req.get(f"{kind.title}Name")
        if not isinstance(name, str) or not name:
            own = kind is USER and call.principal.kind == "user"
            return Target(call.principal.arn, _own(call)) if own else Target(EVERYTHING)
        record = kind.find(call.store, call.scope, name)
        return Target(kind.arn(record), record) if record is not None else Target(_arn(call, f"{kind.resource}/{name}"))

    return find


def _own(call: Call) -> Named | None:
    return USER.find(call.store, call.scope, call.principal.arn.rpartition("/")[2])


def new(kind: Kind[Any]) -> Find:
    """Where it will be."""

    def find(req: Params, call: Call) -> Target:
        return Target(_arn(call, f"{kind.resource}{req.get('Path') or '/'}{req.get(f'{kind.title}Name') or ''}"))

    return find


def renamed(kind: Kind[Any]) -> Find:
    """Where it will be: who gives something another name or path needs the right to both."""
    old = by_name(kind)

    def find(req: Params, call: Call) -> Target:
        target = old(req, call)
        if target.record is None:
            return target
        name = req.get(f"New{kind.title}Name") or target.record.name
        path = req.get("NewPath") or target.record.path
        return Target(_arn(call, f"{kind.resource}{path}{name}"), target.record)

    return find


def policy(req: Params, call: Call) -> Target:
    arn = str(req.get("PolicyArn") or "") or EVERYTHING
    record = POLICY.find(call.store, call.scope, arn.rpartition("/")[2])
    return Target(arn, record if record is not None and POLICY.arn(record) == arn else None)


def said(member: str) -> Find:
    """By the ARN that the request gives."""

    def find(req: Params, call: Call) -> Target:
        return Target(str(req.get(member) or "") or EVERYTHING)

    return find


def new_device(req: Params, call: Call) -> Target:
    return Target(_arn(call, f"mfa{req.get('Path') or '/'}{req.get('VirtualMFADeviceName') or ''}"))


def new_oidc(req: Params, call: Call) -> Target:
    return Target(_arn(call, f"oidc-provider/{str(req.get('Url') or '').removeprefix('https://')}"))


def under(kind: Kind[Any]) -> Find:
    """A list, of a path."""

    def find(req: Params, call: Call) -> Target:
        return Target(_arn(call, f"{kind.resource}{req.get('PathPrefix') or '/'}"))

    return find


# --- rules


def at(find: Find, *, action: str | None = None, keys: Extra | None = None, bounded: bool = False) -> Rule:
    """The action on what is found, with its tags. `bounded`: what may be asked of its permissions boundary, too."""

    def rule(own: str, req: Params, call: Call) -> Iterator[Need]:
        target = find(req, call)
        known: dict[str, Values] = dict(keys(req, call)) if keys is not None else {}
        if bounded and isinstance(target.record, Principal) and target.record.boundary is not None:
            known["iam:PermissionsBoundary"] = target.record.boundary
        if target.resource != EVERYTHING:
            tags = tags_of(call.store, call.scope.everywhere(), target.resource)
            known |= {f"iam:ResourceTag/{key}": value for key, value in tags.items()}
        yield Need(action=action or own, resource=target.resource, keys=known)

    return rule


def making(kind: Kind[Any]) -> Rule:
    return tagged(new(kind), f"iam:Tag{kind.title}")


def tagged(find: Find, action: str) -> Rule:
    """With tags, the right to tag as well."""
    return all_of(at(find, keys=of_new), when(lambda req: req.get("Tags"), at(find, action=action, keys=of_new)))


def renaming(kind: Kind[Any]) -> Rule:
    both = all_of(at(by_name(kind)), at(renamed(kind)))

    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        seen = set()
        for need in both(action, req, call):
            if need.resource not in seen:
                seen.add(need.resource)
                yield need

    return rule


def linked(action: str, req: Params, call: Call) -> Iterator[Need]:
    service = str(req.get("AWSServiceName") or "")
    name = linked_role(service, req.get("CustomSuffix"))
    yield _of_linked(action, call, service, name)


def unlinked(action: str, req: Params, call: Call) -> Iterator[Need]:
    target = ROLES(req, call)
    path = target.record.path if target.record is not None else ""
    keys = {"iam:AWSServiceName": path.split("/")[2]} if path.startswith("/aws-service-role/") else {}
    yield Need(action=action, resource=target.resource, keys=keys)


def deletion(action: str, req: Params, call: Call) -> Iterator[Need]:
    """`task/aws-service-role/<service>/<role>/<id>`."""
    parts = str(req.get("DeletionTaskId") or "").split("/")
    if len(parts) == 5:
        yield _of_linked(action, call, parts[2], parts[3])
    else:
        yield Need(action=action)


def _of_linked(action: str, call: Call, service: str, name: str) -> Need:
    resource = _arn(call, f"role/aws-service-role/{service}/{name}")
    return Need(action=action, resource=resource, keys={"iam:AWSServiceName": service})


def handing_over(action: str, req: Params, call: Call) -> Iterator[Need]:
    """A role, to the machines that have the instance profile."""
    role = ROLES(req, call).resource
    yield from pass_role({"role": role}, Passed(member="role", to=MACHINES))


# --- condition keys


def of_new(req: Params, call: Call) -> Keys:
    boundary = req.get("PermissionsBoundary")
    return {**({"iam:PermissionsBoundary": boundary} if boundary else {}), **tag_keys(req.get("Tags"))}


def attached(req: Params, call: Call) -> Keys:
    return {"iam:PolicyARN": str(req.get("PolicyArn") or "")}


def given(req: Params, call: Call) -> Keys:
    return tag_keys(req.get("Tags"))


# --- the table

USERS, GROUPS, ROLES, PROFILES = by_name(USER), by_name(GROUP), by_name(ROLE), by_name(PROFILE)
GROUP_, ROLE_, USER_, POLICY_, PROFILE_ = at(GROUPS), at(ROLES), at(USERS), at(policy), at(PROFILES)
GONE = untagged("TagKeys")

ACCOUNT = {
    "CreateAccountAlias": on(),
    "DeleteAccountAlias": on(),
    "GetAccountSummary": on(),
    "ListAccountAliases": on(),
}
POLICIES = {
    "CreatePolicy": making(POLICY),
    "CreatePolicyVersion": POLICY_,
    "DeletePolicy": POLICY_,
    "DeletePolicyVersion": POLICY_,
    "GetPolicy": POLICY_,
    "GetPolicyVersion": POLICY_,
    "ListEntitiesForPolicy": POLICY_,
    "ListPolicies": on(),
    "ListPolicyTags": POLICY_,
    "ListPolicyVersions": POLICY_,
    "SetDefaultPolicyVersion": POLICY_,
    "TagPolicy": at(policy, keys=given),
    "UntagPolicy": at(policy, keys=GONE),
}
OF_USERS = {
    "AttachUserPolicy": at(USERS, keys=attached, bounded=True),
    "CreateAccessKey": USER_,
    "CreateUser": making(USER),
    "DeleteAccessKey": USER_,
    "DeleteUser": USER_,
    "DeleteUserPolicy": at(USERS, bounded=True),
    "DetachUserPolicy": at(USERS, keys=attached, bounded=True),
    "GetUser": USER_,
    "GetUserPolicy": USER_,
    "ListAccessKeys": USER_,
    "ListAttachedUserPolicies": USER_,
    "ListGroupsForUser": USER_,
    "ListUserPolicies": USER_,
    "ListUserTags": USER_,
    "ListUsers": at(under(USER)),
    "PutUserPolicy": at(USERS, bounded=True),
    "TagUser": at(USERS, keys=given),
    "UntagUser": at(USERS, keys=GONE),
    "UpdateAccessKey": USER_,
    "UpdateUser": renaming(USER),
}
OF_GROUPS = {
    "AddUserToGroup": GROUP_,
    "AttachGroupPolicy": at(GROUPS, keys=attached),
    "CreateGroup": at(new(GROUP)),
    "DeleteGroup": GROUP_,
    "DeleteGroupPolicy": GROUP_,
    "DetachGroupPolicy": at(GROUPS, keys=attached),
    "GetGroup": GROUP_,
    "GetGroupPolicy": GROUP_,
    "ListAttachedGroupPolicies": GROUP_,
    "ListGroupPolicies": GROUP_,
    "ListGroups": at(under(GROUP)),
    "PutGroupPolicy": GROUP_,
    "RemoveUserFromGroup": GROUP_,
    "UpdateGroup": renaming(GROUP),
}
OF_ROLES = {
    "AttachRolePolicy": at(ROLES, keys=attached, bounded=True),
    "CreateRole": making(ROLE),
    "CreateServiceLinkedRole": linked,
    "DeleteRole": ROLE_,
    "DeleteRolePolicy": at(ROLES, bounded=True),
    "DeleteServiceLinkedRole": unlinked,
    "DetachRolePolicy": at(ROLES, keys=attached, bounded=True),
    "GetRole": ROLE_,
    "GetRolePolicy": ROLE_,
    "GetServiceLinkedRoleDeletionStatus": deletion,
    "ListAttachedRolePolicies": ROLE_,
    "ListInstanceProfilesForRole": ROLE_,
    "ListRolePolicies": ROLE_,
    "ListRoleTags": ROLE_,
    "ListRoles": at(under(ROLE)),
    "PutRolePolicy": at(ROLES, bounded=True),
    "TagRole": at(ROLES, keys=given),
    "UntagRole": at(ROLES, keys=GONE),
    "UpdateAssumeRolePolicy": ROLE_,
    "UpdateRole": ROLE_,
}
OF_PROFILES = {
    "AddRoleToInstanceProfile": all_of(PROFILE_, handing_over),
    "CreateInstanceProfile": making(PROFILE),
    "DeleteInstanceProfile": PROFILE_,
    "GetInstanceProfile": PROFILE_,
    "ListInstanceProfileTags": PROFILE_,
    "ListInstanceProfiles": at(under(PROFILE)),
    "RemoveRoleFromInstanceProfile": PROFILE_,
    "TagInstanceProfile": at(PROFILES, keys=given),
    "UntagInstanceProfile": at(PROFILES, keys=GONE),
}

DEVICE, OIDC = said("SerialNumber"), said("OpenIDConnectProviderArn")
OF_DEVICES = {
    "CreateVirtualMFADevice": tagged(new_device, "iam:TagMFADevice"),
    "DeactivateMFADevice": USER_,
    "DeleteVirtualMFADevice": at(DEVICE),
    "EnableMFADevice": USER_,
    "GetMFADevice": USER_,
    "ListMFADeviceTags": at(DEVICE),
    "ListMFADevices": USER_,
    "ListVirtualMFADevices": on(),
    "ResyncMFADevice": USER_,
    "TagMFADevice": at(DEVICE, keys=given),
    "UntagMFADevice": at(DEVICE, keys=GONE),
}
OF_PROVIDERS = {
    "AddClientIDToOpenIDConnectProvider": at(OIDC),
    "CreateOpenIDConnectProvider": tagged(new_oidc, "iam:TagOpenIDConnectProvider"),
    "DeleteOpenIDConnectProvider": at(OIDC),
    "GetOpenIDConnectProvider": at(OIDC),
    "ListOpenIDConnectProviderTags": at(OIDC),
    "ListOpenIDConnectProviders": on(),
    "RemoveClientIDFromOpenIDConnectProvider": at(OIDC),
    "TagOpenIDConnectProvider": at(OIDC, keys=given),
    "UntagOpenIDConnectProvider": at(OIDC, keys=GONE),
    "UpdateOpenIDConnectProviderThumbprint": at(OIDC),
}

ACCESS = Access(
    "iam",
    {
        **ACCOUNT,
        **POLICIES,
        **OF_USERS,
        **OF_GROUPS,
        **OF_ROLES,
        **OF_PROFILES,
        **OF_DEVICES,
        **OF_PROVIDERS,
    },
)
