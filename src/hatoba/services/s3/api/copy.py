"""CopyObject: a second record of the same bytes, which are not copied: files do not change, and are there for as long
as a record wants them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import s3 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.s3 import history, locks, model, refusals, views
from hatoba.services.s3.access import source_of
from hatoba.services.s3.api import read
from hatoba.services.s3.api.intake import taken
from hatoba.services.s3.api.room import expect_owner, files, refuse, s3, the_bucket, the_object, version_of
from hatoba.services.s3.api.write import check_writing, hold, moment, still, storage_of, tags_of, traits
from hatoba.services.s3.model import Bucket, Object, Piece
from hatoba.services.s3.plan.ranges import Span

_REPLACING = ("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption")
_CUSTOMERS = ("CopySourceSSECustomerAlgorithm", "CopySourceSSECustomerKey", "CopySourceSSECustomerKeyMD5")
LARGEST = 5 * 2**30


@s3.operation
async def copy_object(req: t.CopyObjectRequest, call: Call) -> t.CopyObjectOutput:
    refuse(req, _CUSTOMERS)
    bucket = the_bucket(call.store, call, req)
    check_writing(req)
    source, told_of = the_source(req, call)
    if source.size > LARGEST:
        raise refusals.invalid_request(
            f"The specified copy source is larger than the maximum allowable size for a copy source: {LARGEST}"
        )
    _check_itself(req, source, bucket)
    record = _record(req, call, bucket, source)
    wanted = req.get("ChecksumAlgorithm")
    known = wanted is None or (wanted in source.checksums and source.checksum_type == "FULL_OBJECT")
    plain = bucket.encryption is None and req.get("ServerSideEncryption", "AES256") == "AES256"
    if known and plain and source.kms is None and req.get("SSEKMSKeyId") is None:
        return _written(req, call, bucket, record, told_of)
    return await _anew(req, call, bucket, source, record, told_of)


def the_source(req: Mapping[str, Any], call: Call) -> tuple[Object, dict[str, str]]:
    """What is copied, if its conditions hold; and what is told of its version."""
    name, key, version = source_of(req["CopySource"])
    if not name or not key:
        raise refusals.invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            "x-amz-copy-source",
            req["CopySource"],
        )
    found = model.find_bucket(call.store, call.scope.partition, name)
    if found is None:
        raise refusals.no_such_bucket(name)
    expect_owner(found, req.get("ExpectedSourceBucketOwner"))
    source = the_object(call.store, call, found, key, version)
    read.hold(source, read.asked(req, "CopySource"), copied=True)
    return source, {"CopySourceVersionId": source.version_id} if found.versioning else {}


def _check_itself(req: t.CopyObjectRequest, source: Object, bucket: Bucket) -> None:
    there = model.object_id(bucket.id, req["Key"])
    itself = source.key == model.objects.key(bucket.scope, there)  # not what it was at an earlier version
    if itself and req.get("MetadataDirective", "COPY") == "COPY" and not any(map(req.get, _REPLACING)):
        raise refusals.invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )


def _record(req: t.CopyObjectRequest, call: Call, bucket: Bucket, source: Object) -> Object:
    record = replace(
        source,
        key=model.objects.key(bucket.scope, model.object_id(bucket.id, req["Key"])),
        version=0,
        bucket=bucket.id,
        name=req["Key"],
        modified=moment(call),
        storage=storage_of(req),
    )
    if req.get("MetadataDirective", "COPY") == "REPLACE":
        record = replace(record, **traits(req))
    if req.get("TaggingDirective", "COPY") == "REPLACE":
        record = replace(record, tags=tags_of(req))
    return record


def _written(
    req: t.CopyObjectRequest, call: Call, bucket: Bucket, record: Object, told_of: Mapping[str, str]
) -> t.CopyObjectOutput:
    """`told_of`: the source's version. Nothing was awaited since the source was read: its files are there."""
    with call.tx() as tx:
        hold(tx, bucket, req)
        record = history.put(tx, still(tx, bucket), record, call.ids)
    told = {"ETag": views.quoted(record.etag), "LastModified": record.modified, **views.checksums(record)}
    answer = {"CopyObjectResult": told, **views.encryption(record.kms), **version_of(bucket, record)}
    return {**answer, **told_of}  # type: ignore[typeddict-item]


async def _anew(
    req: t.CopyObjectRequest,
    call: Call,
    bucket: Bucket,
    source: Object,
    record: Object,
    told_of: Mapping[str, str],
) -> t.CopyObjectOutput:
    """With a checksum that the source has not, or under another key: its bytes are gone through, and written anew."""
    parts = list(read.cut(source, Span(0, source.size)))
    with files(call).held(parts):  # while KMS is asked
        under = await locks.opened(call, source.kms)
        lock = await locks.made(call, bucket, req)
        body = files(call).read(parts, under)
    asked = {"Body": body, "ContentLength": source.size, "ChecksumAlgorithm": req.get("ChecksumAlgorithm")}
    async with taken(call, asked, under=lock.key) as came:
        record = replace(
            record,
            etag=came.md5,
            pieces=(Piece(body=came.body),),
            checksums=came.checksums,
            checksum_type="FULL_OBJECT",
            kms=lock.kms,
        )
        return _written(req, call, bucket, record, told_of)
