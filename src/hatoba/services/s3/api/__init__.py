"""S3's operations, by noun."""

from hatoba.services.s3.api import bucket, copy, deletion, listing, read, write
from hatoba.services.s3.api.room import s3

__all__ = ["bucket", "copy", "deletion", "listing", "read", "s3", "write"]
