"""What KMS's keys do, checked with another implementation where there is one (`cryptography`, as a client uses it)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from tests.conformance.serving import refused

CONTEXT = {"app": "shop", "stage": "prod"}


def made(kms: Any, **more: Any) -> str:
    key: str = kms.create_key(**more)["KeyMetadata"]["KeyId"]
    return key


@pytest.fixture
def key(kms: Any) -> str:
    return made(kms)


# --- symmetric


def test_what_is_encrypted_can_be_decrypted(kms: Any, key: str) -> None:
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)
    blob = sealed["CiphertextBlob"]
    assert b"secret" not in blob
    assert sealed["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    answer = kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(CONTEXT.items())))
    assert answer["Plaintext"] == b"secret"
    assert answer["KeyId"].endswith(f":key/{key}")
    assert kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"] != blob


@pytest.mark.parametrize(
    "context", [{}, {"app": "shop"}, CONTEXT | {"more": ""}, {"app": "shop", "stage": "qa"}, {"appshop": "stageprod"}]
)
def test_another_context_opens_nothing(kms: Any, key: str, context: dict[str, str]) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob, EncryptionContext=context)


def test_changed_ciphertexts_open_nothing(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for at in range(0, len(blob), 7):
        spoiled = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        with pytest.raises(Exception, match=r"InvalidCiphertext|AccessDenied"):  # the account is named inside, too
            kms.decrypt(CiphertextBlob=spoiled)
    for short in (b"x", blob[:20], blob[:-1]):
        refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=short)


def test_the_key_that_is_named_must_be_the_one(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    assert kms.decrypt(CiphertextBlob=blob, KeyId="alias/mine")["Plaintext"] == b"x"
    refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=blob, KeyId=made(kms))
    kms.disable_key(KeyId=key)
    assert "is disabled" in refused("DisabledException", kms.decrypt, CiphertextBlob=blob)
    refused("DisabledException", kms.encrypt, KeyId=key, Plaintext=b"x")
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_re_encryption_never_shows_the_plaintext(kms: Any, key: str) -> None:
    other = made(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    answer = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=other)
    assert "Plaintext" not in answer
    assert (answer["SourceKeyId"].rpartition("/")[2], answer["KeyId"].rpartition("/")[2]) == (key, other)
    found = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])
    assert (found["Plaintext"], found["KeyId"].rpartition("/")[2]) == (b"x", other)


def test_data_keys(kms: Any, key: str) -> None:
    for given, size in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 64}, 64)):
        answer = kms.generate_data_key(KeyId=key, EncryptionContext=CONTEXT, **given)
        assert len(answer["Plaintext"]) == size
        found = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"], EncryptionContext=CONTEXT)
        assert found["Plaintext"] == answer["Plaintext"]
    blob = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")
    assert "Plaintext" not in blob
    assert len(kms.decrypt(CiphertextBlob=blob["CiphertextBlob"])["Plaintext"]) == 32
    refused("ValidationException", kms.generate_data_key, KeyId=key)
    refused("ValidationException", kms.generate_data_key, KeyId=key, KeySpec="AES_256", NumberOfBytes=32)
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024


def test_dry_runs_do_nothing(kms: Any, key: str) -> None:
    refused("DryRunOperationException", kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)
    kms.disable_key(KeyId=key)
    refused("DisabledException", kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)


def test_old_ciphertexts_stay_readable(kms: Any, key: str) -> None:
    blobs = []
    for number in range(3):
        blobs.append(kms.encrypt(KeyId=key, Plaintext=str(number).encode())["CiphertextBlob"])
        kms.rotate_key_on_demand(KeyId=key)
    found = [kms.decrypt(CiphertextBlob=blob) for blob in blobs]
    assert [each["Plaintext"] for each in found] == [b"0", b"1", b"2"]
    assert len({each["KeyMaterialId"] for each in found}) == 3
    rotations = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert [(each["RotationType"], each["KeyMaterialState"]) for each in rotations] == [
        ("ON_DEMAND", "NON_CURRENT"),
        ("ON_DEMAND", "NON_CURRENT"),
        ("ON_DEMAND", "CURRENT"),
    ]
    assert len(kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]) == 4


def test_rotation_is_switched(kms: Any, key: str) -> None:
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    kms.disable_key_rotation(KeyId=key)
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    pair = made(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    refused("UnsupportedOperationException", kms.enable_key_rotation, KeyId=pair)


# --- pairs

RSA = ("RSA_2048", *(pytest.param(spec, marks=pytest.mark.slow) for spec in ("RSA_3072", "RSA_4096")))
CURVES = ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1")


@pytest.mark.parametrize("spec", RSA)
@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_rsa_encryption(kms: Any, spec: str, algorithm: str) -> None:
    key = made(kms, KeySpec=spec, KeyUsage="ENCRYPT_DECRYPT")
    use = {"KeyId": key, "EncryptionAlgorithm": algorithm}
    blob = kms.encrypt(**use, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(**use, CiphertextBlob=blob)["Plaintext"] == b"x"
    public = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    digest = hashes.SHA256() if algorithm.endswith("256") else hashes.SHA1()
    outside = public.encrypt(b"from outside", padding.OAEP(padding.MGF1(digest), digest, None))
    assert kms.decrypt(**use, CiphertextBlob=outside)["Plaintext"] == b"from outside"
    refused("InvalidCiphertextException", kms.decrypt, **use, CiphertextBlob=bytes(len(outside)))
    refused("ValidationException", kms.encrypt, **use, Plaintext=bytes(public.key_size // 8 - 20))
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=key, Plaintext=b"x")
    refused("ValidationException", kms.decrypt, EncryptionAlgorithm=algorithm, CiphertextBlob=blob)
    refused("ValidationException", kms.encrypt, **use, Plaintext=b"x", EncryptionContext=CONTEXT)


@pytest.mark.parametrize("bits", [256, 384, 512])
@pytest.mark.parametrize("scheme", ["PSS", "PKCS1_V1_5"])
def test_rsa_signatures(kms: Any, scheme: str, bits: int) -> None:
    key = made(kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    use = {"KeyId": key, "SigningAlgorithm": f"RSASSA_{scheme}_SHA_{bits}"}
    signature = kms.sign(**use, Message=b"hello")["Signature"]
    public = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    digest: hashes.HashAlgorithm = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}[bits]
    how = padding.PSS(padding.MGF1(digest), digest.digest_size) if scheme == "PSS" else padding.PKCS1v15()
    public.verify(signature, b"hello", how, digest)
    assert kms.verify(**use, Message=b"hello", Signature=signature)["SignatureValid"]
    hashed = {"Message": hashlib.new(f"sha{bits}", b"hello").digest(), "MessageType": "DIGEST"}
    assert kms.verify(**use, **hashed, Signature=kms.sign(**use, **hashed)["Signature"])["SignatureValid"]
    assert kms.verify(**use, **hashed, Signature=signature)["SignatureValid"]
    refused("KMSInvalidSignatureException", kms.verify, **use, Message=b"other", Signature=signature)
    refused("ValidationException", kms.sign, **use, Message=b"short", MessageType="DIGEST")
    refused("InvalidKeyUsageException", kms.sign, KeyId=key, SigningAlgorithm="ECDSA_SHA_256", Message=b"x")
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1")


@pytest.mark.parametrize("spec", CURVES)
def test_signatures_of_curves(kms: Any, spec: str) -> None:
    answer = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    (algorithm,) = answer["SigningAlgorithms"]
    use = {"KeyId": answer["KeyId"], "SigningAlgorithm": algorithm}
    signature = kms.sign(**use, Message=b"hello")["Signature"]
    shown = kms.get_public_key(KeyId=answer["KeyId"])
    public = load_der_public_key(shown["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm[-3:]]
    public.verify(signature, hashlib.new(f"sha{algorithm[-3:]}", b"hello").digest(), ec.ECDSA(Prehashed(digest)))
    assert kms.verify(**use, Message=b"hello", Signature=signature)["SignatureValid"]
    refused("KMSInvalidSignatureException", kms.verify, **use, Message=b"hello", Signature=signature[:-2] + b"\0\0")
    assert shown["KeyUsage"] == "SIGN_VERIFY"


@pytest.mark.parametrize("spec", CURVES[:3])
def test_shared_secrets(kms: Any, spec: str) -> None:
    mine, yours = (made(kms, KeySpec=spec, KeyUsage="KEY_AGREEMENT") for _ in range(2))
    publics = {key: kms.get_public_key(KeyId=key)["PublicKey"] for key in (mine, yours)}
    use = {"KeyAgreementAlgorithm": "ECDH"}
    one = kms.derive_shared_secret(KeyId=mine, PublicKey=publics[yours], **use)["SharedSecret"]
    assert one == kms.derive_shared_secret(KeyId=yours, PublicKey=publics[mine], **use)["SharedSecret"]
    public = load_der_public_key(publics[mine])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    outside = ec.generate_private_key(public.curve)
    theirs = outside.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = kms.derive_shared_secret(KeyId=mine, PublicKey=theirs, **use)["SharedSecret"]
    assert found == outside.exchange(ec.ECDH(), public)
    refused("ValidationException", kms.derive_shared_secret, KeyId=mine, PublicKey=b"none", **use)


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1"])
def test_data_key_pairs(kms: Any, key: str, spec: str) -> None:
    answer = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext=CONTEXT)
    private = load_der_private_key(answer["PrivateKeyPlaintext"], None)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public == answer["PublicKey"]
    sealed = answer["PrivateKeyCiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=CONTEXT)["Plaintext"] == answer["PrivateKeyPlaintext"]
    assert "PrivateKeyPlaintext" not in kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    refused("UnsupportedOperationException", kms.generate_data_key_pair, KeyId=key, KeyPairSpec="SM2")


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_macs(kms: Any, bits: int) -> None:
    key = made(kms, KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")
    use = {"KeyId": key, "MacAlgorithm": f"HMAC_SHA_{bits}", "Message": b"hello"}
    mac = kms.generate_mac(**use)["Mac"]
    assert len(mac) == bits // 8
    assert kms.verify_mac(**use, Mac=mac)["MacValid"]
    refused("KMSInvalidMacException", kms.verify_mac, **use | {"Message": b"other"}, Mac=mac)
    other = "HMAC_SHA_512" if bits == 256 else "HMAC_SHA_256"
    refused("InvalidKeyUsageException", kms.generate_mac, **use | {"MacAlgorithm": other})


# --- material of one's own


def wrapped(kms: Any, key: str, material: bytes, algorithm: str = "RSAES_OAEP_SHA_256") -> dict[str, Any]:
    asked = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
    public = load_der_public_key(asked["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    digest = hashes.SHA256() if algorithm.endswith("256") else hashes.SHA1()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if algorithm.startswith("RSAES"):
        data = public.encrypt(material, oaep)
    else:
        once = bytes(range(32))
        data = public.encrypt(once, oaep) + aes_key_wrap_with_padding(once, material)
    return {"KeyId": key, "ImportToken": asked["ImportToken"], "EncryptedKeyMaterial": data}


FOR_EVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"])
def test_imported_material(kms: Any, algorithm: str) -> None:
    key = made(kms, Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    assert "is pending import" in refused(
        "KMSInvalidStateException", kms.generate_mac, KeyId=key, MacAlgorithm="HMAC_SHA_256", Message=b"x"
    )
    kms.import_key_material(**wrapped(kms, key, b"m" * 32, algorithm), **FOR_EVER)
    mac = kms.generate_mac(KeyId=key, MacAlgorithm="HMAC_SHA_256", Message=b"x")["Mac"]
    assert mac == hmac.digest(b"m" * 32, b"x", "sha256")


def test_imported_material_goes_and_comes_back_the_same(kms: Any) -> None:
    key = made(kms, Origin="EXTERNAL")
    kms.import_key_material(**wrapped(kms, key, b"a" * 32), **FOR_EVER)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
    refused("IncorrectKeyMaterialException", kms.import_key_material, **wrapped(kms, key, b"b" * 32), **FOR_EVER)
    kms.import_key_material(**wrapped(kms, key, b"a" * 32), **FOR_EVER)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_imported_material_is_rotated_on_demand(kms: Any) -> None:
    key = made(kms, Origin="EXTERNAL")
    kms.import_key_material(**wrapped(kms, key, b"a" * 32), **FOR_EVER)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    refused("KMSInvalidStateException", kms.rotate_key_on_demand, KeyId=key)
    new = {"ImportType": "NEW_KEY_MATERIAL", **FOR_EVER}
    refused("IncorrectKeyMaterialException", kms.import_key_material, **wrapped(kms, key, b"a" * 32), **new)
    fresh = kms.import_key_material(**wrapped(kms, key, b"b" * 32), **new)["KeyMaterialId"]
    refused("KMSInvalidStateException", kms.import_key_material, **wrapped(kms, key, b"c" * 32), **new)

    def states() -> list[str]:
        rows = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
        return [each["KeyMaterialState"] for each in rows]

    assert states() == ["CURRENT", "PENDING_ROTATION"]
    assert (
        kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"])["KeyMaterialId"] != fresh
    )
    kms.rotate_key_on_demand(KeyId=key)
    assert states() == ["NON_CURRENT", "CURRENT"]
    assert (
        kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"])["KeyMaterialId"] == fresh
    )
    found = kms.decrypt(CiphertextBlob=blob)
    assert found["Plaintext"] == b"x"
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=found["KeyMaterialId"])
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    refused("KMSInvalidStateException", kms.encrypt, KeyId=key, Plaintext=b"y")
    kms.import_key_material(**wrapped(kms, key, b"a" * 32), **FOR_EVER)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    mac = made(kms, Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    kms.import_key_material(**wrapped(kms, mac, b"a" * 32), **FOR_EVER)
    refused("UnsupportedOperationException", kms.import_key_material, **wrapped(kms, mac, b"b" * 32), **new)


def test_what_cannot_be_imported(kms: Any, key: str) -> None:
    external = made(kms, Origin="EXTERNAL")
    good = wrapped(kms, external, b"a" * 32)
    refused("ValidationException", kms.import_key_material, **good)  # no date
    refused("InvalidImportTokenException", kms.import_key_material, **good | {"ImportToken": b"x"}, **FOR_EVER)
    spoiled = good | {"EncryptedKeyMaterial": bytes(256)}
    refused("InvalidCiphertextException", kms.import_key_material, **spoiled, **FOR_EVER)
    refused("IncorrectKeyMaterialException", kms.import_key_material, **wrapped(kms, external, b"a" * 16), **FOR_EVER)
    refused("InvalidImportTokenException", kms.import_key_material, **good, **FOR_EVER)  # another one has come since
    asked = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    refused("UnsupportedOperationException", kms.get_parameters_for_import, KeyId=key, **asked)


def test_an_imported_pair_signs(kms: Any) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    material = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    key = made(kms, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    kms.import_key_material(**wrapped(kms, key, material, "RSA_AES_KEY_WRAP_SHA_256"), **FOR_EVER)
    signature = kms.sign(KeyId=key, SigningAlgorithm="ECDSA_SHA_256", Message=b"x")["Signature"]
    private.public_key().verify(signature, b"x", ec.ECDSA(hashes.SHA256()))
    other = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    another = made(kms, Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    wrong = wrapped(kms, another, other, "RSA_AES_KEY_WRAP_SHA_256")
    refused("IncorrectKeyMaterialException", kms.import_key_material, **wrong, **FOR_EVER)
