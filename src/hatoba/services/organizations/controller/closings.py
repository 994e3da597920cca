"""What runs in a closed account is stopped: nobody else can, since its keys do not work any more.

Where something runs the fleet says; it is ended by ECS's own operations, under the service's role: services first, or
they would start their tasks anew. A task that begins later (its image took long, a node came back) wakes us again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from hatoba.core.keys import Key, Scope
from hatoba.fleet.model import Workload, workloads
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.organizations import model
from hatoba.services.organizations.model import Account
from hatoba.store import Change

REASON = "The account was closed."
AGAIN = 30.0  # seconds after which to look whether something still runs


class Closings:
    name = "organizations.closings"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store = platform.store
        self.wakes = (Wake(model.accounts, self._closed), Wake(workloads, self._begun))

    @staticmethod
    def _closed(change: Change[Account]) -> Iterable[Key]:
        return [change.key] if change.after is not None and change.after.closed is not None else []

    def _begun(self, change: Change[Workload]) -> Iterable[Key]:
        if change.before is not None:
            return ()
        account = model.find_account(self._store, change.key.partition, change.key.account)
        return () if account is None or account.closed is None else (account.key,)

    def keys(self) -> Iterable[Key]:
        return [account.key for account in self._store.all(model.accounts) if account.closed is not None]

    async def reconcile(self, key: Key) -> float | None:
        account = self._store.get(model.accounts, key)
        if account is None or account.closed is None:
            return None
        whose = (key.partition, key.account)
        scopes = {one.scope for one in self._store.all(workloads) if (one.key.partition, one.key.account) == whose}
        for scope in sorted(scopes):
            await self._stop(scope)
        return self._platform.clock.now() + AGAIN if scopes else None

    async def _stop(self, scope: Scope) -> None:
        ecs = self._platform.door(scope, "organizations").ecs
        async for cluster in _all(ecs.list_clusters, "clusterArns"):
            async for service in _all(ecs.list_services, "serviceArns", cluster=cluster):
                await ecs.delete_service(cluster=cluster, service=service, force=True)
            async for task in _all(ecs.list_tasks, "taskArns", cluster=cluster, desiredStatus="RUNNING"):
                await ecs.stop_task(cluster=cluster, task=task, reason=REASON)


async def _all(ask: Callable[..., Any], member: str, **params: Any) -> AsyncIterator[str]:
    """All that an operation lists, read whole before anything of it changes."""
    found: list[str] = []
    answer = await ask(**params)
    found += answer[member]
    while token := answer.get("nextToken"):
        answer = await ask(nextToken=token, **params)
        found += answer[member]
    for one in found:
        yield one
