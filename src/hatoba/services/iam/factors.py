"""Second factors, for the gateway's port of that name."""

from __future__ import annotations

import base64

from hatoba.core.clock import Clock
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.services.iam.model import USER, find_device, mfa_devices, users
from hatoba.services.iam.plan import totp
from hatoba.store import Store


class Devices:
    """Implements `gateway.access.SecondFactors`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def shown(self, scope: Scope, user: str, serial: str, code: str) -> bool:
        with self._store.tx() as tx:
            device = find_device(tx, scope, serial)
            if device is None or device.user is None:
                return False
            holder = tx.find(users, device.scope, device.user)
            if holder is None or USER.arn(holder) != user:
                return False
            seed = base64.b32decode(device.seed.reveal())
            step = totp.accepted(seed, code, self._clock.now(), device.drift, device.last)
            if step is None:
                return False
            tx.put(mfa_devices, replace(device, last=step))
        return True
