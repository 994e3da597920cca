"""KMS's newer pairs, Ed25519, ML-DSA and ML-KEM, with `cryptography` as their owners and counterparts use it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa, mlkem
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from tests.conformance.keeping.test_kms_cryptography import CONTEXT, FOR_EVER, made, wrapped
from tests.conformance.serving import refused

EDWARDS = {"KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY"}
KEM = {"EncapsulationAlgorithm": "ML_KEM"}
PACKED = (Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def key(kms: Any) -> str:
    return made(kms)


def public_of(kms: Any, key: str) -> Any:
    return load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])


# --- signatures


def test_ed25519(kms: Any) -> None:
    shown = kms.create_key(**EDWARDS)["KeyMetadata"]
    assert shown["SigningAlgorithms"] == ["ED25519_SHA_512"]
    assert "CustomerMasterKeySpec" not in shown
    key, use = shown["KeyId"], {"KeyId": shown["KeyId"], "SigningAlgorithm": "ED25519_SHA_512"}
    signature = kms.sign(**use, Message=b"hello")["Signature"]
    public = public_of(kms, key)
    assert isinstance(public, ed25519.Ed25519PublicKey)
    public.verify(signature, b"hello")
    assert kms.verify(**use, Message=b"hello", Signature=signature)["SignatureValid"]
    refused("KMSInvalidSignatureException", kms.verify, **use, Message=b"hullo", Signature=signature)
    for kind in ("DIGEST", "EXTERNAL_MU"):
        refused("ValidationException", kms.sign, **use, Message=bytes(64), MessageType=kind)
    refused("InvalidKeyUsageException", kms.sign, KeyId=key, SigningAlgorithm="ED25519_PH_SHA_512", Message=b"x" * 64)
    refused("InvalidKeyUsageException", kms.sign, KeyId=key, SigningAlgorithm="ECDSA_SHA_256", Message=b"x")
    refused("ValidationException", kms.create_key, **EDWARDS | {"KeyUsage": "KEY_AGREEMENT"})


def test_an_imported_ed25519_key_signs_as_its_owner_does(kms: Any) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key = made(kms, Origin="EXTERNAL", **EDWARDS)
    material = wrapped(kms, key, private.private_bytes(*PACKED), "RSA_AES_KEY_WRAP_SHA_256")
    kms.import_key_material(**material, **FOR_EVER)
    found = kms.sign(KeyId=key, SigningAlgorithm="ED25519_SHA_512", Message=b"x")["Signature"]
    assert found == private.sign(b"x"), "Ed25519 has no chance in it"
    other = made(kms, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    wrong = wrapped(kms, other, private.private_bytes(*PACKED), "RSA_AES_KEY_WRAP_SHA_256")
    assert "ECC_NIST_EDWARDS25519" in refused(
        "IncorrectKeyMaterialException", kms.import_key_material, **wrong, **FOR_EVER
    )


def mu(public: Any, message: bytes) -> bytes:
    """FIPS 204, algorithm 7, line 6, with an empty context."""
    name = hashlib.shake_256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest(64)
    return hashlib.shake_256(name + b"\0\0" + message).digest(64)


@pytest.mark.parametrize(
    ("spec", "kind", "size"),
    [
        ("ML_DSA_44", mldsa.MLDSA44PublicKey, 2420),
        ("ML_DSA_65", mldsa.MLDSA65PublicKey, 3309),
        ("ML_DSA_87", mldsa.MLDSA87PublicKey, 4627),
    ],
)
def test_ml_dsa(kms: Any, spec: str, kind: type, size: int) -> None:
    key = made(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
    use = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    public = public_of(kms, key)
    assert isinstance(public, kind)
    raw = kms.sign(**use, Message=b"hello")["Signature"]
    assert len(raw) == size
    hashed = {"Message": mu(public, b"hello"), "MessageType": "EXTERNAL_MU"}
    outside = kms.sign(**use, **hashed)["Signature"]
    for signature in (raw, outside):
        public.verify(signature, b"hello")  # type: ignore[attr-defined]
        assert kms.verify(**use, Message=b"hello", Signature=signature)["SignatureValid"]
        assert kms.verify(**use, **hashed, Signature=signature)["SignatureValid"]
        with pytest.raises(InvalidSignature):
            public.verify(signature, b"hullo")  # type: ignore[attr-defined]
        refused("KMSInvalidSignatureException", kms.verify, **use, Message=b"hullo", Signature=signature)
    refused("ValidationException", kms.sign, **use, Message=bytes(63), MessageType="EXTERNAL_MU")
    refused("ValidationException", kms.sign, **use, Message=bytes(64), MessageType="DIGEST")


# --- encapsulation


@pytest.mark.parametrize(
    ("spec", "kind", "size"),
    [("ML_KEM_768", mlkem.MLKEM768PublicKey, 1088), ("ML_KEM_1024", mlkem.MLKEM1024PublicKey, 1568)],
)
def test_ml_kem(kms: Any, spec: str, kind: type, size: int) -> None:
    shown = kms.create_key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"]
    assert shown["EncapsulationAlgorithms"] == ["ML_KEM"]
    key = shown["KeyId"]
    assert kms.get_public_key(KeyId=key)["EncapsulationAlgorithms"] == ["ML_KEM"]
    public = public_of(kms, key)
    assert isinstance(public, kind)
    ours = kms.encapsulate(KeyId=key, **KEM)
    assert len(ours["SharedSecretCiphertextBlob"]) == size
    theirs = public.encapsulate()  # type: ignore[attr-defined]
    for secret, sealed in (theirs, (ours["SharedSecret"], ours["SharedSecretCiphertextBlob"])):
        found = kms.decapsulate(KeyId=key, SharedSecretCiphertextBlob=sealed, **KEM)["SharedSecret"]
        assert (found, len(found)) == (secret, 32)
    spoiled = bytes([theirs[1][0] ^ 1]) + theirs[1][1:]
    found = kms.decapsulate(KeyId=key, SharedSecretCiphertextBlob=spoiled, **KEM)["SharedSecret"]
    assert found != theirs[0], "no error, and no secret either: whoever tries learns nothing"
    refused("InvalidCiphertextException", kms.decapsulate, KeyId=key, SharedSecretCiphertextBlob=spoiled[1:], **KEM)


def test_what_a_key_for_encapsulation_is_not_for(kms: Any, key: str) -> None:
    kem = made(kms, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    refused("InvalidKeyUsageException", kms.encapsulate, KeyId=key, **KEM)
    refused("InvalidKeyUsageException", kms.decapsulate, KeyId=key, SharedSecretCiphertextBlob=bytes(1088), **KEM)
    refused("InvalidKeyUsageException", kms.sign, KeyId=kem, SigningAlgorithm="ML_DSA_SHAKE_256", Message=b"x")
    refused("ValidationException", kms.create_key, KeySpec="ML_KEM_768", KeyUsage="KEY_AGREEMENT")
    refused("DryRunOperationException", kms.encapsulate, KeyId=kem, **KEM, DryRun=True)
    refused("InvalidGrantTokenException", kms.encapsulate, KeyId=kem, **KEM, GrantTokens=["none"])
    kms.create_grant(KeyId=kem, GranteePrincipal="p", Operations=["Decapsulate"])
    refused("ValidationException", kms.create_grant, KeyId=key, GranteePrincipal="p", Operations=["Decapsulate"])
    kms.disable_key(KeyId=kem)
    refused("DisabledException", kms.encapsulate, KeyId=kem, **KEM)


@pytest.mark.parametrize("spec", ["ECC_NIST_EDWARDS25519", "ML_KEM_768"])
def test_data_key_pairs(kms: Any, key: str, spec: str) -> None:
    answer = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext=CONTEXT)
    private = load_der_private_key(answer["PrivateKeyPlaintext"], None)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public == answer["PublicKey"]
    opened = kms.decrypt(CiphertextBlob=answer["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == answer["PrivateKeyPlaintext"]
    refused("UnsupportedOperationException", kms.generate_data_key_pair, KeyId=key, KeyPairSpec="ML_KEM_512")
