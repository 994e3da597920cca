"""S3's operations, by noun."""

from hatoba.services.s3.api import attributes, bucket, copy, deletion, listing, part, read, tag, upload, version, write
from hatoba.services.s3.api.room import s3

__all__ = [
    "attributes",
    "bucket",
    "copy",
    "deletion",
    "listing",
    "part",
    "read",
    "s3",
    "tag",
    "upload",
    "version",
    "write",
]
