"""Rotates secrets: asks the function for one step after another, and says when the next rotation is.

    createSecret → setSecret → testSecret → finishSecret, which moves AWSCURRENT to the new version

How far a rotation has come is a record, so a restart goes on there; a step may be asked for twice, as functions expect.
A rotation that fails is tried again from its beginning, some times; then it waits for its next date.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import get_args

from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.secretsmanager import model, rotating
from hatoba.services.secretsmanager.model import Rotation, Step, StoredSecret
from hatoba.services.secretsmanager.plan import stages
from hatoba.services.secretsmanager.plan.schedule import Schedule
from hatoba.store import Tx

STEPS: tuple[Step, ...] = get_args(Step)
ATTEMPTS = 5
FIRST_WAIT = 10.0  # seconds, then twice as long each time


class Rotator:
    """One key for each secret that rotates."""

    name = "secretsmanager.rotator"
    wakes = (
        Wake(model.secrets, lambda change: [change.key] if change.after and change.after.rotation is not None else []),
    )

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store = platform.store
        self._clock = platform.clock

    def keys(self) -> Iterable[Key]:
        return [secret.key for secret in self._store.index(model.secrets, "waits", "rotation")]

    async def reconcile(self, key: Key) -> float | None:
        secret, now = self._store.get(model.secrets, key), self._clock.now()
        if secret is None or secret.deletion is not None or (rotation := secret.rotation) is None:
            return None
        if rotation.token is None:
            if not rotation.enabled or rotation.next is None or rotation.next > now:
                return rotation.next if rotation.enabled else None
            with self._store.tx() as tx:
                rotating.begin(tx, secret, self._token(tx, secret), now)
            return now
        if rotation.retry > now:
            return rotation.retry
        done = await self._step(secret, rotation, rotation.token)
        with self._store.tx() as tx:
            return self._after(tx, secret, rotation.token, done=done)

    def _token(self, tx: Tx, secret: StoredSecret) -> str:
        """Of a rotation that failed before, or a new one."""
        labels = model.stages_of(tx, secret)
        pending = stages.holder(labels, stages.PENDING)
        if pending is not None and pending != stages.holder(labels, stages.CURRENT):
            return pending
        return self._platform.ids.uuid()

    async def _step(self, secret: StoredSecret, rotation: Rotation, token: str) -> bool:
        """Whether the function did its step."""
        payload = {"Step": rotation.step, "SecretId": secret.arn, "ClientRequestToken": token}
        aws = self._platform.door(secret.scope, "secretsmanager", source=secret.arn)
        try:
            answer = await aws.lambda_.invoke(FunctionName=rotation.function, Payload=json.dumps(payload).encode())
        except AwsError:
            return False
        return answer.get("FunctionError") is None

    def _after(self, tx: Tx, asked: StoredSecret, token: str, *, done: bool) -> float | None:
        """Writes how far it has come; the function itself has changed the secret meanwhile."""
        secret = tx.get(model.secrets, asked.key)
        if secret is None or (rotation := secret.rotation) is None or rotation.token != token:
            return None  # cancelled, or deleted
        now = self._clock.now()
        if rotation.testing:
            self._forget_trial(tx, secret, token)
            return self._put(tx, secret, replace(rotation, token=None, step=STEPS[0], testing=False))
        if done and rotation.step != STEPS[-1]:
            following = STEPS[STEPS.index(rotation.step) + 1]
            tx.put(model.secrets, replace(secret, rotation=replace(rotation, step=following)))
            return now
        labels = model.stages_of(tx, secret)
        if done and stages.CURRENT in labels.get(token, ()):
            model.set_stages(tx, secret, {**labels, token: tuple(x for x in labels[token] if x != stages.PENDING)})
            return self._ended(tx, secret, replace(rotation, last=now), now)
        if rotation.attempts + 1 >= ATTEMPTS:
            return self._ended(tx, secret, rotation, now)
        again = now + FIRST_WAIT * 2.0**rotation.attempts
        failed = replace(rotation, step=STEPS[0], attempts=rotation.attempts + 1, retry=again)
        tx.put(model.secrets, replace(secret, rotation=failed))
        return again

    def _ended(self, tx: Tx, secret: StoredSecret, rotation: Rotation, now: float) -> float | None:
        following = Schedule(rotation.days, rotation.schedule, rotation.duration).next(now)
        ended = replace(rotation, token=None, step=STEPS[0], attempts=0, retry=0.0, next=following)
        return self._put(tx, replace(secret, changed=now), ended)

    @staticmethod
    def _put(tx: Tx, secret: StoredSecret, rotation: Rotation) -> float | None:
        """When the next rotation is."""
        tx.put(model.secrets, replace(secret, rotation=rotation))
        return rotation.next if rotation.enabled else None

    @staticmethod
    def _forget_trial(tx: Tx, secret: StoredSecret, token: str) -> None:
        """A function that was tried out may have put a value; then it keeps the version, without the label."""
        version = model.find_version(tx, secret, token)
        if version is not None and not version.has_value:
            tx.forget(model.versions, version.key)
        elif version is not None:
            labels = tuple(label for label in version.stages if label != stages.PENDING)
            tx.put(model.versions, replace(version, stages=labels))
