"""Buckets: create, head, list, delete, where they are."""

from __future__ import annotations

from hatoba.aws.shapes import s3 as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.s3 import model, refusals, views
from hatoba.services.s3.api.room import s3, the_bucket
from hatoba.services.s3.api.write import checked_tags, moment
from hatoba.services.s3.model import Bucket
from hatoba.services.s3.plan import names

_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")


@s3.operation
async def create_bucket(req: t.CreateBucketRequest, call: Call) -> t.CreateBucketOutput:
    name = req["Bucket"]
    if not names.valid_bucket(name):
        raise AwsError("The specified bucket is not valid.", code="InvalidBucketName", status=400, BucketName=name)
    asked = req.get("CreateBucketConfiguration") or {}
    region = _region(call, asked.get("LocationConstraint"))
    _refuse(req, asked)
    scope = call.scope.everywhere()
    tags = checked_tags([(tag["Key"], tag["Value"]) for tag in asked.get("Tags") or ()], "bucket")
    record = Bucket(key=model.buckets.key(scope, name), region=region, created=moment(call), tags=tags)
    with call.tx() as tx:
        there = model.find_bucket(tx, scope.partition, name)
        if there is not None and there.scope != scope:
            raise t.BucketAlreadyExists(
                "The requested bucket name is not available. The bucket namespace is shared by all users of the "
                "system. Please select a different name and try again.",
                BucketName=name,
            )
        if there is not None and (there.region != names.HOME or region != names.HOME):
            raise t.BucketAlreadyOwnedByYou(
                "Your previous request to create the named bucket succeeded and you already own it.", BucketName=name
            )
        if there is None:
            tx.put(model.buckets, record)
    return {"Location": f"/{name}", "BucketArn": model.bucket_arn(scope.partition, name)}


def _region(call: Call, constraint: str | None) -> str:
    here = call.scope.region
    region = names.region_of(constraint)
    if region != here and here != names.HOME:
        said = f"The {constraint or 'unspecified'} location constraint is incompatible for the region specific "
        raise AwsError(
            f"{said}endpoint this request was sent to.", code="IllegalLocationConstraintException", status=400
        )
    return region


def _refuse(req: t.CreateBucketRequest, asked: t.CreateBucketConfiguration) -> None:
    if req.get("ACL", "private") != "private" or any(req.get(grant) for grant in _GRANTS):
        raise AwsError(
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            code="InvalidBucketAclWithObjectOwnership",
            status=400,
        )
    if req.get("ObjectLockEnabledForBucket"):
        raise refusals.not_here("x-amz-bucket-object-lock-enabled")
    if req.get("ObjectOwnership", "BucketOwnerEnforced") != "BucketOwnerEnforced":
        raise refusals.not_here("x-amz-object-ownership other than BucketOwnerEnforced")
    if asked.get("Location") or asked.get("Bucket"):
        raise refusals.not_here("directory buckets")


@s3.operation
async def head_bucket(req: t.HeadBucketRequest, call: Call) -> t.HeadBucketOutput:
    record = the_bucket(call.store, call, req)
    return {
        "BucketRegion": record.region,
        "BucketArn": model.bucket_arn(record.key.partition, record.id),
        "AccessPointAlias": False,
    }


@s3.operation
async def get_bucket_location(req: t.GetBucketLocationRequest, call: Call) -> t.GetBucketLocationOutput:
    constraint = names.constraint_of(the_bucket(call.store, call, req, anywhere=True).region)
    return {"LocationConstraint": constraint} if constraint is not None else {}  # type: ignore[typeddict-item]


@s3.operation
async def list_buckets(req: t.ListBucketsRequest, call: Call) -> t.ListBucketsOutput:
    prefix, region = req.get("Prefix", ""), req.get("BucketRegion")
    scope = call.scope.everywhere()
    own = (
        record
        for record in call.store.scan(model.buckets, scope)
        if record.id.startswith(prefix) and region in (None, record.region)
    )
    rows, token = call.page(
        own,
        order=lambda record: record.id,
        token=req.get("ContinuationToken"),
        limit=req.get("MaxBuckets", 10_000),
        filters=(prefix, region),
        bad_token=lambda: refusals.invalid_argument("The continuation token provided is incorrect"),
    )
    answer: t.ListBucketsOutput = {
        "Buckets": [views.bucket(record) for record in rows],
        "Owner": {"ID": model.canonical_user(scope)},
    }
    if token is not None:
        answer["ContinuationToken"] = token
    if prefix:
        answer["Prefix"] = prefix
    return answer


@s3.operation
async def delete_bucket(req: t.DeleteBucketRequest, call: Call) -> None:
    with call.tx() as tx:
        record = the_bucket(tx, call, req)
        if not model.is_empty(tx, record):
            raise AwsError(
                "The bucket you tried to delete is not empty", code="BucketNotEmpty", status=409, BucketName=record.id
            )
        for _, upload in list(model.uploads_onward(tx, record, "")):
            model.forget_upload(tx, upload)
        tx.forget(model.buckets, record.key)
