"""Records as the model's shapes show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from hatoba.aws.shapes import s3 as t
from hatoba.services.s3 import model
from hatoba.services.s3.model import Bucket, Kms, Object, Part, Upload
from hatoba.services.s3.plan.listing import Page

Encode = Callable[[str], str]


def quoted(etag: str) -> str:
    return f'"{etag}"'


def bucket(record: Bucket) -> t.Bucket:
    return {
        "Name": record.id,
        "CreationDate": record.created,
        "BucketRegion": record.region,
        "BucketArn": model.bucket_arn(record.key.partition, record.id),
    }


def owner(record: Bucket) -> t.Owner:
    return {"ID": model.canonical_user(record.scope)}


def checksums(record: Object) -> dict[str, str]:
    """`ChecksumCRC32` and its kin."""
    found = {f"Checksum{algorithm}": value for algorithm, value in record.checksums.items()}
    return {**found, "ChecksumType": record.checksum_type} if found else {}


def encryption(kms: Kms | None) -> dict[str, Any]:
    if kms is None:
        return {"ServerSideEncryption": "AES256"}
    shown = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms.key}
    return {**shown, "BucketKeyEnabled": True} if kms.bucket_key else shown


def head(record: Object, *, told: bool) -> dict[str, Any]:
    """What GetObject and HeadObject say in headers. `told`: with checksums."""
    said: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": record.modified,
        "ContentLength": record.size,
        "ETag": quoted(record.etag),
        "ContentType": "binary/octet-stream",
        **record.headers,
        "Metadata": record.metadata,
        **encryption(record.kms),
    }
    if record.storage != "STANDARD":
        said["StorageClass"] = record.storage
    if record.tags:
        said["TagCount"] = len(record.tags)
    return {**said, **checksums(record)} if told else said


def contents(record: Object, encode: Encode, holder: t.Owner | None) -> t.Object:
    shown: t.Object = {
        "Key": encode(record.name),
        "LastModified": record.modified,
        "ETag": quoted(record.etag),
        "Size": record.size,
        "StorageClass": record.storage,  # type: ignore[typeddict-item]
    }
    if record.checksums:
        shown["ChecksumAlgorithm"] = list(record.checksums)  # type: ignore[arg-type]
        shown["ChecksumType"] = record.checksum_type  # type: ignore[typeddict-item]
    if holder is not None:
        shown["Owner"] = holder
    return shown


def page(found: Page[Object], encode: Encode, holder: t.Owner | None) -> dict[str, Any]:
    """What the listings have in common."""
    return {
        "IsTruncated": found.next is not None,
        "Contents": [contents(record, encode, holder) for record in found.found],
        "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in found.prefixes],
    }


def encoder(encoding: str | None) -> Encode:
    """How names are written: `url` for those that XML cannot hold."""
    return (lambda text: quote(text, safe="/*-._").replace("%20", "+")) if encoding == "url" else str


def version(record: Object, latest: bool, encode: Encode, holder: Bucket) -> dict[str, Any]:
    shown = contents(record, encode, owner(holder))
    return {**shown, "VersionId": record.version_id, "IsLatest": latest}


def marker(record: Object, latest: bool, encode: Encode, holder: Bucket) -> dict[str, Any]:
    return {
        "Owner": owner(holder),
        "Key": encode(record.name),
        "VersionId": record.version_id,
        "IsLatest": latest,
        "LastModified": record.modified,
    }


def upload(record: Upload, encode: Encode, holder: Bucket) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "UploadId": record.upload_id,
        "Key": encode(record.name),
        "Initiated": record.initiated,
        "StorageClass": record.storage,
        "Owner": owner(holder),
        "Initiator": {"ID": record.initiator},
    }
    if record.asked:
        shown |= {"ChecksumAlgorithm": record.algorithm, "ChecksumType": record.checksum_type}
    return shown


def part(record: Part, of: Upload) -> dict[str, Any]:
    return {
        "PartNumber": record.number,
        "LastModified": record.modified,
        "ETag": quoted(record.etag),
        "Size": record.body.size,
        f"Checksum{of.algorithm}": record.checksum,
    }
