"""A process that writes: the same transactions for everybody who asks, so that any state can be told from its number.

python script.py PATH SYNCHRONOUS COUNT     says "answered N" on stdout whenever transaction N is durable
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path
from typing import Any

from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record
from hatoba.core.secret import Sealer
from hatoba.store import Store, Table
from hatoba.store.sqlite import SqliteJournal

HERE = Scope("aws", "123456789012", "us-east-1")
SEALER = Sealer(b"k" * 32)


class Note(Record, frozen=True, kw_only=True):
    text: str


notes = Table("notes", Note)


def transaction(number: int) -> list[tuple[str, str | None]]:
    """What transaction `number` does: (id, text or None to forget)."""
    chance = random.Random(number)
    ids = [f"n{chance.randrange(12)}" for _ in range(chance.randint(1, 4))]
    return [("last", str(number)), *((id_, f"{number} " * chance.randint(1, 300)) for id_ in ids), _forget(chance)]


def _forget(chance: random.Random) -> tuple[str, str | None]:
    return f"n{chance.randrange(12)}", None


def state(number: int) -> dict[str, str]:
    """What is there after so many transactions."""
    found: dict[str, str] = {}
    for each in range(1, number + 1):
        for id_, text in transaction(each):
            if text is None:
                found.pop(id_, None)
            else:
                found[id_] = text
    return found


def write(store: Store, number: int) -> None:
    with store.tx() as tx:
        for id_, text in transaction(number):
            key: Key = notes.key(HERE, id_)
            known = tx.get(notes, key)
            if text is None:
                tx.forget(notes, key)
            else:
                tx.put(notes, Note(key=key, version=known.version if known else 0, text=text))


def read(path: Path) -> tuple[int, dict[str, str]]:
    """What a process that opens it now finds: the last transaction, and the records."""

    async def main() -> tuple[int, dict[str, str]]:
        store = Store(SqliteJournal(path), [notes], SEALER)
        store.open()
        found = {note.id: note.text for note in store.all(notes)}
        store.close()
        return store.seq, found

    return asyncio.run(main())


async def _main(path: Path, synchronous: Any, count: int) -> None:
    journal = SqliteJournal(path, synchronous)
    journal._db.execute("PRAGMA wal_autocheckpoint=25")  # so that checkpoints fall into the test
    store = Store(journal, [notes], SEALER)
    store.open()
    first = store.seq + 1
    for number in range(first, first + count):
        write(store, number)
        if number % 3 == 0 or number == first + count - 1:  # some share a write
            await store.durable()
            os.write(1, f"answered {number}\n".encode())
    store.close()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
