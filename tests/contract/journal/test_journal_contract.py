"""What every journal promises, tried on SQLite and on its twin in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hatoba.core.errors import Refused, Stale
from hatoba.store.journal import Entry, Fenced, Journal, Row, Write
from hatoba.store.memory import MemoryDisk, MemoryJournal
from hatoba.store.sqlite import SqliteJournal

Open = Callable[[], Journal]


@pytest.fixture(params=["sqlite", "memory"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same journal, as one process after another would."""
    disk = MemoryDisk()

    def make() -> Journal:
        journal: Journal = SqliteJournal(tmp_path / "j.db") if request.param == "sqlite" else MemoryJournal(disk)
        return journal

    return make


def entry(seq: int, *writes: tuple[str, bytes, bytes | None]) -> Entry:
    return Entry(seq, tuple(Write(*write) for write in writes))


def test_rows_are_what_the_entries_come_to(again: Open) -> None:
    journal = again()
    assert journal.open({"t": 1}) == (1, 0)
    journal.append(1, 0, [entry(1, ("t", b"a", b"1"), ("t", b"b", b"1")), entry(2, ("t", b"a", b"2"))])
    journal.append(1, 2, [entry(3, ("t", b"b", None), ("u", b"a", b"3"))])
    assert set(journal.rows()) == {Row("t", b"a", b"2"), Row("u", b"a", b"3")}
    journal.append(1, 3, [entry(4, ("t", b"c", b"4")), entry(5, ("t", b"c", None)), entry(6, ("t", b"a", None))])
    assert list(journal.rows()) == [Row("u", b"a", b"3")]
    journal.close()
    journal = again()
    assert journal.written() == {"t": 1}
    assert journal.open({"t": 1, "u": 2}) == (2, 6)
    assert list(journal.rows()) == [Row("u", b"a", b"3")]
    assert journal.written() == {"t": 1, "u": 2}
    journal.close()


def test_an_append_is_conditional_on_epoch_and_sequence(again: Open) -> None:
    journal = again()
    journal.open({})
    journal.append(1, 0, [entry(1, ("t", b"a", b"1"))])
    for epoch, after in ((0, 1), (2, 1), (1, 0), (1, 2)):
        with pytest.raises(Fenced):
            journal.append(epoch, after, [entry(after + 1, ("t", b"a", b"wrong"))])
    assert list(journal.rows()) == [Row("t", b"a", b"1")]
    assert [e.seq for e in journal.tail(0)] == [1]
    journal.append(1, 1, [entry(2, ("t", b"a", b"2"))])
    journal.close()


def test_a_writer_of_an_earlier_epoch_is_fenced(again: Open) -> None:
    journal = again()
    epoch, seq = journal.open({})
    journal.open({})  # somebody else has taken the lease
    with pytest.raises(Fenced):
        journal.append(epoch, seq, [entry(1, ("t", b"a", b"1"))])
    assert list(journal.rows()) == []
    journal.close()


def test_the_tail_is_everything_after_in_order(again: Open) -> None:
    journal = again()
    journal.open({})
    assert list(journal.tail(0)) == []
    written = [entry(n, ("t", b"%d" % n, b"x"), ("t", b"gone", None)) for n in range(1, 8)]
    journal.append(1, 0, written[:3])
    journal.append(1, 3, written[3:])
    assert list(journal.tail(0)) == written
    assert list(journal.tail(5)) == written[5:]
    assert list(journal.tail(7)) == []
    journal.close()
    journal = again()
    journal.open({})
    assert list(journal.tail(4)) == written[4:]
    journal.close()


def test_a_tail_that_the_log_no_longer_reaches_is_stale(again: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hatoba.store.sqlite.KEPT", 5)
    monkeypatch.setattr("hatoba.store.sqlite.EVERY", 1)
    journal = again()
    if isinstance(journal, MemoryJournal):
        journal.close()
        journal = MemoryJournal(MemoryDisk(kept=5))
    journal.open({})
    for n in range(1, 10):
        journal.append(1, n - 1, [entry(n, ("t", b"a", b"%d" % n))])
    assert [e.seq for e in journal.tail(4)] == [5, 6, 7, 8, 9]
    with pytest.raises(Stale):
        journal.tail(3)
    journal.close()


def test_rows_are_migrated_in_one_step(again: Open) -> None:
    journal = again()
    journal.open({"t": 1})
    journal.append(1, 0, [entry(1, ("t", b"a", b"1"), ("t", b"b", b"1"))])

    def broken() -> Iterator[Row]:
        yield Row("t", b"a", b"2")
        raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        journal.migrated(broken(), {"t": 2})
    assert (set(journal.rows()), journal.written()) == ({Row("t", b"a", b"1"), Row("t", b"b", b"1")}, {"t": 1})
    journal.migrated(iter([Row("t", b"a", b"2")]), {"t": 2})
    assert (set(journal.rows()), journal.written()) == ({Row("t", b"a", b"2"), Row("t", b"b", b"1")}, {"t": 2})
    journal.close()


def test_a_second_opening_is_refused_until_the_first_is_closed(again: Open) -> None:
    journal = again()
    with pytest.raises(Refused, match="Another Hatoba is using"):
        again()
    journal.close()
    again().close()
