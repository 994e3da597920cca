"""Rigs for the proxy's contract: the same questions to the simulated proxy and to a real Envoy.

The real rig lives in a network namespace of its own (that of a sleeping process, so that nothing is left behind): its
backends, its Envoy and its clients meet there, and ports are never contended.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import msgspec

from hatoba.core.clock import LoopClock, SystemClock
from hatoba.core.ids import SeededIds
from hatoba.proxy import tracer
from hatoba.proxy.base import (
    Action,
    Balancer,
    Forward,
    HealthCheck,
    HealthFact,
    Listener,
    Proxy,
    Share,
    Target,
    TargetGroup,
    TargetKey,
    Wanted,
)
from hatoba.proxy.engine import EnvoyProxy
from hatoba.proxy.handover import PARTING
from hatoba.proxy.server import ConfigServer
from hatoba.proxy.simulated import SimulatedProxy
from tools.waiting import PATIENCE
from tools.waiting import until as until

CLONE_NEWNET = 0x40000000
ADDRESS = "127.0.0.5"  # the balancer's
PORT = 80
# What listens answers, what does not refuses at once: a machine that stands still makes nobody unhealthy.
CHECK = HealthCheck(interval=0.5, timeout=30.0, healthy_threshold=2, unhealthy_threshold=2)


def forward(*groups: str, **weights: int) -> Forward:
    shares = [Share(group=group) for group in groups]
    return Forward(shares=(*shares, *(Share(group=group, weight=weight) for group, weight in weights.items())))


def group(id_: str, *backends: Backend, draining: tuple[str, ...] = (), check: HealthCheck = CHECK) -> TargetGroup:
    return TargetGroup(
        id=id_,
        health_check=check,
        targets=tuple(
            Target(
                id=each.name,
                address="127.0.0.1",
                port=each.port,
                state="draining" if each.name in draining else "active",
            )
            for each in backends
        ),
    )


def wanted(action: Action, *groups: TargetGroup, port: int = PORT) -> Wanted:
    listener = Listener(id="main", port=port, default=action)
    return Wanted(balancers=(Balancer(id="web", addresses=(ADDRESS,), listeners=(listener,)),), groups=groups)


class Backend(msgspec.Struct):
    """A small web server. It says its name to whoever asks, and `health` to the checker."""

    name: str
    port: int
    health: int = 200
    listening: bool = False
    seen: list[str] = []  # heads of requests, the checker's apart
    checks: int = 0
    failing: bool = False  # requests are answered by 500, checks are not


class Facts:
    """What the proxy told about targets' health, and a way to wait for more."""

    def __init__(self) -> None:
        self.all: list[HealthFact] = []
        self._more = asyncio.Event()

    def __call__(self, fact: HealthFact) -> None:
        self.all.append(fact)
        self._more.set()

    def of(self, target: str) -> list[str]:
        return [fact.health.state for fact in self.all if fact.target == target]

    async def until(self, proxy: Proxy, group: str, states: dict[str, str], timeout: float = PATIENCE) -> None:
        async with asyncio.timeout(timeout):
            while True:
                health = proxy.health()
                if all(
                    (key := TargetKey(group, target)) in health and health[key].state == state
                    for target, state in states.items()
                ):
                    return
                self._more.clear()
                await self._more.wait()


class Rig(Protocol):
    proxy: Proxy
    facts: Facts
    real: bool

    async def backend(self, name: str, listening: bool = True) -> Backend: ...

    async def up(self, backend: Backend) -> None: ...

    async def down(self, backend: Backend) -> None: ...

    async def get(self, port: int = PORT) -> tuple[int, str]:
        """Status and body: 200 and the backend's name."""
        ...


async def spread(rig: Rig, requests: int = 40) -> Counter[str]:
    """Who answered, by name; statuses other than 200 as their numbers."""
    counted: Counter[str] = Counter()
    for _ in range(requests):
        status, body = await rig.get()
        counted[body if status == 200 else str(status)] += 1
    return counted


