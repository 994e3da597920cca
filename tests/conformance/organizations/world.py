"""Organizations and the rooms whose access it decides, behind the real server.

Whoever asks signs: the roots of accounts that stand alone have keys (`AKIA` and the number), everybody else gets theirs
from the platform. Each test has an account of its own, so that they share one platform and do not meet.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from hatoba.app.credentials import AnyOf
from hatoba.core.clock import SystemClock
from hatoba.core.ids import RandomIds
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.fleet import model as fleet
from hatoba.gateway import access
from hatoba.gateway.call import idempotent
from hatoba.gateway.membership import Memberships
from hatoba.gateway.path import Settings
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.reconcile import Runner
from hatoba.services import organizations as room
from hatoba.services.ec2.api import ec2
from hatoba.services.ec2.model import TABLES as EC2
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.iam import model as iam_model
from hatoba.services.iam.api import iam
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.iam.factors import Devices
from hatoba.services.iam.identities import UserKeys
from hatoba.services.kms import model as kms_model
from hatoba.services.kms.api import kms
from hatoba.services.organizations.identities import OfOpenAccounts
from hatoba.services.organizations.places import AccountPlaces
from hatoba.services.secretsmanager import model as secretsmanager_model
from hatoba.services.secretsmanager.api import secretsmanager
from hatoba.services.secretsmanager.controller import controllers as secrets_controllers
from hatoba.services.sts import model as sts_model
from hatoba.services.sts.api import sts
from hatoba.services.sts.identities import Sessions
from hatoba.store import Store, Table
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.serving import REGION, SECRET, RootOfAnyAccount, Served, fresh_account, in_a_thread, listening

TABLES = (
    *EC2,
    *iam_model.TABLES,
    *sts_model.TABLES,
    *kms_model.TABLES,
    *secretsmanager_model.TABLES,
    *room.TABLES,
    *fleet.TABLES,
    idempotent,
    tags,
)
ROLE = "OrganizationAccountAccessRole"


class World(Served):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.clock = SystemClock()
        sealer = Sealer(b"k" * 32)
        self.store = Store(SqliteJournal(folder / "journal.db", "NORMAL"), TABLES, sealer)
        self.store.open()
        known = AnyOf(RootOfAnyAccount(), Sessions(self.store), UserKeys(self.store))
        identities, places = OfOpenAccounts(self.store, known), AccountPlaces(self.store)
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=RandomIds(),
            pager=Pager(sealer),
            rooms=[ec2, iam, sts, kms, secretsmanager, room.organizations],
            identities=identities,
            authorizer=PolicyAuthorizer(self.store, memberships=places),
            settings=Settings(auth=True),
            strict=True,
        )
        self.plane.provide(PublicPool, PublicPool())
        self.plane.provide(Memberships, places)  # type: ignore[type-abstract]
        self.plane.provide(access.Identities, identities)  # type: ignore[type-abstract]
        self.plane.provide(access.SecondFactors, Devices(self.store, self.clock))  # type: ignore[type-abstract]
        keepers = (*room.controllers(self.plane), *secrets_controllers(self.plane))
        self.runner = Runner(self.store, self.clock, keepers)
        self.runner.start()

    def client(self, service: str, key: tuple[str, str, str | None], *, region: str = REGION) -> Any:
        return self.connect(service, *key, region=region)

    def alone(self) -> Somebody:
        """The root of an account of its own."""
        number = fresh_account()
        return Somebody(self, number, (f"AKIA{number}", SECRET, None))

    def created(self) -> None:
        """Until no CreateAccount is IN_PROGRESS any more."""
        creations = room.model.creations
        self.until(creations, lambda: all(one.state != "IN_PROGRESS" for one in self.store.all(creations)))

    def replicated(self) -> None:
        """Until every replica in another account has been tried."""
        secrets = secretsmanager_model.secrets
        self.until(secrets, lambda: not self.store.index(secrets, "waits", "lent"))

    def until(self, table: Table[Any], holds: Callable[[], bool]) -> None:
        """Woken by the store, not by the time."""

        async def changed() -> None:
            news = asyncio.Event()
            stop = self.store.feed.subscribe(table, lambda change: news.set())
            try:
                while not holds():
                    news.clear()
                    await news.wait()
            finally:
                stop()

        self.wait(changed())


class Somebody:
    """Who signs with a key: `who("iam").list_users()`."""

    def __init__(self, world: World, account: str, key: tuple[str, str, str | None]) -> None:
        self.world, self.account, self.key = world, account, key

    def __call__(self, service: str, *, region: str = REGION) -> Any:
        return self.world.client(service, self.key, region=region)

    def assume(self, account: str, role: str = ROLE) -> Somebody:
        arn = f"arn:aws:iam::{account}:role/{role}"
        given = self("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
        key = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return Somebody(self.world, account, key)

    def user(self, name: str, *statements: dict[str, Any]) -> Somebody:
        """A user of the account, with a policy of their own."""
        iam = self("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Somebody(self.world, self.account, (key["AccessKeyId"], key["SecretAccessKey"], None))


class Company:
    """An organisation with all features and service control policies, and its management account."""

    def __init__(self, world: World, *types: str) -> None:
        self.world, self.boss = world, world.alone()
        self.org = self.boss("organizations")
        self.id = self.org.create_organization(FeatureSet="ALL")["Organization"]["Id"]
        self.root = self.org.list_roots()["Roots"][0]["Id"]
        for type_ in types or ("SERVICE_CONTROL_POLICY",):
            self.org.enable_policy_type(RootId=self.root, PolicyType=type_)

    def member(self, name: str, **more: Any) -> Somebody:
        """A new account, entered by its administrator's role."""
        return self.boss.assume(self.opened(name, **more))

    def opened(self, name: str, **more: Any) -> str:
        """Its number."""
        asked = {"AccountName": name, "Email": f"{name}@{self.id}.test", **more}
        made = self.org.create_account(**asked)["CreateAccountStatus"]
        self.world.created()
        status = self.org.describe_create_account_status(CreateAccountRequestId=made["Id"])["CreateAccountStatus"]
        assert status["State"] == "SUCCEEDED", status
        number: str = status["AccountId"]
        return number

    def policy(self, *statements: dict[str, Any], on: str | None = None, type_: str = "SERVICE_CONTROL_POLICY") -> str:
        """A new one, attached to a target."""
        name = f"P{len(self.org.list_policies(Filter=type_)['Policies'])}"
        asked = {"Name": name, "Description": "", "Type": type_, "Content": document(*statements)}
        id_: str = self.org.create_policy(**asked)["Policy"]["PolicySummary"]["Id"]
        if on is not None:
            self.org.attach_policy(PolicyId=id_, TargetId=on)
        return id_

    def unit(self, name: str, parent: str | None = None) -> str:
        made = self.org.create_organizational_unit(ParentId=parent or self.root, Name=name)
        id_: str = made["OrganizationalUnit"]["Id"]
        return id_


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def deny(*actions: str, on: str = "*", **more: Any) -> dict[str, Any]:
    return {**allow(*actions, on=on, **more), "Effect": "Deny"}


@contextmanager
def served(folder: Path) -> Iterator[World]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[World]:
        world = World(folder)
        async with listening(world.plane) as world.port:
            yield world
        await world.runner.close()
        await world.store.durable()
        world.store.close()

    with in_a_thread(opened) as world:
        yield world
