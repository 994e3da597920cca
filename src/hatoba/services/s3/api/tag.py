"""Tags of buckets and of objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import s3 as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.s3 import history, model
from hatoba.services.s3.api.room import s3, the_bucket, the_object, version_of
from hatoba.services.s3.api.write import checked_tags
from hatoba.services.s3.plan.tags import Tags


def _given(req: Mapping[str, Any], of: str) -> Tags:
    return checked_tags([(tag["Key"], tag["Value"]) for tag in req["Tagging"]["TagSet"]], of)


def _shown(tags: Tags) -> list[t.Tag]:
    return [{"Key": key, "Value": value} for key, value in tags]


@s3.operation
async def put_object_tagging(req: t.PutObjectTaggingRequest, call: Call) -> t.PutObjectTaggingOutput:
    return _written(req, call, _given(req, "object"))  # type: ignore[return-value]


@s3.operation
async def delete_object_tagging(req: t.DeleteObjectTaggingRequest, call: Call) -> t.DeleteObjectTaggingOutput:
    return _written(req, call, ())  # type: ignore[return-value]


def _written(req: Mapping[str, Any], call: Call, tags: Tags) -> dict[str, str]:
    with call.tx() as tx:
        bucket = the_bucket(tx, call, req)
        record = the_object(tx, call, bucket, req["Key"], req.get("VersionId"))
        history.change(tx, replace(record, tags=tags))
    return version_of(bucket, record)


@s3.operation
async def get_object_tagging(req: t.GetObjectTaggingRequest, call: Call) -> t.GetObjectTaggingOutput:
    bucket = the_bucket(call.store, call, req)
    record = the_object(call.store, call, bucket, req["Key"], req.get("VersionId"))
    return {"TagSet": _shown(record.tags), **version_of(bucket, record)}  # type: ignore[typeddict-item]


@s3.operation
async def put_bucket_tagging(req: t.PutBucketTaggingRequest, call: Call) -> None:
    tags = _given(req, "bucket")
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), tags=tags))


@s3.operation
async def delete_bucket_tagging(req: t.DeleteBucketTaggingRequest, call: Call) -> None:
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), tags=()))


@s3.operation
async def get_bucket_tagging(req: t.GetBucketTaggingRequest, call: Call) -> t.GetBucketTaggingOutput:
    tags = the_bucket(call.store, call, req).tags
    if not tags:
        raise AwsError("The TagSet does not exist", code="NoSuchTagSet", status=404, BucketName=req["Bucket"])
    return {"TagSet": _shown(tags)}
