"""Encrypt, Decrypt, ReEncrypt: with symmetric keys, whose ciphertexts name them, and with RSA keys, whose do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import kms as t
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.services.kms import model
from hatoba.services.kms.api.room import (
    check_account,
    check_request,
    check_use,
    end_dry_run,
    kms,
    the_key,
    threads,
    usable,
)
from hatoba.services.kms.crypto import envelope, pairs
from hatoba.services.kms.model import KmsKey, Material
from hatoba.services.kms.plan.naming import invalid
from hatoba.services.kms.plan.specs import SYMMETRIC
from hatoba.services.kms.plan.states import wrong_usage

LONGEST_CONTEXT = 8192  # characters of all keys and values


@kms.operation
async def encrypt(req: t.EncryptRequest, call: Call) -> t.EncryptResponse:
    check_request(call, req)
    key = usable(call, req["KeyId"], "ENCRYPT_DECRYPT")
    algorithm: t.EncryptionAlgorithmSpec = req.get("EncryptionAlgorithm", SYMMETRIC)
    context = checked_context(req.get("EncryptionContext", {}))
    _check_algorithm(key, algorithm, context)
    if len(req["Plaintext"]) > key.kind.plaintext[algorithm]:
        raise invalid(
            f"Algorithm {algorithm} and key spec {key.spec} cannot encrypt data larger than "
            f"{key.kind.plaintext[algorithm]} bytes."
        )
    end_dry_run(req)
    blob = await _encrypted(key, algorithm, req["Plaintext"], context)
    return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": algorithm}


@kms.operation
async def decrypt(req: t.DecryptRequest, call: Call) -> t.DecryptResponse:
    check_request(call, req)
    algorithm: t.EncryptionAlgorithmSpec = req.get("EncryptionAlgorithm", SYMMETRIC)
    context = checked_context(req.get("EncryptionContext", {}))
    blob = _blob(req)
    key, material = _behind(call, blob, algorithm, req.get("KeyId"), context)
    plain = await _decrypted(material, algorithm, blob, context)
    end_dry_run(req)
    answer: t.DecryptResponse = {"KeyId": key.arn, "Plaintext": plain, "EncryptionAlgorithm": algorithm}
    if algorithm == SYMMETRIC:
        answer["KeyMaterialId"] = material.id
    return answer


@kms.operation
async def re_encrypt(req: t.ReEncryptRequest, call: Call) -> t.ReEncryptResponse:
    check_request(call, req)
    source: t.EncryptionAlgorithmSpec = req.get("SourceEncryptionAlgorithm", SYMMETRIC)
    target: t.EncryptionAlgorithmSpec = req.get("DestinationEncryptionAlgorithm", SYMMETRIC)
    before = checked_context(req.get("SourceEncryptionContext", {}))
    after = checked_context(req.get("DestinationEncryptionContext", {}))
    blob = _blob(req)
    from_, material = _behind(call, blob, source, req.get("SourceKeyId"), before)
    to = usable(call, req["DestinationKeyId"], "ENCRYPT_DECRYPT")
    _check_algorithm(to, target, after)
    plain = await _decrypted(material, source, blob, before)
    if len(plain) > to.kind.plaintext[target]:
        raise invalid(f"Algorithm {target} and key spec {to.spec} cannot encrypt data of this length.")
    end_dry_run(req)
    answer: t.ReEncryptResponse = {
        "CiphertextBlob": await _encrypted(to, target, plain, after),
        "SourceKeyId": from_.arn,
        "KeyId": to.arn,
        "SourceEncryptionAlgorithm": source,
        "DestinationEncryptionAlgorithm": target,
    }
    if source == SYMMETRIC:
        answer["SourceKeyMaterialId"] = material.id
    if target == SYMMETRIC:
        answer["DestinationKeyMaterialId"] = to.current.id
    return answer


def _blob(req: Mapping[str, Any]) -> bytes:
    """A dry run may do without a ciphertext on AWS; here there must be one."""
    blob = req.get("CiphertextBlob")
    if not isinstance(blob, bytes) or not blob:
        raise invalid("CiphertextBlob is required.")
    return blob


def checked_context(context: Mapping[str, str]) -> Mapping[str, str]:
    if sum(len(name) + len(value) for name, value in context.items()) > LONGEST_CONTEXT:
        raise invalid("The encryption context is too long.")
    return context


def _check_algorithm(key: KmsKey, algorithm: str, context: Mapping[str, str]) -> None:
    if algorithm not in key.kind.encryption:
        raise t.InvalidKeyUsageException(f"Algorithm {algorithm} is incompatible with key spec {key.spec}.")
    if context and algorithm != SYMMETRIC:
        raise invalid("EncryptionContext is not supported with asymmetric keys.")


def _behind(
    call: Call, blob: bytes, algorithm: str, key_id: str | None, context: Mapping[str, str]
) -> tuple[KmsKey, Material]:
    """The key and the material that a ciphertext was made with, once it is sure that they may be used."""
    if algorithm != SYMMETRIC:
        if key_id is None:
            raise invalid("KeyId is required with asymmetric keys.")
        key = usable(call, key_id, "ENCRYPT_DECRYPT")
        _check_algorithm(key, algorithm, context)
        return key, key.current
    try:
        head = envelope.head_of(blob)
    except envelope.Broken:
        raise t.InvalidCiphertextException("") from None
    scope = Scope(call.scope.partition, head.account, call.scope.region)
    check_account(call, scope, head.key)
    key_ = model.find_key(call.store, scope, head.key)
    if key_id is not None:
        wanted = usable(call, key_id, "ENCRYPT_DECRYPT")
        if key_ is None or wanted.key != key_.key:
            raise t.IncorrectKeyException(
                "The key ID in the request does not identify a CMK that can perform this operation."
            )
    material = key_.material_named(head.material) if key_ is not None else None
    if key_ is None or material is None:
        raise t.InvalidCiphertextException("")
    check_use(call, key_, "ENCRYPT_DECRYPT")
    if material.secret is None:
        raise t.KMSInvalidStateException(f"{key_.arn} key material {material.id} is pending import.")
    return key_, material


async def _decrypted(material: Material, algorithm: str, blob: bytes, context: Mapping[str, str]) -> bytes:
    try:
        if algorithm == SYMMETRIC:
            return envelope.open_(blob, material.bytes(), context)
        return await threads.run(pairs.decrypt, material.bytes(), algorithm, blob)
    except (envelope.Broken, pairs.Unfit):
        raise t.InvalidCiphertextException("") from None


async def _encrypted(key: KmsKey, algorithm: str, plain: bytes, context: Mapping[str, str]) -> bytes:
    if algorithm == SYMMETRIC:
        return sealed(key, plain, context)
    assert key.public is not None
    return await threads.run(pairs.encrypt, key.public, algorithm, plain)


def sealed(key: KmsKey, plain: bytes, context: Mapping[str, str]) -> bytes:
    """Under the key's current material."""
    head = envelope.Head(account=key.key.account, key=key.id, material=key.current.id)
    return envelope.seal(head, key.current.bytes(), plain, context)


def symmetric(call: Call, key_id: str) -> KmsKey:
    """A key that data keys can be made under."""
    key: KmsKey = the_key(call, key_id)
    check_use(call, key, "ENCRYPT_DECRYPT")
    if key.spec != SYMMETRIC:
        raise wrong_usage(key.arn, f"{key.usage} ({key.spec})", call.operation)
    return key
