"""Lists: repositories, tags, referrers; in pages, with a Link to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hatoba.registry import manifests
from hatoba.registry.api.visit import Visit
from hatoba.registry.messages import Response, json

if TYPE_CHECKING:
    from hatoba.registry.engine import Engine

PAGE = 1000  # at most; the next page is one Link away


async def catalog(engine: Engine, visit: Visit) -> Response:
    limit = visit.limit(PAGE)
    found = engine.repositories.catalog(visit.request.query.get("last", ""), limit + 1)
    return _page(visit, "repositories", found, limit, "/v2/_catalog")


async def tags(engine: Engine, visit: Visit) -> Response:
    limit = visit.limit(PAGE)
    found = engine.repositories.tags(visit.repository, visit.request.query.get("last", ""), limit + 1)
    return _page(visit, "tags", found, limit, visit.path("tags/list"), name=visit.name)


async def referrers(engine: Engine, visit: Visit) -> Response:
    """An index of all that name the digest as their subject. A subject that is not there has none."""
    subject = visit.digest()
    query = visit.request.query
    found = engine.repositories.referrers(visit.repository, subject, query.get("last", ""), PAGE + 1)
    page, more = found[:PAGE], len(found) > PAGE
    kind = query.get("artifactType")
    shown = [descriptor for descriptor in page if kind is None or descriptor.artifact_type == kind]
    headers = {"content_type": manifests.OCI_INDEX}
    if kind is not None:
        headers["oci_filters_applied"] = "artifactType"
    if more:
        path = visit.path(f"referrers/{subject}")
        headers["link"] = visit.link(path, last=page[-1].digest, **({"artifactType": kind} if kind else {}))
    return json(200, {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": shown}, **headers)


def _page(visit: Visit, key: str, found: list[str], limit: int, path: str, **extra: str) -> Response:
    page = found[:limit]
    more = len(found) > limit and page
    headers = {"link": visit.link(path, n=str(limit), last=page[-1])} if more else {}
    return json(200, {**extra, key: page}, **headers)
