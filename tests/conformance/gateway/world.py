"""A control plane of small rooms behind the real server, in a thread, for real clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from hatoba.aws.shapes import ecs as t
from hatoba.aws.sigv4 import Credential
from hatoba.core.clock import SystemClock
from hatoba.core.ids import RandomIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.records import Record, replace
from hatoba.core.secret import Sealer
from hatoba.gateway import access
from hatoba.gateway.call import Call, Principal, idempotent
from hatoba.gateway.front import front
from hatoba.gateway.http import Request, Response, Server
from hatoba.gateway.needs import Access, anyone
from hatoba.gateway.own import Own
from hatoba.gateway.path import Settings
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.room import Service
from hatoba.store import Store, Table
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.serving import Served, in_a_thread
from tests.unit.gateway.roles_pass import RolesPass

ACCOUNT, REGION = "123456789012", "us-east-1"
ROOT = ("AKIAROOT000000000000", "root-secret")
USER = ("AKIAUSER000000000000", "user-secret")
ROLE = ("ASIAROLE000000000000", "role-secret", "role-session-token")
EXPIRED = ("ASIAEXPIRED000000000", "expired-secret", "expired-token")


class Counted(Record, frozen=True, kw_only=True):
    count: int


counters = Table("test.counters", Counted)
STS = Access("sts", {"GetCallerIdentity": anyone, "AssumeRoleWithWebIdentity": anyone})


def rooms() -> list[Service]:
    ecs, sts, logs = Service("ecs"), Service("sts", access=STS), Service("logs")
    elbv2, ec2, cloudwatch, s3, eks = (Service(name) for name in ("elbv2", "ec2", "cloudwatch", "s3", "eks"))

    @ecs.operation
    async def list_clusters(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"clusterArns": [call.arn("cluster/default")]}

    @ecs.operation
    async def create_cluster(req: dict[str, Any], call: Call) -> dict[str, Any]:
        name = req.get("clusterName", "default")
        key = counters.key(call.scope, name)
        with call.tx() as tx:
            counter = tx.get(counters, key) or Counted(key=key, count=0)
            tx.put(counters, replace(counter, count=counter.count + 1))
        return {"cluster": {"clusterName": name, "runningTasksCount": counter.count + 1}}

    @ecs.operation
    async def describe_clusters(req: dict[str, Any], call: Call) -> dict[str, Any]:
        raise RuntimeError("a secret of ours")

    @ecs.operation
    async def delete_cluster(req: dict[str, Any], call: Call) -> dict[str, Any]:
        raise t.ClusterNotFoundException("Cluster not found.")

    @ecs.operation
    async def update_cluster(req: dict[str, Any], call: Call) -> dict[str, Any]:
        key = counters.key(call.scope, "conflict")
        with call.tx() as tx:
            tx.put(counters, Counted(key=key, count=0, version=7))
        return {}

    @ecs.operation
    async def list_services(req: dict[str, Any], call: Call) -> dict[str, Any]:
        """Asks another room, as itself."""
        groups = await call.aws.elbv2.describe_target_groups(Names=["x"])
        return {"serviceArns": [group["TargetGroupArn"] for group in groups["TargetGroups"]]}

    @sts.operation
    async def get_caller_identity(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"UserId": call.principal.id, "Account": call.principal.account, "Arn": call.principal.arn}

    @sts.operation
    async def assume_role_with_web_identity(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"Audience": call.principal.kind}

    @logs.operation
    async def put_log_events(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"nextSequenceToken": str(len(req["logEvents"]))}

    @logs.operation
    async def start_live_tail(req: dict[str, Any], call: Call) -> dict[str, Any]:
        async def events() -> AsyncIterator[dict[str, Any]]:
            for number in range(3):
                await asyncio.sleep(0)
                yield {"sessionUpdate": {"sessionResults": [{"message": f"line {number}"}]}}

        return {"responseStream": events()}

    @elbv2.operation
    async def describe_target_groups(req: dict[str, Any], call: Call) -> dict[str, Any]:
        arn = f"{call.arn('targetgroup/x/1', 'elasticloadbalancing')}?by={call.principal.arn}"
        return {"TargetGroups": [{"TargetGroupArn": arn}]}

    @ec2.operation
    async def describe_vpcs(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"Vpcs": [{"VpcId": vpc_id} for vpc_id in req.get("VpcIds", ["vpc-1"])]}

    @cloudwatch.operation
    async def put_metric_data(req: dict[str, Any], call: Call) -> dict[str, Any]:
        seen.append(len(req["MetricData"]))
        return {}

    @s3.operation
    async def put_object(req: dict[str, Any], call: Call) -> dict[str, Any]:
        size = 0
        if (body := req.get("Body")) is not None:
            async for piece in body:
                size += len(piece)
        return {"ETag": str(size)}

    @s3.operation
    async def get_object(req: dict[str, Any], call: Call) -> dict[str, Any]:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(64):
                yield b"x" * (1 << 18)

        return {"Body": pieces(), "ContentLength": 64 << 18}

    @eks.operation
    async def describe_cluster(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"cluster": {"name": req["name"]}}

    return [ecs, sts, logs, elbv2, ec2, cloudwatch, s3, eks]


seen: list[int] = []  # sizes of the metric data that came


def identities(now: float) -> access.KnownKeys:
    role = f"arn:aws:iam::{ACCOUNT}:role/app"
    return access.KnownKeys(
        Credential(access_key_id=ROOT[0], secret=ROOT[1], principal=access.root("aws", ACCOUNT, ROOT[0])),
        Credential(
            access_key_id=USER[0],
            secret=USER[1],
            principal=Principal(
                kind="user", account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/ann", id="AIDAANN", access_key=USER[0]
            ),
        ),
        *(
            Credential(
                access_key_id=key,
                secret=secret,
                token=token,
                expires=expires,
                principal=Principal(
                    kind="role",
                    account=ACCOUNT,
                    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/app/session",
                    id="AROAAPP:session",
                    role=role,
                    access_key=key,
                ),
            )
            for (key, secret, token), expires in ((ROLE, now + 3600), (EXPIRED, now - 1))
        ),
    )


class World(Served):
    """What a test sees of it."""

    def __init__(self, plane: ControlPlane, server: Server) -> None:
        super().__init__()
        self.plane = plane
        self.server = server

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def client(self, service: str, key: tuple[str, ...] | None = ROOT, *, region: str = REGION, **options: Any) -> Any:
        """A boto3 client, with no key for None, that tries once and checks nothing itself."""
        config: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "parameter_validation": False} | options
        if key is None:
            from botocore import UNSIGNED

            config["signature_version"] = UNSIGNED
        names = dict(zip(("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), key or (), strict=False))
        return boto3.client(service, endpoint_url=self.url, region_name=region, config=Config(**config), **names)

    def stored(self, name: str) -> int:
        """What `create_cluster` has counted."""
        record = self.plane.store.find(counters, Scope("aws", ACCOUNT, REGION), name)
        return 0 if record is None else record.count


@contextmanager
def world(folder: Path, *, auth: bool = True, strict: bool = True) -> Iterator[World]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[World]:
        clock, sealer = SystemClock(), Sealer.from_file(folder / "key")
        store = Store(SqliteJournal(folder / "journal.db"), [counters, idempotent], sealer)
        store.open()
        plane = ControlPlane(
            store=store,
            clock=clock,
            ids=RandomIds(),
            pager=Pager(sealer),
            rooms=rooms(),
            identities=identities(clock.now()),
            authorizer=RolesPass() if auth else access.EverythingPasses(),
            settings=Settings(auth=auth),
            strict=strict,
        )
        own = Own(version="test", components=lambda: {"store": "ok"}, collectors=[plane.metrics.collect])
        own.status = "ready"
        made = World(plane, Server(front(aws=plane.path, registry=_registry, own_paths=own)))
        made.port = await made.server.listen("127.0.0.1", 0)
        yield made
        await made.server.close(grace=1)
        store.close()

    with in_a_thread(opened) as made:
        yield made


async def _registry(request: Request) -> Response:
    return Response(headers={"docker-distribution-api-version": "registry/2.0"}, body=b"the registry")
