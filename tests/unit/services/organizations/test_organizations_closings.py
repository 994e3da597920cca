"""What runs in a closed account is stopped, services before tasks, wherever something runs; and in no other account."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from hatoba.core.clock import ManualClock
from hatoba.core.keys import Scope
from hatoba.fleet.model import Workload, workloads
from hatoba.services.organizations import model
from hatoba.services.organizations.access import ACCESS
from hatoba.services.organizations.controller import Closings
from hatoba.services.organizations.model import Account
from hatoba.store import Change
from tests.unit.services.asked import Asked

DEV, OTHER = "222222222222", "333333333333"


class Ecs:
    """One cluster with two pages of tasks and a service, in every region."""

    def __init__(self, scope: Scope, told: list[str]) -> None:
        self._where, self._told = f"{scope.account} {scope.region}", told

    async def list_clusters(self) -> dict[str, Any]:
        return {"clusterArns": ["cluster"]}

    async def list_services(self, cluster: str) -> dict[str, Any]:
        return {"serviceArns": ["service"]}

    async def list_tasks(self, cluster: str, desiredStatus: str, nextToken: str = "") -> dict[str, Any]:
        return {"taskArns": ["two"]} if nextToken else {"taskArns": ["one"], "nextToken": "more"}

    async def delete_service(self, cluster: str, service: str, force: bool) -> None:
        self._told.append(f"{self._where}: {service}")

    async def stop_task(self, cluster: str, task: str, reason: str) -> None:
        self._told.append(f"{self._where}: {task}")


class Lab(Asked):
    def __init__(self) -> None:
        super().__init__("organizations", ACCESS, *model.TABLES, workloads)
        self.told: list[str] = []
        platform: Any = SimpleNamespace(store=self.store, clock=ManualClock(), door=self._door)
        self.closings = Closings(platform)
        for number in (DEV, OTHER):
            self.put(model.accounts, self.account(number))

    def _door(self, scope: Scope, service: str) -> Any:
        return SimpleNamespace(ecs=Ecs(scope, self.told))

    def account(self, number: str, closed: float | None = None) -> Account:
        key = model.accounts.key(Scope("aws", number, ""), number)
        return Account(key=key, name=number, email=number, closed=closed)

    def workload(self, number: str, region: str) -> Workload:
        return Workload(key=workloads.key(Scope("aws", number, region), f"{number}{region}"), node="n")

    def reconcile(self, number: str) -> float | None:
        return asyncio.run(self.closings.reconcile(self.account(number).key))


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


def test_services_then_tasks_in_every_region_where_something_runs(lab: Lab) -> None:
    for number, region in ((DEV, "us-east-1"), (DEV, "eu-west-1"), (OTHER, "us-east-1")):
        lab.put(workloads, lab.workload(number, region))
    assert lab.reconcile(DEV) is None
    assert lab.told == [], "it is open"
    lab.put(model.accounts, lab.account(DEV, closed=1.0))
    assert lab.reconcile(DEV) is not None, "until nothing runs any more"
    assert lab.told == [
        f"{DEV} {region}: {what}" for region in ("eu-west-1", "us-east-1") for what in ("service", "one", "two")
    ]
    for region in ("us-east-1", "eu-west-1"):
        lab.forget(workloads, lab.workload(DEV, region))
    assert lab.reconcile(DEV) is None


def test_what_wakes_it(lab: Lab) -> None:
    accounts, begun = lab.closings.wakes
    closed = lab.account(DEV, closed=1.0)
    assert list(accounts.keys(Change(model.accounts, closed.key, None, closed, 1))) == [closed.key]
    assert list(accounts.keys(Change(model.accounts, closed.key, None, replace(closed, closed=None), 1))) == []
    new = lab.workload(DEV, "us-east-1")
    assert list(begun.keys(Change(workloads, new.key, None, new, 1))) == []
    lab.put(model.accounts, closed)
    assert list(begun.keys(Change(workloads, new.key, None, new, 1))) == [closed.key]
    assert list(begun.keys(Change(workloads, new.key, new, new, 1))) == [], "it is known"
    assert list(lab.closings.keys()) == [closed.key]
