"""Tags of accounts, units, policies and the root."""

from __future__ import annotations

from hatoba.aws.shapes import organizations as t
from hatoba.gateway.call import Call
from hatoba.gateway.tags import remove_tags, set_tags, tags_of
from hatoba.services.organizations import model
from hatoba.services.organizations.api.room import (
    TAGS,
    checked_tags,
    invalid,
    managed,
    organizations,
    page,
    seen,
    violation,
)
from hatoba.services.organizations.model import Organization
from hatoba.services.organizations.plan.managed import POLICIES
from hatoba.store.store import View


def _tagged(view: View, org: Organization, id_: str) -> str:
    """The ARN of what an id names. Raises TargetNotFoundException."""
    if id_ in POLICIES:
        raise invalid("TARGET_NOT_SUPPORTED", f"{POLICIES[id_].name} is managed by AWS and can't be tagged.")
    if id_.startswith("p-"):
        policy = view.find(model.policies, org.scope, id_)
        if policy is not None:
            return policy.arn
    else:
        target = model.find_target(view, org, id_)
        if target is not None:
            return target.root_arn if isinstance(target, Organization) else target.arn
    raise t.TargetNotFoundException("You specified a target that doesn't exist.")


@organizations.operation
async def tag_resource(req: t.TagResourceRequest, call: Call) -> None:
    new = checked_tags(req["Tags"])
    with call.tx() as tx:
        org = managed(tx, call)
        arn = _tagged(tx, org, req["ResourceId"])
        if len({**tags_of(tx, org.scope, arn), **new}) > TAGS:
            raise violation("MAX_TAG_LIMIT_EXCEEDED", f"A resource can have at most {TAGS} tags.")
        set_tags(tx, org.scope, arn, new)


@organizations.operation
async def untag_resource(req: t.UntagResourceRequest, call: Call) -> None:
    with call.tx() as tx:
        org = managed(tx, call)
        remove_tags(tx, org.scope, _tagged(tx, org, req["ResourceId"]), req["TagKeys"])


@organizations.operation
async def list_tags_for_resource(req: t.ListTagsForResourceRequest, call: Call) -> t.ListTagsForResourceResponse:
    org = seen(call.store, call)
    arn = _tagged(call.store, org, req["ResourceId"])
    given = tags_of(call.store, org.scope, arn)
    found, more = page(call, given, {**req, "MaxResults": TAGS}, lambda key: key, arn)
    return {"Tags": [{"Key": key, "Value": given[key]} for key in found], **more}
