"""The configuration server that the agent's Envoys talk to: one gRPC service on a unix socket, a session per Envoy.

A unix socket because Envoys live in other network namespaces. Whoever can open the socket is trusted: it is made with
mode 600 in a directory of mode 700. Until something is offered to an Envoy nothing is answered, so an agent that has
just restarted and does not know yet what is wanted leaves its Envoys as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from hatoba.core.errors import PortError, Refused
from hatoba.proxy.base import Rejected
from hatoba.proxy.resource import Snapshot
from hatoba.proxy.session import Session

_SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_EOF = grpc.aio.EOF  # type: ignore[attr-defined]  # missing from the stubs
LONGEST_SOCKET_PATH = 107  # the kernel's limit


class _Stream:
    """One on which an Envoy listens. `number` is that of its launch."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.session = Session()
        self.work = asyncio.Event()  # something may be to send


class _Envoy:
    """What one Envoy should have, and the streams on which it listens: one, and two while it hands over to its
    successor. Both are told everything, as both have requests."""

    def __init__(self) -> None:
        self.offered: Snapshot | None = None
        self.streams: dict[int, _Stream] = {}  # by number
        self.leading = 0  # the number of the launch that serves: those before it are leaving, nobody waits for them
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def counting(self) -> list[Session]:
        return [stream.session for number, stream in sorted(self.streams.items()) if number >= self.leading]

    @property
    def session(self) -> Session | None:
        """The newest one."""
        return self.counting[-1] if self.counting else None

    def announce(self) -> None:
        """Something was acknowledged, refused, offered, or a stream began or ended."""
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def settled(self) -> None:
        while not (counting := self.counting) or not all(session.settled for session in counting):
            news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(news)
            try:
                await news
            finally:
                self._waiting.discard(news)


class ConfigServer:
    """Serves any number of Envoys, told apart by the node id of their bootstrap."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server: grpc.aio.Server | None = None
        self._envoys: dict[str, _Envoy] = {}

    async def start(self) -> None:
        if len(str(self.path)) > LONGEST_SOCKET_PATH:
            raise Refused(f"The path {self.path} is too long for a socket: choose a shorter directory.")
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.unlink(missing_ok=True)
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", 64 * 1024 * 1024)])
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=DeltaDiscoveryRequest.FromString,
            response_serializer=DeltaDiscoveryResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, {"DeltaAggregatedResources": handler}),)
        )
        try:
            server.add_insecure_port(f"unix:{self.path}")
        except RuntimeError as error:
            raise PortError("Bind", f"Cannot listen on {self.path}: {error}") from error
        await server.start()
        os.chmod(self.path, 0o600)
        self._server = server

    async def close(self) -> None:
        """Lets go: the Envoys keep what they have and look for a successor on the same path."""
        if self._server is not None:
            await self._server.stop(grace=None)
            self._server = None

    def forget(self, node: str) -> None:
        self._envoys.pop(node, None)

    def connected(self, node: str) -> bool:
        envoy = self._envoys.get(node)
        return envoy is not None and envoy.session is not None

    def lead(self, node: str, number: int) -> None:
        """Launches before this one are leaving: what they have got is no longer waited for."""
        envoy = self._envoy(node)
        envoy.leading = number
        envoy.announce()

    def offer(self, node: str, snapshot: Snapshot, *, again: bool = False) -> None:
        """What the Envoy should have from now on; `settled` tells when it has."""
        envoy = self._envoy(node)
        envoy.offered = snapshot
        for stream in envoy.streams.values():
            stream.session.offer(snapshot, again=again)
            stream.work.set()
        envoy.announce()

    async def settled(self, node: str, timeout: float) -> None:
        """Returns when the Envoy has everything that was last offered. Raises `Rejected`, or `PortError("Timeout")`."""
        envoy = self._envoy(node)
        try:
            async with asyncio.timeout(timeout):
                await envoy.settled()
        except TimeoutError:
            known = "does not acknowledge" if self.connected(node) else "is not connected"
            raise PortError("Timeout", f"Envoy {node} {known} within {timeout:g} s.") from None
        for refusal in self.refusals(node):
            raise refusal

    def refusals(self, node: str) -> list[Rejected]:
        """What the Envoy refuses of what was last offered."""
        sessions = self._envoy(node).counting
        return [Rejected(f"{kind} {name}", why) for each in sessions for (kind, name), why in each.refusals.items()]

    def _envoy(self, node: str) -> _Envoy:
        return self._envoys.setdefault(node, _Envoy())

    async def _stream(self, _: Any, context: Any) -> None:
        first = await context.read()
        if first is _EOF:
            return
        envoy = self._envoy(first.node.id)
        stream = _Stream(_number(first.node))
        session = stream.session
        if envoy.offered is not None:
            session.offer(envoy.offered)
        envoy.streams[stream.number] = stream  # the newest of a launch counts: Envoy has given the older one up
        writer = asyncio.create_task(self._write(envoy, stream, context.write), name=f"xds:{first.node.id}")
        try:
            request = first
            while request is not _EOF:
                session.receive(request)
                stream.work.set()
                envoy.announce()
                request = await context.read()
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            if envoy.streams.get(stream.number) is stream:
                del envoy.streams[stream.number]
            envoy.announce()

    @staticmethod
    async def _write(envoy: _Envoy, stream: _Stream, write: Callable[[Any], Any]) -> None:
        while envoy.streams.get(stream.number) is stream:
            for message in stream.session.pull():
                await write(message)
            await stream.work.wait()
            stream.work.clear()


def _number(node: Any) -> int:
    """Of its launch, as its bootstrap has it; earlier ones did not say."""
    fields = node.metadata.fields
    return int(fields["number"].number_value) if "number" in fields else 0
