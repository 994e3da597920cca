"""Names of buckets and keys, regions of buckets.

Source: the S3 user guide, "General purpose bucket naming rules", "Naming Amazon S3 objects"; the API reference,
"CreateBucket".
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_RESERVED = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an")

KEY_BYTES = 1024
HOME = "us-east-1"  # the region that has no location constraint


def valid_bucket(name: str) -> bool:
    if _NAME.fullmatch(name) is None or ".." in name or _ADDRESS.fullmatch(name):
        return False
    return not name.startswith(_RESERVED) and not name.endswith(_RESERVED_ENDS)


def too_long(key: str) -> bool:
    return len(key.encode()) > KEY_BYTES


def wrong_characters(text: str) -> bool:
    """What no answer could repeat: U+0000, and halves of characters (bytes of a header that were no UTF-8)."""
    return "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)


def region_of(constraint: str | None) -> str:
    """Of a location constraint. `EU` is an old name."""
    return {None: HOME, "": HOME, "EU": "eu-west-1"}.get(constraint, constraint or HOME)


def constraint_of(region: str) -> str | None:
    return None if region == HOME else region
