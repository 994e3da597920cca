"""Tags of buckets and objects. Source: S3's API reference, "PutObjectTagging"; the user guide, "Object tagging"."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

MOST = {"object": 10, "bucket": 50}
Tags = tuple[tuple[str, str], ...]


class BadTags(ValueError):
    """The text says what is wrong with them; `many`: there are too many."""

    def __init__(self, message: str, *, many: bool = False) -> None:
        super().__init__(message)
        self.many = many


def of_header(said: str) -> list[tuple[str, str]]:
    """Of `x-amz-tagging`: a query string."""
    return parse_qsl(said, keep_blank_values=True)


def checked(given: Iterable[tuple[str, str]], of: str) -> Tags:
    """Sorted as given. Raises `BadTags`."""
    tags = tuple(given)
    if len(tags) > MOST[of]:
        raise BadTags(f"{of.capitalize()} tags cannot be greater than {MOST[of]}", many=True)
    if len({key for key, _ in tags}) != len(tags):
        raise BadTags("Cannot provide multiple Tags with the same key")
    for key, value in tags:
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            raise BadTags("The TagKey you have provided is invalid")
        if len(value) > 256:
            raise BadTags("The TagValue you have provided is invalid")
    return tags
