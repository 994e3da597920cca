"""Values: put one, get one, get up to twenty."""

from __future__ import annotations

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.secretsmanager import envelope, lending, model, rotating, views, writing
from hatoba.services.secretsmanager.access import ACCESS
from hatoba.services.secretsmanager.api.listing import matching
from hatoba.services.secretsmanager.api.room import bad_token, changeable, living, secretsmanager, still, value_in
from hatoba.services.secretsmanager.model import StoredSecret, Version
from hatoba.services.secretsmanager.plan import filters
from hatoba.services.secretsmanager.plan.stages import CURRENT, no_version

PAGE = 20
DAY = 86400


@secretsmanager.operation
async def put_secret_value(req: t.PutSecretValueRequest, call: Call) -> t.PutSecretValueResponse:
    secret, value = changeable(call.store, call, req["SecretId"]), value_in(req)
    if value is None:
        raise t.InvalidRequestException("You must provide either SecretString or SecretBinary.")
    token = req.get("ClientRequestToken") or call.ids.uuid()
    version = await writing.same(call, secret, token, value)
    if version is None:
        made = await envelope.encrypted(envelope.asking(call, secret), secret, token, value, now=call.now)
        labels = req.get("VersionStages") or [CURRENT]
        if not any(each.has_value for each in model.versions_of(call.store, secret)):
            labels = list(dict.fromkeys([*labels, CURRENT]))  # the first one is current in any case
        with call.tx() as tx:
            secret = still(tx, call, secret)
            if CURRENT in labels:
                secret = rotating.put_off(secret, call.now)
            secret = writing.changed(tx, lending.due(secret, call), call.now)
            version = writing.put_version(tx, secret, made, labels)
    return {
        "ARN": secret.arn,
        "Name": secret.id,
        "VersionId": version.name,
        "VersionStages": list(version.stages),
    }


@secretsmanager.operation
async def get_secret_value(req: t.GetSecretValueRequest, call: Call) -> t.GetSecretValueResponse:
    secret = living(call.store, call, req["SecretId"])
    return await _value(call, secret, req.get("VersionId"), req.get("VersionStage"))


@secretsmanager.operation
async def batch_get_secret_value(req: t.BatchGetSecretValueRequest, call: Call) -> t.BatchGetSecretValueResponse:
    ids, wanted = req.get("SecretIdList"), req.get("Filters")
    if (ids is None) == (wanted is None):
        raise t.InvalidParameterException("Either SecretIdList or Filters must be provided, but not both.")
    if ids is not None and ("MaxResults" in req or "NextToken" in req):
        raise t.InvalidParameterException("MaxResults and NextToken can be used with Filters only.")
    answer: t.BatchGetSecretValueResponse = {"SecretValues": [], "Errors": []}
    names = list(dict.fromkeys(ids or ()))
    if wanted is not None:
        checked = filters.checked(wanted)
        page, token = call.page(
            matching(call, checked, deleted=False),
            order=lambda found: found[0],
            token=req.get("NextToken"),
            limit=req.get("MaxResults", PAGE),
            filters=checked,
            bad_token=bad_token,
        )
        names = [secret.id for _, secret in page]
        if token is not None:
            answer["NextToken"] = token
    for name in names:
        try:
            call.demand(*ACCESS.needs("GetSecretValue", {"SecretId": name}, call))
            found = await _value(call, living(call.store, call, name), None, None)
        except AwsError as error:
            if error.status >= 500:
                raise
            answer["Errors"].append({"SecretId": name, "ErrorCode": error.code, "Message": error.message})
        else:
            answer["SecretValues"].append({**found})
    return answer


async def _value(call: Call, secret: StoredSecret, name: str | None, stage: str | None) -> t.GetSecretValueResponse:
    version = _version(call, secret, name, stage)
    value = await envelope.decrypted(envelope.asking(call, secret), secret, version)
    _note_access(call, secret, version)
    return views.value(secret, version, value)


def _version(call: Call, secret: StoredSecret, name: str | None, stage: str | None) -> Version:
    """Raises ResourceNotFoundException, InvalidRequestException."""
    if name is not None:
        version = model.find_version(call.store, secret, name)
        if version is None or not version.has_value:
            raise no_version(name)
        if stage is not None and stage not in version.stages:
            raise t.InvalidRequestException(
                "You provided a VersionStage that is not associated to the provided VersionId."
            )
        return version
    label = stage or CURRENT
    staged = model.staged(call.store, secret, label)
    if staged is None or not staged.has_value:
        raise t.ResourceNotFoundException(
            f"Secrets Manager can't find the specified secret value for staging label: {label}"
        )
    return staged


def _note_access(call: Call, secret: StoredSecret, version: Version) -> None:
    """The day of the last access: written once a day, so that reading is not writing."""
    today = call.now // DAY * DAY
    now = call.store.get(model.secrets, secret.key), call.store.get(model.versions, version.key)
    if now[0] is None or now[1] is None or (now[0].accessed == today and now[1].accessed == today):
        return
    with call.tx() as tx:
        tx.put(model.secrets, replace(now[0], accessed=today))
        tx.put(model.versions, replace(now[1], accessed=today))
