"""Data channels over a real server, to a process that the test plays; clients are `tools.plugin`'s, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

from hatoba.aws.sigv4 import Credential
from hatoba.core.clock import SystemClock
from hatoba.core.errors import AwsError, PortError
from hatoba.core.ids import RandomIds
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Sealer, Secret
from hatoba.fleet import channels as node
from hatoba.fleet import model as fleet
from hatoba.fleet.channels import ChannelLost, FromProcess, ToProcess, Wanted
from hatoba.gateway import access
from hatoba.gateway.access import KnownKeys
from hatoba.gateway.call import Principal
from hatoba.gateway.http import Server
from hatoba.services.ssm.session.endpoint import PREFIX, DataChannels
from hatoba.services.ssm.session.model import TABLES, Session, sessions
from hatoba.services.ssm.session.talk import Side
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal
from tools.plugin import Plugin

T = TypeVar("T")
HERE = Scope("aws", "123456789012", "us-east-1")
OWNER = "arn:aws:iam::123456789012:root"
TASK = Principal(
    kind="role",
    account="123456789012",
    arn="arn:aws:sts::123456789012:assumed-role/task/x",
    id="AROA:x",
    role="arn:aws:iam::123456789012:role/task",
    access_key="TASK",
)
KEYS = KnownKeys(
    Credential(access_key_id="TASK", secret="s", principal=TASK),
    Credential(access_key_id="ROOT", secret="s", principal=access.root("aws", "123456789012")),
    Credential(access_key_id="OTHER", secret="s", principal=access.root("aws", "999999999999")),
)


class Process:
    """`fleet.channels.Channel`, played by the test: it says what it is told to, and notes what it hears."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[FromProcess | ChannelLost] = asyncio.Queue()
        self.heard: list[ToProcess] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.closed = asyncio.Event()
        self.wanted: Wanted | None = None
        self.say(node.Running())

    def say(self, *messages: FromProcess | ChannelLost) -> None:
        for message in messages:
            self.says.put_nowait(message)

    @property
    def typed(self) -> bytes:
        return b"".join(message.data for message in self.heard if isinstance(message, node.Input))

    async def receive(self) -> FromProcess:
        message = await self.says.get()
        if isinstance(message, ChannelLost):
            raise message
        return message

    async def send(self, message: ToProcess) -> None:
        if isinstance(message, node.Input):
            await self.reads.wait()
        self.heard.append(message)

    def close(self, why: str = "") -> None:
        self.closed.set()


