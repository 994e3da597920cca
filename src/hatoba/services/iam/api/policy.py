"""Customers' managed policies (one version each)."""

from __future__ import annotations

from urllib.parse import quote

from hatoba.aws.shapes import iam as t
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.services.iam import documents, views
from hatoba.services.iam.api.room import conflict, iam, tag_new
from hatoba.services.iam.model import Policy, policies, policy_arn, roles, the_policy, unique_id, users
from hatoba.store.store import View


def _attachments(view: View, arn: str) -> int:
    return view.count(users, "attached", arn) + view.count(roles, "attached", arn)


@iam.operation
async def create_policy(req: t.CreatePolicyRequest, call: Call) -> t.CreatePolicyResponse:
    documents.check_identity(req["PolicyDocument"])
    name, scope = req["PolicyName"], call.scope.everywhere()
    with call.tx() as tx:
        if tx.find(policies, scope, name.lower()) is not None:
            raise t.EntityAlreadyExistsException(
                f"A policy called {name} already exists. Duplicate names are not allowed."
            )
        policy = tx.put(
            policies,
            Policy(
                key=policies.key(scope, name.lower()),
                name=name,
                path=req.get("Path", "/"),
                unique=unique_id(call.ids, "ANPA"),
                description=req.get("Description"),
                document=req["PolicyDocument"],
                created=call.now,
            ),
        )
        tag_new(tx, call, policy_arn(policy), req)
    return {"Policy": views.policy(policy, 0)}


@iam.operation
async def get_policy(req: t.GetPolicyRequest, call: Call) -> t.GetPolicyResponse:
    policy = the_policy(call.store, call.scope, req["PolicyArn"])
    return {"Policy": views.policy(policy, _attachments(call.store, policy_arn(policy)))}


@iam.operation
async def get_policy_version(req: t.GetPolicyVersionRequest, call: Call) -> t.GetPolicyVersionResponse:
    policy = the_policy(call.store, call.scope, req["PolicyArn"])
    if req["VersionId"] != "v1":
        raise t.NoSuchEntityException(
            f"Policy {req['PolicyArn']} version {req['VersionId']} does not exist or is not attachable."
        )
    return {
        "PolicyVersion": {
            "VersionId": "v1",
            "Document": quote(policy.document, safe=""),
            "IsDefaultVersion": True,
            "CreateDate": policy.created,
        }
    }


@iam.operation
async def delete_policy(req: t.DeletePolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        policy = the_policy(tx, call.scope, req["PolicyArn"])
        if _attachments(tx, policy_arn(policy)):
            raise conflict("Cannot delete a policy attached to entities.")
        tx.forget(policies, policy.key)
        forget_tags(tx, policy.scope, policy_arn(policy))
