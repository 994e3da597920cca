"""The endpoint's own paths, beside AWS's: health, metrics, and a reset for test suites.

GET  /_hatoba/health    200 {"status": "ready", …}, 503 before and while stopping
GET  /_hatoba/metrics   Prometheus text, of all collectors
GET  /_hatoba/authority.pem   whom to trust by TLS: here, and at VPC endpoints, which have it too
POST /_hatoba/reset     only with `--auth off`, only from loopback: forgets all

Further pages, by the beginning of their paths, are the composition root's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal

import msgspec

from hatoba.gateway.access import foreign_page
from hatoba.gateway.http import Handler, Request, Response
from hatoba.gateway.metrics import Collector

PREFIX = "/_hatoba/"
AUTHORITY = "authority.pem"
Status = Literal["starting", "ready", "stopping"]
Components = Callable[[], Mapping[str, str]]  # name → "ok", or what is wrong


class Own:
    """`status` is the composition root's to set; `components` is asked at every health request and must be cheap."""

    def __init__(
        self,
        *,
        version: str,
        components: Components,
        collectors: Iterable[Collector] = (),
        reset: Callable[[], Awaitable[None]] | None = None,
        pages: Mapping[str, Handler] | None = None,
    ) -> None:
        """`reset`: None unless `--auth off`. `pages`: by what their paths begin with, after `/_hatoba/`."""
        self.status: Status = "starting"
        self._version = version
        self._components = components
        self._collectors = list(collectors)
        self._reset = reset
        self._pages = tuple((pages or {}).items())

    def collect(self, collector: Collector) -> None:
        """Adds a source of metrics."""
        self._collectors.append(collector)

    async def __call__(self, request: Request) -> Response:
        path = request.path.removeprefix(PREFIX)
        for beginning, page in self._pages:
            if path.startswith(beginning):
                return await page(request)
        match request.method, path:
            case "GET" | "HEAD", "health":
                return self._health()
            case "GET" | "HEAD", "metrics":
                return self._metrics()
            case "POST", "reset":
                return await self._forget(request)
            case _, "health" | "metrics":
                return _json(405, {"message": "Only GET is answered here."}, allow="GET, HEAD")
            case _, "reset":
                return _json(405, {"message": "Only POST is answered here."}, allow="POST")
        return _json(404, {"message": f"There is no {request.path[:256]} here; there are health, metrics and reset."})

    def _health(self) -> Response:
        body = {"status": self.status, "version": self._version, "components": dict(self._components())}
        return _json(200 if self.status == "ready" else 503, body)

    def _metrics(self) -> Response:
        lines = "".join(f"{line}\n" for collector in self._collectors for line in collector())
        return Response(headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"}, body=lines.encode())

    async def _forget(self, request: Request) -> Response:
        if self._reset is None:
            return _json(403, {"message": "Nothing is reset here: the platform was not started with --auth off."})
        if not _loopback(request.peer):
            return _json(403, {"message": f"Only this machine may ask for a reset, not {request.peer}."})
        if foreign_page(request.headers):
            return _json(403, {"message": "A page of another site may not ask for a reset."})
        await self._reset()
        return _json(200, {"status": "reset"})


def shown(text: str) -> Handler:
    """A page that is always the same."""

    async def page(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _json(405, {"message": "Only GET is answered here."}, allow="GET, HEAD")
        return Response(headers={"content-type": "text/plain; charset=utf-8"}, body=text.encode())

    return page


def _loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _json(status: int, value: object, **headers: str) -> Response:
    return Response(
        status=status, headers={"content-type": "application/json", **headers}, body=msgspec.json.encode(value)
    )
