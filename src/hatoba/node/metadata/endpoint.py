"""The server behind 169.254.170.2, one per network of this node, inside that network's router.

Who asks is known by the source address, which the fabric does not let anybody forge: a task gets its own credentials
and its own metadata, whatever path it asks for. What it is answered is `answers`' business.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.gateway.http.messages import Request, Response
from hatoba.gateway.http.server import Server
from hatoba.network.base import Fabric
from hatoba.node.metadata.answers import Answers, Knowledge
from hatoba.node.metadata.refusal import NotThere
from hatoba.node.translate import METADATA
from hatoba.runtime.base import Runtime

_JSON = {"content-type": "application/json"}


class MetadataEndpoint:
    """Implements `services.NetworkServices`."""

    def __init__(self, fabric: Fabric, knowledge: Knowledge, runtime: Runtime, clock: Clock) -> None:
        self._fabric = fabric
        self._knowledge = knowledge
        self._clock = clock
        self._answers = Answers(fabric, knowledge, runtime, clock)
        self._servers: dict[str, Server] = {}

    async def open(self, network: str, netns: Path) -> None:
        if network in self._servers:
            return
        listener = await self._fabric.open_socket(network, socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((METADATA, 80))
        except OSError as error:
            listener.close()
            raise PortError("kernel", f"listen on {METADATA}:80 in {network}: {error.strerror}") from error
        server = Server(self._handler(network), clock=self._clock)
        await server.serve(listener)
        self._servers[network] = server

    async def refresh(self, network: str, netns: Path) -> None:
        return

    async def close(self, network: str) -> None:
        server = self._servers.pop(network, None)
        if server is not None:
            await server.close(grace=0.0)

    async def close_all(self) -> None:
        for network in list(self._servers):
            await self.close(network)

    def _handler(self, network: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                held = self._knowledge.by_address(network, request.peer)
                if held is None:
                    raise NotThere(404, f"unable to find a task with the address {request.peer}")
                body = await self._answers.answer(held, request)
            except NotThere as refusal:
                return Response(status=refusal.status, headers=_JSON, body=msgspec.json.encode(refusal.body))
            return Response(headers=_JSON, body=msgspec.json.encode(body))

        return handle
