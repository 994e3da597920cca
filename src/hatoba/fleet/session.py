"""The control plane's end of the nodes' sessions.

Each connected node gets a snapshot, then deltas as the tables change; its reports are written and acknowledged once
they are durable. A node that is silent for longer than its lease is lost. What else nodes bring is for `incoming`; who
wants to become one, for `enrol`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Collection, Iterable
from typing import Any

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError, Refused
from hatoba.core.ids import RandomIds
from hatoba.core.tasks import TaskGroup
from hatoba.fleet import messages as msg
from hatoba.fleet import model as m
from hatoba.fleet.assemble import Holding, NodeItems
from hatoba.fleet.changes import Touched, touched
from hatoba.fleet.channels import SINCE as CHANNELS_SINCE
from hatoba.fleet.channels import Channel, Channels, Wanted
from hatoba.fleet.enrol import Enrolments, node_of
from hatoba.fleet.entering import Enter, Entering
from hatoba.fleet.incoming import Incoming
from hatoba.fleet.reports import apply_reports, node_connected, node_lost
from hatoba.store import Change, Store

log = logging.getLogger(__name__)

LEASE = 20.0  # seconds of silence after which a node is lost
LOG_BATCHES = 8  # of one node that are being kept at a time
LOG_FILES = 2  # likewise
QUESTIONS = 8  # of one node that are being answered at a time


class Session:
    """One node's connection."""

    def __init__(self, hub: Sessions, node: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.node = node
        self._hub = hub
        self._reader = reader
        self._writer = writer
        self._wake = asyncio.Event()
        self._tasks = TaskGroup(f"session {node}")
        self._logs = asyncio.Semaphore(LOG_BATCHES)
        self._files = asyncio.Semaphore(LOG_FILES)
        self._questions = asyncio.Semaphore(QUESTIONS)
        self._items: NodeItems | None = None
        self._closed = False
        self.protocol = 0  # the node's

    def touched(self, items: Iterable[Touched]) -> None:
        if self._items is not None and self._items.touch(items):
            self._wake.set()

    def send(self, message: msg.Down) -> None:
        self._writer.write(msg.frame(message))

    async def run(self, hello: msg.Hello, generation: int) -> None:
        """Until the connection ends or breaks."""
        store = self._hub.store
        self.protocol = hello.protocol
        self.send(msg.Welcome(protocol=msg.PROTOCOL, region=self._hub.region, registry=self._hub.registry))
        self._items = NodeItems(store, self.node, store.epoch, generation, self._hub.holding)
        snapshot = self._items.snapshot()
        await store.durable()
        self.send(snapshot)
        down = self._tasks.start(self._down(), "down")
        down.add_done_callback(lambda _: self.close())  # a node that cannot be told anything has to connect again
        try:
            while not self._closed:  # what is still in the reader then has been overtaken
                await self._up(await msg.read_up(self._reader))
        finally:
            await self._tasks.close()

    @property
    def generation(self) -> int:
        return self._items.generation if self._items else 0

    async def _down(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            assert self._items is not None
            delta = self._items.delta()
            if delta is not None:
                await self._hub.store.durable()
                self.send(delta)
                try:
                    await self._writer.drain()
                except ConnectionError:
                    return

    async def _up(self, message: msg.Up) -> None:
        self._hub.alive(self.node)
        match message:
            case msg.Reports():
                apply_reports(self._hub.store, self.node, message.reports)
                self._tasks.start(self._acknowledge(message), "acknowledge")
            case msg.Logs():
                await self._logs.acquire()  # a node that sends faster than we keep is slowed down here
                self._tasks.start(self._keep(message), "logs")
            case msg.LogFile():
                await self._files.acquire()
                self._tasks.start(self._pass_on(message), "log file")
            case msg.Samples():
                self._hub.incoming.figures(self.node, message)
            case msg.Ask():
                await self._questions.acquire()
                self._tasks.start(self._tell(message), "question")
            case msg.Alive():
                pass
            case _:
                raise msg.Broken(f"unexpected {type(message).__name__}")

    async def _acknowledge(self, message: msg.Reports) -> None:
        await self._hub.store.durable()
        done = tuple((type(report).__struct_config__.tag, report.id, report.report) for report in message.reports)
        self.send(msg.Acknowledged(reports=done))  # type: ignore[arg-type]

    async def _keep(self, message: msg.Logs) -> None:
        try:
            answer = await self._hub.incoming.lines(self.node, message)
        except PortError as error:  # it may work later: the node sends it again after the next connect
            log.warning("logs of %s: %s", message.workload, error)
            self.close()
        else:
            self.send(answer)
        finally:
            self._logs.release()

    async def _pass_on(self, file: msg.LogFile) -> None:
        answer = msg.LogsKept(number=file.number, error=msg.LATER, detail="the control plane failed at it")
        try:
            answer = await self._hub.incoming.file(self.node, file)
        finally:  # whatever happens, the node does not wait for ever
            self._files.release()
            self.send(answer)

    async def _tell(self, question: msg.Ask) -> None:
        try:
            self.send(await self._hub.incoming.question(self.node, question))
        finally:
            self._questions.release()

    def close(self) -> None:
        self._closed = True
        self._writer.close()


class Sessions:
    """All connected nodes; the server they connect to."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        enrolments: Enrolments,
        incoming: Incoming,
        *,
        region: str,
        registry: str,
        lease: float = LEASE,
        channels: Channels | None = None,
    ) -> None:
        self.store = store
        self.region = region
        self.registry = registry
        self.incoming = incoming
        self.holding = Holding()
        self._clock = clock
        self._enrolments = enrolments
        self.channels = channels or Channels(RandomIds())
        self._entering: Entering | None = None
        self._lease = lease
        self._sessions: dict[str, Session] = {}
        self._generations: dict[str, int] = {}
        self._leases: dict[str, asyncio.TimerHandle] = {}
        self._server: asyncio.Server | None = None
        self._connections = TaskGroup("nodes")

    def let_in(self, enter: Enter) -> None:
        """From now on nodes bring what asks for VPC endpoints there."""
        self._entering = Entering(self.store, enter)

    def watch(self) -> None:
        """From now on connected nodes are told of every change, and silent ones are lost."""
        for table in m.TABLES:
            self.store.feed.subscribe(table, self._changed)
        for node in self.store.all(m.nodes):
            if node.state == "ready":
                self.alive(node.id)  # it has one lease's time to come back after our own restart

    async def start(self, host: str, port: int, context: ssl.SSLContext) -> int:
        """Watches and listens; the port. Raises `Refused` when it is taken."""
        self.watch()
        try:
            self._server = await asyncio.start_server(self.accept, host, port, ssl=context)
        except OSError as error:
            raise Refused(f"The nodes' port {host}:{port} cannot be opened: {error.strerror}.") from None
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for timer in self._leases.values():
            timer.cancel()
        self.channels.close()
        for session in list(self._sessions.values()):
            session.close()
        await self._connections.close()

    @property
    def connected(self) -> list[str]:
        return sorted(self._sessions)

    def _changed(self, change: Change[Any]) -> None:
        if isinstance(change.after, m.Node) and change.before and _moved(change.before, change.after):
            for session in list(self._sessions.values()):
                session.close()  # peers moved: everybody starts from a new snapshot
        if isinstance(change.before, m.Node) and change.after is None:
            self._end(change.key.id)
        items: dict[str, list[Touched]] = {}
        for item in touched(self.store, change):
            for node in self._concerned(item):
                items.setdefault(node, []).append(item)
        for node, own in items.items():
            if node in self._sessions:
                self._sessions[node].touched(own)
        self.incoming.forget(change)

    def _concerned(self, item: Touched) -> Collection[str]:
        if item.node is not None:
            return (item.node,)
        return self._sessions if item.network is None else self.holding.of(item.network)

    # --- leases

    def alive(self, node: str) -> None:
        timer = self._leases.pop(node, None)
        if timer is not None:
            timer.cancel()
        self._leases[node] = asyncio.get_running_loop().call_later(self._lease, self._lost, node)

    def _lost(self, node: str) -> None:
        log.warning("node %s was silent for %.0f s: it counts as lost", node, self._lease)
        self._leases.pop(node, None)
        node_lost(self.store, node)
        self._end(node)
        self.channels.lost(node)

    # --- connections

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection to its end. Who it is, is in the certificate that the writer has checked."""
        task = self._connections.start(self._serve(reader, writer), "connection")
        await asyncio.wait([task])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10.0):
                message = await msg.read_up(reader, msg.FIRST_LIMIT)
            node = node_of(writer)
            if isinstance(message, msg.Join):
                await self._join(writer, message)
            elif isinstance(message, msg.Dialled) and node is not None:
                await self.channels.serve(node, message, reader, writer)
            elif isinstance(message, msg.Entered) and node is not None:
                if self._entering is not None:
                    await self._entering.serve(node, message, reader, writer)
            elif not isinstance(message, msg.Hello) or node is None:
                writer.write(msg.frame(msg.Refusal(text="A node needs a certificate: join with a token first.")))
            elif message.protocol < msg.OLDEST:
                text = f"Protocol {message.protocol} is too old: this control plane talks {msg.OLDEST} and later."
                writer.write(msg.frame(msg.Refusal(text=text)))
            else:
                await self._session(node, message, reader, writer)
        except (msg.Broken, ConnectionError, asyncio.IncompleteReadError, TimeoutError, ssl.SSLError) as error:
            log.info("a node's connection ended: %s", error)
        finally:
            writer.close()

    async def _join(self, writer: asyncio.StreamWriter, message: msg.Join) -> None:
        answer: msg.Down
        try:
            answer = await self._enrolments.join(message.token, message.request, message.name, message.activation)
        except Refused as error:
            answer = msg.Refusal(text=str(error))
        writer.write(msg.frame(answer))
        await writer.drain()

    async def _session(
        self, node: str, hello: msg.Hello, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._end(node)
        try:
            node_connected(self.store, node, hello, self._clock.now())
        except Refused as error:
            writer.write(msg.frame(msg.Refusal(text=str(error))))
            return
        await self.store.durable()
        self._end(node)  # of two connections at a time the later one stays
        self.alive(node)
        session = self._sessions[node] = Session(self, node, reader, writer)
        generation = max(self._generations.get(node, 0), hello.generation if hello.epoch == self.store.epoch else 0)
        log.info("node %s (%r) connected", node, hello.name)
        try:
            await session.run(hello, generation)
        finally:
            self._generations[node] = session.generation
            if self._sessions.get(node) is session:
                del self._sessions[node]
                self.holding.forget(node)

    def _end(self, node: str) -> None:
        session = self._sessions.pop(node, None)
        if session is not None:
            self.holding.forget(node)
            session.close()

    # --- channels (channels.Executor)

    async def execute(self, workload: m.Workload, wanted: Wanted) -> Channel:
        session = self._sessions.get(workload.node)
        if session is None:
            raise PortError("disconnected", f"the node {workload.node} is not connected")
        if session.protocol < CHANNELS_SINCE:
            raise PortError("too-old", f"the node {workload.node} is older than this control plane and cannot do it")
        return await self.channels.ask(workload, wanted, session.send)

    def reaches(self, workload: m.Workload) -> bool:
        session = self._sessions.get(workload.node)
        return session is not None and session.protocol >= CHANNELS_SINCE


def _moved(before: m.Node, after: m.Node) -> bool:
    """A node that connects for the first time had nothing that others could have reached."""
    return before.address not in ("", after.address)
