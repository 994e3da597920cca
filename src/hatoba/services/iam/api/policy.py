"""Managed policies and their versions.

Customers' are records; AWS's own (`managed`) can be read, listed, attached and counted like them, and are nobody's to
change.
"""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import documents, managed, views
from hatoba.services.iam.api.room import conflict, forget, iam, marked_page, new, own_tags, put_new, truncated
from hatoba.services.iam.managed import Managed
from hatoba.services.iam.model import (
    POLICY,
    Policy,
    PolicyVersion,
    Principal,
    groups,
    policies,
    roles,
    the_policy,
    users,
)
from hatoba.store.store import View

SIZE = 6144
VERSIONS = 5  # of one policy at a time


def _check(document: str) -> None:
    documents.check_identity(document)
    if documents.size(document) > SIZE:
        raise t.LimitExceededException(f"Cannot exceed quota for PolicySize: {SIZE}")


def holders(view: View, account: str, arn: str) -> list[tuple[str, Principal]]:
    """To whom a policy is attached, and what they are."""
    return [
        *(("Group", group) for group in view.index(groups, "attached", (account, arn))),
        *(("Role", role) for role in view.index(roles, "attached", (account, arn))),
        *(("User", user) for user in view.index(users, "attached", (account, arn))),
    ]


def _bounded(view: View, account: str, arn: str) -> list[tuple[str, Principal]]:
    """Whose permissions boundary it is."""
    return [
        *(("Role", role) for role in view.index(roles, "boundary", (account, arn))),
        *(("User", user) for user in view.index(users, "boundary", (account, arn))),
    ]


def counted(view: View, account: str, arn: str) -> tuple[int, int]:
    """How often a policy is attached, how often a boundary."""
    key = (account, arn)
    attached = view.count(groups, "attached", key) + view.count(roles, "attached", key)
    attached += view.count(users, "attached", key)
    return attached, view.count(roles, "boundary", key) + view.count(users, "boundary", key)


def _view(call: Call, policy: Policy | Managed, *, whole: bool = False) -> t.Policy:
    if isinstance(policy, Managed):
        partition = call.scope.partition
        counts = counted(call.store, call.scope.account, policy.arn(partition))
        return views.managed_policy(policy, partition, *counts, whole=whole)
    own = own_tags(call.store, POLICY, policy) if whole else None
    return views.policy(policy, *counted(call.store, policy.key.account, POLICY.arn(policy)), own=own)


def any_policy(view: View, call: Call, arn: str) -> Policy | Managed:
    """AWS's or a customer's. Raises NoSuchEntity."""
    return managed.find(arn) or the_policy(view, call.scope, arn)


def _version(policy: Policy, id_: str) -> PolicyVersion:
    for version in policy.versions:
        if version.id == id_:
            return version
    raise t.NoSuchEntityException(f"Policy {POLICY.arn(policy)} version {id_} does not exist or is not attachable.")


# --- policies


@iam.operation
async def create_policy(req: t.CreatePolicyRequest, call: Call) -> t.CreatePolicyResponse:
    _check(req["PolicyDocument"])
    with call.tx() as tx:
        policy = Policy(
            **new(call, POLICY, req),
            description=req.get("Description"),
            versions=(PolicyVersion(id="v1", document=req["PolicyDocument"], created=call.now),),
            updated=call.now,
        )
        policy = put_new(tx, POLICY, policy, req)
    return {"Policy": _view(call, policy, whole=True)}


@iam.operation
async def get_policy(req: t.GetPolicyRequest, call: Call) -> t.GetPolicyResponse:
    return {"Policy": _view(call, any_policy(call.store, call, req["PolicyArn"]), whole=True)}


@iam.operation
async def list_policies(req: t.ListPoliciesRequest, call: Call) -> t.ListPoliciesResponse:
    """Customers' first, then AWS's, each by name."""
    prefix, attached = req.get("PathPrefix", "/"), req.get("OnlyAttached", False)
    whose, usage = req.get("Scope", "All"), req.get("PolicyUsageFilter")
    rows: list[tuple[str, Policy | Managed]] = []
    if whose != "AWS":
        rows += [(f"0{policy.id}", policy) for policy in call.store.scan(policies, call.scope.everywhere())]
    if whose != "Local":
        rows += [(f"1{policy.name}", policy) for policy in managed.everything()]

    def wanted(policy: Policy | Managed) -> bool:
        if not policy.path.startswith(prefix):
            return False
        if not attached and usage is None:
            return True
        arn = policy.arn(call.scope.partition) if isinstance(policy, Managed) else POLICY.arn(policy)
        permissions, boundaries = counted(call.store, call.scope.account, arn)
        used = {"PermissionsPolicy": permissions, "PermissionsBoundary": boundaries}.get(usage or "")
        return bool(permissions + boundaries if used is None else used)

    found = ((order, policy) for order, policy in rows if wanted(policy))
    page, marker = marked_page(call, found, req, lambda row: row[0], (prefix, attached, whose, usage))
    return {"Policies": [_view(call, policy) for _, policy in page], **truncated(marker)}


