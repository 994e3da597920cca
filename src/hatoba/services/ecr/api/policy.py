"""Repository policies: kept and shown. They are judged where all policies are, by the gateway's authorizer."""

from __future__ import annotations

from hatoba.aws.shapes import ecr as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ecr import model
from hatoba.services.ecr.api.room import ecr, invalid, the_repository
from hatoba.services.ecr.model import Repository
from hatoba.services.ecr.plan.policy import is_policy


@ecr.operation
async def set_repository_policy(req: t.SetRepositoryPolicyRequest, call: Call) -> t.SetRepositoryPolicyResponse:
    text = req["policyText"]
    if not is_policy(text):
        raise invalid("PolicyText", "Invalid repository policy provided")
    with call.tx() as tx:
        record = tx.put(model.repositories, replace(the_repository(tx, call, req), policy=text))
    return {"registryId": record.scope.account, "repositoryName": record.id, "policyText": text}


@ecr.operation
async def get_repository_policy(req: t.GetRepositoryPolicyRequest, call: Call) -> t.GetRepositoryPolicyResponse:
    record = the_repository(call.store, call, req)
    return {"registryId": record.scope.account, "repositoryName": record.id, "policyText": _policy(record)}


@ecr.operation
async def delete_repository_policy(
    req: t.DeleteRepositoryPolicyRequest, call: Call
) -> t.DeleteRepositoryPolicyResponse:
    with call.tx() as tx:
        record = the_repository(tx, call, req)
        text = _policy(record)
        tx.put(model.repositories, replace(record, policy=None))
    return {"registryId": record.scope.account, "repositoryName": record.id, "policyText": text}


def _policy(record: Repository) -> str:
    if record.policy is None:
        raise t.RepositoryPolicyNotFoundException(
            f"Repository policy does not exist for the repository with name '{record.id}' "
            f"in the registry with id '{record.scope.account}'"
        )
    return record.policy
