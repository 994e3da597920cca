"""Deletion of keys: after seven to thirty days, in which it can be cancelled. A primary waits for its replicas."""

from __future__ import annotations

from hatoba.aws.shapes import kms as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.kms import model
from hatoba.services.kms.api.room import kms, own_key
from hatoba.services.kms.model import DAY
from hatoba.services.kms.plan import states
from hatoba.services.kms.plan.naming import invalid

LEAST, MOST = 7, 30  # days


@kms.operation
async def schedule_key_deletion(req: t.ScheduleKeyDeletionRequest, call: Call) -> t.ScheduleKeyDeletionResponse:
    key = own_key(call, req["KeyId"])
    states.check_kept(key.arn, key.state)
    days = req.get("PendingWindowInDays", MOST)
    if not LEAST <= days <= MOST:
        raise invalid(f"PendingWindowInDays must be between {LEAST} and {MOST} days (inclusive).")
    when = call.now + days * DAY
    waits = key.primary == key.key.region and bool(key.replicas)
    with call.tx() as tx:
        if waits:
            tx.put(model.keys, replace(key, state="PendingReplicaDeletion", window=days))
        else:
            tx.put(model.keys, replace(key, state="PendingDeletion", window=days, deletion=when))
    answer: t.ScheduleKeyDeletionResponse = {
        "KeyId": key.arn,
        "KeyState": "PendingReplicaDeletion" if waits else "PendingDeletion",
        "PendingWindowInDays": days,
    }
    if not waits:
        answer["DeletionDate"] = when
    return answer


@kms.operation
async def cancel_key_deletion(req: t.CancelKeyDeletionRequest, call: Call) -> t.CancelKeyDeletionResponse:
    key = own_key(call, req["KeyId"])
    if key.state not in ("PendingDeletion", "PendingReplicaDeletion"):
        raise t.KMSInvalidStateException(f"{key.arn} is not pending deletion.")
    # A key whose material is gone meanwhile waits for it, not for EnableKey.
    there = bool(key.material) and all(each.secret is not None for each in key.material)
    state: states.State = "Disabled" if there else "PendingImport"
    with call.tx() as tx:
        tx.put(model.keys, replace(key, state=state, deletion=None, window=None))
    return {"KeyId": key.arn}
