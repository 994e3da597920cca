"""What Secrets Manager's operations need to be allowed.

A secret is needed by its ARN, with its six letters; one that is not there (yet) with six question marks in their place,
so that policies for `name-??????` and `name-*` mean it. Sources: the service authorisation reference, "AWS Secrets
Manager"; the required permissions in each operation's reference; the user guide, "Authentication and access control".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hatoba.core import arn
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.gateway.needs import (
    Access,
    Extra,
    Keys,
    Need,
    Params,
    Passed,
    Rule,
    Values,
    acting,
    all_of,
    member,
    on,
    pass_role,
    tag_keys,
    untagged,
    when,
)
from hatoba.gateway.tags import tags_of
from hatoba.services.secretsmanager import model
from hatoba.services.secretsmanager.model import StoredSecret
from hatoba.services.secretsmanager.plan.names import SUFFIX, named, secret_arn
from hatoba.services.secretsmanager.plan.stages import CURRENT
from hatoba.store.store import View

UNKNOWN = "?" * SUFFIX
# Members of requests that are condition keys of the same name, or nearly.
SAID = {
    "BlockPublicPolicy": "BlockPublicPolicy",
    "Description": "Description",
    "ExternalSecretRotationRoleArn": "ExternalSecretRotationRoleArn",
    "ForceDeleteWithoutRecovery": "ForceDeleteWithoutRecovery",
    "ForceOverwriteReplicaSecret": "ForceOverwriteReplicaSecret",
    "KmsKeyId": "KmsKeyId",
    "Name": "Name",
    "RecoveryWindowInDays": "RecoveryWindowInDays",
    "RotationLambdaARN": "RotationLambdaARN",
    "SecretId": "SecretId",
    "Type": "Type",
    "VersionId": "VersionId",
    "VersionStage": "VersionStage",
}


def _known(call: Call, text: str) -> tuple[str, StoredSecret | None]:
    """What a SecretId means, as an ARN; for what is none, as it was written."""
    try:
        wanted = named(call.scope, text)
    except AwsError:
        return text, None
    secret = model.find_secret(call.store, wanted)
    if secret is not None:
        return secret.arn, secret
    return text if text.startswith("arn:") else secret_arn(call.scope, text, UNKNOWN), None


def policy_of(call: Call, resource: str) -> str | None:
    secret = _by_arn(call.store, call.scope, resource)
    return secret.policy if secret is not None else None


def _by_arn(view: View, scope: Scope, resource: str) -> StoredSecret | None:
    try:
        return model.find_secret(view, named(scope, resource)) if resource.startswith("arn:") else None
    except AwsError:
        return None


# --- condition keys


def _of_secret(call: Call, secret: StoredSecret | None) -> dict[str, Values]:
    if secret is None:
        return {}
    tags = tags_of(call.store, secret.scope, secret.arn)
    found: dict[str, Values] = {f"secretsmanager:ResourceTag/{key}": value for key, value in tags.items()}
    if secret.primary is not None or secret.replicas:
        found["secretsmanager:SecretPrimaryRegion"] = secret.primary or secret.key.region
    if secret.rotation is not None:
        found["secretsmanager:resource/AllowRotationLambdaArn"] = secret.rotation.function
    return found


def _said(req: Params) -> dict[str, Values]:
    return {f"secretsmanager:{key}": _text(req[name]) for name, key in SAID.items() if name in req}


def of_value(req: Params, call: Call) -> Keys:
    """Who asks for no version asks for the current one."""
    asked = "VersionId" in req or "VersionStage" in req
    return {} if asked else {"secretsmanager:VersionStage": CURRENT}


def of_key(req: Params, call: Call) -> Keys:
    """`KmsKeyArn`, also of a key that is named by its bare id. What an alias names is for KMS to know."""
    key = str(req.get("KmsKeyId") or "")
    if not key or key.startswith("alias/") or ":alias/" in key:
        return {}
    return {"secretsmanager:KmsKeyArn": key if key.startswith("arn:") else call.arn(f"key/{key}", "kms")}


def of_new(req: Params, call: Call) -> Keys:
    return {**of_key(req, call), **of_regions(req, call), **tag_keys(req.get("Tags"))}


def of_regions(req: Params, call: Call) -> Keys:
    regions = list(member(req, "AddReplicaRegions.Region"))
    return {"secretsmanager:AddReplicaRegions": regions} if regions else {}


def of_rotation(req: Params, call: Call) -> Keys:
    return {
        "secretsmanager:ModifyRotationRules": _text("RotationRules" in req),
        "secretsmanager:RotateImmediately": _text(req.get("RotateImmediately", True)),
    }


def given(req: Params, call: Call) -> Keys:
    return tag_keys(req.get("Tags"))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- rules


def on_secret(*, by: str = "SecretId", action: str | None = None, keys: Extra | None = None) -> Rule:
    """The action on the secret that `by` names."""

    def rule(own: str, req: Params, call: Call) -> Iterator[Need]:
        resource, secret = _known(call, str(req.get(by) or ""))
        more = keys(req, call) if keys is not None else {}
        yield Need(action=action or own, resource=resource, keys={**_of_secret(call, secret), **_said(req), **more})

    return rule


def function(action: str, req: Params, call: Call) -> Iterator[Need]:
    """Whoever has a secret rotated has its function called: the one that is named, or that it has."""
    _, secret = _known(call, str(req.get("SecretId") or ""))
    known = secret.rotation.function if secret is not None and secret.rotation is not None else None
    text = req.get("RotationLambdaARN") or known
    if isinstance(text, str) and text:
        resource = text if arn.parse(text) is not None else call.arn(f"function:{text}", "lambda")
        yield Need(action="lambda:InvokeFunction", resource=resource)


def passing(action: str, req: Params, call: Call) -> Iterator[Need]:
    return pass_role(req, Passed(member="ReplicationRoleARN", to="secretsmanager.amazonaws.com"))


def standing_alone(action: str, req: Params, call: Call) -> Iterator[Need]:
    """A replica of another account's secret loses the policy that lets that account in."""
    resource, secret = _known(call, str(req.get("SecretId") or ""))
    if secret is not None and secret.origin is not None:
        yield Need(action="secretsmanager:DeleteResourcePolicy", resource=resource, keys=_of_secret(call, secret))


