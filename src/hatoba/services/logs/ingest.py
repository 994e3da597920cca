"""How events get into a stream: from PutLogEvents, and from the nodes, whose containers' output comes exactly once.

    await ingest(platform, scope, group="/ecs/shop", stream="ecs/web/4f…", parts=[...], create_group=False)

The nodes' session in the composition root calls `ingest`. It is answered when the events are durable. A batch that a
node repeats, because it never heard the answer, is recognised by its producer and offsets and stored once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hatoba.aws.shapes import logs as t
from hatoba.core.errors import AwsError, PortError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Platform
from hatoba.services.logs import model
from hatoba.services.logs.model import Group, Stream
from hatoba.store import Store
from hatoba.streams.port import Batch, Streams


async def ingest(
    platform: Platform, scope: Scope, *, group: str, stream: str, parts: Sequence[Batch], create_group: bool
) -> int:
    """Returns how many events were new. Makes the stream when it is not there, and with `create_group` its group.
    Without parts it does only that. Raises `ResourceNotFoundException` for a missing group, and the model's
    `ServiceUnavailableException` when the disk does not take the events: then they may be sent again."""
    found = model.find_stream(platform.store, scope, group, stream)
    if found is None:
        found = _make(platform, scope, group, stream, create_group=create_group)
        await platform.store.durable()
    return await store(platform.store, platform.get(Streams), found, parts)  # type: ignore[type-abstract]


def _make(platform: Platform, scope: Scope, group: str, stream: str, *, create_group: bool) -> Stream:
    now = int(platform.clock.now() * 1000)
    with platform.store.tx() as tx:
        if tx.find(model.groups, scope, group) is None:
            if not create_group:
                raise t.ResourceNotFoundException("The specified log group does not exist.")
            tx.put(model.groups, Group(key=model.groups.key(scope, group), created=now))
        return model.put_stream(tx, scope, group, stream, ids=platform.ids, now=now)


async def store(records: Store, streams: Streams, stream: Stream, parts: Sequence[Batch]) -> int:
    """Appends to a stream that there is. Parts given together become readable together."""
    try:
        counts = await asyncio.gather(*(streams.append(stream.events, part) for part in parts))
    except PortError as error:
        raise _refusal(error) from error
    if records.get(model.streams, stream.key) is None and counts:
        # It was deleted meanwhile, and perhaps cleared away before this arrived.
        await streams.delete(stream.events)
        raise t.ResourceNotFoundException("The specified log stream does not exist.")
    return sum(counts)


def _refusal(error: PortError) -> AwsError:
    if error.code == "BadBatch":
        return t.InvalidParameterException(error.message)
    return t.ServiceUnavailableException(f"The log events cannot be stored: {error.message}")
