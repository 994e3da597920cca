"""ECS on a real store, real controllers and the real front door, in a world of the test's own making.

EC2, ELB and STS are small rooms in memory that keep AWS's public contract. Nodes do what the test (or `auto`) says.
Time is the loop's, so nothing here sleeps for luck: `settle` waits until no controller has anything left to do.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from hatoba.aws.models import Operation
from hatoba.aws.shapes import logs as tl
from hatoba.core.clock import ManualClock
from hatoba.core.errors import AwsError
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.fleet import model as fleet
from hatoba.fleet.reports import StatusSweeper
from hatoba.gateway.access import KnownKeys
from hatoba.gateway.call import Call, Principal, idempotent
from hatoba.gateway.needs import Need
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.room import Service
from hatoba.gateway.tags import tags
from hatoba.reconcile import Published, Runner
from hatoba.services import elbv2 as elbv2_room
from hatoba.services.ec2 import model as ec2_model
from hatoba.services.ec2.api import ec2
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ecs import TABLES, controllers
from hatoba.services.ecs.api import ecs
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.iam import model as iam_model
from hatoba.services.iam.api import iam
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.sts import model as sts_model
from hatoba.services.sts.api import sts
from hatoba.store import Change, Store, Table
from hatoba.store.sqlite import SqliteJournal
from tests.converging import Converging, opened
from tests.unit.services.ecs.fake_elb import GROUP as GROUP
from tests.unit.services.ecs.fake_elb import FakeElb

SCOPE = Scope("aws", "123456789012", "us-east-1")
ROLE = "arn:aws:iam::123456789012:role/web"


class FakeEc2:
    """Network interfaces in one VPC; client tokens are honoured, so that making one twice finds the first."""

    def __init__(self) -> None:
        self.interfaces: dict[str, dict[str, Any]] = {}
        self.by_token: dict[str, str] = {}
        self.made = 0
        self.history: list[tuple[str, str]] = []
        self.error: AwsError | None = None
        self.gate: asyncio.Event | None = None
        self.zones: dict[str, str] = {}  # by subnet; none: it is not said where they are
        self.with_ipv6: set[str] = set()  # subnets
        self.only_ipv6: set[str] = set()
        self.room = Service("ec2")
        for handler in (
            self.create_network_interface,
            self.delete_network_interface,
            self.describe_network_interfaces,
            self.describe_subnets,
            self.describe_security_groups,
        ):
            self.room.operation(handler)

    async def create_network_interface(self, req: Any, call: Call) -> Any:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        known = self.by_token.get(req["ClientToken"])
        if known is None or known not in self.interfaces:
            self.made += 1
            known = self.by_token[req["ClientToken"]] = f"eni-{self.made:017x}"
            self.interfaces[known] = {
                "NetworkInterfaceId": known,
                "SubnetId": req["SubnetId"],
                "VpcId": "vpc-1",
                "PrivateIpAddress": f"172.31.{self.made >> 8}.{self.made & 255}",
                "MacAddress": f"02:00:00:00:{self.made >> 8:02x}:{self.made & 255:02x}",
                "PrivateDnsName": f"ip-172-31-{self.made >> 8}-{self.made & 255}.ec2.internal",
                "AvailabilityZone": "us-east-1a",
                "Description": req["Description"],
            }
            if req.get("Ipv6AddressCount"):
                self.interfaces[known]["Ipv6Addresses"] = [{"Ipv6Address": f"fd68::{self.made:x}"}]
            if req["SubnetId"] in self.only_ipv6:
                del self.interfaces[known]["PrivateIpAddress"], self.interfaces[known]["PrivateDnsName"]
        return {"NetworkInterface": self.interfaces[known]}

    async def delete_network_interface(self, req: Any, call: Call) -> Any:
        for workload in call.store.index(fleet.workloads, "interface", req["NetworkInterfaceId"]):
            raise AwsError(f"held by {workload.id}", code="InvalidNetworkInterface.InUse")
        if self.interfaces.pop(req["NetworkInterfaceId"], None) is None:
            raise AwsError("gone", code="InvalidNetworkInterfaceID.NotFound")
        self.history.append(("delete", req["NetworkInterfaceId"]))
        return {}

    async def describe_network_interfaces(self, req: Any, call: Call) -> Any:
        wanted = {value for one in req["Filters"] for value in one["Values"]}
        return {"NetworkInterfaces": [i for i in self.interfaces.values() if i["Description"] in wanted]}

    async def describe_subnets(self, req: Any, call: Call) -> Any:
        for subnet in req["SubnetIds"]:
            if not subnet.startswith("subnet-"):
                raise AwsError(f"The subnet ID '{subnet}' does not exist", code="InvalidSubnetID.NotFound")
        zones = [{"AvailabilityZone": self.zones[s]} if s in self.zones else {} for s in req["SubnetIds"]]
        pairs = zip(req["SubnetIds"], zones, strict=True)
        return {"Subnets": [{"SubnetId": s, "VpcId": "vpc-1", **zone, **self._ipv6(s)} for s, zone in pairs]}

    def _ipv6(self, subnet: str) -> dict[str, Any]:
        association = {"AssociationId": "subnet-cidr-assoc-1", "Ipv6CidrBlock": "fd68::/64"}
        known = subnet in self.with_ipv6 | self.only_ipv6
        return {"Ipv6CidrBlockAssociationSet": [association] if known else [], "Ipv6Native": subnet in self.only_ipv6}

    async def describe_security_groups(self, req: Any, call: Call) -> Any:
        vpc = {"sg-far": "vpc-2"}
        return {"SecurityGroups": [{"GroupId": g, "VpcId": vpc.get(g, "vpc-1")} for g in req["GroupIds"]]}


class FakeSts:
    def __init__(self) -> None:
        self.given = 0
        self.lasting: list[int] = []  # seconds
        self.contexts: list[Any] = []  # what sessions were to end with
        self.room = Service("sts")
        self.room.operation(self.assume_role)

    async def assume_role(self, req: Any, call: Call) -> Any:
        if req["RoleArn"] != ROLE:
            raise AwsError("not authorized to perform: sts:AssumeRole", code="AccessDenied", status=403)
        self.given += 1
        self.lasting.append(req["DurationSeconds"])
        self.contexts += req.get("ProvidedContexts", ())
        session = (
            f"{req['RoleArn'].replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/{req['RoleSessionName']}"
        )
        return {
            "AssumedRoleUser": {"Arn": session, "AssumedRoleId": f"AROA{'0' * 17}:{req['RoleSessionName']}"},
            "Credentials": {
                "AccessKeyId": f"ASIA{self.given:016d}",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": call.now + req["DurationSeconds"],
            },
        }


class FakeEcr:
    """Tags of the platform's own registry, by (region, repository, tag)."""

    def __init__(self) -> None:
        self.tags: dict[tuple[str, str, str], str] = {}
        self.asked = 0
        self.gate: asyncio.Event | None = None
        self.held = asyncio.Event()  # somebody waits at the gate
        self.room = Service("ecr")
        self.room.operation(self.describe_images)
        self.logins: list[Principal] = []

    def give_logins(self) -> None:
        """Before the first task; else it has none, and images are pulled without."""
        self.room.operation(self.get_authorization_token)

    async def get_authorization_token(self, req: Any, call: Call) -> Any:
        self.logins.append(call.principal)
        token = base64.b64encode(f"AWS:{call.principal.role}".encode()).decode()
        expires = call.now + 12 * 3600
        return {"authorizationData": [{"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": "http://r"}]}

    async def describe_images(self, req: Any, call: Call) -> Any:
        self.asked += 1
        if self.gate is not None:
            self.held.set()
            await self.gate.wait()
        (wanted,) = req["imageIds"]
        digest = self.tags.get((call.scope.region, req["repositoryName"], wanted["imageTag"]))
        if digest is None:
            raise AwsError("The image does not exist", code="ImageNotFoundException")
        return {"imageDetails": [{"imageDigest": digest}]}


