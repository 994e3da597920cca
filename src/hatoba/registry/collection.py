"""Garbage collection: gives back the space of what no repository holds, beside concurrent pushes.

Two passes. First, blobs that a repository has but no manifest of it refers to lose their link (a push that was given
up). Then files that nobody holds are deleted. Both spare what a push has wanted within the grace. Why a push cannot
lose a blob: a link or a file goes in one step of the loop with the check (age, pin, holders), every push that relies
on an old blob makes it young first, and a file goes only when the end of its last link is durable.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from hatoba.core.clock import Clock
from hatoba.registry.blobs import Blobs
from hatoba.registry.names import Digest
from hatoba.registry.ports import Repositories
from hatoba.registry.uploads import Uploads

GRACE = 24 * 3600.0  # seconds; a push may take long between its first blob and its manifest
UPLOAD_LIFE = 7 * 24 * 3600.0  # seconds without a new byte


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What one run gave back."""

    uploads: int
    links: int
    blobs: int
    bytes: int


async def collect(
    blobs: Blobs, uploads: Uploads, repositories: Repositories, clock: Clock, *, grace: float = GRACE
) -> Collected:
    before = clock.now() - grace
    ended = await uploads.expire(clock.now() - max(UPLOAD_LIFE, grace))
    links = 0
    for repository in list(repositories.everywhere()):
        links += _unlink(blobs, repositories, repository, before)
        await asyncio.sleep(0)  # a turn for others: one repository is one step
    count = size = 0
    for shelf in await blobs.shelves():
        doomed = await _condemn(blobs, repositories, shelf, before)
        size += await blobs.burn(doomed)
        count += len(doomed)
    return Collected(uploads=ended, links=links, blobs=count, bytes=size)


def _unlink(blobs: Blobs, repositories: Repositories, repository: str, before: float) -> int:
    unlinked = 0
    for digest in repositories.unused(repository):
        if not blobs.is_pinned(digest) and blobs.is_older(digest, before):
            unlinked += repositories.unlink_blob(repository, digest)
    return unlinked


async def _condemn(blobs: Blobs, repositories: Repositories, shelf: Path, before: float) -> list[Path]:
    def unheld(digest: Digest) -> bool:
        return not blobs.is_pinned(digest) and not repositories.is_held(digest)

    candidates = [digest for digest in await blobs.older(shelf, before) if unheld(digest)]
    if not candidates:
        return []
    await repositories.settle()
    # Asked again: the world went on while we waited. One that was held in between is young now.
    doomed = [digest for digest in candidates if unheld(digest) and blobs.is_older(digest, before)]
    return [path for digest in doomed if (path := blobs.condemn(digest)) is not None]
