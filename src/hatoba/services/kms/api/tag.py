"""Tags of keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hatoba.aws.shapes import kms as t
from hatoba.gateway.call import Call
from hatoba.gateway.tags import remove_tags, set_tags, tags_of
from hatoba.services.kms.api.room import kms, own_key, page, the_key
from hatoba.services.kms.plan import states

LIMIT = 50


@kms.operation
async def tag_resource(req: t.TagResourceRequest, call: Call) -> None:
    key = own_key(call, req["KeyId"])
    states.check_kept(key.arn, key.state)
    with call.tx() as tx:
        set_tags(tx, call.scope, key.arn, checked(tags_of(tx, call.scope, key.arn), req["Tags"]))


@kms.operation
async def untag_resource(req: t.UntagResourceRequest, call: Call) -> None:
    key = own_key(call, req["KeyId"])
    states.check_kept(key.arn, key.state)
    with call.tx() as tx:
        remove_tags(tx, call.scope, key.arn, req["TagKeys"])


@kms.operation
async def list_resource_tags(req: t.ListResourceTagsRequest, call: Call) -> t.ListResourceTagsResponse:
    key = the_key(call, req["KeyId"])
    rows = sorted(tags_of(call.store, call.scope, key.arn).items())
    found, rest = page(call, rows, req, order=lambda tag: tag[0], most=(LIMIT, LIMIT), about=key.id)
    shown: list[t.Tag] = [{"TagKey": name, "TagValue": value} for name, value in found]
    return {"Tags": shown, **rest}


def checked(present: Mapping[str, str], new: Sequence[t.Tag]) -> dict[str, str]:
    """The new tags. Raises TagException, LimitExceededException."""
    found: dict[str, str] = {}
    for tag in new:
        if tag["TagKey"].lower().startswith("aws:"):
            raise t.TagException("Tag keys starting with aws: are reserved for AWS.")
        if tag["TagKey"] in found:
            raise t.TagException("Duplicate tag keys")
        found[tag["TagKey"]] = tag["TagValue"]
    if len({**present, **found}) > LIMIT:
        # CreateKey and TagResource both declare this one.
        raise t.LimitExceededException(f"A key can have at most {LIMIT} tags.")
    return found
