"""Rotation: switched on with a function and a schedule, begun at once or in its time, cancelled.

The controller does the work, step by step, by asking `lambda` through the front door.
"""

from __future__ import annotations

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.secretsmanager import model, rotating
from hatoba.services.secretsmanager.api.room import changeable, secretsmanager
from hatoba.services.secretsmanager.model import Rotation, StoredSecret
from hatoba.services.secretsmanager.plan import schedule, stages


@secretsmanager.operation
async def rotate_secret(req: t.RotateSecretRequest, call: Call) -> t.RotateSecretResponse:
    if "ExternalSecretRotationMetadata" in req or "ExternalSecretRotationRoleArn" in req:
        raise t.InvalidRequestException("External secrets are not available.")
    secret = changeable(call.store, call, req["SecretId"])
    rotation = _wanted(req, secret, call.now)
    await _check_function(call, rotation.function)
    immediately = req.get("RotateImmediately", True)
    token = req.get("ClientRequestToken") or call.ids.uuid()
    with call.tx() as tx:
        secret = changeable(tx, call, req["SecretId"])
        _check_free(model.stages_of(tx, secret), token)
        secret = replace(secret, rotation=rotation, changed=call.now)
        # One that is not to begin yet is tried out: by its step testSecret, on a version that is taken away again.
        rotating.begin(tx, secret, token, call.now, testing=not immediately)
    return {"ARN": secret.arn, "Name": secret.id, "VersionId": token}


def _wanted(req: t.RotateSecretRequest, secret: StoredSecret, now: float) -> Rotation:
    before = secret.rotation
    function = req.get("RotationLambdaARN") or (before.function if before is not None else None)
    if not function:
        raise t.InvalidRequestException("No Lambda rotation function ARN is associated with this secret.")
    rules = req.get("RotationRules")
    if rules is None:
        if before is None:
            raise t.InvalidRequestException("You must provide RotationRules to turn on rotation.")
        plan = schedule.Schedule(before.days, before.schedule, before.duration)
    else:
        plan = schedule.checked(rules, now)
    return Rotation(
        function=function,
        days=plan.days,
        schedule=plan.expression,
        duration=plan.duration,
        next=plan.next(now),
        last=before.last if before is not None else None,
    )


async def _check_function(call: Call, function: str) -> None:
    try:
        await call.aws.lambda_.get_function(FunctionName=function)
    except AwsError as error:
        raise t.InvalidRequestException(
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
            f"access to the principal secretsmanager.amazonaws.com. ({error.message})"
        ) from error


def _check_free(labels: stages.Stages, token: str) -> None:
    """A rotation that has not ended must end first."""
    pending = stages.holder(labels, stages.PENDING)
    if pending is not None and pending not in (token, stages.holder(labels, stages.CURRENT)):
        raise t.InvalidRequestException("A previous rotation isn't complete. That rotation will be reattempted.")


@secretsmanager.operation
async def cancel_rotate_secret(req: t.CancelRotateSecretRequest, call: Call) -> t.CancelRotateSecretResponse:
    with call.tx() as tx:
        secret = changeable(tx, call, req["SecretId"])
        answer: t.CancelRotateSecretResponse = {"ARN": secret.arn, "Name": secret.id}
        rotation = secret.rotation
        if rotation is None:
            raise t.InvalidRequestException("The secret has never been configured for rotation.")
        if rotation.token is not None:
            answer["VersionId"] = rotation.token
        if rotation.enabled or rotation.token is not None:
            stopped = replace(rotation, enabled=False, token=None, next=None)
            tx.put(model.secrets, replace(secret, rotation=stopped, changed=call.now))
    return answer
