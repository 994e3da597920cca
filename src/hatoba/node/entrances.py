"""VPC endpoints, as this node opens them: two listeners in each VPC's router, the second one for TLS.

Whoever serves them is one of two:

    HandedOver   beside the control plane: it accepts by itself, so that it sees the client's own address, and which
                 endpoint it asked, and no byte passes through this process. The listeners are handed over by a socket
                 of the machine, and are the control plane's until that connection ends: then they are handed over
                 again, as soon as somebody takes them
    Brought      elsewhere: accepted here, and brought to the control plane, each on a connection of the node's own that
                 begins with what the node has seen. A client's bytes come after that, whatever they are
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from hatoba.core.errors import PortError
from hatoba.core.relay import Ends, relay
from hatoba.core.tasks import TaskGroup, end
from hatoba.fleet import messages as msg
from hatoba.gateway.http.reached import meant
from hatoba.network.base import BRIDGE, Fabric
from hatoba.network.beyond import HTTPS
from hatoba.node.translate import METADATA

log = logging.getLogger(__name__)

AGAIN = 0.2  # seconds until it is tried again to hand over
BACKLOG = 1024
MOST = 128  # connections of one client at a time that are brought to the control plane


Listeners = list[socket.socket]  # in clear, by TLS
Serve = Callable[[str, Listeners], Coroutine[Any, Any, None]]  # those of a network, for ever
Dial = Callable[[], Awaitable[Ends]]


class Entrances:
    """Implements `services.NetworkServices`."""

    def __init__(self, fabric: Fabric, port: int, serve: Serve) -> None:
        """`port`: of METADATA, to which routers translate what is asked without TLS."""
        self._fabric = fabric
        self._ports = (port, HTTPS)
        self._serve = serve
        self._group = TaskGroup("entrances")
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self, network: str, netns: Path) -> None:
        if network in self._tasks or network == BRIDGE:
            return
        listeners = await self._listeners(network)
        self._tasks[network] = self._group.start(self._serving(network, listeners), network)

    async def _serving(self, network: str, listeners: Listeners) -> None:
        try:
            await self._serve(network, listeners)
        finally:
            _close(listeners)

    async def _listeners(self, network: str) -> Listeners:
        """One for each port, or none at all."""
        opened: Listeners = []
        try:
            for port in self._ports:
                opened.append(await self._listener(network, port))
        except PortError:
            _close(opened)
            raise
        return opened

    async def _listener(self, network: str, port: int) -> socket.socket:
        listener = await self._fabric.open_socket(network, socket.AF_INET, socket.SOCK_STREAM)
        try:
            # Beside one of an agent that was killed, until the control plane lets go of it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((METADATA, port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise PortError("kernel", f"listen on {METADATA}:{port} in {network}: {error.strerror}") from error
        return listener

    async def refresh(self, network: str, netns: Path) -> None:
        return

    async def close(self, network: str) -> None:
        task = self._tasks.pop(network, None)
        if task is not None:
            await end(task)

    async def close_all(self) -> None:
        for network in list(self._tasks):
            await self.close(network)


class HandedOver:
    def __init__(self, taker: Path) -> None:
        """`taker`: the control plane's socket."""
        self._taker = taker

    async def __call__(self, network: str, listeners: Listeners) -> None:
        while True:
            with contextlib.suppress(OSError):  # nobody takes them now
                await self._until_let_go(network, listeners)
            await asyncio.sleep(AGAIN)

    async def _until_let_go(self, network: str, listeners: Listeners) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            await loop.sock_connect(channel, str(self._taker))
            socket.send_fds(channel, [network.encode()], [listener.fileno() for listener in listeners])
            log.info("the endpoints of %s are served", network)
            await loop.sock_recv(channel, 1)


class Brought:
    def __init__(self, dial: Dial) -> None:
        """`dial`: a further connection to the control plane. Raises `OSError`, `TimeoutError`."""
        self._dial = dial
        self._open: Counter[tuple[str, str]] = Counter()  # by VPC and client

    async def __call__(self, network: str, listeners: Listeners) -> None:
        clients = TaskGroup(f"clients of {network}")
        try:
            async with asyncio.TaskGroup() as accepting:
                for listener, tls in zip(listeners, (False, True), strict=True):
                    accepting.create_task(self._accept(network, listener, clients, tls=tls))
        finally:
            await clients.close()

    async def _accept(self, network: str, listener: socket.socket, clients: TaskGroup, *, tls: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, (client, port) = await loop.sock_accept(listener)
            except OSError as error:  # of this client, or there are no descriptors left for now
                log.warning("an endpoint in %s: %s", network, error)
                await asyncio.sleep(AGAIN)
                continue
            if self._open[network, client] >= MOST:
                accepted.close()
                continue
            came = msg.Entered(network=network, endpoint=meant(accepted), client=client, port=port, tls=tls)
            clients.start(self._bring(accepted, came), client)

    async def _bring(self, accepted: socket.socket, came: msg.Entered) -> None:
        who = (came.network, came.client)
        self._open[who] += 1
        try:
            await self._relay(accepted, came)
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    async def _relay(self, accepted: socket.socket, came: msg.Entered) -> None:
        client = await asyncio.open_connection(sock=accepted)
        try:
            control = await self._dial()
        except (OSError, TimeoutError) as error:
            log.info("%s asks an endpoint, but the control plane is away: %s", came.client, error)
            client[1].close()
            return
        control[1].write(msg.frame(came))
        await relay(client, control)


def _close(listeners: Iterable[socket.socket]) -> None:
    for listener in listeners:
        listener.close()
