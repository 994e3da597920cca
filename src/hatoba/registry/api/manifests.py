"""GET, HEAD, PUT and DELETE of a manifest, by tag or by digest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from hatoba.registry import manifests, names
from hatoba.registry.api.visit import Visit
from hatoba.registry.messages import Response, answer
from hatoba.registry.names import Digest
from hatoba.registry.ports import Noting, Stored
from hatoba.registry.problems import Problem

if TYPE_CHECKING:
    from hatoba.registry.engine import Engine


def _reference(visit: Visit) -> str:
    """A tag or a digest: what is neither cannot be known."""
    reference = visit.reference
    if ":" in reference:
        return visit.digest()
    if not names.is_tag(reference):
        raise Problem("TAG_INVALID", f"{reference!r} is not a valid tag.")
    return reference


def _find(engine: Engine, visit: Visit) -> Stored:
    found = engine.repositories.find(visit.repository, _reference(visit))
    if found is None:
        raise Problem("MANIFEST_UNKNOWN", detail={"reference": visit.reference})
    return found


def _headers(stored: Stored) -> dict[str, str]:
    return {
        "content-type": stored.media_type,
        "content-length": str(stored.size),
        "docker-content-digest": stored.digest,
        "etag": f'"{stored.digest}"',
    }


async def head(engine: Engine, visit: Visit) -> Response:
    return Response(status=200, headers=_headers(_find(engine, visit)))


async def get(engine: Engine, visit: Visit) -> Response:
    stored = _find(engine, visit)
    data = await engine.blobs.read(stored.digest)
    if data is None:
        raise Problem("MANIFEST_UNKNOWN", detail={"reference": visit.reference})
    engine.repositories.pulled(visit.repository, stored.digest)
    return Response(status=200, headers=_headers(stored), body=data)


async def put(engine: Engine, visit: Visit) -> Response:
    reference = _reference(visit)
    by_digest = names.digest(reference)
    data = await _whole(visit.request.body)
    algorithm = names.algorithm(by_digest) if by_digest else "sha256"
    manifest = manifests.parse(data, visit.request.headers.get("content-type", ""), algorithm)
    if by_digest and by_digest != manifest.digest:
        raise Problem("DIGEST_INVALID", detail={"given": by_digest, "received": manifest.digest})
    await store(engine, visit.repository, manifest, data, None if by_digest else reference, visit.noting)
    response = answer(201, location=visit.path(f"manifests/{manifest.digest}"), docker_content_digest=manifest.digest)
    if manifest.subject is None:
        return response
    headers = {**response.headers, "oci-subject": manifest.subject}
    return Response(status=response.status, headers=headers)


async def store(
    engine: Engine,
    repository: str,
    manifest: manifests.Manifest,
    data: bytes,
    tag: str | None,
    noting: Noting | None = None,
) -> None:
    """The bytes first, then the record: what a repository names is always there."""
    repositories = engine.repositories

    def has_manifest(digest: Digest) -> bool:
        return repositories.find(repository, digest) is not None

    manifests.check(manifest, lambda digest: repositories.has_blob(repository, digest), has_manifest)
    with engine.blobs.pin(manifest.digest):
        await engine.blobs.put(data, manifest.digest)
        repositories.put_manifest(repository, manifest, tag, noting)


async def delete(engine: Engine, visit: Visit) -> Response:
    """A tag goes alone; a digest takes its tags with it."""
    reference = _reference(visit)
    digest = names.digest(reference)
    if digest:
        deleted = engine.repositories.delete_manifest(visit.repository, digest, visit.noting)
    else:
        deleted = engine.repositories.delete_tag(visit.repository, reference, visit.noting)
    if not deleted:
        raise Problem("MANIFEST_UNKNOWN", detail={"reference": visit.reference})
    return answer(202)


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    data = bytearray()
    async for chunk in body:
        data += chunk
        if len(data) > manifests.LIMIT:
            raise Problem("MANIFEST_INVALID", f"The manifest has more than {manifests.LIMIT} bytes.", status=413)
    return bytes(data)
