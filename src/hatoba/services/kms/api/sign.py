"""Signatures, MACs, public keys and shared secrets: what is done with key pairs and HMAC keys.

RSA work is done in a thread: a signature takes milliseconds, in which the platform has other things to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import kms as t
from hatoba.gateway.call import Call
from hatoba.services.kms.api.room import check_request, end_dry_run, kms, the_key, threads, usable
from hatoba.services.kms.crypto import macs, pairs
from hatoba.services.kms.model import KmsKey
from hatoba.services.kms.plan.naming import invalid
from hatoba.services.kms.plan.specs import algorithms, old_name
from hatoba.services.kms.plan.states import check_usable, unsupported


@kms.operation
async def sign(req: t.SignRequest, call: Call) -> t.SignResponse:
    key, algorithm, hashed = _signing(call, req)
    end_dry_run(req)
    signature = await threads.run(pairs.sign, key.current.bytes(), algorithm, req["Message"], hashed=hashed)
    return {"KeyId": key.arn, "Signature": signature, "SigningAlgorithm": algorithm}


@kms.operation
async def verify(req: t.VerifyRequest, call: Call) -> t.VerifyResponse:
    key, algorithm, hashed = _signing(call, req)
    end_dry_run(req)
    assert key.public is not None
    if not await threads.run(pairs.verify, key.public, algorithm, req["Message"], req["Signature"], hashed=hashed):
        raise t.KMSInvalidSignatureException("")
    return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


def _signing(call: Call, req: Mapping[str, Any]) -> tuple[KmsKey, t.SigningAlgorithmSpec, bool]:
    """The key, the algorithm, and whether the message is a digest already."""
    check_request(call, req)
    key = usable(call, req["KeyId"], "SIGN_VERIFY")
    algorithm = next((each for each in key.kind.signing if each == req["SigningAlgorithm"]), None)
    if algorithm is None:
        raise t.InvalidKeyUsageException(
            f"Algorithm {req['SigningAlgorithm']} is incompatible with key spec {key.spec}."
        )
    kind = req.get("MessageType", "RAW")
    if kind not in key.kind.messages:
        raise invalid(f"Message type {kind} is not compatible with key spec {key.spec}.")
    hashed = kind != "RAW"
    if hashed and len(req["Message"]) != pairs.digest_size(algorithm):
        raise invalid("Digest is invalid length for algorithm " + algorithm + ".")
    return key, algorithm, hashed


@kms.operation
async def get_public_key(req: t.GetPublicKeyRequest, call: Call) -> t.GetPublicKeyResponse:
    check_request(call, req)
    key = the_key(call, req["KeyId"])
    check_usable(key.arn, key.state)
    if key.public is None:
        raise unsupported(key.arn, "is not an asymmetric key, so it has no public key.")
    answer: t.GetPublicKeyResponse = {
        "KeyId": key.arn,
        "PublicKey": key.public,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
    }
    if (old := old_name(key.spec)) is not None:
        answer["CustomerMasterKeySpec"] = old
    can = algorithms(key.kind, key.usage)
    if can.encryption:
        answer["EncryptionAlgorithms"] = list(can.encryption)
    if can.signing:
        answer["SigningAlgorithms"] = list(can.signing)
    if can.agreement:
        answer["KeyAgreementAlgorithms"] = list(can.agreement)
    if can.encapsulation:
        answer["EncapsulationAlgorithms"] = list(can.encapsulation)
    return answer


@kms.operation
async def derive_shared_secret(req: t.DeriveSharedSecretRequest, call: Call) -> t.DeriveSharedSecretResponse:
    check_request(call, req)
    key = usable(call, req["KeyId"], "KEY_AGREEMENT")
    end_dry_run(req)
    try:
        shared = pairs.agree(key.current.bytes(), req["PublicKey"])
    except pairs.Unfit as error:
        raise invalid(f"The public key is not valid for key spec {key.spec}: {error}.") from None
    return {
        "KeyId": key.arn,
        "SharedSecret": shared,
        "KeyAgreementAlgorithm": req["KeyAgreementAlgorithm"],
        "KeyOrigin": key.origin,
    }


# --- encapsulation


@kms.operation
async def encapsulate(req: t.EncapsulateRequest, call: Call) -> t.EncapsulateResponse:
    check_request(call, req)
    key = usable(call, req["KeyId"], "ENCAPSULATE_DECAPSULATE")
    end_dry_run(req)
    assert key.public is not None
    secret, sealed = pairs.encapsulate(key.public)
    return {
        "KeyId": key.arn,
        "SharedSecret": secret,
        "SharedSecretCiphertextBlob": sealed,
        "EncapsulationAlgorithm": req["EncapsulationAlgorithm"],
    }


@kms.operation
async def decapsulate(req: t.DecapsulateRequest, call: Call) -> t.DecapsulateResponse:
    check_request(call, req)
    key = usable(call, req["KeyId"], "ENCAPSULATE_DECAPSULATE")
    end_dry_run(req)
    try:
        secret = pairs.decapsulate(key.current.bytes(), req["SharedSecretCiphertextBlob"])
    except pairs.Unfit:
        raise t.InvalidCiphertextException("") from None
    return {"KeyId": key.arn, "SharedSecret": secret, "EncapsulationAlgorithm": req["EncapsulationAlgorithm"]}


# --- MACs


@kms.operation
async def generate_mac(req: t.GenerateMacRequest, call: Call) -> t.GenerateMacResponse:
    key = _mac_key(call, req)
    end_dry_run(req)
    mac = macs.generate(key.current.bytes(), req["MacAlgorithm"], req["Message"])
    return {"Mac": mac, "MacAlgorithm": req["MacAlgorithm"], "KeyId": key.arn}


@kms.operation
async def verify_mac(req: t.VerifyMacRequest, call: Call) -> t.VerifyMacResponse:
    key = _mac_key(call, req)
    end_dry_run(req)
    if not macs.verify(key.current.bytes(), req["MacAlgorithm"], req["Message"], req["Mac"]):
        raise t.KMSInvalidMacException("")
    return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": req["MacAlgorithm"]}


def _mac_key(call: Call, req: Mapping[str, Any]) -> KmsKey:
    check_request(call, req)
    key = usable(call, req["KeyId"], "GENERATE_VERIFY_MAC")
    if req["MacAlgorithm"] not in key.kind.macs:
        raise t.InvalidKeyUsageException(f"Algorithm {req['MacAlgorithm']} is incompatible with key spec {key.spec}.")
    return key
