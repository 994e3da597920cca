"""Tags of load balancers, target groups, listeners and rules."""

from __future__ import annotations

from hatoba.aws.shapes import elbv2 as t
from hatoba.gateway import tags as tagged
from hatoba.gateway.call import Call
from hatoba.gateway.tags import set_tags, tags_of
from hatoba.services.elbv2 import views
from hatoba.services.elbv2.api.room import (
    MOST_TAGS,
    checked_tags,
    elbv2,
    the_balancer,
    the_group,
    the_listener,
    the_rule,
    the_trust_store,
)
from hatoba.services.elbv2.model import arns
from hatoba.services.elbv2.plan.errors import invalid
from hatoba.store.store import View

_MOST_DESCRIBED = 20  # Source: DescribeTags


def _need(view: View, call: Call, arn: str) -> None:
    """Raises when nothing here has that ARN."""
    parsed = arns.parse(arn)
    match parsed[1] if parsed is not None else None:
        case arns.LOAD_BALANCER:
            the_balancer(view, call, arn)
        case arns.TARGET_GROUP:
            the_group(view, call, arn)
        case arns.LISTENER:
            the_listener(view, call, arn)
        case arns.RULE:
            the_rule(view, call, arn)
        case arns.TRUST_STORE:
            the_trust_store(view, call, arn)
        case _:
            raise invalid(f"'{arn}' is not a valid ARN of Elastic Load Balancing")


@elbv2.operation
async def add_tags(req: t.AddTagsInput, call: Call) -> t.AddTagsOutput:
    tags = checked_tags(req["Tags"], t.DuplicateTagKeysException)
    with call.tx() as tx:
        for arn in dict.fromkeys(req["ResourceArns"]):
            _need(tx, call, arn)
            if len({**tags_of(tx, call.scope, arn), **tags}) > MOST_TAGS:
                raise t.TooManyTagsException(f"A resource can have at most {MOST_TAGS} tags")
            set_tags(tx, call.scope, arn, tags)
    return {}


@elbv2.operation
async def remove_tags(req: t.RemoveTagsInput, call: Call) -> t.RemoveTagsOutput:
    with call.tx() as tx:
        for arn in dict.fromkeys(req["ResourceArns"]):
            _need(tx, call, arn)
            tagged.remove_tags(tx, call.scope, arn, req["TagKeys"])
    return {}


@elbv2.operation
async def describe_tags(req: t.DescribeTagsInput, call: Call) -> t.DescribeTagsOutput:
    described: list[t.TagDescription] = []
    if len(req["ResourceArns"]) > _MOST_DESCRIBED:
        raise invalid(f"You cannot describe tags of more than {_MOST_DESCRIBED} resources at once")
    for arn in dict.fromkeys(req["ResourceArns"]):
        _need(call.store, call, arn)
        described.append({"ResourceArn": arn, "Tags": views.tags(tags_of(call.store, call.scope, arn))})
    return {"TagDescriptions": described}
