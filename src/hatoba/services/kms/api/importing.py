"""Material of one's own: it comes wrapped, may expire, can be taken away and brought again; only the same, though.

A symmetric key may get further material, which RotateKeyOnDemand makes the current one.
"""

from __future__ import annotations

import base64
import hmac

from hatoba.aws.shapes import kms as t
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.gateway.call import Call
from hatoba.services.kms import model
from hatoba.services.kms.api.datakey import random_bytes
from hatoba.services.kms.api.room import kms, own_key, threads
from hatoba.services.kms.crypto import pairs, wrapping
from hatoba.services.kms.model import DAY, Import, KmsKey, Material
from hatoba.services.kms.plan import states
from hatoba.services.kms.plan.naming import invalid
from hatoba.services.kms.plan.specs import SYMMETRIC

VALID = DAY  # how long a wrapping key can be used
_TOKEN = 64  # bytes
_LATEST = 365 * DAY  # that material may expire from now


def _external(call: Call, key_id: str) -> KmsKey:
    key = own_key(call, key_id)
    if key.origin != "EXTERNAL":
        raise states.unsupported(key.arn, f"origin is {key.origin} which is not valid for this operation.")
    states.check_kept(key.arn, key.state)
    return key


@kms.operation
async def get_parameters_for_import(
    req: t.GetParametersForImportRequest, call: Call
) -> t.GetParametersForImportResponse:
    key, algorithm, spec = _external(call, req["KeyId"]), req["WrappingAlgorithm"], req["WrappingKeySpec"]
    if algorithm not in wrapping.ALGORITHMS or spec == "SM2":
        raise t.UnsupportedOperationException(f"Wrapping with {algorithm} and {spec} is not available here.")
    if key.kind.kind == "rsa" and algorithm.startswith("RSAES"):
        raise t.UnsupportedOperationException(f"Material of spec {key.spec} must be wrapped with RSA_AES_KEY_WRAP.")
    private = await threads.run(pairs.make, spec)
    token, expires = random_bytes(call, _TOKEN), call.now + VALID
    with call.tx() as tx:
        record = Import(
            key=model.imports.key(call.scope, key.id),
            token=Secret(token.hex()),
            private=Secret(base64.b64encode(private).decode()),
            algorithm=algorithm,
            expires=expires,
        )
        tx.write(model.imports, record)
    return {
        "KeyId": key.arn,
        "ImportToken": token,
        "PublicKey": pairs.public_of(private),
        "ParametersValidTo": expires,
    }


@kms.operation
async def import_key_material(req: t.ImportKeyMaterialRequest, call: Call) -> t.ImportKeyMaterialResponse:
    key = _external(call, req["KeyId"])
    further = bool(key.material) and req.get("ImportType") == "NEW_KEY_MATERIAL"
    if further:
        _check_further(key)
    expires = _expiry(req, call.now)
    waiting = _waiting(call, key, req["ImportToken"])
    private = base64.b64decode(waiting.private.reveal())
    try:
        data = await threads.run(wrapping.unwrap, private, waiting.algorithm, req["EncryptedKeyMaterial"])
        await threads.run(_check_fits, key, data)
        public = await threads.run(pairs.public_of, data) if key.kind.is_pair else None
    except wrapping.Unwrappable:
        raise t.InvalidCiphertextException("") from None
    found = next((each for each in key.all_material if each.fingerprint == model.fingerprint(data, key.id)), None)
    if (further and found is not None) or (not further and key.material and found is None):
        raise t.IncorrectKeyMaterialException(
            "The key material was imported before." if further else "The key material is not what was imported before."
        )
    material = _material(call, key, data, found, req.get("KeyMaterialDescription"), expires)
    if req.get("KeyMaterialId", material.id) != material.id:
        raise t.IncorrectKeyMaterialException("The key material is not the one with this key material ID.")
    with call.tx() as tx:
        tx.put(model.keys, _with(replace(key, public=public), material, further=further))
        tx.forget(model.imports, waiting.key)
    return {"KeyId": key.arn, "KeyMaterialId": material.id}


