"""Parts of uploads: sent, copied, listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hatoba.aws.shapes import s3 as t
from hatoba.core.checksums import Algorithm
from hatoba.gateway.call import Call
from hatoba.services.s3 import locks, model, refusals, views
from hatoba.services.s3.api import read
from hatoba.services.s3.api.copy import the_source
from hatoba.services.s3.api.intake import asked_checksum, taken
from hatoba.services.s3.api.listing import limit_of
from hatoba.services.s3.api.room import files, refuse, s3, the_bucket
from hatoba.services.s3.api.upload import MOST_PARTS, the_upload
from hatoba.services.s3.api.write import moment
from hatoba.services.s3.model import Bucket, Object, Part, Upload
from hatoba.services.s3.plan import integrity, ranges
from hatoba.services.s3.plan.ranges import Span


@s3.operation
async def upload_part(req: t.UploadPartRequest, call: Call) -> t.UploadPartOutput:
    bucket = the_bucket(call.store, call, req)
    upload = _upload(req, call, bucket)
    wrong = integrity.mismatch(cast(Algorithm, upload.algorithm), upload.asked, asked_checksum(req))
    if wrong is not None:
        raise refusals.invalid_request(wrong)
    part = await _stored(req, req, call, bucket, upload)
    answer: dict[str, Any] = {"ETag": views.quoted(part.etag), **views.encryption(upload.kms)}
    return {**answer, f"Checksum{upload.algorithm}": part.checksum}  # type: ignore[typeddict-item]


@s3.operation
async def upload_part_copy(req: t.UploadPartCopyRequest, call: Call) -> t.UploadPartCopyOutput:
    bucket = the_bucket(call.store, call, req)
    upload = _upload(req, call, bucket)
    source, told_of = the_source(req, call)
    span = _span(req.get("CopySourceRange"), source)
    parts = list(read.cut(source, span))
    with files(call).held(parts):  # while KMS is asked
        body = files(call).read(parts, await locks.opened(call, source.kms))
    part = await _stored(req, {"Body": body, "ContentLength": span.length}, call, bucket, upload)
    result = {
        "ETag": views.quoted(part.etag),
        "LastModified": part.modified,
        f"Checksum{upload.algorithm}": part.checksum,
    }
    return {"CopyPartResult": result, **views.encryption(upload.kms), **told_of}  # type: ignore[typeddict-item]


def _upload(req: Mapping[str, Any], call: Call, bucket: Bucket) -> Upload:
    refuse(req)
    if not 1 <= req["PartNumber"] <= MOST_PARTS:
        raise refusals.invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive", "partNumber", str(req["PartNumber"])
        )
    return the_upload(call.store, bucket, req)


def _span(said: str | None, source: Object) -> Span:
    if said is None:
        return Span(0, source.size)
    span = ranges.exact(said, source.size)
    if span is None:
        raise refusals.invalid_argument(
            f"Range specified is not valid for source object of size: {source.size}", "x-amz-copy-source-range", said
        )
    return span


async def _stored(req: Mapping[str, Any], sent: Mapping[str, Any], call: Call, bucket: Bucket, upload: Upload) -> Part:
    """A part in the place of what had its number. `sent`: its body, and what is said of that."""
    under = await locks.opened(call, upload.kms)
    async with taken(call, sent, cast(Algorithm, upload.algorithm), under) as came:
        key = model.parts.key(bucket.scope, model.part_id(upload.upload_id, req["PartNumber"]))
        with call.tx() as tx:
            the_upload(tx, bucket, req)  # it may have ended meanwhile
            before = tx.get(model.parts, key)
            return tx.put(
                model.parts,
                Part(
                    key=key,
                    version=0 if before is None else before.version,
                    upload_id=upload.upload_id,
                    number=req["PartNumber"],
                    body=came.body,
                    etag=came.md5,
                    checksum=came.checksum,
                    modified=moment(call),
                ),
            )


@s3.operation
async def list_parts(req: t.ListPartsRequest, call: Call) -> t.ListPartsOutput:
    bucket = the_bucket(call.store, call, req)
    upload = the_upload(call.store, bucket, req)
    limit, marker = limit_of(req.get("MaxParts"), "max-parts"), req.get("PartNumberMarker") or 0
    rest = [part for part in model.parts_of(call.store, upload.upload_id) if part.number > marker]
    page = rest[:limit]
    answer: dict[str, Any] = {
        "Bucket": bucket.id,
        "Key": upload.name,
        "UploadId": upload.upload_id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": page[-1].number if page else 0,
        "MaxParts": limit,
        "IsTruncated": len(rest) > len(page),
        "Parts": [views.part(part, upload) for part in page],
        "Initiator": {"ID": upload.initiator},
        "Owner": views.owner(bucket),
        "StorageClass": upload.storage,
    }
    if upload.asked:
        answer |= {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.checksum_type}
    return answer  # type: ignore[return-value]
