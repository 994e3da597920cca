"""The shipper by itself, on spools that are complete before it looks."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from hatoba.node.logs.batch import BATCH_EVENTS, LogBatch
from hatoba.node.logs.lane import Lane
from hatoba.node.logs.options import Options
from hatoba.node.logs.shipper import LINGER_SECONDS, Shipper
from hatoba.node.logs.spool import Spool


def spooled(folder: Path, data: bytes) -> int:
    """Puts bytes into a spool; where it ends."""
    folder.mkdir()
    spool, (reading, writing) = Spool(str(folder)), os.pipe()
    for start in range(0, len(data), 32 << 10):
        piece = data[start : start + (32 << 10)]
        os.write(writing, piece)
        assert spool.take(reading, len(piece), 1_700_000_000_000) == len(piece)
    os.close(reading)
    os.close(writing)
    end = spool.end
    spool.close()
    return end


async def test_more_short_lines_than_one_batch_holds(tmp_path: Path) -> None:
    """All news arrive at once: what the first batch leaves must not wait for news that never come."""
    lines = [str(n) for n in range(2 * BATCH_EVENTS + 1)]
    end = spooled(tmp_path / "out", "\n".join(lines).encode() + b"\n")
    sent: list[str] = []

    async def send(batch: LogBatch) -> None:
        sent.extend(message for part in batch.parts for message in part.messages)

    lane = Lane(str(tmp_path / "out"), "c/stdout", None)
    shipper = Shipper("c", Options(group="g", stream="s"), {"c/out": lane}, send, lambda *_: None)
    shipper.heard("c/out", end, ended=True)
    async with asyncio.timeout(10):
        await shipper.run()
    assert sent == lines


async def test_what_was_freed_meanwhile_is_not_read(tmp_path: Path) -> None:
    """The agent before this one said, just before it was killed, that more is stored than the disk says yet."""
    end = spooled(tmp_path / "out", b"first\nsecond\n")
    sent: list[str] = []

    async def send(batch: LogBatch) -> None:
        sent.extend(message for part in batch.parts for message in part.messages)

    lane = Lane(str(tmp_path / "out"), "c/stdout", None)
    shipper = Shipper("c", Options(group="g", stream="s"), {"c/out": lane}, send, lambda *_: None)
    shipper.reconnected()  # news, but not from the spool
    running = asyncio.create_task(shipper.run())
    await asyncio.sleep(2 * LINGER_SECONDS)
    assert sent == []
    shipper.heard("c/out", end, stored=len(b"first\n"), ended=True)
    async with asyncio.timeout(10):
        await running
    assert sent == ["second"]
