"""The room, and what all of its operations share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.gateway.tags import set_tags
from hatoba.services.ecs.access import ACCESS
from hatoba.store import Tx

ecs = Service("ecs", access=ACCESS)

T = TypeVar("T")
MOST_TAGS = 50


def page(
    call: Call,
    rows: Iterable[T],
    req: Mapping[str, object],
    order: Callable[[T], str],
    *,
    limit: int = 100,
    most: int = 100,
) -> tuple[list[T], str | None]:
    """One page, and the next token where there is more. A `maxResults` above or below what is allowed is refused."""
    wanted = req.get("maxResults")
    if wanted is not None and not (isinstance(wanted, int) and 1 <= wanted <= most):
        raise t.InvalidParameterException(f"maxResults must be between 1 and {most}.")
    token = req.get("nextToken")
    filters = sorted((name, str(value)) for name, value in req.items() if name not in ("nextToken", "maxResults"))
    return call.page(
        rows,
        order=order,
        token=str(token) if token else None,
        limit=wanted if isinstance(wanted, int) else limit,
        filters=filters,
        bad_token=lambda: t.InvalidParameterException("Invalid token"),
    )


def checked_token(token: str | None, most: int) -> str | None:
    """A client token as the model describes it: up to `most` characters of ASCII, none of them a space."""
    if token is not None and (len(token) > most or not all("!" <= letter <= "~" for letter in token)):
        raise t.InvalidParameterException(
            f"Invalid clientToken. Up to {most} ASCII characters in the range of 33-126 are allowed."
        )
    return token


def checked_tags(tags: Sequence[t.Tag] | None) -> dict[str, str]:
    """Raises when there are too many, two of the same key, or one that is AWS's own."""
    found: dict[str, str] = {}
    for tag in tags or ():
        key = tag.get("key", "")
        if not key:
            raise t.InvalidParameterException("Tag key can not be empty.")
        if key.lower().startswith("aws:"):
            raise t.InvalidParameterException("Tag keys starting with aws: are reserved for system use.")
        if key in found:
            raise t.InvalidParameterException(f"Duplicate tag key found: {key}.")
        found[key] = tag.get("value", "")
    if len(found) > MOST_TAGS:
        raise t.InvalidParameterException(f"The maximum number of tags is {MOST_TAGS}.")
    return found


def tag(tx: Tx, scope: Scope, arn: str, tags: Mapping[str, str]) -> None:
    if tags:
        set_tags(tx, scope, arn, tags)
