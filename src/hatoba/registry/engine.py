"""The registry, as the gateway mounts it: one request in, one response out, every problem in the specification's words.

    engine = Engine(folder, repositories, access, ids=ids)
    await engine.prepare()
    response = await engine.handle(request)

The way of a request: route → authenticate → authorise, find the repository → handler → how it went, to whom it was
let in by. A handler is a function `(engine, visit) -> Response` in `api/`; the table below is all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from hatoba.core.errors import PortError
from hatoba.core.ids import Ids
from hatoba.registry import access as gate
from hatoba.registry import routes
from hatoba.registry.api import blobs, listings, manifests, uploads
from hatoba.registry.api.visit import Visit
from hatoba.registry.blobs import Blobs
from hatoba.registry.disk import Disk
from hatoba.registry.messages import Request, Response, answer
from hatoba.registry.ports import Access, Action, Guest, Repositories
from hatoba.registry.problems import Problem
from hatoba.registry.routes import Kind, Route
from hatoba.registry.uploads import Uploads

Handler = Callable[["Engine", Visit], Awaitable[Response]]

_HANDLERS: Mapping[tuple[Kind, str], tuple[Action, Handler]] = {
    ("catalog", "GET"): ("catalog", listings.catalog),
    ("tags", "GET"): ("tags", listings.tags),
    ("referrers", "GET"): ("referrers", listings.referrers),
    ("blob", "GET"): ("blob", blobs.get),
    ("blob", "HEAD"): ("has blob", blobs.head),
    ("blob", "DELETE"): ("delete blob", blobs.delete),
    ("uploads", "POST"): ("begin upload", uploads.start),
    ("upload", "GET"): ("upload status", uploads.status),
    ("upload", "PATCH"): ("upload", uploads.append),
    ("upload", "PUT"): ("finish upload", uploads.finish),
    ("upload", "DELETE"): ("cancel upload", uploads.cancel),
    ("manifest", "GET"): ("manifest", manifests.get),
    ("manifest", "HEAD"): ("manifest", manifests.head),
    ("manifest", "PUT"): ("put manifest", manifests.put),
    ("manifest", "DELETE"): ("delete manifest", manifests.delete),
}
log = logging.getLogger(__name__)

_VERSION = {"docker-distribution-api-version": "registry/2.0"}


class Engine:
    """Everything a handler works with; `blobs` and `uploads` are also what a room pushes and reads through."""

    def __init__(
        self, folder: Path, repositories: Repositories, access: Access, *, ids: Ids, realm: str = "registry"
    ) -> None:
        self.disk = Disk()
        self.blobs = Blobs(folder, self.disk, ids)
        self.uploads = Uploads(folder, self.disk, self.blobs, ids)
        self.repositories = repositories
        self._access = access
        self._realm = realm

    async def prepare(self) -> None:
        """Before the first request."""
        await self.blobs.prepare()

    def close(self) -> None:
        self.disk.close()

    async def handle(self, request: Request) -> Response:
        try:
            response = await self._handle(request)
        except Problem as problem:
            response = _told(problem, request.method)
        except PortError as error:  # the disk failed
            log.error("%s %s: %s", request.method, request.path, error)
            response = _told(Problem("UNKNOWN", f"The registry's storage failed: {error}."), request.method)
        # Refusals too: "not found" may come from a deletion that is not on the disk yet.
        await self.repositories.settle()
        return Response(status=response.status, headers={**_VERSION, **response.headers}, body=response.body)

    async def _handle(self, request: Request) -> Response:
        route = routes.parse(request.path)
        principal = await gate.authenticate(self._access, request, self._realm)
        if route is None:
            raise Problem("UNSUPPORTED", f"{request.path} is not part of the distribution API.", status=404)
        if route.kind == "base":
            return answer(200, b"{}", content_type="application/json")
        action, handler = self._handler(route, request.method)
        headers = request.headers
        visit = Visit(
            request=request,
            guest=Guest(
                principal=principal,
                host=headers.get("host", ""),
                address=request.peer,
                agent=headers.get("user-agent", ""),
                secure=request.secure,
                way=request.way,
            ),
            repositories=self.repositories,
            name=route.name,
            reference=route.reference,
        )
        visit.enter(action, digest=request.query.get("digest", "") if action == "finish upload" else "")
        return await _told_of(visit, handler(self, visit))

    def _handler(self, route: Route, method: str) -> tuple[Action, Handler]:
        found = _HANDLERS.get((route.kind, method))
        if found is None:
            allowed = ", ".join(verb for kind, verb in _HANDLERS if kind == route.kind)
            raise Problem("UNSUPPORTED", f"{method} is not possible here; {allowed} is.", headers={"allow": allowed})
        return found


async def _told_of(visit: Visit, answering: Awaitable[Response]) -> Response:
    headers: Mapping[str, str] | None = None
    problem: Problem | None = None
    try:
        response = await answering
        headers = response.headers
    except Problem as error:
        problem = error
        raise
    finally:
        visit.left(headers, problem)
    return response


def _told(problem: Problem, method: str) -> Response:
    body = problem.body()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **problem.headers}
    return Response(status=problem.status, headers=headers, body=b"" if method == "HEAD" else body)
