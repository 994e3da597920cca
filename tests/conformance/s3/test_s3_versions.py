"""Versions, deletion markers and tags through boto3."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.s3.objectland import Objectland


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def keep(s3: Any, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def told(s3: Any, bucket: str, **params: Any) -> list[tuple[str, str, bool, bool]]:
    """Key, version, whether it is the latest, whether it is a marker; in the order that the platform lists them."""
    found = s3.list_object_versions(Bucket=bucket, **params)
    entries = [(*entry(each), False) for each in found.get("Versions", [])]
    entries += [(*entry(each), True) for each in found.get("DeleteMarkers", [])]
    return entries


def entry(each: dict[str, Any]) -> tuple[str, str, bool]:
    return each["Key"], each["VersionId"], each["IsLatest"]


def test_a_key_s_history(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "k"}
    assert "VersionId" not in s3.put_object(**place, Body=b"0")
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    keep(s3, bucket, "Enabled")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    one = s3.put_object(**place, Body=b"1")["VersionId"]
    two = s3.put_object(**place, Body=b"2")["VersionId"]
    assert s3.get_object(**place)["VersionId"] == two
    assert s3.get_object(**place, VersionId=one)["Body"].read() == b"1"
    assert s3.get_object(**place, VersionId="null")["Body"].read() == b"0"
    assert refused(s3.get_object, **place, VersionId="none") == ("NoSuchVersion", 404)
    gone = s3.delete_object(**place)
    assert gone["DeleteMarker"] is True
    marker = gone["VersionId"]
    with pytest.raises(ClientError) as caught:
        s3.get_object(**place)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    assert refused(s3.get_object, **place, VersionId=marker) == ("MethodNotAllowed", 405)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert told(s3, bucket) == [
        ("k", two, False, False),
        ("k", one, False, False),
        ("k", "null", False, False),
        ("k", marker, True, True),
    ]
    assert refused(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    s3.delete_object(**place, VersionId=marker)
    assert s3.get_object(**place)["Body"].read() == b"2"
    s3.delete_object(**place, VersionId=two)
    assert s3.get_object(**place)["Body"].read() == b"1"
    copied = s3.copy_object(**place, CopySource={**place, "VersionId": "null"})
    assert copied["CopySourceVersionId"] == "null"
    assert s3.get_object(**place)["Body"].read() == b"0"


def test_suspended(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "k"}
    keep(s3, bucket, "Enabled")
    one = s3.put_object(**place, Body=b"1")["VersionId"]
    keep(s3, bucket, "Suspended")
    assert s3.put_object(**place, Body=b"2")["VersionId"] == "null"
    s3.put_object(**place, Body=b"3")
    assert told(s3, bucket) == [("k", "null", True, False), ("k", one, False, False)]
    keep(s3, bucket, "Enabled")
    four = s3.put_object(**place, Body=b"4")["VersionId"]
    keep(s3, bucket, "Suspended")
    assert s3.delete_object(**place)["VersionId"] == "null"
    assert told(s3, bucket) == [("k", four, False, False), ("k", one, False, False), ("k", "null", True, True)]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_versions_are_listed_in_pages(s3: Any, bucket: str, size: int) -> None:
    keep(s3, bucket, "Enabled")
    for key in ("a", "a", "a", "d/1", "d/1", "e"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    s3.delete_object(Bucket=bucket, Key="d/1")
    every = told(s3, bucket)
    pages = s3.get_paginator("list_object_versions")
    found: list[tuple[str, str, bool]] = []
    for page in pages.paginate(Bucket=bucket, PaginationConfig={"PageSize": size}):
        found += [entry(each) for kind in ("Versions", "DeleteMarkers") for each in page.get(kind, [])]
    assert sorted(found) == sorted(each[:3] for each in every)
    assert len(found) == 7
    rolled: list[str] = []
    for page in pages.paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}):
        rolled += [each["Key"] for each in page.get("Versions", [])]
        rolled += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
    assert sorted(rolled) == ["a", "a", "a", "d/", "e"]
    assert [each[0] for each in told(s3, bucket, Prefix="d")] == ["d/1"] * 3
    assert [each[0] for each in told(s3, bucket, KeyMarker="a")] == ["d/1", "d/1", "e", "d/1"]


def test_what_every_version_had_is_gone_with_it(land: Objectland, s3: Any, bucket: str) -> None:
    keep(s3, bucket, "Enabled")
    files = len(land.files())
    for body in (b"1", b"2", b"3"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert len(land.files()) == files + 3
    s3.delete_object(Bucket=bucket, Key="k")
    versions = [{"Key": key, "VersionId": version} for key, version, _, _ in told(s3, bucket)]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": versions})
    assert told(s3, bucket) == []
    assert land.settle(files)
    s3.delete_bucket(Bucket=bucket)


def test_tags(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "k"}
    keep(s3, bucket, "Enabled")
    one = s3.put_object(**place, Body=b"")["VersionId"]
    s3.put_object(**place, Body=b"")
    tags = [{"Key": "a", "Value": "1"}]
    s3.put_object_tagging(**place, VersionId=one, Tagging={"TagSet": tags})
    assert s3.get_object_tagging(**place, VersionId=one)["TagSet"] == tags
    assert s3.get_object_tagging(**place)["TagSet"] == []
    s3.delete_object_tagging(**place, VersionId=one)
    assert s3.get_object_tagging(**place, VersionId=one)["TagSet"] == []
    twice = {"TagSet": tags * 2}
    assert refused(s3.put_object_tagging, **place, Tagging=twice) == ("InvalidTag", 400)
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
    born = s3.create_bucket(Bucket=f"{bucket}-tagged", CreateBucketConfiguration={"Tags": tags})
    assert born["Location"] == f"/{bucket}-tagged"
    assert s3.get_bucket_tagging(Bucket=f"{bucket}-tagged")["TagSet"] == tags
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