@iam.operation
async def list_entities_for_policy(req: t.ListEntitiesForPolicyRequest, call: Call) -> t.ListEntitiesForPolicyResponse:
    arn, prefix, kind = req["PolicyArn"], req.get("PathPrefix", "/"), req.get("EntityFilter")
    usage = req.get("PolicyUsageFilter")
    any_policy(call.store, call, arn)
    held = holders(call.store, call.scope.account, arn) if usage != "PermissionsBoundary" else []
    held += _bounded(call.store, call.scope.account, arn) if usage != "PermissionsPolicy" else []
    found = {
        f"{noun} {holder.id}": holder
        for noun, holder in held
        if kind in (None, noun) and holder.path.startswith(prefix)
    }
    page, marker = marked_page(call, sorted(found), req, lambda name: name, (arn, prefix, kind, usage))
    return {
        "PolicyGroups": [
            {"GroupName": found[n].name, "GroupId": found[n].unique} for n in page if n.startswith("Group ")
        ],
        "PolicyRoles": [{"RoleName": found[n].name, "RoleId": found[n].unique} for n in page if n.startswith("Role ")],
        "PolicyUsers": [{"UserName": found[n].name, "UserId": found[n].unique} for n in page if n.startswith("User ")],
        **truncated(marker),
    }


@iam.operation
async def delete_policy(req: t.DeletePolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        policy = the_policy(tx, call.scope, req["PolicyArn"])
        attachments, boundaries = counted(tx, policy.key.account, POLICY.arn(policy))
        if attachments:
            raise conflict("Cannot delete a policy attached to entities.")
        if boundaries:
            raise conflict("Cannot delete a policy that is in use as a permissions boundary.")
        if len(policy.versions) > 1:
            raise conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                "versions. The default version is deleted with the policy."
            )
        forget(tx, POLICY, policy)


# --- versions


@iam.operation
async def create_policy_version(req: t.CreatePolicyVersionRequest, call: Call) -> t.CreatePolicyVersionResponse:
    _check(req["PolicyDocument"])
    with call.tx() as tx:
        policy = the_policy(tx, call.scope, req["PolicyArn"])
        if len(policy.versions) >= VERSIONS:
            raise t.LimitExceededException(
                f"A managed policy can have up to {VERSIONS} versions. Before you create a new version, you must "
                "delete an existing version."
            )
        made = policy.made + 1
        version = PolicyVersion(id=f"v{made}", document=req["PolicyDocument"], created=call.now)
        default = version.id if req.get("SetAsDefault") else policy.default
        policy = replace(policy, versions=(*policy.versions, version), made=made, default=default, updated=call.now)
        tx.put(policies, policy)
    return {"PolicyVersion": views.policy_version(policy, version)}


@iam.operation
async def get_policy_version(req: t.GetPolicyVersionRequest, call: Call) -> t.GetPolicyVersionResponse:
    policy = any_policy(call.store, call, req["PolicyArn"])
    if isinstance(policy, Managed):
        if req["VersionId"] != managed.VERSION:
            raise t.NoSuchEntityException(
                f"Policy {req['PolicyArn']} version {req['VersionId']} does not exist or is not attachable."
            )
        return {"PolicyVersion": views.managed_version(policy, whole=True)}
    return {"PolicyVersion": views.policy_version(policy, _version(policy, req["VersionId"]), whole=True)}


@iam.operation
async def list_policy_versions(req: t.ListPolicyVersionsRequest, call: Call) -> t.ListPolicyVersionsResponse:
    """The newest first."""
    policy = any_policy(call.store, call, req["PolicyArn"])
    if isinstance(policy, Managed):
        return {"Versions": [views.managed_version(policy)], "IsTruncated": False}
    page, marker = marked_page(
        call, policy.versions[::-1], req, lambda version: f"{10**9 - int(version.id[1:])}", policy.id
    )
    return {"Versions": [views.policy_version(policy, version) for version in page], **truncated(marker)}


@iam.operation
async def set_default_policy_version(req: t.SetDefaultPolicyVersionRequest, call: Call) -> None:
    with call.tx() as tx:
        policy = the_policy(tx, call.scope, req["PolicyArn"])
        default = _version(policy, req["VersionId"]).id
        tx.put(policies, replace(policy, default=default, updated=call.now))


@iam.operation
async def delete_policy_version(req: t.DeletePolicyVersionRequest, call: Call) -> None:
    with call.tx() as tx:
        policy = the_policy(tx, call.scope, req["PolicyArn"])
        gone = _version(policy, req["VersionId"])
        if gone.id == policy.default:
            raise conflict("Cannot delete the default version of a policy.")
        left = tuple(version for version in policy.versions if version.id != gone.id)
        tx.put(policies, replace(policy, versions=left, updated=call.now))
