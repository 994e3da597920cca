"""ListObjects in both versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import s3 as t
from hatoba.core.pages import BadToken
from hatoba.gateway.call import Call
from hatoba.services.s3 import model, refusals, views
from hatoba.services.s3.api.room import s3, the_bucket
from hatoba.services.s3.model import Bucket, Object
from hatoba.services.s3.plan import listing
from hatoba.services.s3.plan.listing import Page

MOST = 1000


def limit_of(said: int | None, name: str = "max-keys") -> int:
    """How many there are on a page. `name`: of the parameter."""
    if said is not None and said < 0:
        raise refusals.invalid_argument(f"Argument {name} must be an integer between 0 and 2147483647", name)
    return min(MOST, MOST if said is None else said)


def _page(call: Call, record: Bucket, req: Mapping[str, Any], after: str, limit: int) -> Page[Object]:
    return listing.page_of(
        lambda first: model.objects_onward(call.store, record, first),
        prefix=req.get("Prefix") or "",
        delimiter=req.get("Delimiter") or "",
        after=after,
        limit=limit,
    )


def _common(req: Mapping[str, Any], record: Bucket, limit: int, encode: views.Encode) -> dict[str, Any]:
    """What was asked for, as it is repeated."""
    said: dict[str, Any] = {"Name": record.id, "Prefix": encode(req.get("Prefix") or ""), "MaxKeys": limit}
    if req.get("Delimiter"):
        said["Delimiter"] = encode(req["Delimiter"])
    if req.get("EncodingType"):
        said["EncodingType"] = req["EncodingType"]
    return said


@s3.operation
async def list_objects(req: t.ListObjectsRequest, call: Call) -> t.ListObjectsOutput:
    record = the_bucket(call.store, call, req)
    limit, encode = limit_of(req.get("MaxKeys")), views.encoder(req.get("EncodingType"))
    found = _page(call, record, req, req.get("Marker") or "", limit)
    answer = {"Marker": encode(req.get("Marker") or ""), **_common(req, record, limit, encode)}
    if found.next is not None and req.get("Delimiter"):
        answer["NextMarker"] = encode(found.next)
    return {**answer, **views.page(found, encode, views.owner(record))}  # type: ignore[typeddict-item]


@s3.operation
async def list_objects_v2(req: t.ListObjectsV2Request, call: Call) -> t.ListObjectsV2Output:
    record = the_bucket(call.store, call, req)
    limit, encode = limit_of(req.get("MaxKeys")), views.encoder(req.get("EncodingType"))
    token, filters = req.get("ContinuationToken"), (record.id, req.get("Prefix") or "", req.get("Delimiter") or "")
    pager, scope = call.platform.pager, record.scope
    after = req.get("StartAfter") or ""
    if token is not None:
        try:
            after = pager.last(scope, call.operation, filters, token)
        except BadToken:
            raise refusals.invalid_argument(
                "The continuation token provided is incorrect", "continuation-token"
            ) from None
    found = _page(call, record, req, after, limit)
    answer = {**_common(req, record, limit, encode), "KeyCount": len(found.found) + len(found.prefixes)}
    if token is not None:
        answer["ContinuationToken"] = token
    if req.get("StartAfter"):
        answer["StartAfter"] = encode(req["StartAfter"])
    if found.next is not None:
        answer["NextContinuationToken"] = pager.token(scope, call.operation, filters, found.next)
    holder = views.owner(record) if req.get("FetchOwner") else None
    return {**answer, **views.page(found, encode, holder)}  # type: ignore[typeddict-item]
