"""Objects under keys of KMS: who may not use the key has no object; and what is written says under which it is."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.conformance.s3.objectland import Objectland

MB = 2**20


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def key(land: Objectland) -> str:
    arn: str = land.client("kms").create_key()["KeyMetadata"]["Arn"]
    return arn


def limited(land: Objectland, *actions: str) -> Any:
    iam, name = land.client("iam"), f"user-{uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return land.client(key=(made["AccessKeyId"], made["SecretAccessKey"]))


def test_an_object_under_a_key(land: Objectland, s3: Any, bucket: str, key: str) -> None:
    place = {"Bucket": bucket, "Key": "k"}
    data = b"abc" * 200_000
    put = s3.put_object(**place, Body=data, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", key)
    assert s3.get_object(**place)["Body"].read() == data
    assert s3.get_object(**place, Range="bytes=1-4")["Body"].read() == b"bcab"
    assert s3.head_object(**place)["SSEKMSKeyId"] == key
    reads = limited(land, "s3:*")
    assert refused(reads.get_object, **place) == ("AccessDenied", 403)
    wanted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    assert refused(reads.put_object, **place, Body=b"", **wanted) == ("AccessDenied", 403)
    assert refused(reads.copy_object, Bucket=bucket, Key="stolen", CopySource=place) == ("AccessDenied", 403)
    assert limited(land, "s3:*", "kms:Decrypt").get_object(**place)["Body"].read() == data
    land.client("kms").disable_key(KeyId=key)
    assert refused(s3.get_object, **place) == ("KMS.DisabledException", 400)
    land.client("kms").enable_key(KeyId=key)
    assert s3.get_object(**place)["Body"].read() == data


def test_copies_come_under_the_key_that_is_asked_for(land: Objectland, s3: Any, bucket: str, key: str) -> None:
    place = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**place, Body=b"abc", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    plain = s3.copy_object(Bucket=bucket, Key="plain", CopySource=place)
    assert plain["ServerSideEncryption"] == "AES256"
    again = {"Bucket": bucket, "Key": "again", "CopySource": {"Bucket": bucket, "Key": "plain"}}
    s3.copy_object(**again, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    reads = limited(land, "s3:*")
    assert reads.get_object(Bucket=bucket, Key="plain")["Body"].read() == b"abc"
    assert refused(reads.get_object, Bucket=bucket, Key="again") == ("AccessDenied", 403)
    s3.delete_object(**place)
    assert s3.get_object(Bucket=bucket, Key="again")["Body"].read() == b"abc"


def test_a_bucket_s_own_key(land: Objectland, s3: Any, bucket: str, key: str) -> None:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"] == rules
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"abc")
    assert (put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == (key, True)
    assert (
        s3.put_object(Bucket=bucket, Key="p", Body=b"", ServerSideEncryption="AES256")["ServerSideEncryption"]
        == "AES256"
    )
    there: dict[str, Any] = {"Bucket": bucket, "Key": "parts"}
    begun = s3.create_multipart_upload(**there)
    assert begun["SSEKMSKeyId"] == key
    upload = {**there, "UploadId": begun["UploadId"]}
    parts = []
    for number, body in enumerate((b"a" * (5 * MB), b"b"), 1):
        part = s3.upload_part(**upload, PartNumber=number, Body=body)
        assert part["ServerSideEncryption"] == "aws:kms"
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(**there)["Body"].read() == b"a" * (5 * MB) + b"b"
    assert refused(limited(land, "s3:*").get_object, **there) == ("AccessDenied", 403)
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"abc")["ServerSideEncryption"] == "AES256"
    assert s3.get_object(**there)["ContentLength"] == 5 * MB + 1


def test_the_key_that_aws_manages(land: Objectland, s3: Any, bucket: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"abc", ServerSideEncryption="aws:kms")
    aliases = land.client("kms").list_aliases()["Aliases"]
    mine = next(each["TargetKeyId"] for each in aliases if each["AliasName"] == "alias/aws/s3")
    assert put["SSEKMSKeyId"].endswith(mine)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc"


def test_keys_that_cannot_be(s3: Any, bucket: str, key: str) -> None:
    place = {"Bucket": bucket, "Key": "k", "Body": b""}
    none = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/none"}
    assert refused(s3.put_object, **place, **none) == ("KMS.NotFoundException", 400)
    assert refused(s3.put_object, **place, SSEKMSKeyId=key) == ("InvalidArgument", 400)
    assert refused(s3.put_object, **place, ServerSideEncryption="aws:kms:dsse") == ("NotImplemented", 501)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
