"""A power cut at any moment: what had been answered is there, and no transaction is there by half.

The states are made from the trace of a real process (strace), before and after each of its syncs, with some or all or
none of what it had written since.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.journal import script
from tests.contract.journal.disk import Disk, Image

COUNT = 150
CALLS = "openat,write,pwrite64,fsync,fdatasync,ftruncate,unlink,rename"


def traced(folder: Path, trace: Path, synchronous: str) -> None:
    """Lets a process write, and writes down what it did."""
    path = Path(script.__file__)
    command = [sys.executable, str(path), str(folder / "j.db"), synchronous, str(COUNT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    strace = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-o", str(trace)]
    subprocess.run([*strace, *command], check=True, env=environment, stdout=subprocess.DEVNULL)


def cut(tmp_path: Path, synchronous: str) -> tuple[int, list[str]]:
    """How many states were tried, and what was wrong with them."""
    folder, trace = tmp_path / "data", tmp_path / "trace"
    traced(folder, trace, synchronous)
    wrong, seen = [], set()
    for number, (answered, image) in enumerate(Disk(folder).cuts(trace, random.Random(1))):
        image = {name: data for name, data in image.items() if name != "j.db-shm"}  # memory, not disk
        state = hash(tuple(sorted(image.items())))
        if (answered, state) in seen:
            continue
        seen.add((answered, state))
        if (problem := compare(restored(tmp_path / f"cut{number}", image), answered)) is not None:
            wrong.append(f"cut {number}: {problem}")
    return len(seen), wrong


def restored(folder: Path, image: Image) -> Path:
    folder.mkdir()
    for name, data in image.items():
        (folder / name).write_bytes(data)
    return folder / "j.db"


def compare(path: Path, answered: int) -> str | None:
    try:
        seq, found = script.read(path)
    except Exception as error:  # noqa: BLE001  whatever a damaged file leads to
        return f"it cannot be read: {error!r}"
    if seq < answered:
        return f"{answered} was answered, and {seq} is the last that is there"
    if found != script.state(seq):
        return f"it is not what it was after {seq}"
    return None


@pytest.mark.real
def test_nothing_that_was_answered_is_lost_and_nothing_is_there_by_half(tmp_path: Path) -> None:
    count, wrong = cut(tmp_path, "FULL")
    assert wrong == []
    assert count > 200


@pytest.mark.real
def test_it_would_be_found_out_if_nothing_was_synced(tmp_path: Path) -> None:
    _, wrong = cut(tmp_path, "OFF")
    assert any("was answered" in each for each in wrong)


@pytest.mark.real
def test_normal_loses_the_last_at_most_and_never_the_whole(tmp_path: Path) -> None:
    """What nodes use for their own memory: a power cut may take the last words, but leaves a state that once was."""
    _, wrong = cut(tmp_path, "NORMAL")
    assert not [each for each in wrong if "was answered" not in each]
