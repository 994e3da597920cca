"""Takes the listeners of VPC endpoints that the node on this machine hands over (`node/entrances.py`), and serves them.

A socket of the machine's own, which root alone may open: each connection brings two listeners with their VPC's id, and
holds them open. What comes to the second one speaks TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from hatoba.app.admin import owners_only
from hatoba.core.clock import Clock
from hatoba.core.tasks import TaskGroup
from hatoba.gateway.http import Handler, Server

log = logging.getLogger(__name__)

_NETWORK = re.compile(r"[\w-]{1,64}")


class Entrances:
    def __init__(
        self, path: Path, handler: Callable[[str], Handler], tls: Callable[[str], ssl.SSLContext], clock: Clock
    ) -> None:
        """`handler`: of requests from a VPC, by its id; `tls`: what is shown there."""
        self._path = path
        self._handler = handler
        self._tls = tls
        self._clock = clock
        self._tasks = TaskGroup("entrances")

    def start(self) -> None:
        listener = owners_only(self._path)
        listener.listen()
        self._tasks.start(self._take(listener), "listeners")

    async def close(self) -> None:
        await self._tasks.close()

    async def _take(self, listener: socket.socket) -> None:
        with listener:
            while True:
                channel, _ = await asyncio.get_running_loop().sock_accept(listener)
                self._tasks.start(self._serve(channel), "a VPC")

    async def _serve(self, channel: socket.socket) -> None:
        """Until whoever handed it over goes."""
        with channel, contextlib.suppress(OSError):
            channel.setblocking(False)
            await _readable(channel)
            said, given, _, _ = socket.recv_fds(channel, 256, 2)
            listeners = [socket.socket(fileno=descriptor) for descriptor in given]
            network = said.decode(errors="replace")
            if len(listeners) != 2 or not _NETWORK.fullmatch(network):
                for listener in listeners:
                    listener.close()
                return
            server = Server(self._handler(network), clock=self._clock, translated=True)
            for listener, tls in zip(listeners, (None, self._tls(network)), strict=True):
                listener.setblocking(False)
                await server.serve(listener, tls)
            try:
                await asyncio.get_running_loop().sock_recv(channel, 1)
            finally:
                await server.close(grace=1.0)


async def _readable(channel: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(channel, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(channel)
