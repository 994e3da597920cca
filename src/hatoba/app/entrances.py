"""Serves VPC endpoints: at listeners that the node on this machine hands over, and what other nodes bring.

The node here comes to a socket of the machine's own, which root alone may open: each connection brings two listeners
with their VPC's id, and holds them open. What comes to the second one speaks TLS. Other nodes accept themselves
(`fleet/entering.py`): their clients' bytes go through a pair of sockets, and are served like those that came here.
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
from hatoba.core.relay import relay
from hatoba.core.tasks import TaskGroup, end
from hatoba.fleet.messages import Entered
from hatoba.gateway.http import Arrival, Handler, Server

log = logging.getLogger(__name__)

ANSWERING = 600.0  # seconds for what is being answered when a node's agent ends: it needs that no more
ENDING = 1.0  # and when this process does
_NETWORK = re.compile(r"[\w-]{1,64}")


class _Brought:
    def __init__(self, server: Server, tls: ssl.SSLContext) -> None:
        self.server = server
        self.tls = tls
        self.clients = 0


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
        self._brought: dict[str, _Brought] = {}  # by VPC, while somebody of other nodes is there

    def start(self) -> None:
        listener = owners_only(self._path)
        listener.listen()
        self._tasks.start(self._take(listener), "listeners")

    async def close(self) -> None:
        await self._tasks.close()
        for brought in self._brought.values():
            await brought.server.close(grace=ENDING)

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
                with contextlib.suppress(OSError):
                    await asyncio.get_running_loop().sock_recv(channel, 1)
                await server.close(grace=ANSWERING)
            except asyncio.CancelledError:  # this process ends
                await server.close(grace=ENDING)
                raise

    async def enter(self, entered: Entered, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves a connection that another node brings, to its end."""
        network = entered.network
        there = self._brought.get(network)
        if there is None:
            server = Server(self._handler(network), clock=self._clock)
            there = self._brought[network] = _Brought(server, self._tls(network))
        there.clients += 1
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        carrying = self._tasks.start(relay((reader, writer), await asyncio.open_unix_connection(sock=near)), network)
        node, *_ = writer.get_extra_info("peername") or ("",)
        arrival = Arrival(peer=entered.client, peer_port=entered.port, meant=entered.endpoint, carrier=node)
        try:
            await there.server.take(far, arrival, there.tls if entered.tls else None)
            await asyncio.wait((carrying,))
        except OSError as error:
            log.info("a client of an endpoint in %s: %s", network, error)
        finally:
            await end(carrying)
            there.clients -= 1
            if not there.clients:
                del self._brought[network]


async def _readable(channel: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(channel, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(channel)
