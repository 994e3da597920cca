"""What S3's operations need to be allowed: which action on which bucket or object, with which condition keys.

A bucket's ARN tells no account: whose it is is looked up (`Need.holder`). Source: the service authorisation reference,
"Amazon S3"; the user guide, "Required permissions for Amazon S3 API operations".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from hatoba.gateway.call import Call
from hatoba.gateway.needs import EVERYTHING, Access, Need, Params, Rule, Values, inside, tag_keys
from hatoba.services.s3.history import find
from hatoba.services.s3.model import Bucket, bucket_arn, find_bucket, object_arn
from hatoba.services.s3.plan.policies import is_public
from hatoba.services.s3.plan.tags import of_header

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


_MENDING = frozenset({"DeleteBucketPolicy", "GetBucketPolicy", "PutBucketPolicy"})


def keys(req: Params) -> dict[str, Values]:
    """Condition keys of what the request says."""
    said = {key: req.get(member) for key, member in _ASKED.items()}
    return {key: str(value) for key, value in said.items() if value is not None}


def need(call: Call, action: str, bucket: str, key: str | None, known: dict[str, Values]) -> Need:
    """`key`: None for the bucket itself."""
    partition = call.scope.partition
    owner = find_bucket(call.store, partition, bucket)
    policy = None if owner is None else counting(owner, action, call)
    return Need(
        action=f"s3:{action}",
        resource=bucket_arn(partition, bucket) if key is None else object_arn(partition, bucket, key),
        keys=known,
        policy=policy,
        holder=owner.key.account if owner is not None else None,
    )


def counting(owner: Bucket, action: str, call: Call) -> str | None:
    """The bucket's policy, as far as it counts: not against the root of the owner's account who mends it, nor for
    others where it is public and the bucket is not to be."""
    who = call.principal
    if owner.policy is None or (action in _MENDING and who.kind == "root" and who.account == owner.key.account):
        return None
    block = owner.public_block
    stranger = who.account != owner.key.account or who.kind == "anonymous"
    if block is not None and block.restricted and stranger and not call.source and is_public(owner.policy):
        return None
    return owner.policy


def tagged(req: Params, call: Call, name: str, key: str) -> dict[str, Values]:
    """The tags that the object has, and those that the request gives it."""
    known: dict[str, Values] = {}
    owner = find_bucket(call.store, call.scope.partition, name)
    there = find(call.store, owner, key, req.get("VersionId")) if owner is not None else None
    if there is not None:
        known |= {f"s3:ExistingObjectTag/{tag}": value for tag, value in there.tags}
    said = req.get("Tagging")
    given = (
        of_header(said) if isinstance(said, str) else [(tag.get("Key", ""), tag.get("Value", "")) for tag in _set(said)]
    )
    if given:
        known |= {f"s3:RequestObjectTag/{tag}": value for tag, value in given}
        known["s3:RequestObjectTagKeys"] = [tag for tag, _ in given]
    return known


def _set(said: Any) -> list[Any]:
    found = said.get("TagSet") if isinstance(said, dict) else None
    return found if isinstance(found, list) else []


def bucket(action: str) -> Rule:
    def rule(_: str, req: Params, call: Call) -> Iterable[Need]:
        yield need(call, action, req.get("Bucket") or EVERYTHING, None, keys(req))

    return rule


def item(action: str, versioned: str | None = None) -> Rule:
    """On one object. `versioned`: the action where the request names a version."""

    def rule(_: str, req: Params, call: Call) -> Iterable[Need]:
        wanted = versioned if versioned is not None and req.get("VersionId") else action
        name, key = req.get("Bucket") or EVERYTHING, req.get("Key") or EVERYTHING
        yield need(call, wanted, name, key, keys(req) | tagged(req, call, name, key))

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
    """Tags that come along are read from the one and given to the other, which are permissions of their own."""
    yield source(req, call)
    name, key, version = source_of(req.get("CopySource") or "")
    owner = find_bucket(call.store, call.scope.partition, name)
    there = find(call.store, owner, key, version) if owner is not None else None
    if there is None or not there.tags or req.get("TaggingDirective") == "REPLACE":
        yield from putting(action, req, call)
        return
    reading = {"Bucket": name, "Key": key, **({"VersionId": version} if version else {})}
    yield from item("GetObjectTagging", "GetObjectVersionTagging")(action, reading, call)
    given = {"TagSet": [{"Key": tag, "Value": value} for tag, value in there.tags]}
    yield from putting(action, {**req, "Tagging": given}, call)


def putting(action: str, req: Params, call: Call) -> Iterator[Need]:
    yield from item("PutObject")(action, req, call)
    if req.get("Tagging"):
        yield from item("PutObjectTagging")(action, req, call)


def creating(action: str, req: Params, call: Call) -> Iterator[Need]:
    """Whose the name is already is not asked: the operation says it."""
    arn = bucket_arn(call.scope.partition, req.get("Bucket") or EVERYTHING)
    given = tag_keys((req.get("CreateBucketConfiguration") or {}).get("Tags"))
    yield Need(action=action, resource=arn, keys=keys(req) | given)
    if given:
        yield Need(action="s3:TagResource", resource=arn, keys=given)


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
        "DeleteBucketCors": bucket("PutBucketCORS"),
        "DeleteBucketEncryption": bucket("PutEncryptionConfiguration"),
        "DeleteBucketLifecycle": bucket("PutLifecycleConfiguration"),
        "DeleteBucketOwnershipControls": bucket("PutBucketOwnershipControls"),
        "DeleteBucketPolicy": bucket("DeleteBucketPolicy"),
        "DeleteBucketReplication": bucket("PutReplicationConfiguration"),
        "DeleteBucketTagging": bucket("PutBucketTagging"),
        "DeleteBucketWebsite": bucket("DeleteBucketWebsite"),
        "DeletePublicAccessBlock": bucket("PutBucketPublicAccessBlock"),
        "GetBucketAccelerateConfiguration": bucket("GetAccelerateConfiguration"),
        "GetBucketAcl": bucket("GetBucketAcl"),
        "GetBucketCors": bucket("GetBucketCORS"),
        "GetBucketEncryption": bucket("GetEncryptionConfiguration"),
        "GetBucketLifecycleConfiguration": bucket("GetLifecycleConfiguration"),
        "GetBucketLogging": bucket("GetBucketLogging"),
        "GetBucketNotificationConfiguration": bucket("GetBucketNotification"),
        "GetBucketOwnershipControls": bucket("GetBucketOwnershipControls"),
        "GetBucketPolicy": bucket("GetBucketPolicy"),
        "GetBucketPolicyStatus": bucket("GetBucketPolicyStatus"),
        "GetBucketReplication": bucket("GetReplicationConfiguration"),
        "GetBucketRequestPayment": bucket("GetBucketRequestPayment"),
        "GetBucketWebsite": bucket("GetBucketWebsite"),
        "GetObjectAcl": item("GetObjectAcl", "GetObjectVersionAcl"),
        "GetObjectLockConfiguration": bucket("GetBucketObjectLockConfiguration"),
        "GetPublicAccessBlock": bucket("GetBucketPublicAccessBlock"),
        "PutBucketAcl": bucket("PutBucketAcl"),
        "PutBucketEncryption": bucket("PutEncryptionConfiguration"),
        "PutBucketOwnershipControls": bucket("PutBucketOwnershipControls"),
        "PutBucketPolicy": bucket("PutBucketPolicy"),
        "PutObjectAcl": item("PutObjectAcl", "PutObjectVersionAcl"),
        "PutPublicAccessBlock": bucket("PutBucketPublicAccessBlock"),
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
