"""Who owns objects, as far as `BucketOwnerEnforced` has it: the bucket's owner, and there are no ACLs."""

from __future__ import annotations

from typing import Any, Literal, NoReturn

from hatoba.aws.shapes import s3 as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.s3 import model, refusals, views
from hatoba.services.s3.api.room import s3, the_bucket, the_object
from hatoba.services.s3.model import Bucket

_ENFORCED: Literal["BucketOwnerEnforced"] = "BucketOwnerEnforced"


def _shown(bucket: Bucket) -> dict[str, Any]:
    owner = views.owner(bucket)
    return {
        "Owner": owner,
        "Grants": [{"Grantee": {"ID": owner["ID"], "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}],
    }


def _no_acls() -> NoReturn:
    raise AwsError("The bucket does not allow ACLs", code="AccessControlListNotSupported", status=400)


@s3.operation
async def get_bucket_acl(req: t.GetBucketAclRequest, call: Call) -> t.GetBucketAclOutput:
    return _shown(the_bucket(call.store, call, req))  # type: ignore[return-value]


@s3.operation
async def put_bucket_acl(req: t.PutBucketAclRequest, call: Call) -> None:
    the_bucket(call.store, call, req)
    _no_acls()


@s3.operation
async def get_object_acl(req: t.GetObjectAclRequest, call: Call) -> t.GetObjectAclOutput:
    bucket = the_bucket(call.store, call, req)
    the_object(call.store, call, bucket, req["Key"], req.get("VersionId"))
    return _shown(bucket)  # type: ignore[return-value]


@s3.operation
async def put_object_acl(req: t.PutObjectAclRequest, call: Call) -> t.PutObjectAclOutput:
    the_object(call.store, call, the_bucket(call.store, call, req), req["Key"], req.get("VersionId"))
    _no_acls()


@s3.operation
async def get_bucket_ownership_controls(
    req: t.GetBucketOwnershipControlsRequest, call: Call
) -> t.GetBucketOwnershipControlsOutput:
    bucket = the_bucket(call.store, call, req)
    if not bucket.ownership:
        said = "The bucket ownership controls were not found"
        raise AwsError(said, code="OwnershipControlsNotFoundError", status=404, BucketName=bucket.id)
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": _ENFORCED}]}}


@s3.operation
async def put_bucket_ownership_controls(req: t.PutBucketOwnershipControlsRequest, call: Call) -> None:
    rules = req["OwnershipControls"]["Rules"]
    if len(rules) != 1:
        raise refusals.malformed_xml()
    if rules[0]["ObjectOwnership"] != _ENFORCED:
        raise refusals.not_here(f"ObjectOwnership {rules[0]['ObjectOwnership']}")
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), ownership=True))


@s3.operation
async def delete_bucket_ownership_controls(req: t.DeleteBucketOwnershipControlsRequest, call: Call) -> None:
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), ownership=False))
