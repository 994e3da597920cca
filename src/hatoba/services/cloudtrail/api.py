"""LookupEvents, and trails: there are none that deliver elsewhere."""

from __future__ import annotations

from hatoba.aws.shapes import cloudtrail as t
from hatoba.core.pages import BadToken
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.cloudtrail.access import ACCESS
from hatoba.services.cloudtrail.recorder import Recorder
from hatoba.services.cloudtrail.views import shown
from hatoba.trail.port import Attribute, Place, Question

cloudtrail = Service("cloudtrail", access=ACCESS)

PAGE = 50
_ATTRIBUTES: dict[str, Attribute] = {
    "AccessKeyId": "access_key",
    "EventId": "id",
    "EventName": "name",
    "EventSource": "source",
    "ReadOnly": "read_only",
    "ResourceName": "thing",
    "ResourceType": "kind",
    "Username": "user",
}


@cloudtrail.operation
async def lookup_events(req: t.LookupEventsRequest, call: Call) -> t.LookupEventsResponse:
    question = _question(req, call)
    recorder = call.get(Recorder)
    if question.after is None:
        await recorder.flush()  # whoever asks sees what was done until now
    found = await recorder.find(question)
    answer: t.LookupEventsResponse = {"Events": [shown(entry) for _, entry in found[: question.limit - 1]]}
    if len(found) == question.limit:
        place = found[-2][0]
        last = f"{place.time!r} {place.row}"
        answer["NextToken"] = call.platform.pager.token(call.scope, call.operation, _filters(req), last)
    return answer


def _question(req: t.LookupEventsRequest, call: Call) -> Question:
    """Asks for one more than is shown: whether there is more."""
    since, until = req.get("StartTime", 0.0), req.get("EndTime", float("inf"))
    if since > until:
        raise t.InvalidTimeRangeException("The start time must be before the end time.")
    if req.get("EventCategory"):
        raise t.InvalidEventCategoryException("Insights events are not gathered here.")
    attributes = req.get("LookupAttributes", [])
    if len(attributes) > 1:
        raise t.InvalidLookupAttributesException("You can specify only one lookup attribute.")
    where = None
    if attributes:
        where = (_ATTRIBUTES[attributes[0]["AttributeKey"]], attributes[0]["AttributeValue"])
    return Question(
        account=call.scope.account,
        region=call.scope.region,
        since=since,
        until=until,
        where=where,
        after=_after(req, call),
        limit=req.get("MaxResults", PAGE) + 1,
    )


def _after(req: t.LookupEventsRequest, call: Call) -> Place | None:
    token = req.get("NextToken")
    if not token:
        return None
    try:
        time, row = call.platform.pager.last(call.scope, call.operation, _filters(req), token).split()
        return Place(float(time), int(row))
    except (BadToken, ValueError):
        raise t.InvalidNextTokenException("The token is not one of this request.") from None


def _filters(req: t.LookupEventsRequest) -> object:
    return req.get("StartTime"), req.get("EndTime"), req.get("LookupAttributes")


@cloudtrail.operation
async def describe_trails(req: t.DescribeTrailsRequest, call: Call) -> t.DescribeTrailsResponse:
    return {"trailList": []}


@cloudtrail.operation
async def list_trails(req: t.ListTrailsRequest, call: Call) -> t.ListTrailsResponse:
    return {"Trails": []}
