"""Tags: one table for all resources, by ARN.

Rooms set and read tags in their own transactions; limits and wording differ per service and stay in the rooms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record, replace
from hatoba.store import Table, Tx
from hatoba.store.store import View


class Tags(Record, frozen=True, kw_only=True):
    """The tags of one resource, in the order in which they were given."""

    tags: dict[str, str]


tags = Table("gateway.tags", Tags)


def _key(scope: Scope, resource_arn: str) -> Key:
    return tags.key(scope, resource_arn)


def tags_of(view: View, scope: Scope, resource_arn: str) -> dict[str, str]:
    record = view.get(tags, _key(scope, resource_arn))
    return dict(record.tags) if record else {}


def set_tags(tx: Tx, scope: Scope, resource_arn: str, new: Mapping[str, str]) -> None:
    """Adds or overwrites."""
    key = _key(scope, resource_arn)
    record = tx.get(tags, key) or Tags(key=key, tags={})
    if new:
        tx.put(tags, replace(record, tags={**record.tags, **new}))


def remove_tags(tx: Tx, scope: Scope, resource_arn: str, names: Iterable[str]) -> None:
    record = tx.get(tags, _key(scope, resource_arn))
    if record is None:
        return
    gone = set(names)
    left = {name: value for name, value in record.tags.items() if name not in gone}
    if left:
        tx.put(tags, replace(record, tags=left))
    else:
        tx.forget(tags, record.key)


def forget_tags(tx: Tx, scope: Scope, resource_arn: str) -> None:
    """With the resource."""
    tx.forget(tags, _key(scope, resource_arn))
