"""Versions and their labels."""

from __future__ import annotations

from hatoba.aws.shapes import secretsmanager as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.secretsmanager import lending, model, views, writing
from hatoba.services.secretsmanager.api.room import bad_token, changeable, find, secretsmanager
from hatoba.services.secretsmanager.plan import stages

PAGE = 100


@secretsmanager.operation
async def update_secret_version_stage(
    req: t.UpdateSecretVersionStageRequest, call: Call
) -> t.UpdateSecretVersionStageResponse:
    with call.tx() as tx:
        secret = changeable(tx, call, req["SecretId"])
        before = model.stages_of(tx, secret)
        after = stages.moved(
            before, req["VersionStage"], to=req.get("MoveToVersionId"), from_=req.get("RemoveFromVersionId")
        )
        if after != before:
            secret = writing.changed(tx, lending.due(secret, call), call.now)
            model.set_stages(tx, secret, after)
    return {"ARN": secret.arn, "Name": secret.id}


@secretsmanager.operation
async def list_secret_version_ids(req: t.ListSecretVersionIdsRequest, call: Call) -> t.ListSecretVersionIdsResponse:
    secret, deprecated = find(call.store, call, req["SecretId"]), req.get("IncludeDeprecated", False)
    page, token = call.page(
        [each for each in model.versions_of(call.store, secret) if each.stages or deprecated],
        order=lambda version: version.id,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=(secret.id, deprecated),
        bad_token=bad_token,
    )
    return {
        "Versions": [views.version(each) for each in page],
        "ARN": secret.arn,
        "Name": secret.id,
        **next_token(token),
    }
