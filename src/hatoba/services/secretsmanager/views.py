"""Records → the model's shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.aws.shapes import secretsmanager as t
from hatoba.services.secretsmanager.envelope import Value
from hatoba.services.secretsmanager.model import Lent, Replica, Rotation, StoredSecret, Version


def described(secret: StoredSecret, versions: Sequence[Version], tags: Mapping[str, str]) -> t.DescribeSecretResponse:
    shown: t.DescribeSecretResponse = {**_common(secret, tags)}  # type: ignore[typeddict-item]
    staged = {version.name: list(version.stages) for version in versions if version.stages}
    if staged:
        shown["VersionIdsToStages"] = staged
    if secret.replicas:
        shown["ReplicationStatus"] = replication(secret)
    if secret.lent is not None:
        shown["CrossAccountReplicas"] = [_lent(secret.lent)]
    if secret.origin is not None:
        origin: t.CrossAccountPrimaryType = {
            "PrimarySecretARN": secret.origin.arn,
            "ReplicationStatus": secret.origin.status,
        }
        if secret.origin.message is not None:
            origin["StatusMessage"] = secret.origin.message
        shown["CrossAccountPrimary"] = origin
    return shown


def _lent(lent: Lent) -> t.CrossAccountReplicaEntry:
    shown: t.CrossAccountReplicaEntry = {"ReplicaSecretARN": lent.arn, "ReplicationStatus": lent.status}
    if lent.role is not None:
        shown["ReplicationRoleARN"] = lent.role
    if lent.message is not None:
        shown["StatusMessage"] = lent.message
    return shown


def listed(secret: StoredSecret, versions: Sequence[Version], tags: Mapping[str, str]) -> t.SecretListEntry:
    shown: t.SecretListEntry = {**_common(secret, tags)}  # type: ignore[typeddict-item]
    shown["SecretVersionsToStages"] = {version.name: list(version.stages) for version in versions if version.stages}
    return shown


def _common(secret: StoredSecret, tags: Mapping[str, str]) -> dict[str, Any]:
    """What DescribeSecret and ListSecrets both say."""
    shown: dict[str, Any] = {
        "ARN": secret.arn,
        "Name": secret.id,
        "CreatedDate": secret.created,
        "LastChangedDate": secret.changed,
    }
    said = {
        "Description": secret.description,
        "KmsKeyId": secret.kms_key,
        "LastAccessedDate": secret.accessed,
        "DeletedDate": secret.deletion,
        "PrimaryRegion": secret.primary or (secret.key.region if secret.replicas else None),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()] or None,
    }
    shown |= {name: value for name, value in said.items() if value is not None}
    return shown | (_rotation(secret.rotation) if secret.rotation is not None else {})


def _rotation(rotation: Rotation) -> dict[str, Any]:
    said = {
        "AutomaticallyAfterDays": rotation.days,
        "Duration": rotation.duration,
        "ScheduleExpression": rotation.schedule,
    }
    shown: dict[str, Any] = {
        "RotationEnabled": rotation.enabled,
        "RotationLambdaARN": rotation.function,
        "RotationRules": {name: value for name, value in said.items() if value is not None},
    }
    if rotation.last is not None:
        shown["LastRotatedDate"] = rotation.last
    if rotation.enabled and rotation.next is not None:
        shown["NextRotationDate"] = rotation.next
    return shown


def replication(secret: StoredSecret) -> list[t.ReplicationStatusType]:
    return [_replica(replica) for replica in secret.replicas]


def _replica(replica: Replica) -> t.ReplicationStatusType:
    shown: t.ReplicationStatusType = {
        "Region": replica.region,
        "KmsKeyId": replica.kms_key or "alias/aws/secretsmanager",
        "Status": replica.status,
    }
    if replica.message is not None:
        shown["StatusMessage"] = replica.message
    return shown


def value(secret: StoredSecret, version: Version, text: Value) -> t.GetSecretValueResponse:
    shown: t.GetSecretValueResponse = {
        "ARN": secret.arn,
        "Name": secret.id,
        "VersionId": version.name,
        "VersionStages": list(version.stages),
        "CreatedDate": version.created,
    }
    if not version.stages:
        del shown["VersionStages"]
    if isinstance(text, bytes):
        shown["SecretBinary"] = text
    else:
        shown["SecretString"] = text
    return shown


def version(record: Version) -> t.SecretVersionsListEntry:
    shown: t.SecretVersionsListEntry = {"VersionId": record.name, "CreatedDate": record.created}
    if record.stages:
        shown["VersionStages"] = list(record.stages)
    if record.accessed is not None:
        shown["LastAccessedDate"] = record.accessed
    if record.kms_key:
        shown["KmsKeyIds"] = [record.kms_key]
    return shown
