"""KMS, Parameter Store and Secrets Manager on a store in memory and a clock that stands still until it is moved.

Controllers run when a test says so: `settle` lets each look at each of its keys until none changes anything or wants
another look now.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any

import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.errors import AwsError
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.gateway.access import Authorizer, EverythingPasses, KnownKeys
from hatoba.gateway.call import Call, idempotent
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.room import Service
from hatoba.gateway.tags import tags
from hatoba.reconcile import Controller
from hatoba.services.kms import model as kms_model
from hatoba.services.kms.api import kms
from hatoba.services.kms.controller import Keeper
from hatoba.services.secretsmanager import model as secretsmanager_model
from hatoba.services.secretsmanager.api import secretsmanager
from hatoba.services.secretsmanager.controller import controllers
from hatoba.services.ssm import model as ssm_model
from hatoba.services.ssm.api import ssm
from hatoba.services.ssm.controller import Policies
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal

SCOPE = Scope("aws", "123456789012", "us-east-1")
TABLES = (*kms_model.TABLES, *ssm_model.TABLES, *secretsmanager_model.TABLES, idempotent, tags)
DAY = 86400.0
MIDNIGHT = 1_699_920_000.0  # of the day on which the clock stands at first
_LOOKS = 50


async def refusal(asked: Awaitable[object]) -> str:
    """The code with which it is refused."""
    with pytest.raises(AwsError) as caught:
        await asked
    return caught.value.code


class Functions:
    """Lambda, as far as rotation asks for it: what a rotation function does, with the real operations of the secret."""

    def __init__(self) -> None:
        self.service = Service("lambda")
        self.steps: list[str] = []
        self.fail: set[str] = set()  # steps
        self.service.operation(self._get_function())
        self.service.operation(self._invoke())

    def _get_function(self) -> Any:
        async def get_function(req: dict[str, Any], call: Call) -> dict[str, Any]:
            return {"Configuration": {"FunctionArn": req["FunctionName"]}}

        return get_function

    def _invoke(self) -> Any:
        async def invoke(req: dict[str, Any], call: Call) -> dict[str, Any]:
            asked = json.loads(req["Payload"])
            self.steps.append(asked["Step"])
            if asked["Step"] in self.fail:
                return {"StatusCode": 200, "FunctionError": "Unhandled"}
            await self._act(call, asked["Step"], asked["SecretId"], asked["ClientRequestToken"])
            return {"StatusCode": 200}

        return invoke

    @staticmethod
    async def _act(call: Call, step: str, secret: str, token: str) -> None:
        aws = call.aws.secretsmanager
        if step == "createSecret":
            stages = {"VersionStages": ["AWSPENDING"], "ClientRequestToken": token}
            await aws.put_secret_value(SecretId=secret, SecretString=f"rotated {token}", **stages)
        if step == "finishSecret":
            versions = (await aws.describe_secret(SecretId=secret))["VersionIdsToStages"]
            current = next(name for name, labels in versions.items() if "AWSCURRENT" in labels)
            moved = {"MoveToVersionId": token, "RemoveFromVersionId": current}
            await aws.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT", **moved)


class World:
    def __init__(self, *more: Service, disk: MemoryDisk | None = None, authorizer: Authorizer | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self.clock = ManualClock()
        self._more = more
        self._authorizer = authorizer or EverythingPasses()
        self.open()

    def open(self) -> None:
        """Again, after `crash`, with what was kept."""
        sealer = Sealer(bytes(32))
        self.journal = MemoryJournal(self.disk)
        self.store = Store(self.journal, TABLES, sealer)
        self.store.open()
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=SeededIds(self.store.epoch),
            pager=Pager(sealer),
            rooms=[kms, ssm, secretsmanager, *self._more],
            identities=KnownKeys(),
            authorizer=self._authorizer,
            strict=True,
        )
        self.controllers: list[Controller] = [
            Keeper(self.store, self.clock, self.plane.ids),
            Policies(self.plane),
            *controllers(self.plane),
        ]

    def crash(self) -> None:
        self.journal.lost()
        self.open()

    def aws(self, region: str = SCOPE.region) -> Any:
        return self.plane.door(SCOPE._replace(region=region), "ecs")

    async def settle(self) -> float | None:
        """The earliest time at which a controller wants to look again."""
        for _ in range(_LOOKS):
            before = self.store.seq
            times = [await each.reconcile(key) for each in self.controllers for key in list(each.keys())]
            wanted = [when for when in times if when is not None]
            await self.store.durable()
            if self.store.seq == before and all(when > self.clock.now() for when in wanted):
                return min(wanted, default=None)
        raise AssertionError("the controllers never come to rest")
