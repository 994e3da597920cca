"""The events of one stream: put, get."""

from __future__ import annotations

from hatoba.aws.shapes import logs as t
from hatoba.gateway.call import Call
from hatoba.services.logs import views
from hatoba.services.logs.api.room import (
    bad_token,
    engine,
    find_group,
    find_stream,
    group_name,
    invalid,
    logs,
    visible_from,
)
from hatoba.services.logs.ingest import store
from hatoba.services.logs.plan import intake, places
from hatoba.streams.port import Batch, Query


@logs.operation
async def put_log_events(req: t.PutLogEventsRequest, call: Call) -> t.PutLogEventsResponse:
    stream = find_stream(call.store, call.scope, req["logGroupName"], req["logStreamName"])
    events = [intake.Event(event["timestamp"], event["message"]) for event in req["logEvents"]]
    if (refusal := intake.refusal(events)) is not None:
        raise invalid(refusal)
    retention = find_group(call.store, call.scope, stream.group).retention
    taken = intake.intake(events, int(call.now * 1000), retention)
    times, messages = zip(*events[taken.first : taken.last], strict=True) if taken.first < taken.last else ((), ())
    await store(call.store, engine(call), stream, [Batch(times=times, messages=messages)])
    answer: t.PutLogEventsResponse = {"nextSequenceToken": views.sequence_token(stream)}
    rejected: t.RejectedLogEventsInfo = {}
    if taken.too_old_end is not None:
        rejected["tooOldLogEventEndIndex"] = taken.too_old_end
    if taken.expired_end is not None:
        rejected["expiredLogEventEndIndex"] = taken.expired_end
    if taken.too_new_start is not None:
        rejected["tooNewLogEventStartIndex"] = taken.too_new_start
    if rejected:
        answer["rejectedLogEventsInfo"] = rejected
    return answer


@logs.operation
async def get_log_events(req: t.GetLogEventsRequest, call: Call) -> t.GetLogEventsResponse:
    """Without a token: the first events with `startFromHead`, else the last ones. In order of time either way."""
    stream = find_stream(call.store, call.scope, group_name(call, req), req["logStreamName"])
    group = find_group(call.store, call.scope, stream.group)
    token = req.get("nextToken")
    backward, place = not req.get("startFromHead", False), None
    if token is not None:
        if (parsed := places.parse(token)) is None:
            raise bad_token()
        backward, place = parsed
    after = None
    if place is not None:
        after = place.before(stream.events) if backward else place.after(stream.events)
    page = await engine(call).read(
        Query(
            streams=[stream.events],
            start=visible_from(call, group, req.get("startTime")),
            end=req.get("endTime"),
            after=after,
            backward=backward,
            limit=req.get("limit", 10_000),
        )
    )
    events = [located.event for located in page.events]
    if backward:
        events.reverse()
    first, last = places.around(events, place or places.BEGINNING)
    return {
        "events": [views.event(event) for event in events],
        "nextForwardToken": last.forward_token,
        "nextBackwardToken": first.backward_token,
    }
