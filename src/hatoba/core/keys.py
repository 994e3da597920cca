"""Where a record lives: partition, account and region (a `Scope`), then type and id (a `Key`).

Global services (IAM and its like) use the region `""`, so one account's users are the same in every region.
"""

from __future__ import annotations

from typing import NamedTuple


class Scope(NamedTuple):
    """An account in a region of a partition: what a request acts in."""

    partition: str
    account: str
    region: str  # "" for global resources

    def everywhere(self) -> Scope:
        """The account's global scope."""
        return Scope(self.partition, self.account, "")


class Key(NamedTuple):
    """Names one record. `type` is the table's name; `id` is unique within its scope and type."""

    partition: str
    account: str
    region: str
    type: str
    id: str

    @property
    def scope(self) -> Scope:
        return Scope(self.partition, self.account, self.region)


def key(scope: Scope, type_: str, id_: str) -> Key:
    return Key(scope.partition, scope.account, scope.region, type_, id_)
