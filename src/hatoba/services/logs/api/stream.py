"""Log streams: create, describe, delete."""

from __future__ import annotations

from hatoba.aws.shapes import logs as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.services.logs import model, views
from hatoba.services.logs.api.room import bad_token, engine, find_group, find_stream, group_name, invalid, logs
from hatoba.services.logs.model import Stream
from hatoba.streams.port import Stats

PAGE = 50


@logs.operation
async def create_log_stream(req: t.CreateLogStreamRequest, call: Call) -> None:
    group, name = req["logGroupName"], req["logStreamName"]
    with call.tx() as tx:
        find_group(tx, call.scope, group)
        if model.find_stream(tx, call.scope, group, name) is not None:
            raise t.ResourceAlreadyExistsException("The specified log stream already exists")
        model.put_stream(tx, call.scope, group, name, ids=call.ids, now=int(call.now * 1000))


@logs.operation
async def delete_log_stream(req: t.DeleteLogStreamRequest, call: Call) -> None:
    with call.tx() as tx:
        model.delete_stream(tx, find_stream(tx, call.scope, req["logGroupName"], req["logStreamName"]))


@logs.operation
async def describe_log_streams(req: t.DescribeLogStreamsRequest, call: Call) -> t.DescribeLogStreamsResponse:
    group, prefix = group_name(call, req), req.get("logStreamNamePrefix", "")
    by_time, descending = req.get("orderBy") == "LastEventTime", req.get("descending", False)
    if by_time and prefix:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    find_group(call.store, call.scope, group)
    found = model.streams_of(call.store, call.scope, group, prefix)
    known: dict[str, Stats] = {}
    if by_time:
        known = dict(zip((s.events for s in found), await engine(call).stats([s.events for s in found]), strict=True))

    def order(stream: Stream) -> str:
        # Streams without events come first, as AWS has them.
        return f"{known[stream.events].last_time or 0:020d}:{stream.name}" if by_time else stream.name

    found.sort(key=order, reverse=descending)
    token, limit = req.get("nextToken"), req.get("limit", PAGE)
    page, token = call.page(
        found,
        # Places in the list grow in either direction of the order.
        order=(lambda stream: _falling(order(stream))) if descending else order,
        token=token,
        limit=limit,
        filters=(group, prefix, by_time, descending),
        bad_token=bad_token,
    )
    stats = await engine(call).stats([stream.events for stream in page])
    return {
        "logStreams": [views.stream(stream, found) for stream, found in zip(page, stats, strict=True)],
        **small_next_token(token),
    }


def _falling(text: str) -> str:
    """A text that sorts the other way round."""
    return "".join(chr(0x10FFFF - ord(letter)) for letter in text) + chr(0x10FFFF)
