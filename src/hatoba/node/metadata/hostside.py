"""The endpoint for tasks on the host's own network: 169.254.170.2 as everywhere, and nobody else's secrets.

These tasks share the host's addresses, so the path names the task (by the id of its credentials, or by the endpoint of
one of its containers), and who asks is known by the process: the connection has to be one of that task's own (`owner`).
The host's rules lead only what our containers send to 169.254.170.2 here; the rest of the host, and other instances on
it, keep whatever they find there.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Protocol
from urllib.parse import parse_qs

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.gateway.http.messages import Request, Response
from hatoba.gateway.http.server import Server
from hatoba.network.base import Fabric, HostRedirect
from hatoba.node.held import Held
from hatoba.node.metadata import owner
from hatoba.node.metadata.answers import Answers, Knowledge
from hatoba.node.metadata.refusal import NotThere
from hatoba.node.translate import METADATA
from hatoba.runtime.base import Runtime

log = logging.getLogger(__name__)

_JSON = {"content-type": "application/json"}
_PORT = 80


class HostKnowledge(Knowledge, Protocol):
    def held(self, workload: str) -> Held | None: ...


class HostEndpoint:
    def __init__(self, fabric: Fabric, knowledge: HostKnowledge, runtime: Runtime, clock: Clock) -> None:
        self._fabric = fabric
        self._knowledge = knowledge
        self._runtime = runtime
        self._answers = Answers(fabric, knowledge, runtime, clock)
        self._server = Server(self._handle, clock=clock)
        self.port = 0
        self.meant: owner.End | None = None  # where the client's end says that it went, if not where tasks go

    async def start(self, cgroup: str, tree: str) -> None:
        """Serves the containers of a cgroup of the version 2 tree (see `HostRedirect`)."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.setblocking(False)
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        await self._server.serve(listener)
        wanted = HostRedirect(address=METADATA, port=_PORT, to_port=self.port, cgroup=cgroup, tree=tree)
        try:
            await self._fabric.redirect(wanted)
        except PortError as error:
            log.warning("tasks on the host's network have no metadata: %s", error)

    async def close(self) -> None:
        await self._server.close(grace=0.0)

    async def _handle(self, request: Request) -> Response:
        try:
            body = await self._answers.answer(await self._asking(request), request)
        except NotThere as refusal:
            return Response(status=refusal.status, headers=_JSON, body=msgspec.json.encode(refusal.body))
        return Response(headers=_JSON, body=msgspec.json.encode(body))

    async def _asking(self, request: Request) -> Held:
        """The task that the path names, if it is the one that asks. Else the same answer, whatever the reason."""
        held = self._named(request)
        if held is not None and held.workload.network_mode in ("", "host") and held.workload.interface is None:
            processes = await self._runtime.processes(held.workload.id)
            if await asyncio.to_thread(self._is_theirs, (request.peer, request.peer_port), processes):
                return held
        raise NotThere(404, "unable to find the task that this connection belongs to")

    def _named(self, request: Request) -> Held | None:
        match request.path.strip("/").split("/"):
            case ["v1", "credentials"]:
                return self._by_credential((parse_qs(request.query).get("id") or [""])[0])
            case ["v2", "credentials", id_]:
                return self._by_credential(id_)
            case ["v3" | "v4" | "api", endpoint, *_]:
                return self._knowledge.held(endpoint.rpartition("-")[0])
        return None

    def _by_credential(self, id_: str) -> Held | None:
        item = self._knowledge.credential(id_)
        return self._knowledge.held(item.workload) if item is not None else None

    def _is_theirs(self, client: owner.End, processes: frozenset[int]) -> bool:
        number = owner.inode(client, self.meant or (METADATA, _PORT))
        return number is not None and owner.holds(processes, number)
