"""Which sessions there are and were, and whether one could be had: DescribeSessions, GetConnectionStatus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import gt, lt

from hatoba.aws.shapes import ssm as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.ssm import views
from hatoba.services.ssm.api.room import bad_token, ssm
from hatoba.services.ssm.api.session import target
from hatoba.services.ssm.session.model import Session, over, sessions

PAGE = 200


def _at(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise t.InvalidFilterKey(f"{text} is not a time such as 2024-08-29T00:00:00Z.") from None


_TIMES: dict[str, Callable[[float, float], bool]] = {"InvokedAfter": gt, "InvokedBefore": lt}
_FILTERS: dict[str, Callable[[Session, str], bool]] = {
    "Target": lambda session, value: session.target == value,
    "Owner": lambda session, value: session.owner == value,
    "SessionId": lambda session, value: session.id == value,
    "AccessType": lambda session, value: value == "Standard",
}


def _filter(name: str, value: str, now: float) -> Callable[[Session], bool]:
    """Raises InvalidFilterKey, also where there is nothing to be filtered."""
    if name in _TIMES:
        compare, at = _TIMES[name], _at(value)
        return lambda session: compare(session.started, at)
    if name == "Status":
        return lambda session: views.session(session, now)["Status"] == value
    return lambda session: _FILTERS[name](session, value)


@ssm.operation
async def describe_sessions(req: t.DescribeSessionsRequest, call: Call) -> t.DescribeSessionsResponse:
    """The newest first. What is over is told for as long as it is remembered."""
    past, now = req["State"] == "History", call.now
    filters = [(str(f["key"]), f["value"]) for f in req.get("Filters") or ()]
    rows = [one for one in call.store.scan(sessions, call.scope) if over(one, now) == past]
    for passes in [_filter(name, value, now) for name, value in filters]:
        rows = [one for one in rows if passes(one)]
    page, token = call.page(
        sorted(rows, key=_order),
        order=_order,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=(past, filters),
        bad_token=bad_token,
    )
    return {"Sessions": [views.session(one, now) for one in page], **next_token(token)}


def _order(session: Session) -> str:
    """Later starts come first: what is left until a time far away, and the id."""
    return f"{int(1e16 - session.started * 1e6):017}{session.id}"


@ssm.operation
async def get_connection_status(req: t.GetConnectionStatusRequest, call: Call) -> t.GetConnectionStatusResponse:
    there = target(call, req["Target"]) is not None
    return {"Target": req["Target"], "Status": "connected" if there else "notconnected"}
