"""Lifecycle policies: put, shown, taken away, and tried without consequence."""

from __future__ import annotations

from hatoba.aws.shapes import ecr as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.services.ecr import model, views
from hatoba.services.ecr.api.room import PAGE, bad_token, ecr, invalid, the_repository
from hatoba.services.ecr.lifecycle import candidates
from hatoba.services.ecr.model import LifecyclePolicy, LifecyclePreview, Repository
from hatoba.services.ecr.plan.lifecycle import BadPolicy, Expiry, Policy, expiring, parse
from hatoba.store.store import View


@ecr.operation
async def put_lifecycle_policy(req: t.PutLifecyclePolicyRequest, call: Call) -> t.PutLifecyclePolicyResponse:
    text = req["lifecyclePolicyText"]
    _parsed(text)
    with call.tx() as tx:
        repository = the_repository(tx, call, req)
        key = model.lifecycle_policies.key(repository.scope, repository.id)
        tx.write(model.lifecycle_policies, LifecyclePolicy(key=key, text=text))
    return {"registryId": repository.scope.account, "repositoryName": repository.id, "lifecyclePolicyText": text}


@ecr.operation
async def get_lifecycle_policy(req: t.GetLifecyclePolicyRequest, call: Call) -> t.GetLifecyclePolicyResponse:
    return views.lifecycle_policy(_policy(call.store, the_repository(call.store, call, req)))


@ecr.operation
async def delete_lifecycle_policy(req: t.DeleteLifecyclePolicyRequest, call: Call) -> t.DeleteLifecyclePolicyResponse:
    with call.tx() as tx:
        record = _policy(tx, the_repository(tx, call, req))
        tx.forget(model.lifecycle_policies, record.key)
    answer: t.DeleteLifecyclePolicyResponse = {**views.lifecycle_policy(record)}
    return answer


@ecr.operation
async def start_lifecycle_policy_preview(
    req: t.StartLifecyclePolicyPreviewRequest, call: Call
) -> t.StartLifecyclePolicyPreviewResponse:
    """Evaluated at once, upon the images that are there; kept until the next preview."""
    with call.tx() as tx:
        repository = the_repository(tx, call, req)
        text = req["lifecyclePolicyText"] if "lifecyclePolicyText" in req else _policy(tx, repository).text
        found = tuple(sorted(expiring(_parsed(text), candidates(tx, repository), call.now), key=_order))
        key = model.lifecycle_previews.key(repository.scope, repository.id)
        tx.write(model.lifecycle_previews, LifecyclePreview(key=key, text=text, found=found))
    return {
        "registryId": repository.scope.account,
        "repositoryName": repository.id,
        "lifecyclePolicyText": text,
        "status": "IN_PROGRESS",
    }


@ecr.operation
async def get_lifecycle_policy_preview(
    req: t.GetLifecyclePolicyPreviewRequest, call: Call
) -> t.GetLifecyclePolicyPreviewResponse:
    repository = the_repository(call.store, call, req)
    preview = call.store.get(model.lifecycle_previews, model.lifecycle_previews.key(repository.scope, repository.id))
    if preview is None:
        raise t.LifecyclePolicyPreviewNotFoundException(
            f"There is no lifecycle policy preview for the repository with name '{repository.id}' "
            f"in the registry with id '{repository.scope.account}'"
        )
    wanted, named = req.get("filter", {}).get("tagStatus", "ANY"), req.get("imageIds")
    page, token = call.page(
        (expiry for expiry in preview.found if _shown(expiry, wanted, named)),
        order=_order,
        token=req.get("nextToken"),
        limit=req.get("maxResults", PAGE),
        filters=(repository.id, wanted, named, preview.version),
        bad_token=bad_token,
    )
    return {
        "registryId": repository.scope.account,
        "repositoryName": repository.id,
        "lifecyclePolicyText": preview.text,
        "status": "COMPLETE",
        "previewResults": [views.expiry(expiry) for expiry in page],
        "summary": {"expiringImageTotalCount": len(preview.found)},
        **small_next_token(token),
    }


def _order(expiry: Expiry) -> str:
    return f"{expiry.priority:010} {expiry.image.digest}"


def _shown(expiry: Expiry, status: t.TagStatus, named: list[t.ImageIdentifier] | None) -> bool:
    image = expiry.image
    if status != "ANY" and bool(image.tags) != (status == "TAGGED"):
        return False
    return named is None or any(
        one.get("imageDigest") == image.digest or one.get("imageTag") in image.tags for one in named
    )


def _parsed(text: str) -> Policy:
    try:
        return parse(text)
    except BadPolicy as error:
        raise invalid("LifecyclePolicyText", f"Lifecycle policy validation failure: {error}") from None


def _policy(view: View, repository: Repository) -> LifecyclePolicy:
    record = view.find(model.lifecycle_policies, repository.scope, repository.id)
    if record is None:
        raise _no_policy(repository)
    return record


def _no_policy(repository: Repository) -> AwsError:
    return t.LifecyclePolicyNotFoundException(
        f"Lifecycle policy does not exist for the repository with name '{repository.id}' "
        f"in the registry with id '{repository.scope.account}'"
    )
