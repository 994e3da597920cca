"""Kinds of keys: what each can be used for, and by which algorithms. Pure.

The tables are the developer guide's ("Key spec reference"). What is known to the model and not here is refused by its
name: SM2 exists in China's regions only, and no library of ours has ML-KEM-512 or Ed25519 of hashed messages.
"""

from __future__ import annotations

from typing import Literal, cast

import msgspec

from hatoba.aws.shapes import kms as t

Usage = Literal["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"]

SpecName = Literal[
    "SYMMETRIC_DEFAULT",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ML_KEM_768",
    "ML_KEM_1024",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
]
SYMMETRIC: Literal["SYMMETRIC_DEFAULT"] = "SYMMETRIC_DEFAULT"
_RSA_SIGNING: tuple[t.SigningAlgorithmSpec, ...] = (
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
)


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """`material`: bytes of a symmetric or HMAC key; a range for those whose material may be imported."""

    name: SpecName
    kind: Literal["symmetric", "rsa", "ecc", "edwards", "dsa", "kem", "hmac"]
    usages: tuple[Usage, ...]
    encryption: tuple[t.EncryptionAlgorithmSpec, ...] = ()
    signing: tuple[t.SigningAlgorithmSpec, ...] = ()
    macs: tuple[t.MacAlgorithmSpec, ...] = ()
    agreement: tuple[t.KeyAgreementAlgorithmSpec, ...] = ()
    encapsulation: tuple[t.EncapsulationAlgorithmSpec, ...] = ()
    messages: tuple[t.MessageType, ...] = ("RAW", "DIGEST")  # what can be signed
    material: tuple[int, int] = (0, 0)
    plaintext: dict[str, int] = {}  # most bytes that an algorithm encrypts

    @property
    def is_pair(self) -> bool:
        return self.kind not in ("symmetric", "hmac")


def _rsa(name: SpecName, bits: int) -> Spec:
    size = bits // 8
    return Spec(
        name=name,
        kind="rsa",
        usages=("ENCRYPT_DECRYPT", "SIGN_VERIFY"),
        encryption=("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"),
        signing=_RSA_SIGNING,
        plaintext={"RSAES_OAEP_SHA_1": size - 42, "RSAES_OAEP_SHA_256": size - 66},
    )


def _ecc(name: SpecName, signing: t.SigningAlgorithmSpec, *, agrees: bool = True) -> Spec:
    return Spec(
        name=name,
        kind="ecc",
        usages=("SIGN_VERIFY", "KEY_AGREEMENT") if agrees else ("SIGN_VERIFY",),
        signing=(signing,),
        agreement=("ECDH",) if agrees else (),
    )


def _dsa(name: SpecName) -> Spec:
    return Spec(
        name=name,
        kind="dsa",
        usages=("SIGN_VERIFY",),
        signing=("ML_DSA_SHAKE_256",),
        messages=("RAW", "EXTERNAL_MU"),
    )


def _kem(name: SpecName) -> Spec:
    return Spec(name=name, kind="kem", usages=("ENCAPSULATE_DECAPSULATE",), encapsulation=("ML_KEM",))


def _hmac(name: SpecName, mac: t.MacAlgorithmSpec, least: int, most: int) -> Spec:
    return Spec(
        name=name,
        kind="hmac",
        usages=("GENERATE_VERIFY_MAC",),
        macs=(mac,),
        material=(least, most),
    )


SPECS: dict[str, Spec] = {
    spec.name: spec
    for spec in (
        Spec(
            name=SYMMETRIC,
            kind="symmetric",
            usages=("ENCRYPT_DECRYPT",),
            encryption=(SYMMETRIC,),
            material=(32, 32),
            plaintext={SYMMETRIC: 4096},
        ),
        _rsa("RSA_2048", 2048),
        _rsa("RSA_3072", 3072),
        _rsa("RSA_4096", 4096),
        _ecc("ECC_NIST_P256", "ECDSA_SHA_256"),
        _ecc("ECC_NIST_P384", "ECDSA_SHA_384"),
        _ecc("ECC_NIST_P521", "ECDSA_SHA_512"),
        _ecc("ECC_SECG_P256K1", "ECDSA_SHA_256", agrees=False),
        Spec(
            name="ECC_NIST_EDWARDS25519",
            kind="edwards",
            usages=("SIGN_VERIFY",),
            signing=("ED25519_SHA_512",),
            messages=("RAW",),
        ),
        _dsa("ML_DSA_44"),
        _dsa("ML_DSA_65"),
        _dsa("ML_DSA_87"),
        _kem("ML_KEM_768"),
        _kem("ML_KEM_1024"),
        _hmac("HMAC_224", "HMAC_SHA_224", 28, 64),
        _hmac("HMAC_256", "HMAC_SHA_256", 32, 64),
        _hmac("HMAC_384", "HMAC_SHA_384", 48, 128),
        _hmac("HMAC_512", "HMAC_SHA_512", 64, 128),
    )
}


def usage_of(spec: Spec, wanted: str | None) -> Usage | None:
    """The usage that a new key gets; None when it must be said, or is none of the spec's."""
    if wanted is None:
        # As CreateKey's reference has it: only symmetric encryption keys need not say.
        return "ENCRYPT_DECRYPT" if spec.kind == "symmetric" else None
    return next((usage for usage in spec.usages if usage == wanted), None)


class Algorithms(msgspec.Struct, frozen=True, kw_only=True):
    """What a key of a spec and a usage can do."""

    encryption: tuple[t.EncryptionAlgorithmSpec, ...] = ()
    signing: tuple[t.SigningAlgorithmSpec, ...] = ()
    macs: tuple[t.MacAlgorithmSpec, ...] = ()
    agreement: tuple[t.KeyAgreementAlgorithmSpec, ...] = ()
    encapsulation: tuple[t.EncapsulationAlgorithmSpec, ...] = ()


def algorithms(spec: Spec, usage: Usage) -> Algorithms:
    match usage:
        case "ENCRYPT_DECRYPT":
            return Algorithms(encryption=spec.encryption)
        case "SIGN_VERIFY":
            return Algorithms(signing=spec.signing)
        case "GENERATE_VERIFY_MAC":
            return Algorithms(macs=spec.macs)
        case "KEY_AGREEMENT":
            return Algorithms(agreement=spec.agreement)
        case "ENCAPSULATE_DECAPSULATE":
            return Algorithms(encapsulation=spec.encapsulation)


def old_name(name: SpecName) -> t.CustomerMasterKeySpec | None:
    """What CustomerMasterKeySpec says, to which no specs are added any more."""
    if name.startswith("ML_") or name == "ECC_NIST_EDWARDS25519":
        return None
    return cast("t.CustomerMasterKeySpec", name)
