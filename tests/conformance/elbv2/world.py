"""ELB and EC2 on a real store, with real controllers and the real front door. Nodes do what the test (or `auto`) says.

Time stands still until the test moves it; `settle` waits until nothing is left to do at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hatoba.aws.sigv4 import Credential
from hatoba.core.clock import ManualClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.fleet import model as fleet
from hatoba.fleet.items import BalancerItem
from hatoba.fleet.messages import decoder
from hatoba.fleet.needed import Ref, needed
from hatoba.gateway import access
from hatoba.gateway.call import idempotent
from hatoba.gateway.path import Settings
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.room import Service
from hatoba.gateway.tags import tags
from hatoba.proxy.base import Wanted
from hatoba.reconcile import Runner
from hatoba.services.acm import TABLES as ACM
from hatoba.services.acm import acm
from hatoba.services.ec2.api import ec2
from hatoba.services.ec2.model import TABLES as EC2
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.elbv2 import TABLES, controllers, elbv2
from hatoba.services.iam import model as iam_model
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.store import Change, Store
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.serving import Served, in_a_thread, listening
from tests.converging import Converging, opened

T = TypeVar("T")

ACCOUNT, REGION = "123456789012", "us-east-1"
SCOPE = Scope("aws", ACCOUNT, REGION)
KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


class World(Converging):
    def __init__(self, path: Path, *, auto: bool = True, auth: bool = False, further: tuple[Service, ...] = ()) -> None:
        self.auto = auto  # nodes apply what they are told, and targets are healthy at once
        self.clock = ManualClock()
        self.ids = SeededIds(11)
        self._auth = auth
        self._further = further  # rooms that stand in for others
        self._path = path
        self._sealer = Sealer(b"k" * 32)

    async def open(self) -> None:
        journal = SqliteJournal(self._path / "journal.db", "NORMAL")
        self.store = Store(
            journal, (*TABLES, *EC2, *ACM, *iam_model.TABLES, *fleet.TABLES, idempotent, tags), self._sealer
        )
        self.store.open()
        known = Credential(access_key_id=KEY[0], secret=KEY[1], principal=access.root("aws", ACCOUNT, KEY[0]))
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            pager=Pager(self._sealer),
            rooms=[elbv2, ec2, acm, *self._further],
            identities=access.KnownKeys(known),
            authorizer=PolicyAuthorizer(self.store),
            settings=Settings(auth=self._auth, account=ACCOUNT, region=REGION),
            strict=True,
        )
        self.plane.provide(PublicPool, PublicPool())
        self.store.feed.subscribe(fleet.balancers, self._on_balancer)
        self.runner = Runner(self.store, self.clock, controllers(self.plane), period=None)
        self.runner.start()
        self._running = True

    async def halt(self) -> None:
        """No controller runs from now on."""
        if self._running:
            self._running = False
            await self.runner.close()

    async def close(self) -> None:
        await self.halt()
        await self.store.durable()
        self.store.close()

    @property
    def elb(self) -> Any:
        """The room, as another one sees it: every answer is checked against the model."""
        return self.plane.door(SCOPE, "ecs", access.root("aws", ACCOUNT)).elbv2

    @property
    def acm(self) -> Any:
        return self.plane.door(SCOPE, "ecs", access.root("aws", ACCOUNT)).acm

    @property
    def ec2(self) -> Any:
        return self.plane.door(SCOPE, "ecs", access.root("aws", ACCOUNT)).ec2

    def told(self, balancer: str) -> list[BalancerItem]:
        """What nodes are told of it."""
        id_ = balancer.partition("loadbalancer/")[2]
        bodies = (needed(self.store, node.id, Ref("balancer", SCOPE, id_)) for node in self.store.all(fleet.nodes))
        return [decoder(BalancerItem).decode(body) for body in bodies if body is not None]

    # --- nodes

    def add_node(self, id_: str = "node-1") -> None:
        with self.store.tx() as tx:
            number = len(tx.all(fleet.nodes)) + 1
            key = fleet.nodes.key(fleet.FLEET, id_)
            tx.put(fleet.nodes, fleet.Node(key=key, name=id_, number=number, address="", cpu=1024, memory=1 << 30))

    def _on_balancer(self, change: Change[fleet.Balancer]) -> None:
        if self.auto and change.after is not None:
            asyncio.get_running_loop().call_soon(self.apply, change.after.id)

    def apply(self, id_: str, error: str = "") -> None:
        """The node says that what it was told is in force, and new targets are well."""
        record = next(iter(self.store.index(fleet.balancers, "id", id_)), None)
        if record is None:
            return
        with self.store.tx() as tx:
            key = fleet.balancer_statuses.key(fleet.FLEET, id_)
            old = tx.get(fleet.balancer_statuses, key)
            status = fleet.BalancerStatus(
                key=key,
                version=old.version if old else 0,
                node=record.node,
                applied=0 if error else record.version,
                error=error,
            )
            tx.put(fleet.balancer_statuses, status)
        if not error:
            self._targets_become_healthy(record)

    def _targets_become_healthy(self, record: fleet.Balancer) -> None:
        for group in msgspec.msgpack.decode(record.spec, type=Wanted).groups:
            for target in group.targets:
                key = fleet.target_statuses.key(fleet.FLEET, fleet.target_id(group.id, target.id))
                if target.state == "active" and self.store.get(fleet.target_statuses, key) is None:
                    self.target(group.id, target.id, "healthy")

    def target(self, group: str, name: str, state: str, reason: str = "", text: str = "") -> None:
        """The node says how a target is."""
        with self.store.tx() as tx:
            key = fleet.target_statuses.key(fleet.FLEET, fleet.target_id(group, name))
            old = tx.get(fleet.target_statuses, key)
            status = fleet.TargetStatus(
                key=key,
                version=old.version if old else 0,
                group=group,
                target=name,
                state=state,
                reason=reason,
                text=text,
                at=self.clock.now(),
            )
            tx.put(fleet.target_statuses, status)

    def carried(self) -> list[fleet.Balancer]:
        return self.store.all(fleet.balancers)

    def wanted(self, record: fleet.Balancer | None = None) -> Wanted:
        """What the (only) load balancer's node was told."""
        return msgspec.msgpack.decode((record or self.carried()[0]).spec, type=Wanted)

    # --- shortcuts

    async def vpc(self) -> str:
        """The default one."""
        filters = [{"Name": "is-default", "Values": ["true"]}]
        vpc: str = (await self.ec2.describe_vpcs(Filters=filters))["Vpcs"][0]["VpcId"]
        return vpc

    async def subnets(self) -> list[str]:
        """Of the default VPC, by zone."""
        filters = [{"Name": "vpc-id", "Values": [await self.vpc()]}]
        found = (await self.ec2.describe_subnets(Filters=filters))["Subnets"]
        return [subnet["SubnetId"] for subnet in sorted(found, key=lambda each: each["AvailabilityZone"])]

    async def balancer(self, name: str = "web", **params: Any) -> str:
        params = {"Name": name, "Subnets": (await self.subnets())[:2], **params}
        arn: str = (await self.elb.create_load_balancer(**params))["LoadBalancers"][0]["LoadBalancerArn"]
        return arn

    async def group(self, name: str = "app", **params: Any) -> str:
        params = {
            "Name": name,
            "Protocol": "HTTP",
            "Port": 80,
            "VpcId": await self.vpc(),
            "TargetType": "ip",
            **params,
        }
        arn: str = (await self.elb.create_target_group(**params))["TargetGroups"][0]["TargetGroupArn"]
        return arn

    async def listener(self, balancer: str, group: str, port: int = 80) -> str:
        actions = [{"Type": "forward", "TargetGroupArn": group}]
        made = await self.elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=actions
        )
        arn: str = made["Listeners"][0]["ListenerArn"]
        return arn

    async def states(self, group: str) -> dict[str, str]:
        found = (await self.elb.describe_target_health(TargetGroupArn=group))["TargetHealthDescriptions"]
        return {f"{each['Target']['Id']}:{each['Target']['Port']}": each["TargetHealth"]["State"] for each in found}


def world(path: Path, **options: Any) -> AbstractAsyncContextManager[World]:
    return opened(World(path, **options))


class Serving(Served):
    """A world behind the real server."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.plane = world, world.plane

    def client(self, service: str = "elbv2") -> Any:
        return self.connect(service, *KEY, region=REGION)


@contextmanager
def served(path: Path) -> Iterator[Serving]:
    @asynccontextmanager
    async def serve() -> AsyncIterator[Serving]:
        async with world(path) as made:
            serving = Serving(made)
            async with listening(made.plane) as serving.port:
                yield serving

    with in_a_thread(serve) as serving:
        yield serving
