"""Resource policies: one, named `default`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.secretsmanager import model
from hatoba.services.secretsmanager.api.room import bad_token, living, secretsmanager
from hatoba.services.secretsmanager.plan import policies

PAGE = 100


def _check_name(req: Mapping[str, Any]) -> None:
    if req.get("PolicyName", policies.NAME) != policies.NAME:
        raise t.InvalidParameterException(f"The only policy that a secret can have is named {policies.NAME}.")


@secretsmanager.operation
async def put_resource_policy(req: t.PutResourcePolicyRequest, call: Call) -> t.PutResourcePolicyResponse:
    _check_name(req)
    policies.check(req["ResourcePolicy"], block_public=req.get("BlockPublicPolicy", False))
    with call.tx() as tx:
        secret = living(tx, call, req["SecretId"])
        tx.put(model.secrets, replace(secret, policy=req["ResourcePolicy"]))
    return {"ARN": secret.arn, "Name": secret.id}


@secretsmanager.operation
async def get_resource_policy(req: t.GetResourcePolicyRequest, call: Call) -> t.GetResourcePolicyResponse:
    _check_name(req)
    secret = living(call.store, call, req["SecretId"])
    answer: t.GetResourcePolicyResponse = {"ARN": secret.arn, "Name": secret.id}
    if secret.policy is not None:
        answer["ResourcePolicy"] = secret.policy
    return answer


@secretsmanager.operation
async def delete_resource_policy(req: t.DeleteResourcePolicyRequest, call: Call) -> t.DeleteResourcePolicyResponse:
    _check_name(req)
    with call.tx() as tx:
        secret = living(tx, call, req["SecretId"])
        if secret.policy is not None:
            tx.put(model.secrets, replace(secret, policy=None))
    return {"ARN": secret.arn, "Name": secret.id}


@secretsmanager.operation
async def list_resource_policies(req: t.ListResourcePoliciesRequest, call: Call) -> t.ListResourcePoliciesResponse:
    secret = living(call.store, call, req["SecretId"])
    page, _ = call.page(
        [policies.NAME] if secret.policy is not None else [],
        order=str,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=secret.id,
        bad_token=bad_token,
    )
    return {"ResourcePolicies": [{"PolicyName": name} for name in page]}


@secretsmanager.operation
async def validate_resource_policy(
    req: t.ValidateResourcePolicyRequest, call: Call
) -> t.ValidateResourcePolicyResponse:
    if "SecretId" in req:
        living(call.store, call, req["SecretId"])
    found = policies.faults(req["ResourcePolicy"])
    if not found and policies.is_public(req["ResourcePolicy"]):
        found = [policies.Fault("PUBLIC_POLICY", "The policy grants broad access to the secret.")]
    return {
        "PolicyValidationPassed": not found,
        "ValidationErrors": [{"CheckName": fault.check, "ErrorMessage": fault.message} for fault in found],
    }
