"""What S3's operations need to be allowed: which action on which bucket or object, with which condition keys.

A bucket's ARN tells no account: whose it is is looked up (`Need.holder`). Source: the service authorisation reference,
"Amazon S3"; the user guide, "Required permissions for Amazon S3 API operations".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from hatoba.gateway.call import Call
from hatoba.gateway.needs import EVERYTHING, Access, Need, Params, Rule, Values, inside
from hatoba.services.s3.model import bucket_arn, find_bucket, object_arn

_ASKED = {
    "s3:prefix": "Prefix",
    "s3:delimiter": "Delimiter",
    "s3:max-keys": "MaxKeys",
    "s3:VersionId": "VersionId",
    "s3:x-amz-acl": "ACL",
    "s3:x-amz-copy-source": "CopySource",
    "s3:x-amz-metadata-directive": "MetadataDirective",
    "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "s3:x-amz-storage-class": "StorageClass",
    "s3:x-amz-object-ownership": "ObjectOwnership",
    "s3:if-match": "IfMatch",
    "s3:if-none-match": "IfNoneMatch",
}


def keys(req: Params) -> dict[str, Values]:
    """Condition keys of what the request says."""
    said = {key: req.get(member) for key, member in _ASKED.items()}
    return {key: str(value) for key, value in said.items() if value is not None}


def need(call: Call, action: str, bucket: str, key: str | None, known: dict[str, Values]) -> Need:
    """`key`: None for the bucket itself."""
    partition = call.scope.partition
    owner = find_bucket(call.store, partition, bucket)
    return Need(
        action=f"s3:{action}",
        resource=bucket_arn(partition, bucket) if key is None else object_arn(partition, bucket, key),
        keys=known,
        holder=owner.key.account if owner is not None else None,
    )


def bucket(action: str) -> Rule:
    def rule(_: str, req: Params, call: Call) -> Iterable[Need]:
        yield need(call, action, req.get("Bucket") or EVERYTHING, None, keys(req))

    return rule


def item(action: str, versioned: str | None = None) -> Rule:
    """On one object. `versioned`: the action where the request names a version."""

    def rule(_: str, req: Params, call: Call) -> Iterable[Need]:
        wanted = versioned if versioned is not None and req.get("VersionId") else action
        yield need(call, wanted, req.get("Bucket") or EVERYTHING, req.get("Key") or EVERYTHING, keys(req))

    return rule


def source_of(said: str) -> tuple[str, str, str | None]:
    """Bucket, key and version of `x-amz-copy-source`: `/b/k?versionId=v`, the key encoded. Of what says none: ""."""
    path, _, query = said.partition("?versionId=")
    bucket_name, _, key = unquote(path).removeprefix("/").partition("/")
    return bucket_name, key, unquote(query) or None


def source(req: Params, call: Call) -> Need:
    """Reading what is copied."""
    name, key, version = source_of(req.get("CopySource") or "")
    action = "GetObject" if version is None else "GetObjectVersion"
    return need(call, action, name or EVERYTHING, key or EVERYTHING, keys(req))


def copying(action: str, req: Params, call: Call) -> Iterator[Need]:
    yield source(req, call)
    yield from putting(action, req, call)


def putting(action: str, req: Params, call: Call) -> Iterator[Need]:
    yield from item("PutObject")(action, req, call)
    if req.get("Tagging"):
        yield from item("PutObjectTagging")(action, req, call)


def creating(action: str, req: Params, call: Call) -> Iterable[Need]:
    """Whose the name is already is not asked: the operation says it."""
    yield Need(
        action=action, resource=bucket_arn(call.scope.partition, req.get("Bucket") or EVERYTHING), keys=keys(req)
    )


def listing_all(_: str, req: Params, call: Call) -> Iterable[Need]:
    yield Need(action="s3:ListAllMyBuckets")


def copying_part(action: str, req: Params, call: Call) -> Iterator[Need]:
    yield source(req, call)
    yield from item("PutObject")(action, req, call)


def looking(action: str, req: Params, call: Call) -> Iterator[Need]:
    """GetObjectAttributes needs two."""
    yield from item("GetObject", "GetObjectVersion")(action, req, call)
    yield from item("GetObjectAttributes", "GetObjectVersionAttributes")(action, req, call)


ACCESS = Access(
    "s3",
    {
        "AbortMultipartUpload": item("AbortMultipartUpload"),
        "CompleteMultipartUpload": item("PutObject"),
        "CopyObject": copying,
        "CreateBucket": creating,
        "CreateMultipartUpload": putting,
        "DeleteBucket": bucket("DeleteBucket"),
        "DeleteBucketTagging": bucket("PutBucketTagging"),
        "DeleteObject": item("DeleteObject", "DeleteObjectVersion"),
        "DeleteObjects": inside,  # each object is decided by itself, and refused by itself
        "DeleteObjectTagging": item("DeleteObjectTagging", "DeleteObjectVersionTagging"),
        "GetBucketLocation": bucket("GetBucketLocation"),
        "GetBucketTagging": bucket("GetBucketTagging"),
        "GetBucketVersioning": bucket("GetBucketVersioning"),
        "GetObject": item("GetObject", "GetObjectVersion"),
        "GetObjectAttributes": looking,
        "GetObjectTagging": item("GetObjectTagging", "GetObjectVersionTagging"),
        "HeadBucket": bucket("ListBucket"),
        "HeadObject": item("GetObject", "GetObjectVersion"),
        "ListBuckets": listing_all,
        "ListMultipartUploads": bucket("ListBucketMultipartUploads"),
        "ListObjectVersions": bucket("ListBucketVersions"),
        "ListObjects": bucket("ListBucket"),
        "ListObjectsV2": bucket("ListBucket"),
        "ListParts": item("ListMultipartUploadParts"),
        "PutBucketTagging": bucket("PutBucketTagging"),
        "PutBucketVersioning": bucket("PutBucketVersioning"),
        "PutObject": putting,
        "PutObjectTagging": item("PutObjectTagging", "PutObjectVersionTagging"),
        "UploadPart": item("PutObject"),
        "UploadPartCopy": copying_part,
    },
)
