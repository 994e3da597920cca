"""What CloudTrail stores: an event is written with what its call writes, and stays until it is on the trail."""

from __future__ import annotations

from typing import Any

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.store import Table
from hatoba.trail.port import Entry

EVERYWHERE = Scope("", "", "")


class Pending(Record, frozen=True, kw_only=True):
    """The id is the event's. What became of the call is not known yet."""

    entry: Entry


pendings = Table("cloudtrail.pendings", Pending)

TABLES: tuple[Table[Any], ...] = (pendings,)
