"""S3's operations, by noun."""

from hatoba.services.s3.api import (
    absent,
    acl,
    attributes,
    bucket,
    copy,
    deletion,
    encryption,
    listing,
    part,
    policy,
    read,
    tag,
    upload,
    version,
    write,
)
from hatoba.services.s3.api.room import s3

__all__ = [
    "absent",
    "acl",
    "attributes",
    "bucket",
    "copy",
    "deletion",
    "encryption",
    "listing",
    "part",
    "policy",
    "read",
    "s3",
    "tag",
    "upload",
    "version",
    "write",
]
