"""Keys of KMS over objects' own: SSE-KMS, by the public operations of `kms`, with the permissions of whoever asks.

An object's files have keys of their own, which the platform's master key seals (`objects/`). Where a request or its
bucket wants a KMS key, a data key of that one seals them once more, and only its ciphertext is kept, as on AWS: who may
not use the KMS key has no object, and without it nobody has. Source: the S3 user guide, "Using server-side encryption
with AWS KMS keys"; the KMS developer guide, "How Amazon S3 uses AWS KMS".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.s3 import model, refusals
from hatoba.services.s3.model import Bucket, Kms

_DEFAULT = "alias/aws/s3"


class Lock:
    """What an object that is about to be written is locked with; `key` None: nothing but the platform's own."""

    def __init__(self, kms: Kms | None = None, key: bytes | None = None) -> None:
        self.kms, self.key = kms, key


async def made(call: Call, bucket: Bucket, req: Mapping[str, Any]) -> Lock:
    """As the request says, or else the bucket."""
    wanted = _wanted(bucket, req)
    if wanted is None:
        return Lock()
    key, whole_bucket = wanted
    partition = bucket.key.partition
    bucket_key = bool(whole_bucket)
    arn = model.bucket_arn(partition, bucket.id) if bucket_key else model.object_arn(partition, bucket.id, req["Key"])
    answer = await _asked(
        call.aws_as_caller.kms.generate_data_key(
            KeyId=key or _DEFAULT, KeySpec="AES_256", EncryptionContext={"aws:s3:arn": arn}
        )
    )
    kms = Kms(key=answer["KeyId"], wrapped=answer["CiphertextBlob"], context=arn, bucket_key=bucket_key)
    return Lock(kms, answer["Plaintext"])


async def opened(call: Call, kms: Kms | None) -> bytes | None:
    """What unseals the keys of an object's files."""
    if kms is None:
        return None
    context = {"aws:s3:arn": kms.context}
    answer = await _asked(call.aws_as_caller.kms.decrypt(CiphertextBlob=kms.wrapped, EncryptionContext=context))
    key: bytes = answer["Plaintext"]
    return key


def _wanted(bucket: Bucket, req: Mapping[str, Any]) -> tuple[str | None, bool] | None:
    """The KMS key's name and whether the bucket's ARN is its context; None: no KMS key."""
    algorithm, key = req.get("ServerSideEncryption"), req.get("SSEKMSKeyId")
    if req.get("SSEKMSEncryptionContext") is not None:
        raise refusals.not_here("x-amz-server-side-encryption-context")
    if algorithm not in (None, "AES256", "aws:kms"):
        raise refusals.not_here(f"x-amz-server-side-encryption {algorithm}")
    if key is not None and algorithm != "aws:kms":
        raise refusals.invalid_argument(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : "
            "aws:kms",
            "x-amz-server-side-encryption",
        )
    if algorithm == "AES256" or (algorithm is None and bucket.encryption is None):
        return None
    default = bucket.encryption
    if default is None:
        return key, bool(req.get("BucketKeyEnabled"))
    return key or default.key, bool(req.get("BucketKeyEnabled", default.bucket_key))


async def _asked(answer: Any) -> dict[str, Any]:
    """KMS's refusals, as S3 tells them."""
    try:
        found: dict[str, Any] = await answer
    except AwsError as error:
        if "AccessDenied" in error.code:
            raise AwsError(error.message, code="AccessDenied", status=403) from error
        raise AwsError(error.message, code=f"KMS.{error.code}", status=400) from error
    return found
