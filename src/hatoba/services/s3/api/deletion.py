"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import s3 as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.s3 import model, refusals
from hatoba.services.s3.access import keys, need
from hatoba.services.s3.api.room import s3, the_bucket
from hatoba.services.s3.model import Bucket
from hatoba.services.s3.plan import conditions
from hatoba.store import Tx

_MOST = 1000


@s3.operation
async def delete_object(req: t.DeleteObjectRequest, call: Call) -> t.DeleteObjectOutput:
    with call.tx() as tx:
        bucket = the_bucket(tx, call, req)
        _delete(
            tx,
            bucket,
            req["Key"],
            req.get("VersionId"),
            match=req.get("IfMatch"),
            modified=req.get("IfMatchLastModifiedTime"),
            size=req.get("IfMatchSize"),
        )
    return {}


@s3.operation
async def delete_objects(req: t.DeleteObjectsRequest, call: Call) -> t.DeleteObjectsOutput:
    wanted = req["Delete"]["Objects"]
    if not 1 <= len(wanted) <= _MOST:
        raise refusals.malformed_xml()
    known = keys(req)
    deleted: list[t.DeletedObject] = []
    errors: list[t.Error] = []
    with call.tx() as tx:
        bucket = the_bucket(tx, call, req)
        for each in wanted:
            try:
                _permit(call, bucket, each, known)
                _delete(
                    tx,
                    bucket,
                    each["Key"],
                    each.get("VersionId"),
                    match=each.get("ETag"),
                    modified=each.get("LastModifiedTime"),
                    size=each.get("Size"),
                )
            except AwsError as error:
                errors.append({**_named(each), "Code": error.code, "Message": error.message})  # type: ignore[typeddict-item]
            else:
                deleted.append(_named(each))  # type: ignore[arg-type]
    answer: t.DeleteObjectsOutput = {} if req["Delete"].get("Quiet") else {"Deleted": deleted}
    return {**answer, "Errors": errors} if errors else answer


def _permit(call: Call, bucket: Bucket, each: t.ObjectIdentifier, known: Any) -> None:
    action = "DeleteObjectVersion" if each.get("VersionId") else "DeleteObject"
    call.demand(need(call, action, bucket.id, each["Key"], known))


def _named(each: t.ObjectIdentifier) -> dict[str, str]:
    return {name: each[name] for name in ("Key", "VersionId") if each.get(name)}


def _delete(
    tx: Tx,
    bucket: Bucket,
    key: str,
    version: str | None,
    *,
    match: str | None,
    modified: float | None,
    size: int | None,
) -> None:
    """What is not there is deleted, too: that is no error."""
    if version not in (None, "null"):
        raise refusals.no_such_version(key, version)
    there = model.find_object(tx, bucket, key)
    if there is None:
        if match is not None and match != "*":
            raise refusals.no_such_key(key)
        return
    if match is not None and not conditions.same(match, there.etag):
        raise refusals.failed("If-Match")
    if modified is not None and int(modified) != int(there.modified):
        raise refusals.failed("x-amz-if-match-last-modified-time")
    if size is not None and size != there.size:
        raise refusals.failed("x-amz-if-match-size")
    model.delete_object(tx, there)
