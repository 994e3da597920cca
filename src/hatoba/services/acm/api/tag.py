"""Tags of certificates, in both of the model's generations."""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.aws.shapes import acm as t
from hatoba.gateway.call import Call
from hatoba.gateway.tags import remove_tags, set_tags, tags_of
from hatoba.services.acm import views
from hatoba.services.acm.api.room import MOST_TAGS, acm, checked_tags, the_certificate


@acm.operation
async def add_tags_to_certificate(req: t.AddTagsToCertificateRequest, call: Call) -> None:
    new = checked_tags(req["Tags"])
    with call.tx() as tx:
        arn = the_certificate(tx, call, req["CertificateArn"]).arn
        if len({**tags_of(tx, call.scope, arn), **new}) > MOST_TAGS:
            raise t.TooManyTagsException(f"A certificate can have at most {MOST_TAGS} tags.")
        set_tags(tx, call.scope, arn, new)


@acm.operation
async def remove_tags_from_certificate(req: t.RemoveTagsFromCertificateRequest, call: Call) -> None:
    """A tag that is given with a value goes only if it has that value."""
    with call.tx() as tx:
        arn = the_certificate(tx, call, req["CertificateArn"]).arn
        there = tags_of(tx, call.scope, arn)
        gone = [tag["Key"] for tag in req["Tags"] if tag.get("Value", there.get(tag["Key"])) == there.get(tag["Key"])]
        remove_tags(tx, call.scope, arn, gone)


@acm.operation
async def list_tags_for_certificate(
    req: t.ListTagsForCertificateRequest, call: Call
) -> t.ListTagsForCertificateResponse:
    return {"Tags": views.tags(_of(call, req["CertificateArn"]))}


@acm.operation
async def list_tags_for_resource(req: t.ListTagsForResourceRequest, call: Call) -> t.ListTagsForResourceResponse:
    return {"Tags": views.tags(_of(call, _resource(req["ResourceArn"])))}


@acm.operation
async def tag_resource(req: t.TagResourceRequest, call: Call) -> None:
    new = {tag["Key"]: tag.get("Value") or "" for tag in req["Tags"]}
    if any(key.lower().startswith("aws:") for key in new):
        raise t.ValidationException("Tag keys beginning with aws: are reserved.")
    with call.tx() as tx:
        arn = the_certificate(tx, call, _resource(req["ResourceArn"])).arn
        if len({**tags_of(tx, call.scope, arn), **new}) > MOST_TAGS:
            raise t.ServiceQuotaExceededException(f"A certificate can have at most {MOST_TAGS} tags.")
        set_tags(tx, call.scope, arn, new)


@acm.operation
async def untag_resource(req: t.UntagResourceRequest, call: Call) -> None:
    with call.tx() as tx:
        arn = the_certificate(tx, call, _resource(req["ResourceArn"])).arn
        remove_tags(tx, call.scope, arn, req["TagKeys"])


def _of(call: Call, reference: str) -> Mapping[str, str]:
    return tags_of(call.store, call.scope, the_certificate(call.store, call, reference).arn)


def _resource(reference: str) -> str:
    """These operations have another word for an ARN that is none."""
    if not reference.startswith("arn:") or ":acm:" not in reference:
        raise t.ValidationException(f"Invalid ARN: {reference}")
    return reference
