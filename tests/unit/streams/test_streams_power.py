"""A power cut at every sync: only what was synced is left, and it must hold everything that had been answered."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hatoba.core.clock import ManualClock
from hatoba.streams.engine import DiskStreams
from hatoba.streams.port import Batch, Query


class Disk:
    """Knows what would be left: of each file the bytes that were synced last, of each folder the names that were.
    Removals are taken to be durable at once: what still needs a removed file would be found out."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self._root = root
        self._bytes: dict[int, bytes] = {}
        self._names: dict[int, set[str]] = {}
        # What had been answered before it was looked at, and after: appends go on beside a checkpoint's thread.
        self.cuts: list[tuple[int, int, dict[str, bytes]]] = []
        self.answered = 0
        real = {name: getattr(os, name) for name in ("fsync", "fdatasync")}
        for name, call in real.items():
            patch.setattr(os, name, lambda descriptor, call=call: self._synced(descriptor, call))

    def _synced(self, descriptor: int, call: object) -> None:
        self._cut()
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            self._names[found.st_ino] = set(os.listdir(descriptor))
        else:
            with open(f"/proc/self/fd/{descriptor}", "rb") as file:
                self._bytes[found.st_ino] = file.read()
        self._cut()

    def _cut(self) -> None:
        before, left = self.answered, self._left()
        while (again := self._left()) != left:  # a power cut is in one moment, and this look was not
            left = again
        self.cuts.append((before, self.answered, left))

    def _left(self) -> dict[str, bytes]:
        left: dict[str, bytes] = {}
        self._walk(self._root, left)
        return left

    def _walk(self, folder: Path, left: dict[str, bytes]) -> None:
        for name in self._names.get(folder.stat().st_ino, ()):
            path = folder / name
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(found.st_mode):
                self._walk(path, left)
            else:
                left[str(path.relative_to(self._root))] = self._bytes.get(found.st_ino, b"")


async def test_what_was_answered_survives_a_power_cut_at_any_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "streams"
    with monkeypatch.context() as patch:
        disk = Disk(root, patch)
        streams = await DiskStreams.open(root, ManualClock(), held_bytes=1500)
        for n in range(60):
            part = Batch(times=[n], messages=[f"{n:03}" * 20], producer=f"p{n % 3}", ends=[n + 1])
            assert await streams.append(f"s{n % 3}", part) == 1
            disk.answered = n + 1
        await streams.close()
    assert len(disk.cuts) > 150
    assert any(name.endswith(".seg") for *_, left in disk.cuts for name in left)
    seen: set[tuple[tuple[str, bytes], ...]] = set()
    for number, (before, after, left) in enumerate(disk.cuts):
        state = tuple(sorted(left.items()))
        if state in seen:
            continue
        seen.add(state)
        there = tmp_path / f"cut{number}"
        for name, content in left.items():
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            (there / name).write_bytes(content)
        streams = await DiskStreams.open(there, ManualClock(), held_bytes=1500)
        page = await streams.read(Query(streams=["s0", "s1", "s2"]))
        found = [located.event.message for located in page.events]
        # Everything that was answered, and at most the one that was under way.
        assert before <= len(found) <= after + 1
        assert found == [f"{n:03}" * 20 for n in range(len(found))]
        if found:
            n = len(found) - 1
            again = Batch(times=[n], messages=["again"], producer=f"p{n % 3}", ends=[n + 1])
            assert await streams.append(f"s{n % 3}", again) == 0
        await streams.close()
