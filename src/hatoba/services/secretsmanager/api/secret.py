"""Secrets: create, describe, update."""

from __future__ import annotations

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import set_tags, tags_of
from hatoba.services.secretsmanager import envelope, lending, model, rotating, views, writing
from hatoba.services.secretsmanager.api.lending import origin_of
from hatoba.services.secretsmanager.api.replication import wanted
from hatoba.services.secretsmanager.api.room import changeable, find, secretsmanager, still, value_in
from hatoba.services.secretsmanager.api.tag import checked as checked_tags
from hatoba.services.secretsmanager.model import StoredSecret, Version
from hatoba.services.secretsmanager.plan.names import LETTERS, SUFFIX, checked_name
from hatoba.services.secretsmanager.plan.stages import CURRENT


@secretsmanager.operation
async def create_secret(req: t.CreateSecretRequest, call: Call) -> t.CreateSecretResponse:
    name, value = checked_name(req["Name"]), value_in(req)
    origin = origin_of(req, call)
    if "Type" in req:
        raise t.InvalidRequestException("External secrets are not available.")
    tags = checked_tags({}, req.get("Tags", []))
    force = req.get("ForceOverwriteReplicaSecret", False)
    replicas = wanted(call.scope.region, req.get("AddReplicaRegions", []), force=force)
    token = req.get("ClientRequestToken") or call.ids.uuid()
    present = call.store.find(model.secrets, call.scope, name)
    if present is not None:
        return await _again(req, call, present, token)
    secret = StoredSecret(
        key=model.secrets.key(call.scope, name),
        suffix="".join(LETTERS[call.ids.choice_index(len(LETTERS))] for _ in range(SUFFIX)),
        created=call.now,
        changed=call.now,
        description=req.get("Description"),
        kms_key=req.get("KmsKeyId") or None,
        replicas=replicas,
        origin=origin,
        policy=lending.policy(origin) if origin is not None else None,
    )
    version = None if value is None else await _encrypted(call, secret, token, value)
    with call.tx() as tx:
        secret = tx.put(model.secrets, secret)
        if version is not None:
            writing.put_version(tx, secret, version, (CURRENT,))
        set_tags(tx, call.scope, secret.arn, tags)
    return _created(secret, version)


async def _again(req: t.CreateSecretRequest, call: Call, present: StoredSecret, token: str) -> t.CreateSecretResponse:
    """For a secret that is there: the same request again is answered as before."""
    if present.deletion is not None:
        raise t.InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    value = value_in(req)
    version = None if value is None else await writing.same(call, present, token, value)
    if version is None:
        raise t.ResourceExistsException(f"The operation failed because the secret {present.id} already exists.")
    return _created(present, version)


async def _encrypted(call: Call, secret: StoredSecret, name: str, value: envelope.Value) -> Version:
    return await envelope.encrypted(envelope.asking(call, secret), secret, name, value, now=call.now)


def _created(secret: StoredSecret, version: Version | None) -> t.CreateSecretResponse:
    answer: t.CreateSecretResponse = {"ARN": secret.arn, "Name": secret.id}
    if version is not None:
        answer["VersionId"] = version.name
    if secret.replicas:
        answer["ReplicationStatus"] = views.replication(secret)
    return answer


@secretsmanager.operation
async def describe_secret(req: t.DescribeSecretRequest, call: Call) -> t.DescribeSecretResponse:
    secret = find(call.store, call, req["SecretId"])
    return views.described(secret, model.versions_of(call.store, secret), tags_of(call.store, secret.scope, secret.arn))


@secretsmanager.operation
async def update_secret(req: t.UpdateSecretRequest, call: Call) -> t.UpdateSecretResponse:
    secret, value = changeable(call.store, call, req["SecretId"]), value_in(req)
    if "Type" in req:
        raise t.InvalidRequestException("External secrets are not available.")
    token = req.get("ClientRequestToken") or call.ids.uuid()
    if value is not None and model.find_version(call.store, secret, token) is not None:
        raise writing.in_use(secret, token)
    key = secret.kms_key if "KmsKeyId" not in req else req["KmsKeyId"] or None
    told = {"kms_key": key, "description": req.get("Description", secret.description)}
    new = replace(secret, **told)
    again = await writing.encrypted_again(call, new) if key != secret.kms_key else []
    version = None if value is None else await _encrypted(call, new, token, value)
    with call.tx() as tx:
        new = lending.due(replace(still(tx, call, secret), changed=call.now, **told), call)
        new = tx.put(model.secrets, new if version is None else rotating.put_off(new, call.now))
        for each in again:
            tx.put(model.versions, each)
        if version is not None:
            writing.put_version(tx, new, version, (CURRENT,))
    answer: t.UpdateSecretResponse = {"ARN": new.arn, "Name": new.id}
    if version is not None:
        answer["VersionId"] = version.name
    return answer
