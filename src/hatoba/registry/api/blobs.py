"""GET, HEAD and DELETE of a blob, through a repository that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hatoba.registry import ranges
from hatoba.registry.api.visit import Visit
from hatoba.registry.messages import FileSlice, Response, answer
from hatoba.registry.names import Digest
from hatoba.registry.problems import Problem

if TYPE_CHECKING:
    from hatoba.registry.engine import Engine


def _unknown(digest: Digest) -> Problem:
    return Problem("BLOB_UNKNOWN", detail={"digest": digest})


def _headers(digest: Digest, length: int) -> dict[str, str]:
    return {
        "content-type": "application/octet-stream",
        "content-length": str(length),
        "docker-content-digest": digest,
        "accept-ranges": "bytes",
        "etag": f'"{digest}"',
    }


async def head(engine: Engine, visit: Visit) -> Response:
    """A push asks so whether it may leave the blob out: it is spared from collection from now on."""
    digest = visit.digest()
    has = engine.repositories.has_blob
    size = await engine.blobs.size(digest, wanted=True) if has(visit.repository, digest) else None
    # Asked again after the touch: a collection that did not see it has taken the link by now.
    if size is None or not has(visit.repository, digest):
        raise _unknown(digest)
    return Response(status=200, headers=_headers(digest, size))


async def get(engine: Engine, visit: Visit) -> Response:
    digest = visit.digest()
    opened = await engine.blobs.open(digest) if engine.repositories.has_blob(visit.repository, digest) else None
    if opened is None:
        raise _unknown(digest)
    try:
        span = ranges.wanted(visit.request.headers.get("range"), opened.size)
    except Problem:
        opened.file.close()
        raise
    if span is None:
        whole = FileSlice(file=opened.file, offset=0, length=opened.size)
        return Response(status=200, headers=_headers(digest, opened.size), body=whole)
    headers = {
        **_headers(digest, span.length),
        "content-range": f"bytes {span.first}-{span.last}/{opened.size}",
    }
    part = FileSlice(file=opened.file, offset=span.first, length=span.length)
    return Response(status=206, headers=headers, body=part)


async def delete(engine: Engine, visit: Visit) -> Response:
    """Takes the blob out of this repository; the collection removes it when no other has it.

    A blob that a manifest refers to stays: the image would be broken (the specification leaves it to the registry).
    """
    digest = visit.digest()
    if not engine.repositories.has_blob(visit.repository, digest):
        raise _unknown(digest)
    if not engine.repositories.unlink_blob(visit.repository, digest, visit.noting):
        raise Problem("UNSUPPORTED", "A manifest of the repository refers to this blob: delete the manifest first.")
    return answer(202)
