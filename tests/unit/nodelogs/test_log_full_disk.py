"""A node whose disk is full: its containers are slowed, and go on when there is room; nothing is lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.node_logs import NodeLogs
from hatoba.node.logs.options import SPOOL_BYTES, Options
from tools.waiting import PATIENCE, until

_PRINTER = "import os\nfor n in range(60_000): os.write(1, b'%06d %s\\n' % (n, b'x' * 90))"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "hatoba-test", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.real
@pytest.mark.parametrize("new_event", [None, "^[0-9]*[05] "], ids=["lines", "groups"])
async def test_a_full_disk_slows_the_container_and_loses_nothing(small_disk: Path, new_event: str | None) -> None:
    got: list[str] = []
    open_ = asyncio.Event()

    async def send(batch: LogBatch) -> None:
        await open_.wait()
        for part in batch.parts:
            got.extend(line for message in part.messages for line in message.split("\n"))

    logs = NodeLogs(small_disk / "logs", send)
    await logs.start()
    pipes = await logs.open("c1", Options(group="g", stream="s", limit=SPOOL_BYTES, new_event=new_event))
    shim = [os.open(path, os.O_RDWR) for path in pipes]
    process = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-S", "-c", _PRINTER], stdout=shim[0], stderr=shim[1]
    )
    try:
        await until(lambda: os.statvfs(small_disk).f_bavail < 4)
        with pytest.raises(subprocess.TimeoutExpired):  # 6 MB do not fit
            await asyncio.to_thread(process.wait, 1)
        open_.set()
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0
        for descriptor in shim:
            os.close(descriptor)
        await logs.drain("c1")
    finally:
        process.kill()
        await logs.stop()
    assert got == [f"{n:06} {'x' * 90}" for n in range(60_000)]
