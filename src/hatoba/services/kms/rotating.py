"""New material for a key, in all regions where it is."""

from __future__ import annotations

from typing import Literal

from hatoba.core.ids import Ids
from hatoba.core.records import replace
from hatoba.services.kms import model
from hatoba.services.kms.model import KmsKey, Rotation
from hatoba.store import Tx


def rotate(tx: Tx, key: KmsKey, ids: Ids, *, kind: Literal["AUTOMATIC", "ON_DEMAND"], now: float) -> None:
    """The older material stays, for what was encrypted with it. New material is made, unless some was brought."""
    if key.pending is not None:
        fresh = replace(key.pending, since=now, kind=kind)
    else:
        fresh = model.new_material(ids, bytes.fromhex(ids.hex(64)), since=now, kind=kind)
    for each in model.family(tx, key):
        rotation = each.rotation
        if rotation is not None and kind == "AUTOMATIC":
            rotation = Rotation(days=rotation.days, next=now + rotation.days * model.DAY)
        tx.put(model.keys, replace(each, material=(*each.material, fresh), pending=None, rotation=rotation))
