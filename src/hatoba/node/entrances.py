"""VPC endpoints, as this node opens them beside the control plane: a listener in each VPC's router, handed over.

The control plane accepts by itself what comes, so that it sees the client's own address, and which endpoint it asked;
no byte passes through this process. A listener is handed over by a socket of the machine, and is the control plane's
until that connection ends: then it is handed over again, as soon as somebody takes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from pathlib import Path

from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup, end
from hatoba.network.base import BRIDGE, Fabric
from hatoba.node.translate import METADATA

log = logging.getLogger(__name__)

AGAIN = 0.2  # seconds until it is tried again to hand over
BACKLOG = 1024


class Entrances:
    """Implements `services.NetworkServices`."""

    def __init__(self, fabric: Fabric, port: int, taker: Path) -> None:
        """`port`: of METADATA, to which routers translate; `taker`: the control plane's socket."""
        self._fabric = fabric
        self._port = port
        self._taker = taker
        self._group = TaskGroup("entrances")
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self, network: str, netns: Path) -> None:
        if network in self._tasks or network == BRIDGE:
            return
        listener = await self._fabric.open_socket(network, socket.AF_INET, socket.SOCK_STREAM)
        try:
            # Beside one of an agent that was killed, until the control plane lets go of it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((METADATA, self._port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise PortError("kernel", f"listen on {METADATA}:{self._port} in {network}: {error.strerror}") from error
        self._tasks[network] = self._group.start(self._hand_over(network, listener), network)

    async def refresh(self, network: str, netns: Path) -> None:
        return

    async def close(self, network: str) -> None:
        task = self._tasks.pop(network, None)
        if task is not None:
            await end(task)

    async def close_all(self) -> None:
        for network in list(self._tasks):
            await self.close(network)

    async def _hand_over(self, network: str, listener: socket.socket) -> None:
        with listener:
            while True:
                with contextlib.suppress(OSError):  # nobody takes it now
                    await self._until_let_go(network, listener)
                await asyncio.sleep(AGAIN)

    async def _until_let_go(self, network: str, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            await loop.sock_connect(channel, str(self._taker))
            socket.send_fds(channel, [network.encode()], [listener.fileno()])
            log.info("the endpoints of %s are served", network)
            await loop.sock_recv(channel, 1)
