"""One stream's files: segments of blocks, named by the sequence of their first event.

    streams/ab/ab12…/0000000000000000.seg   older
    streams/ab/ab12…/0000000000004711.seg   the newest: blocks are appended here

A segment ends at a size or after a day of events, and is what retention removes as a whole. All functions block, and
are called for one stream by one thread at a time; reading blocks that are listed needs no such care.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from hatoba.core.errors import PortError
from hatoba.streams import blocks
from hatoba.streams.blocks import Summary
from hatoba.streams.journal import disk_error, sync_folder
from hatoba.streams.port import Event

SEGMENT_BYTES = 8 << 20
SEGMENT_SPAN = 24 * 3600 * 1000  # ms: retention counts in days
FOLDER = "streams"
_SUFFIX = ".seg"


class Block(NamedTuple):
    """Where a block lies, and what its summary says."""

    path: str
    offset: int
    size: int
    summary: Summary


_ID = re.compile(r"[A-Za-z0-9-]{1,128}")


def folder(root: Path, stream: str) -> Path:
    """Where a stream of this id is. Raises `PortError` for what is no id: it would be a way to somewhere else."""
    if not _ID.fullmatch(stream):
        raise PortError("InvalidStream", f"{stream[:128]!r} is no id of a stream")
    return root / FOLDER / stream[:2] / stream


def load(where: Path) -> list[Block]:
    """The stream's blocks, oldest first. A torn block at the very end (never acknowledged as written) is cut off."""
    try:
        names = sorted(name for name in os.listdir(where) if name.endswith(_SUFFIX))
    except FileNotFoundError:
        return []
    try:
        return [block for name in names for block in _scan(str(where / name))]
    except OSError as error:
        raise disk_error(error) from error


def _scan(path: str) -> list[Block]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        length, offset, found = os.fstat(descriptor).st_size, 0, list[Block]()
        while offset + blocks.HEAD_SIZE <= length:
            head, body = blocks.lengths(os.pread(descriptor, blocks.HEAD_SIZE, offset))
            size = blocks.HEAD_SIZE + head + body
            # Only the last block can be torn: those before it were synced before it was begun.
            if offset + size >= length and not blocks.whole(os.pread(descriptor, size, offset)):
                break
            summary = blocks.summary(os.pread(descriptor, head, offset + blocks.HEAD_SIZE))
            found.append(Block(path, offset, size, summary))
            offset += size
        if offset < length:
            os.ftruncate(descriptor, offset)
        return found
    finally:
        os.close(descriptor)


def append(where: Path, known: list[Block], events: list[Event], upto: int, producers: dict[str, int]) -> list[Block]:
    """Writes events (all those below sequence `upto` that are not on disk yet) behind the known blocks and syncs them.
    Without events it writes the counters alone. Raises `PortError`, and then the stream is as it was."""
    path, offset = _place(where, known, upto - len(events))
    added: list[Block] = []
    data = bytearray()
    at = upto - len(events)
    for chunk in blocks.chunks(events) if events else ([],):
        at += len(chunk)
        summary, encoded = blocks.encode(chunk, at, producers)
        added.append(Block(path, offset + len(data), len(encoded), summary))
        data += encoded
    try:
        _write(where, path, offset, data)
    except OSError as error:
        raise disk_error(error) from error
    return added


def _place(where: Path, known: list[Block], first: int) -> tuple[str, int]:
    """The file and offset for the next block."""
    fresh = str(where / f"{first:016d}{_SUFFIX}")
    if not known:
        return fresh, 0
    last = known[-1]
    begun = next(block for block in known if block.path == last.path)
    end = last.offset + last.size
    too_long = last.summary.max_time - begun.summary.min_time > SEGMENT_SPAN
    return (fresh, 0) if fresh != last.path and (end >= SEGMENT_BYTES or too_long) else (last.path, end)


def _write(where: Path, path: str, offset: int, data: bytes | bytearray) -> None:
    if offset == 0:
        where.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # What a failed attempt may have left behind the last good block goes first.
        os.ftruncate(descriptor, offset)
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, memoryview(data)[written:], offset + written)
        os.fdatasync(descriptor)
    except OSError:
        os.ftruncate(descriptor, offset)
        raise
    finally:
        os.close(descriptor)
    if offset == 0:
        for made in (where, where.parent, where.parent.parent):
            sync_folder(made)


def expired(known: list[Block], before: int) -> list[Block]:
    """The blocks of the segments in which everything is older than a time. Pure."""
    newest: dict[str, int] = {}
    for block in known:
        if not block.summary.empty:
            newest[block.path] = max(newest.get(block.path, block.summary.max_time), block.summary.max_time)
    return [block for block in known if block.path in newest and newest[block.path] < before]


def remove(paths: set[str]) -> None:
    for path in paths:
        Path(path).unlink(missing_ok=True)


def remove_stream(where: Path) -> None:
    shutil.rmtree(where, ignore_errors=True)


def read(block: Block) -> list[Event]:
    """A block's events in order of time; none when it was removed meanwhile."""
    try:
        descriptor = os.open(block.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        data = os.pread(descriptor, block.size, block.offset)
    except OSError as error:
        raise disk_error(error) from error
    finally:
        os.close(descriptor)
    if not blocks.whole(data):
        raise PortError("DiskFailed", f"a block of {block.path} at {block.offset} is damaged")
    return blocks.decode(data)
