"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import s3 as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.s3 import history, refusals
from hatoba.services.s3.access import keys, need
from hatoba.services.s3.api.room import check_key, s3, the_bucket
from hatoba.services.s3.api.write import moment
from hatoba.services.s3.model import Bucket, Object
from hatoba.services.s3.plan import conditions
from hatoba.store import Tx

_MOST = 1000


@s3.operation
async def delete_object(req: t.DeleteObjectRequest, call: Call) -> t.DeleteObjectOutput:
    asked: dict[str, Any] = {"Key": req["Key"], "VersionId": req.get("VersionId"), "ETag": req.get("IfMatch")}
    asked |= {"LastModifiedTime": req.get("IfMatchLastModifiedTime"), "Size": req.get("IfMatchSize")}
    with call.tx() as tx:
        gone = _delete(tx, call, the_bucket(tx, call, req), asked)
    if gone is None:
        return {}
    return {"VersionId": gone.version_id, "DeleteMarker": True} if gone.marker else {"VersionId": gone.version_id}


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
                gone = _delete(tx, call, bucket, each)
            except AwsError as error:
                errors.append({**_named(each), "Code": error.code, "Message": error.message})  # type: ignore[typeddict-item]
            else:
                deleted.append({**_named(each), **_told(each, gone)})  # type: ignore[typeddict-item]
    answer: t.DeleteObjectsOutput = {} if req["Delete"].get("Quiet") else {"Deleted": deleted}
    return {**answer, "Errors": errors} if errors else answer


def _permit(call: Call, bucket: Bucket, each: t.ObjectIdentifier, known: Any) -> None:
    action = "DeleteObjectVersion" if each.get("VersionId") else "DeleteObject"
    call.demand(need(call, action, bucket.id, each["Key"], known))


def _named(each: t.ObjectIdentifier) -> dict[str, str]:
    return {name: each[name] for name in ("Key", "VersionId") if each.get(name)}


def _told(each: t.ObjectIdentifier, gone: Object | None) -> dict[str, Any]:
    if gone is None or not gone.marker:
        return {}
    return {"DeleteMarker": True, "DeleteMarkerVersionId": gone.version_id}


def _delete(tx: Tx, call: Call, bucket: Bucket, asked: Mapping[str, Any]) -> Object | None:
    """The marker that was made, or the version that is gone. What is not there is deleted, too: that is no error."""
    key, version = asked["Key"], asked.get("VersionId")
    check_key(key)
    _hold(history.find(tx, bucket, key, version), asked)
    if version is not None:
        gone = history.remove(tx, bucket, key, version)
        return gone if bucket.versioning else None
    return history.delete(tx, bucket, key, call.ids, moment(call))


def _hold(there: Object | None, asked: Mapping[str, Any]) -> None:
    match, modified, size = asked.get("ETag"), asked.get("LastModifiedTime"), asked.get("Size")
    if there is None or there.marker:
        if match is not None and match != "*":
            raise refusals.no_such_key(asked["Key"])
        return
    if match is not None and not conditions.same(match, there.etag):
        raise refusals.failed("If-Match")
    if modified is not None and int(modified) != int(there.modified):
        raise refusals.failed("x-amz-if-match-last-modified-time")
    if size is not None and size != there.size:
        raise refusals.failed("x-amz-if-match-size")
