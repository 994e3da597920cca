"""Records → the model's shapes."""

from __future__ import annotations

import json
from typing import cast

from hatoba.aws.shapes import kms as t
from hatoba.core.keys import Scope
from hatoba.services.kms.model import Alias, Grant, KmsKey, Material
from hatoba.services.kms.plan.naming import alias_arn, key_arn
from hatoba.services.kms.plan.specs import algorithms, old_name


def metadata(key: KmsKey) -> t.KeyMetadata:
    shown: t.KeyMetadata = {
        "AWSAccountId": key.key.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created,
        "Enabled": key.state == "Enabled",
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": key.state,
        "Origin": key.origin,
        "KeyManager": key.manager,
    }
    if (old := old_name(key.spec)) is not None:
        shown["CustomerMasterKeySpec"] = old
    shown["KeySpec"] = key.spec
    shown["MultiRegion"] = key.primary is not None
    can = algorithms(key.kind, key.usage)
    if can.encryption:
        shown["EncryptionAlgorithms"] = list(can.encryption)
    if can.signing:
        shown["SigningAlgorithms"] = list(can.signing)
    if can.macs:
        shown["MacAlgorithms"] = list(can.macs)
    if can.agreement:
        shown["KeyAgreementAlgorithms"] = list(can.agreement)
    if can.encapsulation:
        shown["EncapsulationAlgorithms"] = list(can.encapsulation)
    _add_waiting(key, shown)
    if key.primary is not None:
        shown["MultiRegionConfiguration"] = _regions(key)
    return shown


def _add_waiting(key: KmsKey, shown: t.KeyMetadata) -> None:
    if key.state == "PendingReplicaDeletion" and key.window is not None:
        shown["PendingDeletionWindowInDays"] = key.window
    elif key.deletion is not None:
        shown["DeletionDate"] = key.deletion
    if key.kind.kind == "symmetric" and key.material and key.state != "PendingImport":
        shown["CurrentKeyMaterialId"] = key.current.id
    if key.origin == "EXTERNAL" and key.material and key.current.secret is not None:
        expires = key.current.valid_to
        shown["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE" if expires is None else "KEY_MATERIAL_EXPIRES"
        if expires is not None:
            shown["ValidTo"] = expires


def _regions(key: KmsKey) -> t.MultiRegionConfiguration:
    assert key.primary is not None

    def place(region: str) -> t.MultiRegionKey:
        return {"Arn": key_arn(Scope(key.key.partition, key.key.account, region), key.id), "Region": region}

    return {
        "MultiRegionKeyType": "PRIMARY" if key.primary == key.key.region else "REPLICA",
        "PrimaryKey": place(key.primary),
        "ReplicaKeys": [place(region) for region in key.replicas],
    }


def alias(record: Alias) -> t.AliasListEntry:
    return {
        "AliasName": record.id,
        "AliasArn": alias_arn(record.scope, record.id),
        "TargetKeyId": record.target,
        "CreationDate": record.created,
        "LastUpdatedDate": record.updated,
    }


def grant(record: Grant) -> t.GrantListEntry:
    shown: t.GrantListEntry = {
        "KeyId": key_arn(record.scope, record.target),
        "GrantId": record.id,
        "Name": record.name or "",
        "CreationDate": record.created,
        "IssuingAccount": f"arn:{record.key.partition}:iam::{record.issuer}:root",
        "Operations": cast("list[t.GrantOperation]", list(record.operations)),
    }
    if record.name is None:
        del shown["Name"]
    if record.grantee is not None:
        shown["GranteePrincipal"] = record.grantee
    if record.grantee_service is not None:
        shown["GranteeServicePrincipal"] = record.grantee_service
    if record.retiring is not None:
        shown["RetiringPrincipal"] = record.retiring
    if record.retiring_service is not None:
        shown["RetiringServicePrincipal"] = record.retiring_service
    if record.constraints:
        shown["Constraints"] = json.loads(record.constraints)
    return shown


def rotation(key: KmsKey, material: Material) -> t.RotationsListEntry:
    waits = key.pending is not None and material.id == key.pending.id
    current: t.KeyMaterialState = "CURRENT" if material.id == key.current.id else "NON_CURRENT"
    shown: t.RotationsListEntry = {
        "KeyId": key.arn,
        "KeyMaterialId": material.id,
        "KeyMaterialState": "PENDING_ROTATION" if waits else current,
    }
    if material.kind is not None:
        shown["RotationType"] = material.kind
        shown["RotationDate"] = material.since
    if key.origin == "EXTERNAL":
        shown["ImportState"] = "PENDING_IMPORT" if material.secret is None else "IMPORTED"
        shown["ExpirationModel"] = (
            "KEY_MATERIAL_DOES_NOT_EXPIRE" if material.valid_to is None else "KEY_MATERIAL_EXPIRES"
        )
        if material.valid_to is not None:
            shown["ValidTo"] = material.valid_to
        if material.description:
            shown["KeyMaterialDescription"] = material.description
    return shown
