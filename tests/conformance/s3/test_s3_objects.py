"""Objects through boto3: what was put is got, whole, in part and under conditions; and every way to refuse."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from botocore.exceptions import ClientError

from tests.conformance.s3.objectland import Objectland
from tests.conformance.s3.signing import signed

HTTP = urllib3.PoolManager(retries=False)
TEXT = b"0123456789"


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_what_was_put_is_got(s3: Any, bucket: str) -> None:
    put = s3.put_object(
        Bucket=bucket,
        Key="a/b c.txt",
        Body=TEXT,
        ContentType="text/plain",
        CacheControl="no-cache",
        ContentEncoding="gzip",
        Metadata={"who": "me"},
        StorageClass="STANDARD_IA",
        Tagging="a=1&b=2",
    )
    etag = f'"{hashlib.md5(TEXT).hexdigest()}"'
    assert (put["ETag"], put["ServerSideEncryption"]) == (etag, "AES256")
    got = s3.get_object(Bucket=bucket, Key="a/b c.txt")
    assert got["Body"].read() == TEXT
    head = s3.head_object(Bucket=bucket, Key="a/b c.txt")
    for said in (got, head):
        assert said["ETag"] == etag
        assert said["ContentLength"] == 10
        assert (said["ContentType"], said["CacheControl"], said["ContentEncoding"]) == (
            "text/plain",
            "no-cache",
            "gzip",
        )
        assert (said["Metadata"], said["StorageClass"]) == ({"who": "me"}, "STANDARD_IA")
        assert said["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"] == "2"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 2**20, 2**20 + 1, 3 * 2**20 + 7])
def test_every_size_whole_and_in_part(s3: Any, bucket: str, size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
    for first, last in ((0, 0), (size // 2, size - 1), (65530, 65545), (size - 1, size + 10)):
        if 0 <= first < size:
            got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={first}-{last}")
            assert got["Body"].read() == data[first : last + 1], (first, last)
            assert got["ContentRange"] == f"bytes {first}-{min(last, size - 1)}/{size}"
            assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_ranges(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=TEXT)

    def got(said: str) -> bytes:
        return s3.get_object(Bucket=bucket, Key="k", Range=said)["Body"].read()

    assert (got("bytes=-3"), got("bytes=7-"), got("bytes=2-4"), got("bytes=-99")) == (b"789", b"789", b"234", TEXT)
    assert (got("bytes=0-1,4-5"), got("lines=1-2"), got("bytes=5-2")) == (TEXT, TEXT, TEXT)
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-") == ("InvalidRange", 416)
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=-0") == ("InvalidRange", 416)


def test_conditions_of_reading(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=TEXT)["ETag"]
    there = {"Bucket": bucket, "Key": "k"}
    modified = s3.head_object(**there)["LastModified"]
    assert s3.get_object(**there, IfMatch=etag)["ETag"] == etag
    assert refused(s3.get_object, **there, IfMatch='"other"') == ("PreconditionFailed", 412)
    assert refused(s3.get_object, **there, IfNoneMatch=etag) == ("304", 304)
    assert refused(s3.get_object, **there, IfModifiedSince=modified) == ("304", 304)
    assert s3.get_object(**there, IfUnmodifiedSince=modified)["ETag"] == etag
    assert s3.get_object(**there, IfMatch=etag, IfUnmodifiedSince="2001-01-01")["ETag"] == etag
    assert refused(s3.head_object, **there, IfUnmodifiedSince="2001-01-01") == ("412", 412)


def test_conditions_of_writing(s3: Any, bucket: str) -> None:
    there = {"Bucket": bucket, "Key": "k", "Body": TEXT}
    assert refused(s3.put_object, **there, IfMatch='"a"') == ("NoSuchKey", 404)
    etag = s3.put_object(**there, IfNoneMatch="*")["ETag"]
    assert refused(s3.put_object, **there, IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert refused(s3.put_object, **there, IfMatch='"a"') == ("PreconditionFailed", 412)
    s3.put_object(**there, IfMatch=etag)


def test_overrides(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=TEXT)
    got = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="a/b", ResponseContentDisposition="attachment")
    assert (got["ContentType"], got["ContentDisposition"]) == ("a/b", "attachment")


def test_what_is_not_there(s3: Any, bucket: str) -> None:
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)
    assert refused(s3.head_object, Bucket=bucket, Key="k") == ("404", 404)
    assert refused(s3.get_object, Bucket="no-such-bucket", Key="k") == ("NoSuchBucket", 404)
    assert refused(s3.put_object, Bucket="no-such-bucket", Key="k", Body=b"") == ("NoSuchBucket", 404)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_verified_stored_and_told(s3: Any, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=TEXT, ChecksumAlgorithm=algorithm)
    told = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert put[f"Checksum{algorithm}"] == told[f"Checksum{algorithm}"]
    assert told["ChecksumType"] == "FULL_OBJECT"
    wrong = {
        f"Checksum{algorithm}": base64.b64encode(bytes(len(base64.b64decode(put[f"Checksum{algorithm}"])))).decode()
    }
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **wrong) == ("BadDigest", 400)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == TEXT


def test_checksums_that_python_lacks(s3: Any, bucket: str) -> None:
    for algorithm, value in (("CRC32C", "4waSgw=="), ("CRC64NVME", "rosUhgp5mIg=")):
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", **{f"Checksum{algorithm}": value})
        assert put[f"Checksum{algorithm}"] == value
        wrong = {f"Checksum{algorithm}": value}
        assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"12345678", **wrong) == ("BadDigest", 400)


def test_content_md5(s3: Any, bucket: str) -> None:
    good = base64.b64encode(hashlib.md5(TEXT).digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=TEXT, ContentMD5=good)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5=good) == ("BadDigest", 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="AAAA") == ("InvalidDigest", 400)


def test_copies(s3: Any, bucket: str, land: Objectland) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=TEXT, Metadata={"a": "1"}, ContentType="text/plain")
    other = f"bucket-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=other)
    done = s3.copy_object(Bucket=other, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert done["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(TEXT).hexdigest()}"'
    s3.delete_object(Bucket=bucket, Key="k")
    got = s3.get_object(Bucket=other, Key="copy")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (TEXT, {"a": "1"}, "text/plain")
    itself = {"Bucket": other, "Key": "copy", "CopySource": {"Bucket": other, "Key": "copy"}}
    assert refused(s3.copy_object, **itself) == ("InvalidRequest", 400)
    s3.copy_object(**itself, MetadataDirective="REPLACE", Metadata={"b": "2"}, ChecksumAlgorithm="SHA256")
    got = s3.get_object(Bucket=other, Key="copy", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got["Metadata"]) == (TEXT, {"b": "2"})
    assert got["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(TEXT).digest()).decode()
    none = {"Bucket": other, "Key": "x", "CopySource": {"Bucket": other, "Key": "none"}}
    assert refused(s3.copy_object, **none) == ("NoSuchKey", 404)
    held = {**none, "CopySource": {"Bucket": other, "Key": "copy"}, "CopySourceIfMatch": '"a"'}
    assert refused(s3.copy_object, **held) == ("PreconditionFailed", 412)


def test_deletions(s3: Any, bucket: str) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=TEXT)
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_object(Bucket=bucket, Key="a")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}, {"Key": "none"}]})
    assert [each["Key"] for each in done["Deleted"]] == ["b", "none"]
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "c"}], "Quiet": True})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"Key": "k" * 1025}, ("KeyTooLongError", 400)),
        ({"Key": "a\0b"}, ("InvalidArgument", 400)),
        ({"Metadata": {"a": "b" * 2048}}, ("MetadataTooLarge", 400)),
        ({"StorageClass": "OUTPOSTS"}, ("InvalidStorageClass", 400)),
        ({"StorageClass": "COLD"}, ("InvalidArgument", 400)),
        ({"ACL": "public-read"}, ("AccessControlListNotSupported", 400)),
        ({"ObjectLockMode": "COMPLIANCE"}, ("InvalidRequest", 400)),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, ("NotImplemented", 501)),
        ({"Tagging": "aws:a=1"}, ("InvalidTag", 400)),
        ({"Tagging": "&".join(f"k{n}=v" for n in range(11))}, ("BadRequest", 400)),
        ({"ExpectedBucketOwner": "000000000000"}, ("AccessDenied", 403)),
    ],
)
def test_refusals_of_writing(land: Objectland, bucket: str, params: dict[str, Any], expected: tuple[str, int]) -> None:
    s3 = land.client(parameter_validation=False, request_checksum_calculation="when_required")
    before = len(land.files())
    if "SSECustomerKey" in params:  # boto3 will not send it without TLS
        more = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
        headers = signed(f"localhost:{land.port}", "PUT", f"/{bucket}/k", more)
        answer = HTTP.request("PUT", f"{land.endpoint}/{bucket}/k", body=b"", headers=headers)
        assert (re.findall(rb"<Code>(\w+)", answer.data), answer.status) == ([expected[0].encode()], expected[1])
    else:
        assert refused(s3.put_object, **{"Bucket": bucket, "Key": "k", "Body": TEXT, **params}) == expected
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert len(land.files()) == before


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "/", "//a//b", "a/./b", "ü/日本", "a+b%20c?d#e", "-" * 1024, "\U0010ffff"]
)
def test_keys_are_no_paths(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
