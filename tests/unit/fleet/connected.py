"""A control plane's end and nodes' ends of the session, over real TLS on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hatoba.core.clock import SystemClock
from hatoba.core.errors import AwsError, PortError
from hatoba.core.ids import RandomIds
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Sealer
from hatoba.fleet import messages as msg
from hatoba.fleet import model as m
from hatoba.fleet.enrol import Admit, Authority, Enrolments
from hatoba.fleet.incoming import Incoming
from hatoba.fleet.session import Sessions
from hatoba.node.memory import Memory
from hatoba.node.session import Identity, Session, join
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal

HERE = Scope("aws", "123456789012", "us-east-1")
POOL, POOL6 = "100.64.0.0/16", "fd68:6174:6f00::/40"


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came true")


class Control:
    """A control plane that can be killed and started again on the same disk and port."""

    def __init__(self, folder: Path) -> None:
        self.disk = MemoryDisk()
        self.authority = Authority(folder)
        self.port = 0
        self.lease = 20.0
        self.kept: list[tuple[str, bytes]] = []
        self.asked: list[tuple[str, str]] = []
        self.delivered: list[tuple[str, str, bytes]] = []
        self.away: PortError | None = None  # why no file is delivered for now
        self.refuse: AwsError | None = None
        self.admit: Admit | None = None

    async def start(self) -> None:
        self.store = Store(MemoryJournal(self.disk), m.TABLES, Sealer(b"k" * 32))
        self.store.open()
        self.enrolments = Enrolments(self.store, self.authority, SystemClock(), RandomIds(), (POOL, POOL6), self.admit)
        self.sessions = Sessions(
            self.store,
            SystemClock(),
            self.enrolments,
            Incoming(self.store, self._ingest, answer=self._answer, deliver=self._deliver),
            region="us-east-1",
            registry="127.0.0.1:4566",
            lease=self.lease,
        )
        self.port = await self.sessions.start("127.0.0.1", self.port, self.authority.server_context())
        self.enrolments.where = ("127.0.0.1", self.port)

    async def stop(self) -> None:
        await self.sessions.close()
        self.store.close()

    async def _ingest(self, workload: m.Workload, logs: msg.Logs) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.kept.append((logs.workload, logs.body))

    async def _deliver(self, node: str, file: msg.LogFile) -> None:
        if self.away is not None:
            raise self.away
        if self.refuse is not None:
            raise self.refuse
        if file.name == "never":
            await asyncio.get_running_loop().create_future()
        if file.name == "broken":
            raise RuntimeError("a bug")
        self.delivered.append((node, file.name, file.body))

    async def _answer(self, workload: m.Workload, what: str) -> bytes:
        self.asked.append((workload.id, what))
        if self.refuse is not None:
            raise self.refuse
        if what == "never":
            await asyncio.get_running_loop().create_future()
        return f"{what} of {workload.id}".encode()

    def want(self, id_: str, node: str, **fields: Any) -> m.Workload:
        with self.store.tx() as tx:
            known = tx.find(m.workloads, HERE, id_)
            record = known or m.Workload(key=m.workloads.key(HERE, id_), node=node)
            return tx.put(m.workloads, replace(record, **fields))

    def forget(self, id_: str) -> None:
        with self.store.tx() as tx:
            tx.forget(m.workloads, m.workloads.key(HERE, id_))

    def status(self, id_: str) -> m.WorkloadStatus | None:
        return self.store.find(m.workload_statuses, HERE, id_)

    def node(self, id_: str) -> m.Node:
        found = self.store.find(m.nodes, m.FLEET, id_)
        assert found is not None
        return found


class Heard:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.welcomes = 0
        self.has: dict[str, bytes] = {}
        self.batches: list[tuple[int, int]] = []
        self.acknowledgements: list[tuple[str, str, int]] = []

    def welcome(self, welcome: msg.Welcome) -> None:
        self.welcomes += 1

    def items(self, put: Any, gone: Any) -> None:
        put, gone = tuple(put), tuple(gone)
        self.batches.append((len(put), len(gone)))
        self.has.update({item.id: item.body for item in put})
        for name in gone:
            del self.has[name.id]

    def acknowledged(self, kind: str, id_: str, report: int) -> None:
        self.acknowledgements.append((kind, id_, report))


class Node:
    """A joined node; `start` and `stop` are its agent's."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.identity = Identity(folder / "identity")
        self.heard = Heard()
        self.executed: list[msg.Execute] = []

    def hello(self, epoch: int, generation: int) -> msg.Hello:
        return msg.Hello(
            protocol=msg.PROTOCOL,
            name=self.name,
            address=f"192.0.2.{len(self.name)}",
            cpu=2048,
            memory=1 << 30,
            architecture="x86_64",
            attributes={},
            agent="test",
            epoch=epoch,
            generation=generation,
        )

    @property
    def id(self) -> str:
        return self.identity.node

    def start(self, control: Control, context: ssl.SSLContext | None = None) -> None:
        self.memory = Memory(self.folder)
        self.memory.open()
        self.session = Session(
            self.memory,
            self.heard,
            self.hello,
            host="127.0.0.1",
            port=control.port,
            context=context or self.identity.context(),
            execute=self.execute,
        )
        self.session.start()

    def execute(self, wanted: msg.Execute) -> None:
        self.executed.append(wanted)

    async def stop(self) -> None:
        await self.session.close()
        self.memory.close()

    def say(self, workload: str, number: int, state: Any) -> None:
        status = m.WorkloadStatus(key=m.workload_statuses.key(HERE, workload), node="", state=state, report=number)
        self.session.report("workload", msg.WorkloadReport(id=workload, report=number, status=status))


def put_interface(control: Control, id_: str, network: str, address: str) -> None:
    """In a network that is made with it; it may be there already."""
    key, where = m.interfaces.key(HERE, id_), m.networks.key(HERE, network)
    block = f"{address.rpartition('.')[0]}.0/24"
    with control.store.tx() as tx:
        if tx.get(m.networks, where) is None:
            tx.put(m.networks, m.Network(key=where, cidrs=(block,), vni=1, resolver=address))
        if tx.get(m.interfaces, key) is None:
            mac = "02:00:00:00:00:01"
            made = m.Interface(
                key=key, network=network, subnet="s", address=address, mac=mac, gateway=address, prefix=block
            )
            tx.put(m.interfaces, made)


@asynccontextmanager
async def fleet(folder: Path, count: int = 1) -> AsyncIterator[tuple[Control, list[Node]]]:
    control = Control(folder / "authority")
    await control.start()
    nodes = []
    for number in range(count):
        node = Node(folder / f"node{number}", "n" * (number + 1))
        await join(node.identity, await control.enrolments.token("127.0.0.1", control.port), node.name)
        node.start(control)
        nodes.append(node)
        await until(lambda node=node: control.node(node.id).state == "ready")
    await until(lambda: len(control.sessions.connected) == count)
    try:
        yield control, nodes
    finally:
        for node in nodes:
            await node.stop()
        await control.stop()
