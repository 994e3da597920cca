"""How objects are encrypted where a request does not say it: by the platform's own keys, which is the default."""

from __future__ import annotations

from hatoba.aws.shapes import s3 as t
from hatoba.gateway.call import Call
from hatoba.services.s3 import refusals
from hatoba.services.s3.api.room import s3, the_bucket


@s3.operation
async def get_bucket_encryption(req: t.GetBucketEncryptionRequest, call: Call) -> t.GetBucketEncryptionOutput:
    the_bucket(call.store, call, req)
    rule: t.ServerSideEncryptionRule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": False,
    }
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


@s3.operation
async def put_bucket_encryption(req: t.PutBucketEncryptionRequest, call: Call) -> None:
    """Says again what is so anyway; anything else is refused by name."""
    the_bucket(call.store, call, req)
    rules = req["ServerSideEncryptionConfiguration"]["Rules"]
    if len(rules) != 1:
        raise refusals.malformed_xml()
    default = rules[0].get("ApplyServerSideEncryptionByDefault")
    if default is not None and (default["SSEAlgorithm"] != "AES256" or default.get("KMSMasterKeyID")):
        raise refusals.not_here(f"default encryption by {default['SSEAlgorithm']}")


@s3.operation
async def delete_bucket_encryption(req: t.DeleteBucketEncryptionRequest, call: Call) -> None:
    the_bucket(call.store, call, req)
