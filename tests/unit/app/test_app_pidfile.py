"""A pid file says who runs, and says so no longer the moment that process has gone, however it went."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hatoba.app import pidfile

HOLD = "import sys, pathlib; from hatoba.app import pidfile; pidfile.hold(pathlib.Path(sys.argv[1])); print(); input()"


def test_held_until_let_go(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    assert pidfile.holder(path) is None
    held = pidfile.hold(path)
    assert pidfile.holder(path) == os.getpid()
    with pytest.raises(pidfile.Taken) as taken:
        pidfile.hold(path)
    assert taken.value.pid == os.getpid()
    pidfile.let_go(path, held)
    assert pidfile.holder(path) is None
    assert not path.exists()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert pidfile.holder(path) == process.pid
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert path.read_text() == f"{process.pid}\n", "the file is still there, and names a pid that may be another's"
    assert pidfile.holder(path) is None
    pidfile.let_go(path, pidfile.hold(path))


def test_looking_at_it_takes_it_from_nobody(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text("")
    for _ in range(200):
        pidfile.holder(path)
        pidfile.let_go(path, pidfile.hold(path))
        path.touch()
