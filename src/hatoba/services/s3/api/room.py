"""The room's declaration, and what its operations share: which bucket and object a request means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.objects.files import Files
from hatoba.services.s3 import history, model, refusals
from hatoba.services.s3.access import ACCESS, need
from hatoba.services.s3.model import Bucket, Object
from hatoba.services.s3.plan import names
from hatoba.store.store import View

s3 = Service("s3", access=ACCESS)

# Of a customer's own keys, and what else no object can have here: refused by name.
_CUSTOMERS = ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5")


def files(call: Call) -> Files:
    return call.get(Files)


def the_bucket(view: View, call: Call, req: Mapping[str, Any], *, anywhere: bool = False) -> Bucket:
    """The request's bucket, in the region that the request was signed for (or `anywhere`)."""
    name = req["Bucket"]
    record = model.find_bucket(view, call.scope.partition, name)
    if record is None:
        raise refusals.no_such_bucket(name)
    expect_owner(record, req.get("ExpectedBucketOwner"))
    if record.region != call.scope.region and not anywhere:
        raise refusals.elsewhere(name, record.region)
    return record


def expect_owner(record: Bucket, account: str | None) -> None:
    if account is not None and account != record.key.account:
        raise AwsError("Access Denied", code="AccessDenied", status=403)


def the_object(view: View, call: Call, bucket: Bucket, name: str, version: str | None = None) -> Object:
    """What a key is now, or was at a version. Whoever may not list the bucket does not learn that there is none."""
    record = history.find(view, bucket, name, version)
    if record is None:
        call.demand(need(call, "ListBucket" if version is None else "ListBucketVersions", bucket.id, None, {}))
        raise refusals.no_such_key(name) if version is None else refusals.no_such_version(name, version)
    if record.marker:
        raise refusals.deleted(record.name, record.version_id, record.modified, asked=version is not None)
    return record


def version_of(bucket: Bucket, record: Object) -> dict[str, str]:
    """Told where versions are, or were, kept."""
    return {"VersionId": record.version_id} if bucket.versioning else {}


def check_key(name: str) -> None:
    if names.too_long(name):
        raise AwsError("Your key is too long", code="KeyTooLongError", status=400, MaxSizeAllowed=names.KEY_BYTES)
    if names.wrong_characters(name):
        raise refusals.invalid_argument("A key cannot contain U+0000.", "Key")


def refuse(req: Mapping[str, Any], members: Iterable[str] = ()) -> None:
    """What this room does not carry out, and AWS does."""
    for member in (*_CUSTOMERS, *members):
        if req.get(member) is not None:
            raise refusals.not_here(member)
