"""Looks after one run of a lifecycle hook: calls its function, again when it says that it is not done yet, and ends it
when its time is over.

The function is called through Lambda's public operation. It may take minutes, and holds up nothing but its own run; if
this process dies meanwhile, it is called again with the same `executionId`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.ecs.acting import door_as
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.hook import Hook, Status, hooks, hooks_of
from hatoba.services.ecs.model.service_deployment import ServiceDeployment, deployments
from hatoba.store import Change

SOON = 30.0  # seconds until a function is called again that does not say when


class Said(NamedTuple):
    """A function's answer."""

    status: Status
    reason: str = ""
    delay: float = SOON
    details: dict[str, Any] | None = None


class HookController:
    name = "ecs.hooks"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store = platform.store
        self.wakes: tuple[Wake, ...] = (Wake(hooks, self._changed), Wake(deployments, self._went_on))

    def keys(self) -> Iterable[Key]:
        return [hook.key for hook in self._store.index(hooks, "under_way", True)]

    @staticmethod
    def _changed(change: Change[Hook]) -> Iterable[Key]:
        return (change.key,) if change.after is not None and change.after.under_way else ()

    def _went_on(self, change: Change[ServiceDeployment]) -> Iterable[Key]:
        after = change.after
        if after is None or after.shift is None:
            return ()
        return [hook.key for hook in hooks_of(self._store, after.scope, after.id) if hook.under_way]

    def _is_waited_for(self, hook: Hook) -> bool:
        """Its deployment is still where it began."""
        story = self._store.find(deployments, hook.scope, hook.deployment)
        shift = story.shift if story is not None and story.under_way else None
        return shift is not None and (shift.stage, shift.step, shift.back) == (hook.stage, hook.step, hook.back)

    async def reconcile(self, key: Key) -> float | None:
        hook = self._store.get(hooks, key)
        if hook is None or not hook.under_way:
            return None
        now = self._platform.clock.now()
        if not self._is_waited_for(hook):
            return self._note(key, Said("FAILED", "the service deployment went on without it"))
        if now >= hook.expires_at:
            return self._note(key, Said("TIMED_OUT"))
        if hook.call_at is None or now < hook.call_at:
            return min(hook.expires_at, hook.call_at or hook.expires_at)
        return self._note(key, await self._call(hook))

    async def _call(self, hook: Hook) -> Said:
        try:
            aws = await door_as(self._platform, hook.scope, hook.role, source=_source(hook))
            answer = await aws.lambda_.invoke(FunctionName=hook.target, Payload=json.dumps(hook.event).encode())
        except AwsError as error:
            if error.status >= 500 and error.code != "NotImplementedException":
                raise
            return Said("FAILED", f"{hook.target} could not be called: {error.message}")
        return heard(answer)

    def _note(self, key: Key, said: Said) -> float | None:
        now = self._platform.clock.now()
        with self._store.tx() as tx:
            hook = tx.get(hooks, key)
            if hook is None or not hook.under_way:
                return None
            if said.status == "IN_PROGRESS":
                event = hook.event if said.details is None else {**hook.event, "hookDetails": said.details}
                hook = tx.put(hooks, replace(hook, call_at=now + said.delay, event=event))
                return min(hook.expires_at, now + said.delay)
            tx.put(hooks, replace(hook, status=said.status, reason=said.reason, call_at=None))
        return None


def _source(hook: Hook) -> str:
    return arns.service_deployment_arn(hook.scope, hook.deployment)


def heard(answer: dict[str, Any]) -> Said:
    """What the function's answer means. Whatever is not an answer is a failure, and says so."""
    payload: bytes = answer.get("Payload") or b""
    if answer.get("FunctionError"):
        return Said("FAILED", f"the function ended with an error: {payload.decode(errors='replace')[:500]}")
    try:
        found = json.loads(payload or b"null")
    except (ValueError, RecursionError):
        return Said("FAILED", "the function's answer is not JSON")
    status = found.get("hookStatus") if isinstance(found, dict) else None
    if status is None:
        return Said("FAILED", "HookStatus must not be null")
    if status not in ("SUCCEEDED", "FAILED", "IN_PROGRESS"):
        return Said("FAILED", f"the function answered with the hookStatus {status!r}")
    delay, details = found.get("callBackDelay"), found.get("hookDetails")
    return Said(
        status,
        "the function answered FAILED" if status == "FAILED" else "",
        float(delay) if isinstance(delay, int | float) and delay >= 0 else SOON,
        details if isinstance(details, dict) else None,
    )
