"""The rows follow the log: late, once in many transactions, and never wrongly, whenever the journal is opened again."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import msgspec
import pytest

from hatoba.store import sqlite
from hatoba.store.journal import Entry, Row, Write
from hatoba.store.sqlite import SqliteJournal


@pytest.mark.parametrize(("every", "most"), [(1, 2000), (3, 2000), (256, 2), (256, 2000)])
def test_rows_are_what_the_transactions_come_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int, most: int
) -> None:
    monkeypatch.setattr(sqlite, "EVERY", every)
    monkeypatch.setattr(sqlite, "MOST_PENDING", most)
    chance, wanted = random.Random(every), dict[bytes, bytes]()
    journal = SqliteJournal(tmp_path / "j.db", "NORMAL")
    epoch, seq = journal.open({"t": 1})
    for number in range(200):
        entries: list[Entry] = []
        for _ in range(chance.randint(1, 3)):
            key, data = b"%d" % chance.randrange(8), None if chance.random() < 0.4 else b"%d" % number
            entries.append(Entry(seq + len(entries) + 1, (Write("t", key, data),)))
            wanted.pop(key, None)
            wanted |= {key: data} if data is not None else {}
        journal.append(epoch, seq, entries)
        seq = entries[-1].seq
        if chance.random() < 0.1:
            assert set(journal.rows()) == {Row("t", *item) for item in wanted.items()}
        if chance.random() < 0.1:
            journal.close()
            journal = SqliteJournal(tmp_path / "j.db", "NORMAL")
            epoch, found = journal.open({"t": 1})
            assert found == seq
            assert set(journal.rows()) == {Row("t", *item) for item in wanted.items()}
    journal.close()


def test_an_append_writes_to_the_log_alone(tmp_path: Path) -> None:
    """Or each durable answer would pay for pages that a thousand of them share."""
    journal = SqliteJournal(tmp_path / "j.db")
    epoch, seq = journal.open({"t": 1})
    journal.append(epoch, seq, [Entry(1, (Write("t", b"a", b"1"),))])
    with sqlite3.connect(tmp_path / "j.db") as beside:
        assert beside.execute("SELECT count(*) FROM rows").fetchone() == (0,)
        assert beside.execute("SELECT max(seq) FROM log").fetchone() == (1,)
    journal.close()


def test_what_the_rows_have_is_not_brought_into_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or an opening would go through the whole log."""
    monkeypatch.setattr(sqlite, "EVERY", 2)
    journal = SqliteJournal(tmp_path / "j.db")
    journal.open({"t": 1})
    for seq in (1, 2, 3):
        journal.append(1, seq - 1, [Entry(seq, (Write("t", b"a", b"%d" % seq),))])
    with sqlite3.connect(tmp_path / "j.db") as beside:
        assert beside.execute("SELECT value FROM meta WHERE name = 'applied'").fetchone() == (2,)
        assert beside.execute("SELECT data FROM rows").fetchall() == [(b"2",)]
    journal.close()


def test_a_journal_whose_rows_were_written_with_every_append(tmp_path: Path) -> None:
    """Format 1: its log is no longer brought into its rows, which have all of it."""
    path = tmp_path / "j.db"
    SqliteJournal(path).close()
    with sqlite3.connect(path) as old:
        old.executemany("INSERT INTO meta VALUES (?, ?)", [("format", 1), ("epoch", 4), ("seq", 2), ("schema:t", 1)])
        old.execute("INSERT INTO rows VALUES ('t', ?, ?)", (b"migrated", b"new form"))
        for seq, data in ((1, b"old form"), (2, b"old form, too")):
            entry = msgspec.msgpack.encode(Entry(seq, (Write("t", b"migrated", data),)))
            old.execute("INSERT INTO log VALUES (?, 4, ?)", (seq, entry))
    old.close()
    journal = SqliteJournal(path)
    assert journal.open({"t": 1}) == (5, 2)
    journal.append(5, 2, [Entry(3, (Write("t", b"later", b"1"),))])
    journal.close()
    for _ in range(2):
        journal = SqliteJournal(path)
        _, seq = journal.open({"t": 1})
        assert (seq, set(journal.rows())) == (3, {Row("t", b"migrated", b"new form"), Row("t", b"later", b"1")})
        journal.close()


def test_what_waits_for_the_rows_is_migrated_with_them(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j.db")
    journal.open({"t": 1})
    journal.append(1, 0, [Entry(1, (Write("t", b"a", b"1"),))])
    journal.migrated(iter([Row("t", b"a", b"2")]), {"t": 2})
    assert list(journal.rows()) == [Row("t", b"a", b"2")]
    journal.close()
    journal = SqliteJournal(tmp_path / "j.db")
    journal.open({"t": 2})
    assert list(journal.rows()) == [Row("t", b"a", b"2")]
    journal.close()
