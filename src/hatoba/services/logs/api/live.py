"""StartLiveTail: new events of groups as they are stored, once a second, until the client leaves or three hours pass.

A second in which more than 500 events match shows a sample of 500, as the user guide says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from hatoba.aws.shapes import logs as t
from hatoba.gateway.call import Call
from hatoba.services.logs import model
from hatoba.services.logs.api.room import engine, find_group, invalid, logs, named_by, pattern
from hatoba.services.logs.model import Stream
from hatoba.services.logs.plan.pattern import Match
from hatoba.streams.port import Located, Subscription

PERIOD_SECONDS = 1.0
SAMPLE = 500
SESSION_SECONDS = 3 * 3600.0


@logs.operation
async def start_live_tail(req: t.StartLiveTailRequest, call: Call) -> t.StartLiveTailResponse:
    identifiers = req["logGroupIdentifiers"]
    names, prefixes = req.get("logStreamNames"), req.get("logStreamNamePrefixes")
    if (names or prefixes) and len(identifiers) > 1:
        raise invalid("Log streams can be specified for one log group only.")
    if names and prefixes:
        raise invalid("Only one of logStreamNames and logStreamNamePrefixes can be specified.")
    groups = {find_group(call.store, call.scope, named_by(call, identifier)).id for identifier in identifiers}
    match = pattern(req.get("logEventFilterPattern"))
    session = _Session(call, groups, tuple(names or ()), tuple(prefixes or ()), match)
    start: t.LiveTailSessionStart = {
        "requestId": call.request_id,
        "sessionId": call.ids.uuid(),
        "logGroupIdentifiers": identifiers,
    }
    if names:
        start["logStreamNames"] = names
    if prefixes:
        start["logStreamNamePrefixes"] = prefixes
    if "logEventFilterPattern" in req:
        start["logEventFilterPattern"] = req["logEventFilterPattern"]
    return {"responseStream": session.events(start)}  # type: ignore[typeddict-item]


class _Session:
    """One client that watches."""

    def __init__(
        self, call: Call, groups: set[str], names: tuple[str, ...], prefixes: tuple[str, ...], match: Match | None
    ) -> None:
        self._call = call
        self._groups = groups
        self._names = names
        self._prefixes = prefixes
        self._match = match
        self._streams: dict[str, Stream | None] = {}

    def _wants(self, events: str) -> bool:
        # Streams that come into being later are found when their first events do.
        if events not in self._streams:
            found = self._call.store.index(model.streams, "events", events)
            self._streams[events] = found[0] if found and self._watches(found[0]) else None
        return self._streams[events] is not None

    def _watches(self, stream: Stream) -> bool:
        return (
            stream.scope == self._call.scope
            and stream.group in self._groups
            and (not self._names or stream.name in self._names)
            and (not self._prefixes or stream.name.startswith(self._prefixes))
        )

    async def events(self, start: t.LiveTailSessionStart) -> AsyncIterator[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + SESSION_SECONDS
        tail = engine(self._call).subscribe(self._wants)
        try:
            yield {"sessionStart": start}
            found: list[Located] = []
            reading = asyncio.ensure_future(self._collect(tail, found))
            try:
                while loop.time() < ends:
                    await asyncio.sleep(PERIOD_SECONDS)
                    taken, found[:] = found[:], []
                    yield {"sessionUpdate": self._update(taken, sampled=tail.missed > 0)}
                    tail.missed = 0
            finally:
                reading.cancel()
        finally:
            tail.close()
        raise t.SessionTimeoutException("The live tail session has lasted three hours.")

    async def _collect(self, tail: Subscription, found: list[Located]) -> None:
        async for some in tail:
            found += (
                located for located in some if self._match is None or self._match(located.event.message) is not None
            )
            if len(found) > SAMPLE:
                tail.missed += len(found) - SAMPLE
                del found[SAMPLE:]

    def _update(self, found: list[Located], *, sampled: bool) -> t.LiveTailSessionUpdate:
        shown: list[t.LiveTailSessionLogEvent] = []
        for located in found:
            stream = self._streams[located.stream]
            assert stream is not None
            shown.append(
                {
                    "logStreamName": stream.name,
                    "logGroupIdentifier": f"{stream.scope.account}:{stream.group}",
                    "message": located.event.message,
                    "timestamp": located.event.time,
                    "ingestionTime": located.event.ingested,
                }
            )
        return {"sessionMetadata": {"sampled": sampled}, "sessionResults": shown}
