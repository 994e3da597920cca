"""VPC endpoints, as this node opens them beside the control plane: two listeners in each VPC's router, handed over.

The control plane accepts by itself what comes (to the second one by TLS), so that it sees the client's own address, and
which endpoint it asked; no byte passes through this process. Listeners are handed over by a socket of the machine, and
are the control plane's until that connection ends: then they are handed over again, as soon as somebody takes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterable
from pathlib import Path

from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup, end
from hatoba.network.base import BRIDGE, Fabric
from hatoba.network.beyond import HTTPS
from hatoba.node.translate import METADATA

log = logging.getLogger(__name__)

AGAIN = 0.2  # seconds until it is tried again to hand over
BACKLOG = 1024


class Entrances:
    """Implements `services.NetworkServices`."""

    def __init__(self, fabric: Fabric, port: int, taker: Path) -> None:
        """`port`: of METADATA, to which routers translate what is asked without TLS; `taker`: the control plane's
        socket."""
        self._fabric = fabric
        self._ports = (port, HTTPS)
        self._taker = taker
        self._group = TaskGroup("entrances")
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self, network: str, netns: Path) -> None:
        if network in self._tasks or network == BRIDGE:
            return
        listeners = await self._listeners(network)
        self._tasks[network] = self._group.start(self._hand_over(network, listeners), network)

    async def _listeners(self, network: str) -> list[socket.socket]:
        """One for each port, or none at all."""
        opened: list[socket.socket] = []
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

    async def _hand_over(self, network: str, listeners: list[socket.socket]) -> None:
        try:
            while True:
                with contextlib.suppress(OSError):  # nobody takes them now
                    await self._until_let_go(network, listeners)
                await asyncio.sleep(AGAIN)
        finally:
            _close(listeners)

    async def _until_let_go(self, network: str, listeners: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            await loop.sock_connect(channel, str(self._taker))
            socket.send_fds(channel, [network.encode()], [listener.fileno() for listener in listeners])
            log.info("the endpoints of %s are served", network)
            await loop.sock_recv(channel, 1)


def _close(listeners: Iterable[socket.socket]) -> None:
    for listener in listeners:
        listener.close()
