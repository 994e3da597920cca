"""Customers' managed policies and their versions. AWS's own (`arn:aws:iam::aws:policy/…`) have no documents here."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import documents, views
from hatoba.services.iam.api.room import conflict, forget, iam, marked_page, new, own_tags, put_new
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


def _attachments(view: View, policy: Policy) -> int:
    return len(_holders(view, POLICY.arn(policy)))


def _holders(view: View, arn: str) -> list[tuple[str, Principal]]:
    """To whom a policy is attached, and what they are."""
    return [
        *(("Group", group) for group in view.index(groups, "attached", arn)),
        *(("Role", role) for role in view.index(roles, "attached", arn)),
        *(("User", user) for user in view.index(users, "attached", arn)),
    ]


def _view(call: Call, policy: Policy, *, tagged: bool = False) -> t.Policy:
    own = own_tags(call.store, POLICY, policy) if tagged else None
    return views.policy(policy, _attachments(call.store, policy), own=own)


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
    return {"Policy": _view(call, policy, tagged=True)}


@iam.operation
async def get_policy(req: t.GetPolicyRequest, call: Call) -> t.GetPolicyResponse:
    return {"Policy": _view(call, the_policy(call.store, call.scope, req["PolicyArn"]), tagged=True)}


@iam.operation
async def list_policies(req: t.ListPoliciesRequest, call: Call) -> t.ListPoliciesResponse:
    prefix, attached = req.get("PathPrefix", "/"), req.get("OnlyAttached", False)
    none = req.get("Scope") == "AWS" or req.get("PolicyUsageFilter") == "PermissionsBoundary"
    rows = [
        policy
        for policy in call.store.scan(policies, call.scope.everywhere())
        if policy.path.startswith(prefix) and not none and (not attached or _attachments(call.store, policy))
    ]
    page, marker = marked_page(call, rows, req, lambda policy: policy.id, (prefix, attached, none))
    answer: t.ListPoliciesResponse = {
        "Policies": [_view(call, policy) for policy in page],
        "IsTruncated": marker is not None,
    }
    if marker is not None:
        answer["Marker"] = marker
    return answer


@iam.operation
async def list_entities_for_policy(req: t.ListEntitiesForPolicyRequest, call: Call) -> t.ListEntitiesForPolicyResponse:
    arn, prefix, kind = req["PolicyArn"], req.get("PathPrefix", "/"), req.get("EntityFilter")
    the_policy(call.store, call.scope, arn)
    found = {
        f"{noun} {holder.id}": holder
        for noun, holder in _holders(call.store, arn)
        if kind in (None, noun) and holder.path.startswith(prefix)
    }
    page, marker = marked_page(call, sorted(found), req, lambda name: name, (arn, prefix, kind))
    answer: t.ListEntitiesForPolicyResponse = {
        "PolicyGroups": [
            {"GroupName": found[n].name, "GroupId": found[n].unique} for n in page if n.startswith("Group ")
        ],
        "PolicyRoles": [{"RoleName": found[n].name, "RoleId": found[n].unique} for n in page if n.startswith("Role ")],
        "PolicyUsers": [{"UserName": found[n].name, "UserId": found[n].unique} for n in page if n.startswith("User ")],
        "IsTruncated": marker is not None,
    }
    if marker is not None:
        answer["Marker"] = marker
    return answer


@iam.operation
async def delete_policy(req: t.DeletePolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        policy = the_policy(tx, call.scope, req["PolicyArn"])
        if _attachments(tx, policy):
            raise conflict("Cannot delete a policy attached to entities.")
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
    policy = the_policy(call.store, call.scope, req["PolicyArn"])
    return {"PolicyVersion": views.policy_version(policy, _version(policy, req["VersionId"]), whole=True)}


@iam.operation
async def list_policy_versions(req: t.ListPolicyVersionsRequest, call: Call) -> t.ListPolicyVersionsResponse:
    """The newest first."""
    policy = the_policy(call.store, call.scope, req["PolicyArn"])
    page, marker = marked_page(
        call, policy.versions[::-1], req, lambda version: f"{10**9 - int(version.id[1:])}", policy.id
    )
    answer: t.ListPolicyVersionsResponse = {
        "Versions": [views.policy_version(policy, version) for version in page],
        "IsTruncated": marker is not None,
    }
    if marker is not None:
        answer["Marker"] = marker
    return answer


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
