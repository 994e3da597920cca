"""`GET /_hatoba/tasks/<task ARN>/story`: a task's whole story, for whoever may describe the task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import msgspec

from hatoba.core import arn
from hatoba.core.errors import AwsError
from hatoba.gateway.http import Request, Response
from hatoba.gateway.own import PREFIX
from hatoba.gateway.visitors import Visitors
from hatoba.services import ecs as ecs_room
from hatoba.store import Store

PAGES = "tasks/"
_STORY = "/story"
_JSON = {"content-type": "application/json"}


def stories(store: Store, visitors: Visitors) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            told = await _told(store, visitors, request)
        except AwsError as error:
            body = msgspec.json.encode({"code": error.code, "message": error.message})
            return Response(status=error.status, headers=_JSON, body=body)
        return Response(headers=_JSON, body=msgspec.json.encode(told))

    return answer


async def _told(store: Store, visitors: Visitors, request: Request) -> dict[str, object]:
    of = unquote(request.path.removeprefix(PREFIX + PAGES))
    parsed = arn.parse(of.removesuffix(_STORY)) if of.endswith(_STORY) else None
    kind, _, place = parsed.resource.partition("/") if parsed is not None else ("", "", "")
    cluster, _, id_ = place.partition("/")
    if parsed is None or parsed.service != "ecs" or kind != "task" or not id_:
        raise AwsError("The path is /_hatoba/tasks/<task ARN>/story.", code="NotFound", status=404)
    if request.method not in ("GET", "HEAD"):
        raise AwsError("Only GET is answered here.", code="MethodNotAllowed", status=405)
    await visitors.ask(request, "ecs", "describe_tasks", parsed.scope, {"cluster": cluster, "tasks": [id_]})
    found = ecs_room.story(store, parsed.scope, cluster, id_)
    if found is None:
        raise AwsError("The task is not there, or no longer remembered.", code="MISSING", status=404)
    return found
