"""Processes that end in the middle: by `kill -9`, by a full disk. What had been answered is there afterwards."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.contract.journal import script


def start(path: Path, count: int, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, script.__file__, str(path), "FULL", str(count)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True, **options)  # type: ignore[call-overload,no-any-return]


def answered(output: str) -> int:
    """The last whole line counts."""
    lines = output[: output.rfind("\n") + 1].split("\n")
    return max((int(line.split()[1]) for line in lines if line), default=0)


@pytest.mark.slow
def test_killed_again_and_again_nothing_that_was_answered_is_lost(tmp_path: Path) -> None:
    path, chance, last = tmp_path / "j.db", random.Random(3), 0
    for _ in range(25):
        process = start(path, 1_000_000)
        assert process.stdout is not None
        begun = "".join(process.stdout.readline() for _ in range(20))
        time.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        output, _ = process.communicate()
        last = max(last, answered(begun + output))
        seq, found = script.read(path)
        assert seq >= last
        assert found == script.state(seq)
        last = seq
    assert last >= 500


def test_a_full_disk_ends_the_process_with_a_clear_word(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the disk's."""
    path = tmp_path / "j.db"

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    process = start(path, 100_000, preexec_fn=little_room)
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 70
    assert "the journal could not be written; ending now" in errors
    assert "Traceback" not in errors
    seq, found = script.read(path)
    assert seq >= answered(output) > 0
    assert found == script.state(seq)
