"""Objects that come in parts: begin, end, give up, list.

An upload is a record, and so is each of its parts (`part`). To complete it makes an object of the parts' files; to give
it up forgets the records, and with them their files.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, cast

from hatoba.aws.shapes import s3 as t
from hatoba.core.checksums import Algorithm
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.s3 import history, locks, model, refusals, views
from hatoba.services.s3.api.intake import asked_checksum
from hatoba.services.s3.api.listing import limit_of
from hatoba.services.s3.api.room import refuse, s3, the_bucket, version_of
from hatoba.services.s3.api.write import check_writing, hold, moment, still, storage_of, tags_of, traits
from hatoba.services.s3.model import Bucket, Object, Part, Piece, Upload
from hatoba.services.s3.plan import integrity, listing
from hatoba.store.store import View

SMALLEST = 5 * 2**20  # of a part that is not the last
MOST_PARTS = 10_000


@s3.operation
async def create_multipart_upload(req: t.CreateMultipartUploadRequest, call: Call) -> t.CreateMultipartUploadOutput:
    bucket = the_bucket(call.store, call, req)
    check_writing(req)
    refuse(req)
    asked = asked_checksum({"ChecksumAlgorithm": req.get("ChecksumAlgorithm")})
    try:
        kind = integrity.kind(asked.algorithm, req.get("ChecksumType"))
    except integrity.BadChecksum as error:
        raise refusals.invalid_request(str(error)) from None
    lock = await locks.made(call, bucket, req)
    id_ = call.ids.hex(48)
    record = Upload(
        key=model.uploads.key(bucket.scope, model.upload_id(bucket.id, req["Key"], id_)),
        bucket=bucket.id,
        name=req["Key"],
        upload_id=id_,
        initiated=moment(call),
        initiator=call.principal.arn,
        algorithm=asked.algorithm,
        checksum_type=kind,
        asked=asked.asked,
        storage=storage_of(req),
        tags=tags_of(req),
        kms=lock.kms,
        **traits(req),
    )
    with call.tx() as tx:
        still(tx, bucket)
        tx.put(model.uploads, record)
    answer: dict[str, Any] = {
        "Bucket": bucket.id,
        "Key": record.name,
        "UploadId": id_,
        **views.encryption(lock.kms),
    }
    if asked.asked:
        answer |= {"ChecksumAlgorithm": record.algorithm, "ChecksumType": kind}
    return answer  # type: ignore[return-value]


def the_upload(view: View, bucket: Bucket, req: Mapping[str, Any]) -> Upload:
    found = view.find(model.uploads, bucket.scope, model.upload_id(bucket.id, req["Key"], req["UploadId"]))
    if found is None:
        raise t.NoSuchUpload(
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
            "or completed.",
            UploadId=req["UploadId"],
        )
    return found


@s3.operation
async def complete_multipart_upload(
    req: t.CompleteMultipartUploadRequest, call: Call
) -> t.CompleteMultipartUploadOutput:
    refuse(req)
    with call.tx() as tx:
        bucket = the_bucket(tx, call, req)
        upload = the_upload(tx, bucket, req)
        parts = _listed(tx, upload, req)
        record = _whole(bucket, upload, parts, moment(call))
        _check_whole(req, record)
        hold(tx, bucket, req)
        record = history.put(tx, bucket, record, call.ids)
        model.forget_upload(tx, upload)
    answer: dict[str, Any] = {
        "Location": f"http://{call.host or 's3.amazonaws.com'}/{bucket.id}/{record.name}",
        "Bucket": bucket.id,
        "Key": record.name,
        "ETag": views.quoted(record.etag),
        **views.encryption(record.kms),
        **views.checksums(record),
        **version_of(bucket, record),
    }
    return answer  # type: ignore[return-value]


def _listed(view: View, upload: Upload, req: t.CompleteMultipartUploadRequest) -> list[Part]:
    """The parts that the request lists, each as it says."""
    wanted = (req.get("MultipartUpload") or {}).get("Parts") or []
    if not wanted or any("PartNumber" not in each or "ETag" not in each for each in wanted):
        raise refusals.malformed_xml()
    numbers = [each["PartNumber"] for each in wanted]
    if any(one >= other for one, other in itertools.pairwise(numbers)):
        said = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise AwsError(said, code="InvalidPartOrder", status=400, UploadId=upload.upload_id)
    there = {part.number: part for part in model.parts_of(view, upload.upload_id)}
    found = [_as_said(there.get(each["PartNumber"]), each, upload) for each in wanted]
    for part in found[:-1]:
        if part.body.size < SMALLEST:
            raise AwsError(
                "Your proposed upload is smaller than the minimum allowed size",
                code="EntityTooSmall",
                status=400,
                ETag=part.etag,
                MinSizeAllowed=str(SMALLEST),
                PartNumber=str(part.number),
                ProposedSize=str(part.body.size),
            )
    return found


def _as_said(part: Part | None, said: t.CompletedPart, upload: Upload) -> Part:
    checksum = said.get(f"Checksum{upload.algorithm}")
    if part is None or said["ETag"].strip('"') != part.etag or checksum not in (None, part.checksum):
        raise AwsError(
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag.",
            code="InvalidPart",
            status=400,
            UploadId=upload.upload_id,
            PartNumber=str(said["PartNumber"]),
            ETag=said["ETag"],
        )
    return part


def _whole(bucket: Bucket, upload: Upload, parts: list[Part], now: float) -> Object:
    algorithm = cast(Algorithm, upload.algorithm)
    if upload.checksum_type == "COMPOSITE":
        checksum = integrity.composite(algorithm, [part.checksum for part in parts])
    else:
        checksum = integrity.joined(algorithm, [(part.checksum, part.body.size) for part in parts])
    return Object(
        key=model.objects.key(bucket.scope, model.object_id(bucket.id, upload.name)),
        bucket=bucket.id,
        name=upload.name,
        modified=now,
        etag=integrity.etag_of_parts([part.etag for part in parts]),
        size=sum(part.body.size for part in parts),
        pieces=tuple(Piece(body=part.body, number=part.number, checksum=part.checksum) for part in parts),
        headers=upload.headers,
        metadata=upload.metadata,
        storage=upload.storage,
        checksums={algorithm: checksum},
        checksum_type=upload.checksum_type,
        tags=upload.tags,
        kms=upload.kms,
    )


def _check_whole(req: t.CompleteMultipartUploadRequest, record: Object) -> None:
    said = req.get("MpuObjectSize")
    if said is not None and said != record.size:
        raise refusals.invalid_request("The provided 'x-amz-mp-object-size' header does not match what was computed.")
    if req.get("ChecksumType", record.checksum_type) != record.checksum_type:
        raise refusals.invalid_request("The upload was created with another checksum type.")
    for algorithm, value in record.checksums.items():
        if req.get(f"Checksum{algorithm}", value) != value:
            raise refusals.bad_digest(algorithm)


@s3.operation
async def abort_multipart_upload(req: t.AbortMultipartUploadRequest, call: Call) -> t.AbortMultipartUploadOutput:
    with call.tx() as tx:
        upload = the_upload(tx, the_bucket(tx, call, req), req)
        begun = req.get("IfMatchInitiatedTime")
        if begun is not None and int(begun) != int(upload.initiated):
            raise refusals.failed("x-amz-if-match-initiated-time")
        model.forget_upload(tx, upload)
    return {}


@s3.operation
async def list_multipart_uploads(req: t.ListMultipartUploadsRequest, call: Call) -> t.ListMultipartUploadsOutput:
    bucket = the_bucket(call.store, call, req)
    limit, encode = limit_of(req.get("MaxUploads"), "max-uploads"), views.encoder(req.get("EncodingType"))
    prefix, delimiter = req.get("Prefix") or "", req.get("Delimiter") or ""
    key, marker = req.get("KeyMarker") or "", req.get("UploadIdMarker") or ""
    found = listing.page_of(
        lambda first: model.uploads_onward(call.store, bucket, first),
        prefix=prefix,
        delimiter=delimiter,
        after=listing.after_entry(key, marker, prefix, delimiter),
        limit=limit,
    )
    answer: dict[str, Any] = {
        "Bucket": bucket.id,
        "KeyMarker": encode(key),
        "UploadIdMarker": marker,
        "MaxUploads": limit,
        "IsTruncated": found.next is not None,
        "Prefix": encode(prefix),
        "Uploads": [views.upload(record, encode, bucket) for record in found.found],
        "CommonPrefixes": [{"Prefix": encode(each)} for each in found.prefixes],
    }
    answer |= {name: encode(req[name]) for name in ("Delimiter",) if req.get(name)}
    if req.get("EncodingType"):
        answer["EncodingType"] = req["EncodingType"]
    if found.next is not None:
        last, _, id_ = found.next.partition("\0")
        answer |= {"NextKeyMarker": encode(last), "NextUploadIdMarker": id_}
    return answer  # type: ignore[return-value]
