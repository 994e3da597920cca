"""Starts that cannot be: one sentence, exit code 1, and nothing of it runs or stays."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.instance import HATOBA, Instance, free_port

pytestmark = pytest.mark.real


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    subprocess.run([HATOBA, "down", "--data", str(tmp_path / "data"), "--purge"], capture_output=True, check=False)


def commands() -> Iterator[str]:
    """The command lines of everything that runs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def refused(data: Path, port: int) -> str:
    words = [HATOBA, "up", "--data", str(data), "--port", str(port), "--detach"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    name = (data / "instance").read_text().strip()
    assert list(Path(f"/run/hatoba/{name}").glob("*.pid")) == []
    assert [words for words in commands() if str(data) in words] == []
    return (done.stdout + done.stderr).strip().splitlines()[-1]


def test_a_port_in_use(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(data, port)
    assert str(port) in said
    assert "pid" in said
    assert "--port" in said


def test_a_data_directory_of_a_newer_version(data: Path) -> None:
    (data / "control").mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(data / "control" / "journal.db")) as journal, journal:
        journal.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
        journal.execute("INSERT INTO meta VALUES ('format', 99)")
    said = refused(data, free_port())
    assert "was written by a newer Hatoba" in said
    assert "Start it with the version that wrote it" in said


def test_a_full_disk(data: Path) -> None:
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "hatoba-test", data], check=True)
    try:
        (data / "filler").write_bytes(b"x" * (200 << 10))
        said = refused(data, free_port())
        assert "full" in said.lower() or "No space left" in said
    finally:
        subprocess.run([HATOBA, "down", "--data", str(data), "--purge"], capture_output=True, check=False)
        subprocess.run(["umount", "--lazy", data], check=True)


def said_by(*words: str) -> str:
    """The sentence of a command that is refused."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return (done.stdout + done.stderr).strip().splitlines()[-1]


def test_a_second_one_with_the_same_data(hatoba: Instance) -> None:
    said = said_by(HATOBA, "up", "--data", str(hatoba.folder), "--port", str(free_port()))
    assert f"(pid {hatoba.pid('up')})" in said
    assert "hatoba down" in said
    assert hatoba.health()["status"] == "ready"


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "hatoba-test", disk], check=True)
    try:
        said = said_by(HATOBA, "up", "--data", str(disk / "data"), "--port", str(free_port()))
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
    assert said == f"The data directory {disk}/data cannot be used: Read-only file system."


def test_a_token_that_is_none(data: Path) -> None:
    said = said_by(HATOBA, "node", "--join", "nonsense", "--data", str(data))
    assert "is not a join token" in said
    assert "hatoba node token" in said
