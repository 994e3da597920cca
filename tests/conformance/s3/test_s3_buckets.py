"""Buckets and listings through boto3; where buckets are; whose they are."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import urllib3
from botocore.exceptions import ClientError

from tests.conformance.s3.objectland import Objectland
from tests.conformance.s3.signing import presigned

HTTP = urllib3.PoolManager(retries=False)


def name() -> str:
    return f"bucket-{uuid4().hex[:12]}"


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_bucket_s_life(s3: Any, bucket: str) -> None:
    assert bucket in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    s3.create_bucket(Bucket=bucket)  # in us-east-1 that is no error
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert refused(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    assert refused(s3.head_bucket, Bucket=bucket) == ("404", 404)
    assert refused(s3.delete_bucket, Bucket=bucket) == ("NoSuchBucket", 404)


@pytest.mark.parametrize("wrong", ["ab", "A-b", "a..b", "192.168.1.1", "-ab", "a_b", "xn--a", "x" * 64, "a-s3alias"])
def test_names(land: Objectland, wrong: str) -> None:
    s3 = land.client(parameter_validation=False, s3={"addressing_style": "path"})
    assert refused(s3.create_bucket, Bucket=wrong) == ("InvalidBucketName", 400)


def test_buckets_have_regions(land: Objectland, s3: Any) -> None:
    there, bucket = land.client(region="eu-west-1"), name()
    assert refused(there.create_bucket, Bucket=bucket)[0] == "IllegalLocationConstraintException"
    place = {"LocationConstraint": "eu-west-1"}
    there.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    again = {"Bucket": bucket, "CreateBucketConfiguration": place}
    assert refused(there.create_bucket, **again) == ("BucketAlreadyOwnedByYou", 409)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-west-1"
    there.put_object(Bucket=bucket, Key="k", Body=b"abc")
    url = presigned(f"localhost:{land.port}", f"/{bucket}/k")
    answer = HTTP.request("GET", f"{land.endpoint}{url}")
    assert (answer.status, answer.headers["x-amz-bucket-region"]) == (301, "eu-west-1")
    assert b"<Code>PermanentRedirect</Code>" in answer.data
    listed = [each["Name"] for each in s3.list_buckets(BucketRegion="eu-west-1")["Buckets"]]
    assert bucket in listed
    # boto3 follows to the region that it is told
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc"
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "eu-west-1"


def test_names_are_one_for_all_accounts(land: Objectland, bucket: str) -> None:
    other = land.other()
    assert refused(other.create_bucket, Bucket=bucket) == ("BucketAlreadyExists", 409)
    assert bucket not in [each["Name"] for each in other.list_buckets()["Buckets"]]
    for call, more in (
        (other.list_objects_v2, {}),
        (other.put_object, {"Key": "k", "Body": b"abc"}),
        (other.get_object, {"Key": "k"}),
        (other.delete_object, {"Key": "k"}),
        (other.delete_bucket, {}),
    ):
        assert refused(call, Bucket=bucket, **more) == ("AccessDenied", 403)
    done = other.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert [each["Code"] for each in done["Errors"]] == ["AccessDenied"]


def test_a_copy_needs_both_sides(land: Objectland, s3: Any, bucket: str) -> None:
    other, own = land.other(), name()
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret")
    other.create_bucket(Bucket=own)
    stolen = {"Bucket": own, "Key": "k", "CopySource": {"Bucket": bucket, "Key": "k"}}
    assert refused(other.copy_object, **stolen) == ("AccessDenied", 403)


def test_virtual_hosts(land: Objectland, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"abc")
    for host in (f"{bucket}.localhost", f"{bucket}.s3.localhost", f"{bucket}.s3.us-east-1.amazonaws.com"):
        url = presigned(f"{host}:{land.port}", "/a/b")
        answer = HTTP.request("GET", f"{land.endpoint}{url}", headers={"host": f"{host}:{land.port}"})
        assert (answer.status, answer.data) == (200, b"abc"), (host, answer.data)


KEYS = ["a", "b/1", "b/2", "b/c/3", "b0", "c/", "c/4", "d d", "é"]


@pytest.fixture
def filled(s3: Any, bucket: str) -> str:
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    return bucket


def test_listings(s3: Any, filled: str) -> None:
    def listed(**params: Any) -> tuple[list[str], list[str]]:
        got = s3.list_objects_v2(Bucket=filled, **params)
        return (
            [each["Key"] for each in got.get("Contents", [])],
            [each["Prefix"] for each in got.get("CommonPrefixes", [])],
        )

    assert listed() == (KEYS, [])
    assert listed(Delimiter="/") == (["a", "b0", "d d", "é"], ["b/", "c/"])
    assert listed(Delimiter="/", Prefix="b/") == (["b/1", "b/2"], ["b/c/"])
    assert listed(Prefix="b") == (["b/1", "b/2", "b/c/3", "b0"], [])
    assert listed(StartAfter="b/2") == (KEYS[3:], [])
    assert listed(StartAfter="c/", Delimiter="/") == (["d d", "é"], [])
    assert listed(MaxKeys=0) == ([], [])
    assert listed(Prefix="none") == ([], [])
    assert "Owner" not in s3.list_objects_v2(Bucket=filled)["Contents"][0]
    assert len(s3.list_objects_v2(Bucket=filled, FetchOwner=True)["Contents"][0]["Owner"]["ID"]) == 64


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_join(s3: Any, filled: str, operation: str, delimiter: str) -> None:
    pages = s3.get_paginator(operation).paginate(Bucket=filled, Delimiter=delimiter, PaginationConfig={"PageSize": 2})
    keys: list[str] = []
    prefixes: list[str] = []
    for page in pages:
        assert len(page.get("Contents", [])) + len(page.get("CommonPrefixes", [])) <= 2
        keys += [each["Key"] for each in page.get("Contents", [])]
        prefixes += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
    expected = (["a", "b0", "d d", "é"], ["b/", "c/"]) if delimiter else (KEYS, [])
    assert (keys, prefixes) == expected


def test_tokens_are_for_what_they_were_given(s3: Any, filled: str) -> None:
    token = s3.list_objects_v2(Bucket=filled, MaxKeys=1)["NextContinuationToken"]
    for wrong in ({"ContinuationToken": "abc"}, {"ContinuationToken": token, "Prefix": "b"}):
        assert refused(s3.list_objects_v2, Bucket=filled, **wrong) == ("InvalidArgument", 400)


def test_who_may_not_list_does_not_learn_what_is_missing(land: Objectland, s3: Any, bucket: str) -> None:
    iam, user = land.client("iam"), f"user-{uuid4().hex[:8]}"
    iam.create_user(UserName=user)
    document = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},'
        '{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*",'
        ' "Condition": {"StringLike": {"s3:prefix": "home/*"}}}]}'
    )
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    limited = land.client(key=(key["AccessKeyId"], key["SecretAccessKey"]))
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert limited.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert refused(limited.get_object, Bucket=bucket, Key="none") == ("AccessDenied", 403)
    assert refused(limited.list_objects_v2, Bucket=bucket) == ("AccessDenied", 403)
    assert limited.list_objects_v2(Bucket=bucket, Prefix="home/me")["KeyCount"] == 0
    assert refused(limited.put_object, Bucket=bucket, Key="k", Body=b"") == ("AccessDenied", 403)
