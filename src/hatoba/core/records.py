"""The base of everything that is stored.

Records are frozen and keyword-only: a change is `replace(record, field=...)`. `version` is the store's: it counts the
record's writes and guards them, so a record that was read before an `await` cannot overwrite what came in between.
"""

from __future__ import annotations

import msgspec

from hatoba.core.keys import Key, Scope


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something with a key and a version. Fields say beside them who writes them when it is not the room's own API."""

    key: Key
    version: int = 0  # the store only

    @property
    def scope(self) -> Scope:
        return Scope(self.key.partition, self.key.account, self.key.region)

    @property
    def id(self) -> str:
        return self.key.id


replace = msgspec.structs.replace
