"""Data keys and pairs of them: for use outside, with a copy under a key of ours. And random bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import kms as t
from hatoba.gateway.call import Call
from hatoba.services.kms.api.encrypt import checked_context, sealed, symmetric
from hatoba.services.kms.api.room import check_request, end_dry_run, kms, threads
from hatoba.services.kms.crypto import pairs
from hatoba.services.kms.model import KmsKey
from hatoba.services.kms.plan.naming import invalid
from hatoba.services.kms.plan.specs import SPECS

_BYTES = {"AES_128": 16, "AES_256": 32}


@kms.operation
async def generate_data_key(req: t.GenerateDataKeyRequest, call: Call) -> t.GenerateDataKeyResponse:
    key, plain, blob = _data_key(call, req)
    return {"CiphertextBlob": blob, "Plaintext": plain, "KeyId": key.arn, "KeyMaterialId": key.current.id}


@kms.operation
async def generate_data_key_without_plaintext(
    req: t.GenerateDataKeyWithoutPlaintextRequest, call: Call
) -> t.GenerateDataKeyWithoutPlaintextResponse:
    key, _, blob = _data_key(call, req)
    return {"CiphertextBlob": blob, "KeyId": key.arn, "KeyMaterialId": key.current.id}


def _data_key(call: Call, req: Mapping[str, Any]) -> tuple[KmsKey, bytes, bytes]:
    """The key it is under, the data key, and its ciphertext."""
    check_request(call, req)
    spec, count = req.get("KeySpec"), req.get("NumberOfBytes")
    if (spec is None) == (count is None):
        raise invalid("Please specify either number of bytes or key spec.")
    key = symmetric(call, req["KeyId"])
    context = checked_context(req.get("EncryptionContext", {}))
    end_dry_run(req)
    plain = random_bytes(call, _BYTES[spec] if spec is not None else int(count or 0))
    return key, plain, sealed(key, plain, context)


def random_bytes(call: Call, count: int) -> bytes:
    return bytes.fromhex(call.ids.hex(2 * count))


@kms.operation
async def generate_data_key_pair(req: t.GenerateDataKeyPairRequest, call: Call) -> t.GenerateDataKeyPairResponse:
    key, private, blob = await _data_key_pair(call, req)
    return {
        "PrivateKeyCiphertextBlob": blob,
        "PrivateKeyPlaintext": private,
        "PublicKey": pairs.public_of(private),
        "KeyId": key.arn,
        "KeyPairSpec": req["KeyPairSpec"],
        "KeyMaterialId": key.current.id,
    }


@kms.operation
async def generate_data_key_pair_without_plaintext(
    req: t.GenerateDataKeyPairWithoutPlaintextRequest, call: Call
) -> t.GenerateDataKeyPairWithoutPlaintextResponse:
    key, private, blob = await _data_key_pair(call, req)
    return {
        "PrivateKeyCiphertextBlob": blob,
        "PublicKey": pairs.public_of(private),
        "KeyId": key.arn,
        "KeyPairSpec": req["KeyPairSpec"],
        "KeyMaterialId": key.current.id,
    }


async def _data_key_pair(call: Call, req: Mapping[str, Any]) -> tuple[KmsKey, bytes, bytes]:
    check_request(call, req)
    key = symmetric(call, req["KeyId"])
    context = checked_context(req.get("EncryptionContext", {}))
    spec = SPECS.get(req["KeyPairSpec"])
    if spec is None or not spec.is_pair:
        raise t.UnsupportedOperationException(f"Key pairs of spec {req['KeyPairSpec']} are not available here.")
    end_dry_run(req)
    private = await threads.run(pairs.make, spec.name)
    return key, private, sealed(key, private, context)


@kms.operation
async def generate_random(req: t.GenerateRandomRequest, call: Call) -> t.GenerateRandomResponse:
    if "CustomKeyStoreId" in req:
        raise t.CustomKeyStoreNotFoundException(f"Custom key store {req['CustomKeyStoreId']} does not exist.")
    check_request(call, req)
    if "NumberOfBytes" not in req:
        raise invalid("NumberOfBytes is required.")
    return {"Plaintext": random_bytes(call, req["NumberOfBytes"])}
