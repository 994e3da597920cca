"""The room itself, and what its operations share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.gateway.tags import set_tags
from hatoba.services.iam.model import Principal
from hatoba.store import Tx

iam = Service("iam")
T = TypeVar("T")


def tag_new(tx: Tx, call: Call, arn: str, req: Mapping[str, Any]) -> None:
    given = {tag["Key"]: tag["Value"] for tag in req.get("Tags", ())}
    if given:
        set_tags(tx, call.scope.everywhere(), arn, given)


def marked_page(
    call: Call, rows: Iterable[T], req: Mapping[str, Any], order: Callable[[T], str], filters: object = None
) -> tuple[list[T], dict[str, Any]]:
    """One page, and `IsTruncated` with its `Marker`, as IAM pages."""
    page, marker = call.page(
        rows,
        order=order,
        token=req.get("Marker"),
        limit=req.get("MaxItems", 100),
        filters=filters,
        bad_token=lambda: AwsError("Invalid Marker.", code="ValidationError"),
    )
    return page, {"IsTruncated": marker is not None, **({"Marker": marker} if marker is not None else {})}


def under(path: str | None) -> Callable[[Principal], bool]:
    return lambda principal: principal.path.startswith(path or "/")


def conflict(message: str) -> AwsError:
    return t.DeleteConflictException(message)