async def read_text(reader: asyncio.StreamReader) -> tuple[str, str]:
    """Head and body of one answer, from a connection that may go on. Without a length there is no body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"\r\ncontent-length: ([0-9]+)\r\n", head, re.IGNORECASE)
    return head, (await reader.readexactly(int(length[1]) if length else 0)).decode()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    head, body = await read_text(reader)
    return int(head.split(" ", 2)[1]), body


class SimulatedRig:
    real = False

    def __init__(self) -> None:
        self._backends: dict[int, Backend] = {}
        self.facts = Facts()
        self.proxy = SimulatedProxy(clock=LoopClock(), ids=SeededIds(1), on_health=self.facts, answers=self._answers)

    def _answers(self, address: str, port: int) -> int | None:
        backend = self._backends.get(port)
        return backend.health if backend is not None and backend.listening else None

    async def backend(self, name: str, listening: bool = True) -> Backend:
        backend = Backend(name=name, port=8000 + len(self._backends), listening=listening)
        self._backends[backend.port] = backend
        return backend

    async def up(self, backend: Backend) -> None:
        backend.listening = True

    async def down(self, backend: Backend) -> None:
        backend.listening = False

    async def get(self, port: int = PORT) -> tuple[int, str]:
        failures = len(self.proxy.failed)
        target = self.proxy.route("web", port)
        if target is not None:
            return 200, target.id
        return (self.proxy.failed[-1].status if len(self.proxy.failed) > failures else 200), ""


def socket_in(
    path: str, family: socket.AddressFamily = socket.AF_INET, kind: socket.SocketKind = socket.SOCK_STREAM
) -> socket.socket:
    """Made in a network namespace: by a thread that enters it and ends."""
    made: list[socket.socket] = []

    def make() -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(family, kind | socket.SOCK_NONBLOCK))
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


class Namespace:
    """A network namespace with a loopback interface, as long as its process lives."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.path = f"/proc/{self._holder.pid}/ns/net"
        own = os.stat("/proc/self/ns/net").st_ino
        while os.stat(self.path).st_ino == own:  # until unshare has done its work
            assert self._holder.poll() is None
        subprocess.run(["nsenter", f"--net={self.path}", "ip", "link", "set", "lo", "up"], check=True)

    def socket(
        self, family: socket.AddressFamily = socket.AF_INET, kind: socket.SocketKind = socket.SOCK_STREAM
    ) -> socket.socket:
        return socket_in(self.path, family, kind)

    async def opener(self, family: socket.AddressFamily) -> socket.socket:
        return socket_in(self.path, family)

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()


