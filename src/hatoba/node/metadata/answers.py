"""What a task is answered, by path. Everything is looked up when it is asked for.

GET      /v1/credentials?id=…                      its role's credentials, also below /v2/credentials/
GET      /v2/metadata[/<container>]                also metadataWithTags, stats[/<container>]
GET      /v3/<endpoint>, /v4/<endpoint>            the container whose endpoint it is; then
             /task /taskWithTags /stats /task/stats /associations/<type>[/<name>]
GET PUT  /api/<endpoint>/task-protection/v1/state
POST     /api/<endpoint>/fault/v1/<fault>/<start|stop|status>
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import parse_qs

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.fleet.items import CredentialItem
from hatoba.fleet.model import ContainerWanted
from hatoba.gateway.http.body import BodyTooLarge
from hatoba.gateway.http.messages import Request
from hatoba.network.base import Fabric
from hatoba.node import translate
from hatoba.node.health import Outcome
from hatoba.node.held import Held
from hatoba.node.metadata import credentials, faults, protection, tags, views
from hatoba.node.metadata.drift import drift
from hatoba.node.metadata.faults import Faults
from hatoba.node.metadata.meter import Meter
from hatoba.node.metadata.refusal import NotThere
from hatoba.node.translate import Place
from hatoba.runtime.base import Runtime

_LONGEST_BODY = 16384  # bytes that a task may send


class Knowledge(Protocol):
    """What the agent knows of its workloads."""

    def by_address(self, network: str, address: str) -> Held | None: ...

    def place(self, workload: str) -> Place | None: ...

    def credential(self, id_: str) -> CredentialItem | None: ...

    def last_check(self, workload: str, container: str) -> Outcome | None: ...

    async def ask(self, workload: str, what: str) -> bytes:
        """A question to the control plane. Raises `PortError`."""
        ...

    @property
    def endpoint(self) -> str:
        """host:port of the control plane."""
        ...


class Answers:
    def __init__(self, fabric: Fabric, knowledge: Knowledge, runtime: Runtime, clock: Clock) -> None:
        self._knowledge = knowledge
        self._runtime = runtime
        self._clock = clock
        self._meter = Meter(runtime, fabric)
        self._faults = Faults(fabric, clock)

    async def answer(self, held: Held, request: Request) -> Any:
        """The body, as plain values. Raises `NotThere`."""
        match request.path.strip("/").split("/"):
            case ["api", endpoint, *rest]:
                return await self._agent(held, endpoint, rest, request)
            case _ if request.method != "GET":
                raise NotThere(405, "method not allowed")
            case ["v1", "credentials"]:
                return self._credentials(held, (parse_qs(request.query).get("id") or [""])[0])
            case ["v2", "credentials", *id_] if len(id_) <= 1:
                return self._credentials(held, "".join(id_))
            case ["v2", *rest]:
                return await self._second(held, rest)
            case ["v3" | "v4" as version, endpoint, *rest]:
                return await self._about(held, int(version[1]), endpoint, rest)
        raise NotThere(404, "404 page not found")

    # --- the agent's own API, below ECS_AGENT_URI

    async def _agent(self, held: Held, endpoint: str, rest: list[str], request: Request) -> Any:
        there = _named(held, endpoint) is not None
        match rest:
            case ["task-protection", "v1", "state"]:
                if not there:
                    raise NotThere(404, protection.NOBODY.body(""))
                return await self._protection(held, request)
            case ["fault", "v1", kind, verb] if kind in faults.KINDS and verb in faults.VERBS:
                if request.method != "POST":
                    raise NotThere(405, "method not allowed")
                if not there:
                    raise NotThere(404, {"Error": f"unable to lookup container: {endpoint}"})
                return await self._faults.ask(held, kind, verb, await _body(request))
        raise NotThere(404, "404 page not found")

    async def _protection(self, held: Held, request: Request) -> Any:
        if request.method not in ("GET", "PUT"):
            raise NotThere(405, "method not allowed")
        workload = held.workload
        credential = self._knowledge.credential(workload.credential) if workload.credential else None
        state = await _body(request) if request.method == "PUT" else None
        try:
            return await protection.ask(self._knowledge.endpoint, workload, credential, state, self._clock.now())
        except protection.Refused as refusal:
            raise NotThere(refusal.status, refusal.body(workload.metadata.get("TaskARN", ""))) from None

    # --- credentials

    def _credentials(self, held: Held, id_: str) -> dict[str, str]:
        if not id_:
            raise credentials.refused(400, "NoIdInRequest", "CredentialsV2Request: No ID in the request")
        return credentials.told(self._knowledge.credential(id_), held.workload.id, self._clock.now())

    # --- metadata and stats

    async def _second(self, held: Held, rest: list[str]) -> Any:
        """Version 2 names containers by their Docker ids."""
        match rest:
            case ["metadata"] | ["metadata", ""]:
                return views.task(await self._known(held), 2)
            case ["metadataWithTags"] | ["metadataWithTags", ""]:
                return views.task(await self._known(held, tagged=True), 2)
            case ["metadata" | "metadataWithTags", id_]:
                wanted = _by_docker_id(held, id_)
                return views.container(await self._known(held), wanted, held.container(wanted.name), 2)
            case ["stats"] | ["stats", ""]:
                return await self._stats(held)
            case ["stats", id_]:
                _by_docker_id(held, id_)
                return (await self._stats(held)).get(id_)
        raise NotThere(404, "404 page not found")

    async def _about(self, held: Held, version: int, endpoint: str, rest: list[str]) -> Any:
        wanted = _named(held, endpoint)
        if wanted is None:
            why = f"unable to get container ID from request: unable to get docker ID from v3 endpoint ID: {endpoint}"
            raise NotThere(404, f"V{version} container metadata handler: {why}")
        status = held.container(wanted.name)
        match rest:
            case [] | [""]:
                return views.container(await self._known(held), wanted, status, version)
            case ["task"]:
                return views.task(await self._known(held, storage=version >= 4), version)
            case ["taskWithTags"]:
                return views.task(await self._known(held, storage=version >= 4, tagged=True), version)
            case ["stats"]:
                return (await self._stats(held)).get(status.runtime_id)
            case ["task", "stats"]:
                return await self._stats(held)
            case ["associations", _]:
                return {"Associations": []}  # there are no accelerators to be associated with
            case ["associations", type_, name]:
                why = f"unable to find association {name} of type {type_}"
                raise NotThere(400, f"Unable to write container association response: {why}")
        raise NotThere(404, "404 page not found")

    async def _known(self, held: Held, *, storage: bool = False, tagged: bool = False) -> views.About:
        workload = held.workload
        checks = {
            c.name: last
            for c in workload.containers
            if c.health is not None and (last := self._knowledge.last_check(workload.id, c.name)) is not None
        }
        about = views.About(
            held=held,
            place=self._knowledge.place(workload.id),
            checks=checks,
            drift=drift(self._clock.now()) if storage else None,
            tags=await tags.tags(self._knowledge.ask, workload) if tagged else None,
        )
        if storage:
            with suppress(PortError):  # the runtime is away, or the task's disk is gone already
                about = replace(about, storage=await self._runtime.storage(workload.id))
        return about

    async def _stats(self, held: Held) -> dict[str, Any]:
        try:
            return await self._meter.of(held)
        except PortError as error:
            raise NotThere(500, f"failed to get stats: {error.message}") from None


async def _body(request: Request) -> bytes:
    try:
        return await request.body.read(_LONGEST_BODY)
    except BodyTooLarge:
        raise NotThere(413, "the body is too long") from None


def _named(held: Held, endpoint: str) -> ContainerWanted | None:
    """The container of this task that the path names."""
    named = (c for c in held.workload.containers if translate.endpoint_id(held.workload.id, c.name) == endpoint)
    return next(named, None)


def _by_docker_id(held: Held, id_: str) -> ContainerWanted:
    name = next((c.name for c in held.status.containers if c.runtime_id == id_ and id_), None)
    if name is None:
        raise NotThere(400, f"Unable to get container metadata: unable to find container '{id_}'")
    return next(c for c in held.workload.containers if c.name == name)
