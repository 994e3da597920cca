"""Bucket policies, and what keeps them from letting everybody in."""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import s3 as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.s3 import model
from hatoba.services.s3.api.room import s3, the_bucket
from hatoba.services.s3.model import Bucket, PublicBlock
from hatoba.services.s3.plan import policies


@s3.operation
async def put_bucket_policy(req: t.PutBucketPolicyRequest, call: Call) -> None:
    text = req["Policy"]
    with call.tx() as tx:
        bucket = the_bucket(tx, call, req)
        try:
            policies.check(text, model.bucket_arn(bucket.key.partition, bucket.id))
        except policies.Wrong as error:
            raise AwsError(str(error), code="MalformedPolicy", status=400) from None
        if bucket.public_block is not None and bucket.public_block.policy and policies.is_public(text):
            raise AwsError(
                f"User: {call.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
                f'"{model.bucket_arn(bucket.key.partition, bucket.id)}" because public policies are prevented by the '
                "BlockPublicPolicy setting in S3 Block Public Access.",
                code="AccessDenied",
                status=403,
            )
        tx.put(model.buckets, replace(bucket, policy=text))


@s3.operation
async def get_bucket_policy(req: t.GetBucketPolicyRequest, call: Call) -> t.GetBucketPolicyOutput:
    return {"Policy": _policy(the_bucket(call.store, call, req))}


@s3.operation
async def get_bucket_policy_status(req: t.GetBucketPolicyStatusRequest, call: Call) -> t.GetBucketPolicyStatusOutput:
    return {"PolicyStatus": {"IsPublic": policies.is_public(_policy(the_bucket(call.store, call, req)))}}


@s3.operation
async def delete_bucket_policy(req: t.DeleteBucketPolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), policy=None))


def _policy(bucket: Bucket) -> str:
    if bucket.policy is None:
        raise AwsError("The bucket policy does not exist", code="NoSuchBucketPolicy", status=404, BucketName=bucket.id)
    return bucket.policy


@s3.operation
async def put_public_access_block(req: t.PutPublicAccessBlockRequest, call: Call) -> None:
    asked = req["PublicAccessBlockConfiguration"]
    block = PublicBlock(
        acls=asked.get("BlockPublicAcls", False),
        ignored_acls=asked.get("IgnorePublicAcls", False),
        policy=asked.get("BlockPublicPolicy", False),
        restricted=asked.get("RestrictPublicBuckets", False),
    )
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), public_block=block))


@s3.operation
async def get_public_access_block(req: t.GetPublicAccessBlockRequest, call: Call) -> t.GetPublicAccessBlockOutput:
    bucket = the_bucket(call.store, call, req)
    block = bucket.public_block
    if block is None:
        raise AwsError(
            "The public access block configuration was not found",
            code="NoSuchPublicAccessBlockConfiguration",
            status=404,
            BucketName=bucket.id,
        )
    shown: dict[str, Any] = {
        "BlockPublicAcls": block.acls,
        "IgnorePublicAcls": block.ignored_acls,
        "BlockPublicPolicy": block.policy,
        "RestrictPublicBuckets": block.restricted,
    }
    return {"PublicAccessBlockConfiguration": shown}  # type: ignore[typeddict-item]


@s3.operation
async def delete_public_access_block(req: t.DeletePublicAccessBlockRequest, call: Call) -> None:
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), public_block=None))