class RealRig:
    real = True

    def __init__(self, directory: Path, namespace: Namespace) -> None:
        self.directory = directory
        self.namespace = namespace
        self.facts = Facts()
        self.parting = PARTING
        self.concurrency = 1
        self.tracer = tracer.module()
        self.server = ConfigServer(directory / "xds.sock")
        self.proxy = self.make()
        self.release = asyncio.Event()  # lets /wait go on
        self.met = asyncio.Event()  # some backend has a request
        self._servers: dict[str, asyncio.Server] = {}
        self._connections: set[asyncio.StreamWriter] = set()
        self._ports = iter(range(9000, 9100))

    def make(self) -> EnvoyProxy:
        return EnvoyProxy(
            name="vpc-1",
            directory=self.directory / "e",
            server=self.server,
            clock=SystemClock(),
            on_health=self.facts,
            netns=self.namespace.path,
            opener=self.namespace.opener,
            logs=self.directory / "logs",
            parting=self.parting,
            tracer=self.tracer,
            concurrency=self.concurrency,
        )

    async def start(self) -> None:
        await self.server.start()
        await self.proxy.start()

    async def stop(self) -> None:
        self.release.set()
        await self.proxy.stop()
        await self.server.close()
        for server in self._servers.values():
            server.close()
        for writer in self._connections:
            writer.close()

    async def agent_dies(self) -> None:
        """What is left of the agent after `kill -9`: nothing; Envoy is on its own."""
        await self.proxy.release()
        await self.server.close()

    async def agent_returns(self) -> bool:
        self.server = ConfigServer(self.directory / "xds.sock")
        self.facts = Facts()
        self.proxy = self.make()
        await self.server.start()
        return await self.proxy.start()

    async def backend(self, name: str, listening: bool = True) -> Backend:
        backend = Backend(name=name, port=next(self._ports))
        if listening:
            await self.up(backend)
        return backend

    async def up(self, backend: Backend) -> None:
        listener = self.namespace.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", backend.port))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._connections.add(writer)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer(backend, reader, writer):
                    pass
            self._connections.discard(writer)
            writer.close()

        self._servers[backend.name] = await asyncio.start_server(serve, sock=listener, backlog=1024)
        backend.listening = True

    async def _answer(self, backend: Backend, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ", 2)[1]
        status, body = 200, backend.name
        if "ELB-HealthChecker" in head:
            status = backend.health
            backend.checks += 1
        else:
            backend.seen.append(head)
            status = 500 if backend.failing else 200
            self.met.set()
        match path:
            case "/chat":
                writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                while data := await reader.read(65536):
                    writer.write(data)
                return False
            case "/close":
                return False
            case "/garbage":
                writer.write(b"this is not HTTP\r\n\r\n")
                return False
            case "/silent":
                await self.release.wait()
                return False
            case "/wait":
                await self.release.wait()
        login = "Set-Cookie: SESSION=1; HttpOnly\r\n" if path == "/login" else ""
        writer.write(f"HTTP/1.1 {status} X\r\nServer: app\r\n{login}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        return "connection: close" not in head.lower()

    async def down(self, backend: Backend) -> None:
        """Stops listening; connections that stand go on."""
        self._servers.pop(backend.name).close()
        backend.listening = False

    async def connect(
        self, port: int = PORT, address: str = ADDRESS
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = self.namespace.socket()
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
        return await asyncio.open_connection(sock=connection)

    async def raw(self, request: bytes, port: int = PORT, address: str = ADDRESS) -> str:
        """One answer, head and body, as it came."""
        reader, writer = await self.connect(port, address)
        writer.write(request)
        head, body = await read_text(reader)
        writer.close()
        return head + body

    async def get(self, port: int = PORT) -> tuple[int, str]:
        reader, writer = await self.connect(port)
        writer.write(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
        answer = await read_answer(reader)
        writer.close()
        return answer

    @contextlib.asynccontextmanager
    async def load(self, clients: int = 8, pause: float = 0.02) -> AsyncIterator[Load]:
        """Clients that keep their connections and ask again and again, until the block ends."""
        load = Load(self)
        tasks = [asyncio.create_task(load.client(pause)) for _ in range(clients)]
        try:
            yield load
        finally:
            load.going = False
            await asyncio.gather(*tasks)


class Load:
    def __init__(self, rig: RealRig) -> None:
        self._rig = rig
        self.going = True
        self.answers: Counter[str] = Counter()  # by name of who answered
        self.failures: list[str] = []
        self.news = asyncio.Condition()

    async def client(self, pause: float) -> None:
        reader, writer = await self._rig.connect()
        while self.going:
            writer.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
            try:
                head, body = await read_text(reader)
                if "connection: close" in head.lower():  # it is asked to come anew
                    writer.close()
                    reader, writer = await self._rig.connect()
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                self.failures.append(f"connection lost: {error}")
                async with self.news:
                    self.news.notify_all()
                return
            status = head.split(" ", 2)[1]
            if status == "200":
                self.answers[body] += 1
            else:
                self.failures.append(status)
            async with self.news:
                self.news.notify_all()
            await asyncio.sleep(pause)
        writer.close()

    async def answered(self, more: int, by: str | None = None, timeout: float = PATIENCE) -> None:
        """Waits for that many further answers (by that backend)."""
        count = (lambda: self.answers[by]) if by else self.answers.total
        goal = count() + more
        async with asyncio.timeout(timeout), self.news:
            await self.news.wait_for(lambda: count() >= goal or bool(self.failures))


@contextlib.asynccontextmanager
async def real_rig(directory: Path) -> AsyncIterator[RealRig]:
    namespace = Namespace()
    try:
        rig = RealRig(directory, namespace)
        try:
            await rig.start()
            yield rig
        finally:
            await rig.stop()
    finally:
        namespace.close()


@contextlib.asynccontextmanager
async def simulated_rig() -> AsyncIterator[SimulatedRig]:
    rig = SimulatedRig()
    await rig.proxy.start()
    yield rig
    await rig.proxy.stop()
