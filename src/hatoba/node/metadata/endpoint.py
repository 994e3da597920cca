"""The server behind 169.254.170.2, one per VPC of this node, inside the VPC's router.

Who asks is known by the source address, which the fabric does not let anybody forge: a task gets its own credentials
and its own metadata, whatever path it asks for.
"""

from __future__ import annotations

import datetime
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.fleet.items import CredentialItem
from hatoba.fleet.model import ContainerWanted
from hatoba.gateway.http.body import BodyTooLarge
from hatoba.gateway.http.messages import Request, Response
from hatoba.gateway.http.server import Server
from hatoba.network.base import Fabric
from hatoba.node import translate
from hatoba.node.advance import Held
from hatoba.node.metadata import protection, views
from hatoba.node.translate import METADATA, Place
from hatoba.runtime.base import Runtime, Usage

log = logging.getLogger(__name__)

_LONGEST_STATE = 4096  # bytes that a task may put
_JSON = {"content-type": "application/json"}


class Knowledge(Protocol):
    """What the agent knows of its workloads."""

    def by_address(self, network: str, address: str) -> Held | None: ...

    def place(self, workload: str) -> Place | None: ...

    def credential(self, id_: str) -> CredentialItem | None: ...

    @property
    def endpoint(self) -> str:
        """host:port of the control plane."""
        ...


class NotThere(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class MetadataEndpoint:
    """Implements `wiring.NetworkServices`."""

    def __init__(self, fabric: Fabric, knowledge: Knowledge, runtime: Runtime, clock: Clock) -> None:
        self._fabric = fabric
        self._knowledge = knowledge
        self._runtime = runtime
        self._clock = clock
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
                body = await self._answer(network, request)
            except NotThere as refusal:
                return Response(status=refusal.status, headers=_JSON, body=msgspec.json.encode(refusal.body))
            return Response(headers=_JSON, body=msgspec.json.encode(body))

        return handle

    async def _answer(self, network: str, request: Request) -> Any:
        held = self._knowledge.by_address(network, request.peer)
        if held is None:
            raise NotThere(404, f"unable to find a task with the address {request.peer}")
        if request.path.startswith("/api/"):
            return await self._agent(held, request)
        if request.method != "GET":
            raise NotThere(405, "method not allowed")
        match request.path.strip("/").split("/"):
            case ["v2", "credentials"] | ["v2", "credentials", ""]:
                raise _credential_error(400, "NoIdInRequest", "CredentialsV2Request: No ID in the request")
            case ["v2", "credentials", id_]:
                return self._credentials(held, id_)
            case ["v2", "metadata"]:
                return await self._task(held, 3)
            case ["v3" | "v4" as version, endpoint, *rest]:
                return await self._about(held, int(version[1]), endpoint, rest)
        raise NotThere(404, "page not found")

    async def _agent(self, held: Held, request: Request) -> Any:
        """The agent's own API, below ECS_AGENT_URI."""
        match request.path.strip("/").split("/"):
            case ["api", endpoint, "task-protection", "v1", "state"] if _named(held, endpoint) is not None:
                return await self._protection(held, request)
        raise NotThere(404, "page not found")

    async def _protection(self, held: Held, request: Request) -> Any:
        if request.method not in ("GET", "PUT"):
            raise NotThere(405, "method not allowed")
        workload = held.workload
        credential = self._knowledge.credential(workload.credential) if workload.credential else None
        try:
            state = await request.body.read(_LONGEST_STATE) if request.method == "PUT" else None
            return await protection.ask(self._knowledge.endpoint, workload, credential, state, self._clock.now())
        except BodyTooLarge:
            raise NotThere(413, "the body is too long") from None
        except protection.Refused as refusal:
            error = {"Arn": workload.metadata.get("TaskARN", ""), "Code": refusal.code, "Message": refusal.message}
            raise NotThere(refusal.status, {"error": error}) from None

    def _credentials(self, held: Held, id_: str) -> dict[str, str]:
        item = self._knowledge.credential(id_)
        if item is None or item.workload != held.workload.id:
            raise _credential_error(400, "InvalidIdInRequest", "CredentialsV2Request: ID not found")
        if item.expires <= self._clock.now():
            raise _credential_error(503, "CredentialsUninitialized", "CredentialsV2Request: Credentials expired")
        expires = datetime.datetime.fromtimestamp(item.expires, datetime.UTC)
        return {
            "RoleArn": item.role,
            "AccessKeyId": item.access_key,
            "SecretAccessKey": item.secret_key.reveal(),
            "Token": item.token.reveal(),
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    async def _task(self, held: Held, version: int) -> dict[str, Any]:
        storage: Usage | None = None
        if version >= 4:
            with suppress(PortError):  # containerd is away, or the task's disk is gone already
                storage = await self._runtime.storage(held.workload.id)
        return views.task(held.workload, held.status, self._knowledge.place(held.workload.id), version, storage=storage)

    async def _about(self, held: Held, version: int, endpoint: str, rest: list[str]) -> Any:
        wanted = _named(held, endpoint)
        if wanted is None:
            raise NotThere(404, f"V{version} container metadata handler: unable to get container ID from request")
        match rest:
            case [] | [""]:
                place = self._knowledge.place(held.workload.id)
                return views.container(held.workload, wanted, held.container(wanted.name), place, version)
            case ["task"] | ["taskWithTags"]:
                return await self._task(held, version)
            case ["stats"]:
                return (await self._stats(held)).get(held.container(wanted.name).runtime_id)
            case ["task", "stats"]:
                return await self._stats(held)
        raise NotThere(404, "page not found")

    async def _stats(self, held: Held) -> dict[str, Any]:
        names = {c.runtime_id: c.name for c in held.status.containers if c.runtime_id}
        samples = await self._runtime.stats(list(names))
        return {id_: views.stats(sample, names[id_], id_) for id_, sample in samples.items()}


def _named(held: Held, endpoint: str) -> ContainerWanted | None:
    """The container of this task that the path names."""
    named = (c for c in held.workload.containers if translate.endpoint_id(held.workload.id, c.name) == endpoint)
    return next(named, None)


def _credential_error(status: int, code: str, message: str) -> NotThere:
    return NotThere(status, {"code": code, "message": message, "HTTPErrorCode": status})