class Logs:
    """The log room, as far as a transcript asks it."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, list[str]]] = {"/audit": {}}
        self.asking: set[Principal | None] = set()
        self.full = False
        self.takes = asyncio.Event()
        self.takes.set()

    async def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> None:
        if logGroupName not in self.groups:
            raise AwsError("The specified log group does not exist.", code="ResourceNotFoundException")
        self.groups[logGroupName][logStreamName] = []

    async def put_log_events(
        self,
        *,
        logGroupName: str,
        logStreamName: str,
        logEvents: list[dict[str, Any]],
    ) -> None:
        if self.full:
            raise AwsError("The disk is full.", code="ServiceUnavailableException")
        await self.takes.wait()
        self.groups[logGroupName][logStreamName] += [event["message"] for event in logEvents]


class Objects:
    """S3, likewise."""

    def __init__(self) -> None:
        self.there: dict[str, bytes] = {}
        self.asking: set[Principal | None] = set()
        self.puts: list[str] = []
        self.denied = False
        self.takes = asyncio.Event()
        self.takes.set()

    async def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        if Bucket != "audits" or self.denied:
            raise AwsError("Access Denied", code="AccessDenied", status=403)
        await self.takes.wait()
        self.there[Key] = Body
        self.puts.append(Key)


class Asked:
    """A room, as somebody asks it: notes who. `None`: Systems Manager itself."""

    def __init__(self, room: Any, who: Principal | None) -> None:
        self._room, self._who = room, who

    def __getattr__(self, operation: str) -> Any:
        self._room.asking.add(self._who)
        return getattr(self._room, operation)


class World:
    """The platform, as far as sessions ask it."""

    def __init__(self, idle: float, auth: bool) -> None:
        self.store = Store(MemoryJournal(MemoryDisk()), [*TABLES, *fleet.TABLES], Sealer(b"k" * 32))
        self.store.open()
        self.clock, self.ids = SystemClock(), RandomIds()
        self.logs = Logs()
        self.s3 = Objects()
        self.process = Process()
        self.refusal: PortError | None = None
        side = Side(clock=self.clock, ids=self.ids, executor=self, idle=idle)
        self.channels = DataChannels(self, side, KEYS, endpoint="", auth=auth)  # type: ignore[arg-type]
        self.server = Server(self.channels)
        self.port = 0
        self.clients: list[Plugin] = []  # hang up at the end, so that nobody waits for their goodbye

    def door(self, scope: Scope, service: str, principal: Principal | None = None) -> Any:
        return SimpleNamespace(logs=Asked(self.logs, principal), s3=Asked(self.s3, principal))

    def give_role(self, key: str = "TASK") -> None:
        """The task has credentials with this access key."""
        with self.store.tx() as tx:
            given = fleet.Credential(
                key=fleet.credentials.key(HERE, "c"),
                workload="0" * 32,
                node="n",
                role=TASK.role or "",
                access_key=key,
                secret_key=Secret("s"),
                token=Secret("t"),
                expires=self.clock.now() + 3600,
            )
            tx.put(fleet.credentials, given)

    async def execute(self, workload: fleet.Workload, wanted: Wanted) -> Process:
        if self.refusal is not None:
            raise self.refusal
        self.process.wanted = wanted
        return self.process

    def reaches(self, workload: fleet.Workload) -> bool:
        return True

    def session(self, **fields: Any) -> dict[str, str]:
        """A session that was started, as ExecuteCommand answers."""
        id_, token = f"ecs-execute-command-{self.ids.hex(17)}", self.ids.hex(64)
        record = Session(
            key=sessions.key(HERE, id_),
            owner=OWNER,
            target=f"ecs:default_{'0' * 32}_x",
            workload="0" * 32,
            container="app",
            command="sh -c 'a b'",
            token=Secret(token),
            token_until=self.clock.now() + 60.0,
            started=self.clock.now(),
        )
        with self.store.tx() as tx:
            log = fleet.LogWanted(driver="awslogs", group="/audit")
            app = fleet.ContainerWanted(
                name="app", image=fleet.ImageWanted(name="x", repository="x", reference="v1"), log=log
            )
            workload = fleet.Workload(key=fleet.workloads.key(HERE, "0" * 32), node="n", containers=(app,))
            if tx.get(fleet.workloads, workload.key) is None:
                tx.put(fleet.workloads, workload)
            tx.put(sessions, replace(record, **fields))
        url = f"ws://127.0.0.1:{self.port}{PREFIX}{id_}?role=publish_subscribe"
        return {"sessionId": id_, "streamUrl": url, "tokenValue": token}

    def stored(self, session: dict[str, str]) -> Session:
        found = self.store.find(sessions, HERE, session["sessionId"])
        assert found is not None
        return found


@asynccontextmanager
async def talking(idle: float = 60.0, auth: bool = True) -> AsyncIterator[World]:
    world = World(idle, auth)
    world.port = await world.server.listen("127.0.0.1", 0)
    try:
        yield world
    finally:
        for client in world.clients:
            client.line.socket.close()
        await world.channels.close()
        await world.server.close(grace=1.0)
        world.store.close()


def ready(plugin: Plugin) -> Plugin:
    plugin.until(lambda: any(each.kind == "start_publication" for each in plugin.seen))
    return plugin


async def opened(
    world: World, session: dict[str, str] | None = None, *, kind: type[Plugin] = Plugin, **more: Any
) -> Plugin:
    """A client whose program runs."""
    plugin = await asyncio.to_thread(kind, session or world.session(), **more)
    world.clients.append(plugin)
    return await asyncio.to_thread(ready, plugin)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came true")
