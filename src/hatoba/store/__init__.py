"""Typed records, atomic transactions, a feed of changes, a journal that forgets nothing.

    tables      what is stored: `Table(name, type, indexes)`, declared in each room's `model`
    working     the working set in memory: rows, order and indexes
    store       transactions, the commit rule, durability; `feed` tells of changes
    writer      what transactions have gathered, made durable with one write
    journal     the interface to disk; `sqlite` implements it, `memory` is its twin
    codec       records ↔ bytes, sealed secrets, schema migrations

The commit rule: a transaction is synchronous, applies in memory at once and returns a sequence number. Nothing leaves
the process (answers, effects, node messages) until `await store.durable(seq)` has returned.
"""

from hatoba.core.records import Record, replace
from hatoba.store.feed import Change
from hatoba.store.store import Conflict, Store, Tx
from hatoba.store.tables import Index, Table, Tally

__all__ = ["Change", "Conflict", "Index", "Record", "Store", "Table", "Tally", "Tx", "replace"]
