"""Objects in parts, through boto3 and its transfer manager; memory stays flat."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.conformance.s3.objectland import Objectland

MB = 2**20
FIRST, LAST = b"a" * (5 * MB), b"b" * 1000


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def sent(s3: Any, there: dict[str, Any], *bodies: bytes, **more: Any) -> list[dict[str, Any]]:
    """Parts, as they are listed at the end."""
    found = []
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(**there, PartNumber=number, Body=body, **more)
        found.append({"PartNumber": number, "ETag": part["ETag"]})
    return found


@pytest.fixture
def there(s3: Any, bucket: str) -> dict[str, Any]:
    place = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**place, ContentType="text/plain", Metadata={"a": "1"}, Tagging="t=1")
    return {**place, "UploadId": upload["UploadId"]}


def test_parts_make_an_object(s3: Any, there: dict[str, Any]) -> None:
    place = {"Bucket": there["Bucket"], "Key": "k"}
    parts = sent(s3, there, FIRST, LAST)
    assert refused(s3.get_object, **place) == ("NoSuchKey", 404)
    assert [each["Size"] for each in s3.list_parts(**there)["Parts"]] == [len(FIRST), len(LAST)]
    done = s3.complete_multipart_upload(**there, MultipartUpload={"Parts": parts})
    digests = b"".join(hashlib.md5(body).digest() for body in (FIRST, LAST))
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    got = s3.get_object(**place)
    assert got["Body"].read() == FIRST + LAST
    assert (got["ContentType"], got["Metadata"]) == ("text/plain", {"a": "1"})
    edge = f"bytes={len(FIRST) - 2}-{len(FIRST) + 1}"
    assert s3.get_object(**place, Range=edge)["Body"].read() == b"aabb"
    second = s3.get_object(**place, PartNumber=2)
    assert (second["Body"].read(), second["PartsCount"]) == (LAST, 2)
    assert refused(s3.get_object, **place, PartNumber=3) == ("InvalidPartNumber", 416)
    assert refused(s3.upload_part, **there, PartNumber=1, Body=b"") == ("NoSuchUpload", 404)
    attributes = s3.get_object_attributes(**place, ObjectAttributes=["ETag", "ObjectParts", "ObjectSize", "Checksum"])
    assert (attributes["ObjectSize"], attributes["ObjectParts"]["TotalPartsCount"]) == (len(FIRST) + len(LAST), 2)
    assert attributes["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    copied = s3.copy_object(Bucket=there["Bucket"], Key="copy", CopySource=place)
    assert copied["CopyObjectResult"]["ChecksumCRC64NVME"] == attributes["Checksum"]["ChecksumCRC64NVME"]
    assert s3.get_object_tagging(**place)["TagSet"] == [{"Key": "t", "Value": "1"}]


def test_a_part_sent_again_takes_the_place_of_the_first(land: Objectland, s3: Any, there: dict[str, Any]) -> None:
    sent(s3, there, b"x")
    files = len(land.files())
    parts = sent(s3, there, b"y")
    assert land.settle(files)
    s3.complete_multipart_upload(**there, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=there["Bucket"], Key="k")["Body"].read() == b"y"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda parts: [], ("MalformedXML", 400)),
        (lambda parts: parts[::-1], ("InvalidPartOrder", 400)),
        (lambda parts: [parts[0], parts[0]], ("InvalidPartOrder", 400)),
        (lambda parts: [{**parts[0], "ETag": '"a"'}], ("InvalidPart", 400)),
        (lambda parts: [{**parts[0], "PartNumber": 9}], ("InvalidPart", 400)),
        (lambda parts: [{**parts[0], "ChecksumCRC64NVME": "AAAAAAAAAAA="}], ("InvalidPart", 400)),
        (lambda parts: parts, ("EntityTooSmall", 400)),
    ],
)
def test_what_cannot_be_completed(s3: Any, there: dict[str, Any], spoil: Any, expected: tuple[str, int]) -> None:
    parts = spoil(sent(s3, there, b"small", b"last"))
    assert refused(s3.complete_multipart_upload, **there, MultipartUpload={"Parts": parts}) == expected
    assert len(s3.list_parts(**there)["Parts"]) == 2


def test_an_upload_that_is_given_up_leaves_nothing(land: Objectland, s3: Any, bucket: str) -> None:
    files = land.files()
    there = {"Bucket": bucket, "Key": "k"}
    there["UploadId"] = s3.create_multipart_upload(**there)["UploadId"]
    sent(s3, there, b"x", b"y")
    assert len(land.files()) == len(files) + 2
    assert [each["UploadId"] for each in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [there["UploadId"]]
    s3.abort_multipart_upload(**there)
    assert refused(s3.abort_multipart_upload, **there) == ("NoSuchUpload", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert land.settle(len(files))


def test_parts_are_held_to_the_upload_s_checksum(s3: Any, bucket: str) -> None:
    there: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    begun = s3.create_multipart_upload(**there, ChecksumAlgorithm="SHA256")
    assert begun["ChecksumType"] == "COMPOSITE"
    upload = {**there, "UploadId": begun["UploadId"]}
    assert refused(s3.upload_part, **upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")[0] == "InvalidRequest"
    parts = sent(s3, upload, FIRST, LAST, ChecksumAlgorithm="SHA256")
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    digests = b"".join(hashlib.sha256(body).digest() for body in (FIRST, LAST))
    assert done["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(digests).digest()).decode() + "-2"
    whole = s3.create_multipart_upload(**there, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    upload = {**there, "UploadId": whole["UploadId"]}
    parts = sent(s3, upload, FIRST, LAST, ChecksumAlgorithm="CRC32")
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert done["ChecksumCRC32"] == base64.b64encode(zlib.crc32(FIRST + LAST).to_bytes(4, "big")).decode()
    wrong = {"ChecksumAlgorithm": "SHA1", "ChecksumType": "FULL_OBJECT"}
    assert refused(s3.create_multipart_upload, **there, **wrong) == ("InvalidRequest", 400)


def test_parts_are_copied(s3: Any, there: dict[str, Any]) -> None:
    s3.put_object(Bucket=there["Bucket"], Key="source", Body=b"0123456789")
    source = {"Bucket": there["Bucket"], "Key": "source"}
    part = s3.upload_part_copy(**there, PartNumber=1, CopySource=source, CopySourceRange="bytes=2-4")
    wrong = {**there, "PartNumber": 1, "CopySource": source, "CopySourceRange": "bytes=2-10"}
    assert refused(s3.upload_part_copy, **wrong) == ("InvalidArgument", 400)
    parts = [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(**there, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=there["Bucket"], Key="k")["Body"].read() == b"234"


def test_uploads_are_listed_in_pages(s3: Any, bucket: str) -> None:
    begun = {
        (key, s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]) for key in ("a", "a", "d/1", "d/2", "e")
    }
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    assert {(each["Key"], each["UploadId"]) for page in pages for each in page["Uploads"]} == begun
    rolled = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [each["Prefix"] for each in rolled["CommonPrefixes"]] == ["d/"]
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.slow
def test_a_hundred_megabytes_go_through_in_flat_memory(tmp_path: Path) -> None:
    own = Objectland(tmp_path).start()
    try:
        s3, size = own.client(), 100 * MB
        s3.create_bucket(Bucket="bucket")
        given, got = tmp_path / "given", tmp_path / "got"
        given.write_bytes(os.urandom(MB) * 100)
        s3.upload_file(str(given), "bucket", "warm", Config=TransferConfig(multipart_threshold=8 * MB))
        before = resident(own)
        s3.upload_file(str(given), "bucket", "parts", Config=TransferConfig(multipart_threshold=8 * MB))
        with given.open("rb") as body:
            s3.put_object(Bucket="bucket", Key="whole", Body=body)
        for key in ("parts", "whole"):
            s3.download_file("bucket", key, str(got))
            assert got.stat().st_size == size
            assert hashlib.md5(got.read_bytes()).digest() == hashlib.md5(given.read_bytes()).digest()
        grown = (peak(own) - before) / MB
        print(f"400 MB through the platform: {grown:.1f} MB of memory")  # noqa: T201
        assert grown < 40
    finally:
        own.kill()


def resident(platform: Objectland) -> int:
    return _status(platform, "VmRSS")


def peak(platform: Objectland) -> int:
    return _status(platform, "VmHWM")


def _status(platform: Objectland, name: str) -> int:
    lines = Path(f"/proc/{platform.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