def _expiry(req: t.ImportKeyMaterialRequest, now: float) -> float | None:
    model_, when = req.get("ExpirationModel", "KEY_MATERIAL_EXPIRES"), req.get("ValidTo")
    if model_ == "KEY_MATERIAL_DOES_NOT_EXPIRE":
        if when is not None:
            raise invalid("ValidTo must not be given with KEY_MATERIAL_DOES_NOT_EXPIRE.")
        return None
    if when is None:
        raise invalid("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
    if not now < when <= now + _LATEST:
        raise invalid("ValidTo must be in the future, and not more than 365 days from now.")
    return when


def _waiting(call: Call, key: KmsKey, token: bytes) -> Import:
    """Raises InvalidImportTokenException, ExpiredImportTokenException."""
    found = call.store.find(model.imports, call.scope, key.id)
    if found is None or not hmac.compare_digest(found.token.reveal(), token.hex()):
        raise t.InvalidImportTokenException("The import token is not the last one of this key.")
    if found.expires <= call.now:
        raise t.ExpiredImportTokenException("The import token is expired.")
    return found


def _check_fits(key: KmsKey, data: bytes) -> None:
    """Raises for material that is none for the key's spec."""
    if key.kind.is_pair:
        try:
            found = pairs.spec_of(data)
        except pairs.Unfit:
            raise t.IncorrectKeyMaterialException("The key material is not a private key in PKCS #8.") from None
        if found != key.spec:
            raise t.IncorrectKeyMaterialException(f"The key material is of spec {found}, the key of {key.spec}.")
        return
    least, most = key.kind.material
    if not least <= len(data) <= most:
        raise t.IncorrectKeyMaterialException(
            f"The key material has {len(data)} bytes; for {key.spec} it must have {least} to {most}."
        )


def _check_further(key: KmsKey) -> None:
    """New material beside what a key has, for RotateKeyOnDemand: of symmetric keys, one at a time."""
    if key.spec != SYMMETRIC:
        raise states.unsupported(key.arn, "has its material: that of asymmetric and HMAC keys cannot be changed.")
    if key.primary is not None:
        raise states.unsupported(key.arn, "is in several regions: there is no further material for such keys here.")
    if key.pending is not None:
        raise t.KMSInvalidStateException(f"{key.arn} has key material that is pending rotation already.")


def _material(
    call: Call, key: KmsKey, data: bytes, found: Material | None, description: str | None, expires: float | None
) -> Material:
    """What was there before, brought again; or new material."""
    mark = model.fingerprint(data, key.id)
    material = found or model.new_material(call.ids, data, since=call.now, fingerprint=mark)
    return replace(
        material,
        secret=Secret(base64.b64encode(data).decode()),
        description=description or material.description,
        valid_to=expires,
    )


def _with(key: KmsKey, material: Material, *, further: bool) -> KmsKey:
    """The key with the material in its place: what it had before, what waits for a rotation, or all that it has."""
    if further or (key.pending is not None and key.pending.id == material.id):
        return model.with_material(key, key.material, material)
    there = tuple(material if each.id == material.id else each for each in key.material)
    return model.with_material(key, there or (material,), key.pending)


@kms.operation
async def delete_imported_key_material(
    req: t.DeleteImportedKeyMaterialRequest, call: Call
) -> t.DeleteImportedKeyMaterialResponse:
    key = _external(call, req["KeyId"])
    if not key.material:
        return {"KeyId": key.arn}
    id_ = req.get("KeyMaterialId", key.current.id)
    if id_ not in {each.id for each in key.all_material}:
        raise invalid(f"The key {key.arn} has no key material {id_}.")
    with call.tx() as tx:
        model.take_material(tx, key, lambda each: each.id == id_)
    return {"KeyId": key.arn, "KeyMaterialId": id_}
