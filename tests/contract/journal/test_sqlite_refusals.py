"""What the operator is told when the journal cannot be used: one clear sentence each."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hatoba.core.errors import Refused
from hatoba.store.sqlite import SqliteJournal


def test_a_newer_format_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = SqliteJournal(path)
    journal.open({})
    journal._set(format=3)
    journal._db.execute("DROP TABLE log")  # as if the newer format had no such table
    journal.close()
    with pytest.raises(Refused, match=r"newer Hatoba \(journal format 3, this version knows 2\)"):
        SqliteJournal(path)
    with sqlite3.connect(path) as db:
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'log'").fetchone()


def test_a_damaged_file_is_refused_and_the_lock_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"this is not a database at all, by any means " * 100)
    for _ in range(2):
        with pytest.raises(Refused, match="cannot be opened: file is not a database"):
            SqliteJournal(path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be used"):
        SqliteJournal(tmp_path / "file" / "j.db")


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "j.db"
    journal = SqliteJournal(path)
    journal.open({"t": 1})
    assert {oct(os.stat(p).st_mode & 0o777) for p in path.parent.glob("j.db*")} == {"0o600"}
    journal.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    code = (
        "import sys, pathlib; from hatoba.store.sqlite import SqliteJournal; "
        "j = SqliteJournal(pathlib.Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(Refused, match=f"Another Hatoba is using {tmp_path}"):
            SqliteJournal(path)
        other.kill()  # the lock ends with its process
        other.wait()
    SqliteJournal(path).close()
