"""A blob comes in: at once, in one piece, in chunks, or from another repository that has it already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hatoba.registry import names, ranges
from hatoba.registry.api.visit import Visit, digest
from hatoba.registry.messages import Response, answer
from hatoba.registry.names import Digest
from hatoba.registry.ports import Noting
from hatoba.registry.problems import Problem

if TYPE_CHECKING:
    from hatoba.registry.engine import Engine


async def start(engine: Engine, visit: Visit) -> Response:
    query = visit.request.query
    if "mount" in query:
        noting = visit.enter("finish upload", digest=query["mount"]).noting
        wanted = digest(query["mount"])
        if await _mount(engine, visit, wanted, query.get("from"), noting):
            return _created(visit, wanted)
    elif "digest" in query:
        noting = visit.enter("finish upload", digest=query["digest"]).noting
        given = digest(query["digest"])
        with engine.blobs.pin(given):
            size = await engine.uploads.receive(visit.request.body, given)
            engine.repositories.link_blob(visit.repository, given, size, noting)
        return _created(visit, given)
    upload = await engine.uploads.start(visit.repository)
    return _accepted(visit, upload, 0)


async def _mount(engine: Engine, visit: Visit, wanted: Digest, source: str | None, noting: Noting | None) -> bool:
    """Whether the blob could be taken from `source`. If not, the client uploads it, as the specification has it."""
    if source is None or not names.is_name(source):
        return False
    repositories = engine.repositories
    try:
        other = visit.enter("mount", name=source, digest=wanted).repository
    except Problem:
        return False
    with engine.blobs.pin(wanted):
        size = await engine.blobs.size(wanted, wanted=True)
        if size is None or not repositories.has_blob(other, wanted):
            return False
        repositories.link_blob(visit.repository, wanted, size, noting)
    return True


async def status(engine: Engine, visit: Visit) -> Response:
    size = await engine.uploads.size(visit.repository, visit.reference)
    return _accepted(visit, visit.reference, size, status=204)


async def append(engine: Engine, visit: Visit) -> Response:
    span = ranges.chunk(visit.request.headers.get("content-range"))
    _check_length(visit, span)
    size = await engine.uploads.append(visit.repository, visit.reference, visit.request.body, span)
    return _accepted(visit, visit.reference, size)


async def finish(engine: Engine, visit: Visit) -> Response:
    given = digest(visit.request.query.get("digest", ""))
    span = ranges.chunk(visit.request.headers.get("content-range"))
    _check_length(visit, span)
    with engine.blobs.pin(given):
        size = await engine.uploads.finish(visit.repository, visit.reference, visit.request.body, given, span)
        engine.repositories.link_blob(visit.repository, given, size, visit.noting)
    return _created(visit, given)


async def cancel(engine: Engine, visit: Visit) -> Response:
    await engine.uploads.cancel(visit.repository, visit.reference)
    return answer(204)


def _check_length(visit: Visit, span: ranges.Span | None) -> None:
    """Before anything is written."""
    length = visit.length()
    if span is not None and length is not None and length != span.length:
        raise Problem("SIZE_INVALID", f"Content-Length is {length}, but the range has {span.length} bytes.")


def _created(visit: Visit, stored: Digest) -> Response:
    return answer(201, location=visit.path(f"blobs/{stored}"), docker_content_digest=stored)


def _accepted(visit: Visit, upload: str, size: int, status: int = 202) -> Response:
    return answer(
        status,
        location=visit.path(f"blobs/uploads/{upload}"),
        range=ranges.received(size),
        docker_upload_uuid=upload,
    )