class FakeLogs:
    """Log groups, all there but for those that are `missing`."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.closed: set[str] = set()  # into which the role may not write
        self.there = False  # streams, all of them
        self.made: list[tuple[str, str, str]] = []  # who, region, what
        self.room = Service("logs")
        self.room.operation(self.create_log_group)
        self.room.operation(self.create_log_stream)

    async def create_log_group(self, req: Any, call: Call) -> None:
        self._make(req["logGroupName"], call, req["logGroupName"])
        self.missing.discard(req["logGroupName"])

    async def create_log_stream(self, req: Any, call: Call) -> None:
        group = req["logGroupName"]
        if group in self.missing:
            raise tl.ResourceNotFoundException("The specified log group does not exist.")
        self._make(group, call, f"{group} {req['logStreamName']}")

    def _make(self, group: str, call: Call, what: str) -> None:
        if group in self.closed:
            raise AwsError("no logs for you", code="AccessDeniedException")
        if self.there:
            raise tl.ResourceAlreadyExistsException("The specified log stream already exists")
        self.made.append((call.principal.role or "", call.scope.region, what))


class RoomsByPolicy(PolicyAuthorizer):
    """What users and rooms may is decided as it always is; the made-up roles and the door of these tests may do all."""

    def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
        if call.principal.kind != "role" and not call.principal.id.endswith(":test"):
            super().decide(call, operation, needs)


class World(Converging):
    def __init__(
        self, path: Path, *, auto: bool = True, settings: Settings | None = None, neighbours: bool = False
    ) -> None:
        self.auto = auto  # nodes start and stop what they are told
        self.neighbours = neighbours  # the real rooms beside it, instead of the small ones
        self.settings = settings or Settings(unchecked_wait=0.0)
        self.clock = ManualClock()
        self.ids = SeededIds(7)
        self.ec2, self.sts, self.ecr = FakeEc2(), FakeSts(), FakeEcr()
        self.elb = FakeElb(lambda: self.plane)
        self.logs = FakeLogs()
        self.rooms: list[Service] = []  # more of the test's own
        self.tables: tuple[Table[Any], ...] = ()
        self.published: tuple[Published, ...] = ()
        self._path = path
        self._sealer = Sealer(b"k" * 32)

    async def open(self) -> None:
        own = (*TABLES, *fleet.TABLES, idempotent, tags)
        theirs = (*ec2_model.TABLES, *iam_model.TABLES, *sts_model.TABLES, *elbv2_room.TABLES)
        rooms = [ec2, iam, sts, elbv2_room.elbv2] if self.neighbours else [self.ec2.room, self.sts.room, self.elb.room]
        self.store = Store(SqliteJournal(self._path / "journal.db"), (*own, *theirs, *self.tables), self._sealer)
        self.store.open()
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            pager=Pager(self._sealer),
            rooms=[ecs, self.ecr.room, self.logs.room, *rooms, *self.rooms],
            identities=KnownKeys(),
            authorizer=RoomsByPolicy(self.store),
            strict=True,
        )
        self.plane.provide(Settings, self.settings)
        self.plane.provide(PublicPool, PublicPool())
        StatusSweeper(self.store).sweep()
        self.store.feed.subscribe(fleet.workloads, self._on_workload)
        converging = controllers(self.plane, self.settings)
        if self.neighbours:
            converging = (*converging, *elbv2_room.controllers(self.plane))
        self.runner = Runner(self.store, self.clock, converging, period=None, published=self.published)
        self.runner.start()

    async def close(self) -> None:
        await self.runner.close()
        self.store.close()

    @property
    def ecs(self) -> Any:
        """The room, as a client sees it: every answer is checked against the model."""
        return self.aws.ecs

    @property
    def aws(self) -> Any:
        return self.plane.door(SCOPE, "test")

    # --- nodes

    def add_node(self, id_: str = "node-1", *, cpu: int = 2048, memory: int = 8 << 30) -> None:
        with self.store.tx() as tx:
            node = fleet.Node(
                key=fleet.nodes.key(fleet.FLEET, id_),
                name=id_,
                number=len(tx.all(fleet.nodes)) + 1,
                address="",
                cpu=cpu,
                memory=memory,
                agent="1.0.0",
                joined_at=self.clock.now(),
            )
            tx.put(fleet.nodes, node)

    def _on_workload(self, change: Change[fleet.Workload]) -> None:
        if not self.auto or change.after is None:
            return
        wanted = change.after
        asyncio.get_running_loop().call_soon(
            self.report, wanted.id, "running" if wanted.want == "running" else "stopped"
        )

    def report(self, task: str, state: Any, **fields: Any) -> None:
        """The node says that all containers of a task are in a state."""
        workload = self.store.find(fleet.workloads, SCOPE, task)
        if workload is None:
            return
        now = self.clock.now()
        with self.store.tx() as tx:
            key = fleet.workload_statuses.key(SCOPE, task)
            old = tx.get(fleet.workload_statuses, key)
            if old is not None and old.state == "stopped":
                return
            defaults: dict[str, Any] = {
                "pull_started": now,
                "pull_stopped": now,
                "started": now if state == "running" else None,
                "finished": now if state == "stopped" else None,
                "exit_code": 143 if state == "stopped" else None,
                "image_digest": "sha256:" + "a" * 64,
                "runtime_id": f"{task}-1",
            }
            containers = tuple(
                fleet.ContainerStatus(name=container.name, state=state, **(defaults | fields))
                for container in workload.containers
            )
            status = fleet.WorkloadStatus(
                key=key,
                version=old.version if old else 0,
                node=workload.node,
                state=state,
                containers=containers,
                connected=now,
                stopped=now if state == "stopped" else None,
            )
            tx.put(fleet.workload_statuses, status)


def world(path: Path, **options: Any) -> AbstractAsyncContextManager[World]:
    return opened(World(path, **options))


def container(name: str = "web", **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": "localhost:4566/web:1", "portMappings": [{"containerPort": 8080}], **fields}


def definition(family: str = "web", **fields: Any) -> dict[str, Any]:
    """A small definition that is valid on Fargate."""
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container()],
        **fields,
    }


NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-1"]}}
