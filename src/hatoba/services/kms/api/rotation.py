"""Rotation: new material for a key, every so many days or on demand. What was encrypted before stays readable."""

from __future__ import annotations

from hatoba.aws.shapes import kms as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.kms import model, rotating, views
from hatoba.services.kms.api.room import kms, own_key, page, the_key
from hatoba.services.kms.model import DAY, KmsKey, Rotation
from hatoba.services.kms.plan import states
from hatoba.services.kms.plan.specs import SYMMETRIC

DAYS = 365

ON_DEMAND = 25  # in a key's life
MOST = (100, 1000)  # in one page


def _rotatable(key: KmsKey) -> None:
    if key.spec != SYMMETRIC:
        raise states.unsupported(key.arn, "is not a symmetric encryption key, so it cannot be rotated.")


def _automatic(call: Call, key_id: str) -> KmsKey:
    """A key whose rotation can be switched: symmetric, its material ours, in its primary region."""
    key = own_key(call, key_id)
    _rotatable(key)
    states.check_usable(key.arn, key.state)
    if key.origin != "AWS_KMS":
        raise states.unsupported(key.arn, f"origin is {key.origin} which is not valid for this operation.")
    if key.primary not in (None, key.key.region):
        raise states.unsupported(key.arn, "is a replica: its rotation is set at its primary key.")
    return key


@kms.operation
async def enable_key_rotation(req: t.EnableKeyRotationRequest, call: Call) -> None:
    key = _automatic(call, req["KeyId"])
    days = req.get("RotationPeriodInDays", DAYS)
    if key.rotation is not None and key.rotation.days == days:
        return
    with call.tx() as tx:
        tx.put(model.keys, replace(key, rotation=Rotation(days=days, next=call.now + days * DAY)))


@kms.operation
async def disable_key_rotation(req: t.DisableKeyRotationRequest, call: Call) -> None:
    key = _automatic(call, req["KeyId"])
    if key.rotation is not None:
        with call.tx() as tx:
            tx.put(model.keys, replace(key, rotation=None))


@kms.operation
async def get_key_rotation_status(req: t.GetKeyRotationStatusRequest, call: Call) -> t.GetKeyRotationStatusResponse:
    key = the_key(call, req["KeyId"])
    _rotatable(key)
    # One that is to be deleted does not rotate; its schedule comes back if the deletion is cancelled.
    rotation = _primary(call, key).rotation if key.deletion is None else None
    answer: t.GetKeyRotationStatusResponse = {"KeyRotationEnabled": rotation is not None, "KeyId": key.arn}
    if rotation is not None:
        answer["RotationPeriodInDays"], answer["NextRotationDate"] = rotation.days, rotation.next
    return answer


def _primary(call: Call, key: KmsKey) -> KmsKey:
    return next((each for each in model.family(call.store, key) if each.primary in (None, each.key.region)), key)


@kms.operation
async def rotate_key_on_demand(req: t.RotateKeyOnDemandRequest, call: Call) -> t.RotateKeyOnDemandResponse:
    key = own_key(call, req["KeyId"])
    _rotatable(key)
    states.check_usable(key.arn, key.state)
    if key.origin == "EXTERNAL" and key.pending is None:
        raise t.KMSInvalidStateException(f"{key.arn} has no key material that is pending rotation.")
    if key.primary not in (None, key.key.region):
        raise states.unsupported(key.arn, "is a replica: it is rotated with its primary key.")
    if sum(each.kind == "ON_DEMAND" for each in key.material) >= ON_DEMAND:
        raise t.LimitExceededException(f"A key can be rotated on demand {ON_DEMAND} times.")
    with call.tx() as tx:
        rotating.rotate(tx, key, call.ids, kind="ON_DEMAND", now=call.now)
    return {"KeyId": key.id}


@kms.operation
async def list_key_rotations(req: t.ListKeyRotationsRequest, call: Call) -> t.ListKeyRotationsResponse:
    key = the_key(call, req["KeyId"])
    _rotatable(key)
    everything = req.get("IncludeKeyMaterial", "ROTATIONS_ONLY") == "ALL_KEY_MATERIAL"
    rows = [each for each in key.all_material if everything or each.kind is not None]
    places = {each.id: f"{place:06d}" for place, each in enumerate(key.all_material)}
    found, rest = page(call, rows, req, order=lambda each: places[each.id], most=MOST, about=(key.id, everything))
    return {"Rotations": [views.rotation(key, each) for each in found], **rest}
