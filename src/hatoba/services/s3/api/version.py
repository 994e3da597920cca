"""Versions: whether a bucket keeps them, and which there are."""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import s3 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.s3 import history, model, refusals, views
from hatoba.services.s3.api.listing import limit_of
from hatoba.services.s3.api.room import s3, the_bucket
from hatoba.services.s3.model import Bucket
from hatoba.services.s3.plan import listing


@s3.operation
async def put_bucket_versioning(req: t.PutBucketVersioningRequest, call: Call) -> None:
    asked = req["VersioningConfiguration"]
    if asked.get("MFADelete", "Disabled") != "Disabled" or req.get("MFA") is not None:
        raise refusals.not_here("MFA delete")
    status = asked.get("Status")
    if status is None:
        raise refusals.malformed_xml()
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), versioning=status))


@s3.operation
async def get_bucket_versioning(req: t.GetBucketVersioningRequest, call: Call) -> t.GetBucketVersioningOutput:
    bucket = the_bucket(call.store, call, req)
    return {"Status": bucket.versioning} if bucket.versioning else {}


@s3.operation
async def list_object_versions(req: t.ListObjectVersionsRequest, call: Call) -> t.ListObjectVersionsOutput:
    bucket = the_bucket(call.store, call, req)
    limit, encode = limit_of(req.get("MaxKeys"), "max-keys"), views.encoder(req.get("EncodingType"))
    prefix, delimiter = req.get("Prefix") or "", req.get("Delimiter") or ""
    key, marker = req.get("KeyMarker") or "", req.get("VersionIdMarker") or ""
    if marker and not key:
        raise refusals.invalid_argument("A version-id marker cannot be specified without a key marker.")
    found = listing.page_of(
        lambda first: history.entries(call.store, bucket, first),
        prefix=prefix,
        delimiter=delimiter,
        after=listing.after_entry(key, _rank(call, bucket, key, marker), prefix, delimiter),
        limit=limit,
    )
    answer: dict[str, Any] = {
        "Name": bucket.id,
        "Prefix": encode(prefix),
        "KeyMarker": encode(key),
        "VersionIdMarker": marker,
        "MaxKeys": limit,
        "IsTruncated": found.next is not None,
        "Versions": [views.version(*each, encode, bucket) for each in found.found if not each[0].marker],
        "DeleteMarkers": [views.marker(*each, encode, bucket) for each in found.found if each[0].marker],
        "CommonPrefixes": [{"Prefix": encode(each)} for each in found.prefixes],
    }
    if delimiter:
        answer["Delimiter"] = encode(delimiter)
    if req.get("EncodingType"):
        answer["EncodingType"] = req["EncodingType"]
    if found.next is not None:
        last, entry, _ = found.next.partition("\0")
        answer["NextKeyMarker"] = encode(last)
        if entry:
            answer["NextVersionIdMarker"] = found.found[-1][0].version_id
    return answer  # type: ignore[return-value]


def _rank(call: Call, bucket: Bucket, key: str, version: str) -> str:
    """Where among its key's versions one is. "" where there is none of that id (any more): then all of them come."""
    found = history.find(call.store, bucket, key, version) if version else None
    return history.rank(found) if found is not None else ""
