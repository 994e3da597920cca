"""A room's access table, asked: what a request needs, for a caller, over records in memory.

asked = Asked("ecs")
asked.said("StopTask", task="t") == ["ecs:StopTask arn:aws:ecs:us-east-1:123456789012:task/default/t"]
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from hatoba.aws import models, validate
from hatoba.core.clock import ManualClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.records import Record
from hatoba.core.secret import Sealer
from hatoba.gateway.access import EverythingPasses, KnownKeys
from hatoba.gateway.call import Call, Principal
from hatoba.gateway.needs import Access, Need
from hatoba.gateway.plane import ControlPlane
from hatoba.store import Store, Table, Tx
from hatoba.store.memory import MemoryDisk, MemoryJournal

SCOPE = Scope("aws", "123456789012", "us-east-1")
ROLE = "arn:aws:iam::123456789012:role/deploy"
ALICE = Principal(kind="user", account=SCOPE.account, arn="arn:aws:iam::123456789012:user/alice", id="AIDA")


class Asked:
    def __init__(self, service: str, access: Access, *tables: Table[Any], who: Principal = ALICE) -> None:
        """`service`: botocore's name; `tables`: those that the rules look into."""
        self.service, self.access, self.who = service, access, who
        self.via: tuple[str, ...] = ()
        self.source = ""
        sealer = Sealer(b"k" * 32)
        self.store = Store(MemoryJournal(MemoryDisk()), tables, sealer)
        self._runner = asyncio.Runner()
        self._runner.run(self._open())
        self._platform = ControlPlane(
            store=self.store,
            clock=ManualClock(),
            ids=SeededIds(1),
            pager=Pager(sealer),
            rooms=[],
            identities=KnownKeys(),
            authorizer=EverythingPasses(),
        )

    def put(self, table: Table[Any], record: Record) -> None:
        """In the place of one that is there."""
        self.forget(table, record)
        self._runner.run(self._write(lambda tx: tx.put(table, record)))

    def forget(self, table: Table[Any], record: Record) -> None:
        self._runner.run(self._write(lambda tx: tx.forget(table, record.key)))

    def close(self) -> None:
        self._runner.run(self._close())
        self._runner.close()

    async def _open(self) -> None:
        self.store.open()

    async def _close(self) -> None:
        self.store.close()

    async def _write(self, what: Callable[[Tx], object]) -> None:
        with self.store.tx() as tx:
            what(tx)
        await self.store.durable()

    def needs(self, operation: str, **req: Any) -> list[Need]:
        """Of a request that the model allows."""
        model = models.load(self.service).operation(operation)
        assert model is not None, operation
        validate.check(model, req)
        call = Call(
            self._platform,
            scope=SCOPE,
            service=self.service,
            operation=operation,
            principal=self.who,
            request_id="r",
            via=self.via,
            source=self.source,
        )
        return list(self.access.needs(operation, req, call))

    def said(self, operation: str, **req: Any) -> list[str]:
        """`action resource`, with this account's and region's ARNs without what they have in common."""
        return [f"{need.action} {short(need.resource)}" for need in self.needs(operation, **req)]

    def keys(self, operation: str, **req: Any) -> dict[str, Any]:
        """The condition keys of its first need, ARNs shortened likewise."""
        found = cast("dict[str, Any]", self.needs(operation, **req)[0].keys)
        return {
            key: short(value) if isinstance(value, str) else [short(one) for one in value]
            for key, value in found.items()
        }


def short(arn: str) -> str:
    """`arn:aws:ecs:us-east-1:123456789012:task/t` → `task/t`; IAM's likewise, others' as they are."""
    for prefix in (f"{SCOPE.region}:{SCOPE.account}:", f":{SCOPE.account}:"):
        parts = arn.split(":", 3)
        if arn.startswith("arn:aws:") and len(parts) == 4 and parts[3].startswith(prefix):
            return parts[3].removeprefix(prefix)
    return arn
