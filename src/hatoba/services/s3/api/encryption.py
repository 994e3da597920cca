"""How objects are encrypted where a request does not say it: by the platform's own keys, or by one of KMS."""

from __future__ import annotations

from hatoba.aws.shapes import s3 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.s3 import model, refusals
from hatoba.services.s3.api.room import s3, the_bucket
from hatoba.services.s3.model import Encryption


@s3.operation
async def get_bucket_encryption(req: t.GetBucketEncryptionRequest, call: Call) -> t.GetBucketEncryptionOutput:
    encryption = the_bucket(call.store, call, req).encryption
    default: t.ServerSideEncryptionByDefault = {"SSEAlgorithm": "AES256" if encryption is None else "aws:kms"}
    if encryption is not None and encryption.key is not None:
        default["KMSMasterKeyID"] = encryption.key
    rule: t.ServerSideEncryptionRule = {
        "ApplyServerSideEncryptionByDefault": default,
        "BucketKeyEnabled": encryption is not None and encryption.bucket_key,
    }
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


@s3.operation
async def put_bucket_encryption(req: t.PutBucketEncryptionRequest, call: Call) -> None:
    rules = req["ServerSideEncryptionConfiguration"]["Rules"]
    default = rules[0].get("ApplyServerSideEncryptionByDefault") if len(rules) == 1 else None
    if default is None:
        raise refusals.malformed_xml()
    if rules[0].get("BlockedEncryptionTypes", {}).get("EncryptionType", ["NONE"]) != ["NONE"]:
        raise refusals.not_here("BlockedEncryptionTypes")
    key, algorithm = default.get("KMSMasterKeyID"), default["SSEAlgorithm"]
    if algorithm not in ("AES256", "aws:kms"):
        raise refusals.not_here(f"default encryption by {algorithm}")
    if algorithm == "AES256" and key is not None:
        raise refusals.invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms"
        )
    bucket_key = rules[0].get("BucketKeyEnabled", False)
    encryption = Encryption(key=key, bucket_key=bucket_key) if algorithm == "aws:kms" else None
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), encryption=encryption))


@s3.operation
async def delete_bucket_encryption(req: t.DeleteBucketEncryptionRequest, call: Call) -> None:
    with call.tx() as tx:
        tx.put(model.buckets, replace(the_bucket(tx, call, req), encryption=None))
