"""PutObject; and what an object is written with: headers, metadata, storage class, tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from hatoba.aws.shapes import s3 as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.s3 import history, locks, model, refusals, views
from hatoba.services.s3.api.intake import taken
from hatoba.services.s3.api.room import check_key, refuse, s3, the_bucket, version_of
from hatoba.services.s3.model import Bucket, Object, Piece
from hatoba.services.s3.plan import conditions, names
from hatoba.services.s3.plan import tags as tagging
from hatoba.services.s3.plan.tags import Tags
from hatoba.store import Tx

_KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)
_STORAGE = frozenset(
    "STANDARD REDUCED_REDUNDANCY STANDARD_IA ONEZONE_IA INTELLIGENT_TIERING GLACIER DEEP_ARCHIVE GLACIER_IR".split()
)
_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP")
_LOCKS = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus", "ObjectLockEventHold")
_METADATA_BYTES = 2048


class Traits(TypedDict):
    """What an object is written with, beside its bytes: fields of the record."""

    headers: dict[str, str]
    metadata: dict[str, str]


@s3.operation
async def put_object(req: t.PutObjectRequest, call: Call) -> t.PutObjectOutput:
    bucket = the_bucket(call.store, call, req)
    check_writing(req)
    refuse(req, ("WriteOffsetBytes",))
    written, storage, tags = traits(req), storage_of(req), tags_of(req)
    lock = await locks.made(call, bucket, req)
    async with taken(call, req, under=lock.key) as came:
        record = Object(
            key=model.objects.key(bucket.scope, model.object_id(bucket.id, req["Key"])),
            bucket=bucket.id,
            name=req["Key"],
            modified=moment(call),
            etag=came.md5,
            size=came.body.size,
            pieces=(Piece(body=came.body),),
            storage=storage,
            checksums=came.checksums,
            checksum_type="FULL_OBJECT",
            tags=tags,
            kms=lock.kms,
            **written,
        )
        with call.tx() as tx:
            hold(tx, bucket, req)
            record = history.put(tx, still(tx, bucket), record, call.ids)
    told = {"ETag": views.quoted(record.etag), **views.encryption(record.kms), **views.checksums(record)}
    return {**told, **version_of(bucket, record)}  # type: ignore[typeddict-item]


def moment(call: Call) -> float:
    """When something is written: HTTP knows no less than seconds."""
    return float(int(call.now))


def still(tx: Tx, bucket: Bucket) -> Bucket:
    """The bucket that was decided upon, as it is now: it is there, and nobody else's of that name."""
    now = tx.get(model.buckets, bucket.key)
    if now is None:
        raise refusals.no_such_bucket(bucket.id)
    return now


def hold(tx: Tx, bucket: Bucket, req: Mapping[str, Any]) -> None:
    """Conditions of writing: `If-None-Match: *`, and `If-Match` with what is to be replaced."""
    match, none_match = req.get("IfMatch"), req.get("IfNoneMatch")
    if match is None and none_match is None:
        return
    if none_match is not None and (none_match.strip() != "*" or match is not None):
        raise refusals.not_here("If-None-Match other than *, or with If-Match")
    there = history.current(tx, bucket, req["Key"])
    if there is not None and there.marker:
        there = None
    if none_match is not None:
        if there is not None:
            raise refusals.failed("If-None-Match")
    elif there is None:
        raise refusals.no_such_key(req["Key"])
    elif not conditions.same(match or "", there.etag):
        raise refusals.failed("If-Match")


def check_writing(req: Mapping[str, Any]) -> None:
    """What cannot be written so, here or at all."""
    check_key(req["Key"])
    if req.get("ACL", "bucket-owner-full-control") != "bucket-owner-full-control" or any(map(req.get, _GRANTS)):
        raise AwsError("The bucket does not allow ACLs", code="AccessControlListNotSupported", status=400)
    if any(req.get(lock) is not None for lock in _LOCKS):
        raise refusals.invalid_request("Bucket is missing Object Lock Configuration")


def storage_of(req: Mapping[str, Any]) -> str:
    storage: str = req.get("StorageClass", "STANDARD")
    if storage not in _STORAGE:
        raise AwsError("The storage class you specified is not valid", code="InvalidStorageClass", status=400)
    return storage


def traits(req: Mapping[str, Any]) -> Traits:
    metadata = req.get("Metadata") or {}
    size = sum(
        len(key.encode("utf-8", "replace")) + len(value.encode("utf-8", "replace")) for key, value in metadata.items()
    )
    if size > _METADATA_BYTES:
        raise AwsError(
            "Your metadata headers exceed the maximum allowed metadata size",
            code="MetadataTooLarge",
            status=400,
            Size=str(size),
            MaxSizeAllowed=str(_METADATA_BYTES),
        )
    headers = {name: req[name] for name in _KEPT if req.get(name)}
    for value in (*headers.values(), *metadata.keys(), *metadata.values()):
        if names.wrong_characters(value):
            raise refusals.invalid_argument("A header of an object is not UTF-8.")
    return {"headers": headers, "metadata": metadata}


def tags_of(req: Mapping[str, Any]) -> Tags:
    said = req.get("Tagging")
    return checked_tags(tagging.of_header(said), "object") if said else ()


def checked_tags(given: list[tuple[str, str]], of: str) -> Tags:
    try:
        tags = tagging.checked(given, of)
    except tagging.BadTags as error:
        raise AwsError(str(error), code="BadRequest" if error.many else "InvalidTag", status=400) from None
    if any(names.wrong_characters(text) for tag in tags for text in tag):
        raise AwsError("The TagValue you have provided is invalid", code="InvalidTag", status=400)
    return tags
