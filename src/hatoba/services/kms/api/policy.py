"""Key policies: one to a key, named `default`."""

from __future__ import annotations

from hatoba.aws.shapes import kms as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.kms import model
from hatoba.services.kms.access import lockout
from hatoba.services.kms.api.room import kms, own_key, page, the_key
from hatoba.services.kms.plan import policies, states
from hatoba.services.kms.plan.naming import invalid

LONGEST = 32768  # characters


@kms.operation
async def get_key_policy(req: t.GetKeyPolicyRequest, call: Call) -> t.GetKeyPolicyResponse:
    key = the_key(call, req["KeyId"])
    if req.get("PolicyName", policies.NAME) != policies.NAME:
        raise t.NotFoundException("No such policy exists")
    return {"Policy": key.policy, "PolicyName": policies.NAME}


@kms.operation
async def put_key_policy(req: t.PutKeyPolicyRequest, call: Call) -> None:
    key = own_key(call, req["KeyId"])
    if req.get("PolicyName", policies.NAME) != policies.NAME:
        raise t.NotFoundException("No such policy exists")
    states.check_kept(key.arn, key.state)
    if len(req["Policy"]) > LONGEST:
        raise invalid(f"A key policy can have at most {LONGEST} characters.")
    policies.check(req["Policy"])
    lockout.check(call, req, key.arn)
    with call.tx() as tx:
        tx.put(model.keys, replace(key, policy=req["Policy"]))


@kms.operation
async def list_key_policies(req: t.ListKeyPoliciesRequest, call: Call) -> t.ListKeyPoliciesResponse:
    key = the_key(call, req["KeyId"])
    found, rest = page(call, [policies.NAME], req, order=str, most=(1000, 1000), about=key.id)
    return {"PolicyNames": found, **rest}