SECRET = on_secret()
LENDING = when(
    lambda req: req.get("CrossAccountPrimaryARN"), on_secret(by="Name", action="secretsmanager:PutResourcePolicy")
)
NEW = on_secret(by="Name", keys=of_new)
TAGGING = when(lambda req: req.get("Tags"), on_secret(by="Name", action="secretsmanager:TagResource", keys=given))
REPLICATING = when(
    lambda req: req.get("AddReplicaRegions"),
    on_secret(by="Name", action="secretsmanager:ReplicateSecretToRegions", keys=of_regions),
)
LISTING = when(lambda req: req.get("Filters"), acting("secretsmanager:ListSecrets"))

ACCESS = Access(
    "secretsmanager",
    {
        "AssociateCrossAccountReplica": all_of(
            SECRET,
            on_secret(action="secretsmanager:GetSecretValue"),
            on_secret(by="CrossAccountReplicaARN", action="secretsmanager:AcceptCrossAccountReplication"),
            passing,
        ),
        # Each secret is asked for on its own (`api/value`): those that are not allowed are errors in the answer.
        "BatchGetSecretValue": all_of(on(), LISTING),
        "CancelRotateSecret": SECRET,
        "CreateSecret": all_of(NEW, TAGGING, REPLICATING, LENDING),
        "DeleteResourcePolicy": SECRET,
        "DeleteSecret": SECRET,
        "DescribeSecret": SECRET,
        "DisassociateCrossAccountReplica": SECRET,
        "GetRandomPassword": on(),
        "GetResourcePolicy": SECRET,
        "GetSecretValue": on_secret(keys=of_value),
        "ListResourcePolicies": SECRET,
        "ListSecretVersionIds": SECRET,
        "ListSecrets": on(),
        "PutResourcePolicy": SECRET,
        "PutSecretValue": SECRET,
        "RemoveRegionsFromReplication": SECRET,
        "ReplicateSecretToRegions": on_secret(keys=of_regions),
        "RestoreSecret": SECRET,
        "RotateSecret": all_of(on_secret(keys=of_rotation), function),
        "StopReplicationToReplica": all_of(SECRET, standing_alone),
        "TagResource": on_secret(keys=given),
        "UntagResource": on_secret(keys=untagged("TagKeys")),
        "UpdateSecret": on_secret(keys=of_key),
        "UpdateSecretVersionStage": SECRET,
        "ValidateResourcePolicy": all_of(SECRET, on_secret(action="secretsmanager:PutResourcePolicy")),
    },
    policy_of=policy_of,
)
