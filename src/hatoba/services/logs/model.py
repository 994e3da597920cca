"""What CloudWatch Logs stores: groups and streams. The events themselves are the `streams` engine's.

A stream's events live under an id that is never used again (`Stream.events`), so a stream that was deleted and made
anew has nothing to do with the one before. What is deleted here leaves a `Doomed` record in the same transaction; the
reaper clears the engine and forgets it.
"""

from __future__ import annotations

from typing import Any, Literal

from hatoba.core import arn
from hatoba.core.ids import Ids
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.gateway.tags import forget_tags
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

GroupClass = Literal["STANDARD", "INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS"]


class Group(Record, frozen=True, kw_only=True):
    """The id is the name. Times are in milliseconds."""

    created: int
    retention: int | None = None  # days; None: for ever
    kind: GroupClass = "STANDARD"
    kms_key: str | None = None
    protected: bool = False


class Stream(Record, frozen=True, kw_only=True):
    """The id is `<group>:<stream>`: neither name has a colon."""

    group: str
    name: str
    created: int
    events: str


class Doomed(Record, frozen=True, kw_only=True):
    """The id is that of events which nobody can ask for any more."""


groups = Table("logs.groups", Group)
streams = Table(
    "logs.streams",
    Stream,
    indexes=(
        Index[Stream]("group", lambda stream: (stream.scope, stream.group)),
        Index[Stream]("events", lambda stream: stream.events),
    ),
)
doomed = Table("logs.doomed", Doomed)

TABLES: tuple[Table[Any], ...] = (groups, streams, doomed)


def group_arn(scope: Scope, name: str) -> str:
    """Without the `:*` that stands for the streams in it."""
    return arn.make(scope, "logs", f"log-group:{name}")


def stream_arn(stream: Stream) -> str:
    return f"{group_arn(stream.scope, stream.group)}:log-stream:{stream.name}"


def find_stream(view: View, scope: Scope, group: str, name: str) -> Stream | None:
    return view.find(streams, scope, f"{group}:{name}")


def streams_of(view: View, scope: Scope, group: str, prefix: str = "") -> list[Stream]:
    """In the order of their names."""
    return [stream for stream in view.index(streams, "group", (scope, group)) if stream.name.startswith(prefix)]


def put_stream(tx: Tx, scope: Scope, group: str, name: str, *, ids: Ids, now: int) -> Stream:
    """A new stream, which must not be there yet."""
    key = streams.key(scope, f"{group}:{name}")
    return tx.put(streams, Stream(key=key, group=group, name=name, created=now, events=ids.hex(32)))


def delete_stream(tx: Tx, stream: Stream) -> None:
    tx.forget(streams, stream.key)
    tx.put(doomed, Doomed(key=doomed.key(stream.scope, stream.events)))


def delete_group(tx: Tx, group: Group) -> None:
    """With all that is in it."""
    for stream in streams_of(tx, group.scope, group.id):
        delete_stream(tx, stream)
    forget_tags(tx, group.scope, group_arn(group.scope, group.id))
    tx.forget(groups, group.key)
