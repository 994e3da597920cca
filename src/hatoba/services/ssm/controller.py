"""Carries out parameters' policies: an expired parameter is deleted, a notification is an event to EventBridge.

One key for each parameter that has policies; when they are due follows from records, so a restart finds the same time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.ssm import model
from hatoba.services.ssm.model import Parameter
from hatoba.services.ssm.plan.policies import Policy, due
from hatoba.store import Store


class Policies:
    name = "ssm.policies"
    wakes = (Wake(model.parameters, lambda change: [change.key] if change.after and change.after.policies else []),)

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store: Store = platform.store
        self._clock: Clock = platform.clock

    def keys(self) -> Iterable[Key]:
        return [parameter.key for parameter in self._store.index(model.parameters, "policies", True)]

    async def reconcile(self, key: Key) -> float | None:
        parameter, now = self._store.get(model.parameters, key), self._clock.now()
        if parameter is None:
            return None
        times = self._times(parameter)
        for policy, when in times:
            if when > now:
                continue
            if policy.type == "Expiration":
                await self._expire(parameter, policy)
                return None
            await self._notify(parameter, policy)
            return now  # the record has changed: once more, with what is left
        return min((when for _, when in times), default=None)

    def _times(self, parameter: Parameter) -> list[tuple[Policy, float]]:
        """What is still to be done, and when; the expiration first, after which there is nothing to notify of."""
        modified = model.latest(self._store, parameter).modified
        dues = ((policy, due(policy, parameter.policies, modified)) for policy in parameter.policies)
        found = [(policy, when) for policy, when in dues if when is not None]
        return sorted(found, key=lambda each: each[0].type != "Expiration")

    async def _expire(self, parameter: Parameter, policy: Policy) -> None:
        type_ = model.latest(self._store, parameter).type
        with self._store.tx() as tx:
            model.delete_parameter(tx, parameter)
        await self._told(parameter, policy, type_, "The parameter has expired and was deleted.")

    async def _notify(self, parameter: Parameter, policy: Policy) -> None:
        why = "The parameter has not been changed." if policy.type == "NoChangeNotification" else "It will expire."
        told = await self._told(parameter, policy, model.latest(self._store, parameter).type, why)
        status = "Finished" if told else "Failed"
        done = tuple(
            msgspec.structs.replace(each, status=status) if each == policy else each for each in parameter.policies
        )
        with self._store.tx() as tx:
            tx.put(model.parameters, replace(parameter, policies=done))

    async def _told(self, parameter: Parameter, policy: Policy, type_: str, why: str) -> bool:
        """Whether EventBridge took the event; without one there is nobody to tell."""
        detail = {
            "policy-type": policy.type,
            "parameter-name": parameter.id,
            "parameter-type": type_,
            "policy-content": policy.text,
            "action-status": "Success",
            "action-reason": why,
        }
        entry = {
            "Source": "aws.ssm",
            "DetailType": "Parameter Store Policy Action",
            "Resources": [model.parameter_arn(parameter.scope, parameter.id)],
            "Detail": json.dumps(detail),
        }
        try:
            answer = await self._platform.door(parameter.scope, "ssm").events.put_events(Entries=[entry])
        except AwsError:
            return False
        return not answer.get("FailedEntryCount", 0)
