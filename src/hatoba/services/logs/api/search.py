"""FilterLogEvents: the events of many streams in one order of time, those that match a pattern."""

from __future__ import annotations

from hatoba.aws.shapes import logs as t
from hatoba.core.pages import BadToken
from hatoba.gateway.call import Call
from hatoba.services.logs import model, views
from hatoba.services.logs.api.room import (
    bad_token,
    engine,
    find_group,
    find_stream,
    group_name,
    invalid,
    logs,
    pattern,
    visible_from,
)
from hatoba.services.logs.model import Stream
from hatoba.streams.port import Position, Query

LIMIT = 10_000
SCANNED = 50_000  # events looked at for one page: it may be empty and yet have a next one


@logs.operation
async def filter_log_events(req: t.FilterLogEventsRequest, call: Call) -> t.FilterLogEventsResponse:
    name = group_name(call, req)
    group = find_group(call.store, call.scope, name)
    streams = {stream.events: stream for stream in _searched(req, call, name)}
    filters = (name, *(req.get(key) for key in _FILTERS))
    token, after = req.get("nextToken"), None
    pager = call.platform.pager
    if token is not None:
        try:
            time, stream, sequence = pager.last(call.scope, call.operation, filters, token).split(":")
        except BadToken:
            raise bad_token() from None
        after = Position(int(time), stream, int(sequence))
    matches = pattern(req.get("filterPattern"))
    end = req.get("endTime")
    page = await engine(call).read(
        Query(
            streams=list(streams),
            start=visible_from(call, group, req.get("startTime")),
            end=None if end is None else end + 1,  # unlike GetLogEvents, this one includes its end
            after=after,
            limit=req.get("limit", LIMIT),
            max_scan=SCANNED,
            match=None if matches is None else lambda message: matches(message) is not None,
        )
    )
    answer: t.FilterLogEventsResponse = {
        "events": [views.filtered(found, streams[found.stream].name) for found in page.events],
        "searchedLogStreams": [],  # as AWS answers since 2021
    }
    if not page.complete and page.last is not None:
        last = f"{page.last.time}:{page.last.stream}:{page.last.sequence}"
        answer["nextToken"] = pager.token(call.scope, call.operation, filters, last)
    return answer


_FILTERS = ("logStreamNames", "logStreamNamePrefix", "startTime", "endTime", "filterPattern")


def _searched(req: t.FilterLogEventsRequest, call: Call, group: str) -> list[Stream]:
    names, prefix = req.get("logStreamNames"), req.get("logStreamNamePrefix")
    if names is None:
        return model.streams_of(call.store, call.scope, group, prefix or "")
    if prefix is not None:
        raise invalid("Only one of logStreamNames and logStreamNamePrefix can be specified.")
    return [find_stream(call.store, call.scope, group, name) for name in names]
