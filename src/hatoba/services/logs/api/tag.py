"""Tags of log groups: by ARN, and by name as it was before."""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.aws.shapes import logs as t
from hatoba.core import arn
from hatoba.gateway.call import Call
from hatoba.gateway.tags import remove_tags, set_tags, tags_of
from hatoba.services.logs import model
from hatoba.services.logs.api.room import find_group, invalid, logs, named_by
from hatoba.store.store import View

LIMIT = 50


@logs.operation
async def tag_resource(req: t.TagResourceRequest, call: Call) -> None:
    _tag(call, _named(call, req["resourceArn"]), req["tags"])


@logs.operation
async def untag_resource(req: t.UntagResourceRequest, call: Call) -> None:
    with call.tx() as tx:
        remove_tags(tx, call.scope, _group(tx, call, _named(call, req["resourceArn"])), req["tagKeys"])


@logs.operation
async def list_tags_for_resource(req: t.ListTagsForResourceRequest, call: Call) -> t.ListTagsForResourceResponse:
    return {"tags": tags_of(call.store, call.scope, _group(call.store, call, _named(call, req["resourceArn"])))}


@logs.operation
async def tag_log_group(req: t.TagLogGroupRequest, call: Call) -> None:
    _tag(call, req["logGroupName"], req["tags"])


@logs.operation
async def untag_log_group(req: t.UntagLogGroupRequest, call: Call) -> None:
    with call.tx() as tx:
        remove_tags(tx, call.scope, _group(tx, call, req["logGroupName"]), req["tags"])


@logs.operation
async def list_tags_log_group(req: t.ListTagsLogGroupRequest, call: Call) -> t.ListTagsLogGroupResponse:
    return {"tags": tags_of(call.store, call.scope, _group(call.store, call, req["logGroupName"]))}


def checked(present: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """The new tags. Raises for names that are reserved, and for too many."""
    for name in new:
        if name.lower().startswith("aws:"):
            raise invalid("aws: prefixed tag key names are not allowed for external use.")
    if len({**present, **new}) > LIMIT:
        raise invalid(f"A log group can have at most {LIMIT} tags.")
    return dict(new)


def _tag(call: Call, group: str, new: Mapping[str, str]) -> None:
    with call.tx() as tx:
        resource = _group(tx, call, group)
        set_tags(tx, call.scope, resource, checked(tags_of(tx, call.scope, resource), new))


def _named(call: Call, resource: str) -> str:
    if arn.parse(resource) is None:
        raise invalid(f"'{resource}' is not the ARN of a log group.")
    return named_by(call, resource)


def _group(view: View, call: Call, name: str) -> str:
    """The group's ARN, once it is sure that there is one."""
    return model.group_arn(call.scope, find_group(view, call.scope, name).id)
