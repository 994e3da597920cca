"""How a rotation begins, for RotateSecret and for the controller; and when one need not begin yet."""

from __future__ import annotations

from hatoba.core.records import replace
from hatoba.services.secretsmanager import model
from hatoba.services.secretsmanager.model import Step, StoredSecret, Version
from hatoba.services.secretsmanager.plan import stages
from hatoba.services.secretsmanager.plan.schedule import Schedule
from hatoba.store import Tx


def put_off(secret: StoredSecret, now: float) -> StoredSecret:
    """A value that was put by hand counts as a rotation, where the days between two are what matters."""
    rotation = secret.rotation
    if rotation is None or rotation.days is None or not rotation.enabled or rotation.token is not None:
        return secret
    return replace(secret, rotation=replace(rotation, next=Schedule(days=rotation.days).next(now)))


def begin(tx: Tx, secret: StoredSecret, token: str, now: float, *, testing: bool = False) -> None:
    """The version that the function is to fill is there before its value, with AWSPENDING."""
    assert secret.rotation is not None
    step: Step = "testSecret" if testing else "createSecret"
    rotation = replace(secret.rotation, token=token, step=step, testing=testing, attempts=0, retry=0.0)
    tx.put(model.secrets, replace(secret, rotation=rotation))
    labels = stages.attach(model.stages_of(tx, secret), token, (stages.PENDING,))
    if model.find_version(tx, secret, token) is None:
        key = model.versions.key(secret.scope, f"{secret.id}:{token}")
        tx.put(model.versions, Version(key=key, secret=secret.id, name=token, created=now))
    model.set_stages(tx, secret, labels)
