"""Tags of repositories (the ones with keys and values: tags of images are `image`'s)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hatoba.aws.shapes import ecr as t
from hatoba.core import arn
from hatoba.gateway.call import Call
from hatoba.gateway.tags import remove_tags, set_tags, tags_of
from hatoba.services.ecr.api.room import ecr, find_repository, invalid
from hatoba.store.store import View

LIMIT = 50


@ecr.operation
async def tag_resource(req: t.TagResourceRequest, call: Call) -> t.TagResourceResponse:
    resource = req["resourceArn"]
    with call.tx() as tx:
        _check(tx, call, resource)
        set_tags(tx, call.scope, resource, checked(tags_of(tx, call.scope, resource), req["tags"]))
    return {}


@ecr.operation
async def untag_resource(req: t.UntagResourceRequest, call: Call) -> t.UntagResourceResponse:
    resource = req["resourceArn"]
    with call.tx() as tx:
        _check(tx, call, resource)
        remove_tags(tx, call.scope, resource, req["tagKeys"])
    return {}


@ecr.operation
async def list_tags_for_resource(req: t.ListTagsForResourceRequest, call: Call) -> t.ListTagsForResourceResponse:
    resource = req["resourceArn"]
    _check(call.store, call, resource)
    found = tags_of(call.store, call.scope, resource)
    return {"tags": [{"Key": key, "Value": value} for key, value in found.items()]}


def checked(present: Mapping[str, str], new: Iterable[t.Tag]) -> dict[str, str]:
    """The new tags. Raises what AWS raises for names that are reserved, too long or too many."""
    tags = {}
    for tag in new:
        key, value = tag["Key"], tag["Value"]
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:") or key in tags:
            raise t.InvalidTagParameterException(
                f"The tag '{key}' is invalid: keys have 1 to 128 characters, are given once and do not begin with "
                "aws:; values have at most 256 characters."
            )
        tags[key] = value
    if len({**present, **tags}) > LIMIT:
        raise t.TooManyTagsException(f"A resource can have at most {LIMIT} tags.")
    return tags


def _check(view: View, call: Call, resource: str) -> None:
    parsed = arn.parse(resource)
    name = parsed.resource.removeprefix("repository/") if parsed is not None else ""
    if parsed is None or parsed.service != "ecr" or parsed.scope != call.scope or name == parsed.resource:
        raise invalid("resourceArn", f"'{resource}' must be the ARN of a repository of this account and region")
    find_repository(view, call.scope, name)
