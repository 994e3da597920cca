"""The room itself, and what its operations share: pages, tags, what is made with a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NotRequired, TypedDict, TypeVar

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.gateway.tags import forget_tags, remove_tags, set_tags, tags_of
from hatoba.services.iam.access import ACCESS
from hatoba.services.iam.model import Kind, Named, Role, unique_id
from hatoba.store import Tx
from hatoba.store.store import View

iam = Service("iam", access=ACCESS)
T = TypeVar("T")
N = TypeVar("N", bound=Named)
TAGS = 50  # of one resource


# --- pages


def marked_page(
    call: Call, rows: Iterable[T], req: Mapping[str, Any], order: Callable[[T], str], filters: object = None
) -> tuple[list[T], str | None]:
    """One page of sorted rows, and the marker of the next."""
    return call.page(
        rows,
        order=order,
        token=req.get("Marker"),
        limit=req.get("MaxItems", 100),
        filters=filters,
        bad_token=lambda: AwsError("Invalid Marker.", code="ValidationError"),
    )


class Truncated(TypedDict):
    IsTruncated: bool
    Marker: NotRequired[str]


def truncated(marker: str | None) -> Truncated:
    """What an answer says of the next page."""
    return {"IsTruncated": False} if marker is None else {"IsTruncated": True, "Marker": marker}


def named_page(call: Call, kind: Kind[N], req: Mapping[str, Any]) -> tuple[list[N], str | None]:
    """One page of everything of a kind, by name, under `PathPrefix`."""
    prefix = req.get("PathPrefix", "/")
    rows = (record for record in call.store.scan(kind.table, call.scope.everywhere()) if record.path.startswith(prefix))
    return marked_page(call, rows, req, lambda record: record.id, prefix)


# --- making, renaming and forgetting


def new(call: Call, kind: Kind[N], req: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that everything with a name has."""
    name = req[f"{kind.title}Name"]
    return {
        "key": kind.table.key(call.scope.everywhere(), name.lower()),
        "name": name,
        "path": req.get("Path", "/"),
        "unique": unique_id(call.ids, kind.prefix),
        "created": call.now,
    }


def put_new(tx: Tx, kind: Kind[N], record: N, req: Mapping[str, Any]) -> N:
    """With its tags. Raises EntityAlreadyExists, LimitExceeded."""
    kind.free(tx, record.scope, record.name)
    kind.room(tx, record.scope)
    put_tags(tx, record.scope, kind.arn(record), req.get("Tags", ()))
    return tx.put(kind.table, record)


def rename(tx: Tx, kind: Kind[N], record: N, name: str, path: str) -> N:
    """Its ARN changes, and its tags go along. Raises EntityAlreadyExists."""
    renamed = replace(record, name=name, path=path)
    before, after = kind.arn(record), kind.arn(renamed)
    if before != after:
        given = tags_of(tx, record.scope, before)
        forget_tags(tx, record.scope, before)
        set_tags(tx, record.scope, after, given)
    if name.lower() == record.id:
        return tx.put(kind.table, renamed)
    kind.free(tx, record.scope, name)
    tx.forget(kind.table, record.key)
    return tx.put(kind.table, replace(renamed, key=kind.table.key(record.scope, name.lower()), version=0))


def forget(tx: Tx, kind: Kind[N], record: N) -> None:
    tx.forget(kind.table, record.key)
    forget_tags(tx, record.scope, kind.arn(record))


def conflict(message: str) -> AwsError:
    return t.DeleteConflictException(message)


def changeable(record: Named) -> None:
    """Raises UnmodifiableEntity for a role that belongs to a service."""
    if isinstance(record, Role) and record.linked:
        raise t.UnmodifiableEntityException(
            f"Cannot perform the operation on the protected role '{record.name}' - this role is only modifiable by AWS"
        )


# --- tags


def own_tags(view: View, kind: Kind[N], record: N) -> dict[str, str]:
    return tags_of(view, record.scope, kind.arn(record))


def put_tags(tx: Tx, scope: Scope, arn: str, given: Iterable[t.Tag]) -> None:
    """Keys are the same without regard to case. Raises InvalidInput, LimitExceeded."""
    new_ = {tag["Key"]: tag["Value"] for tag in given}
    folded = [tag["Key"].lower() for tag in given]
    if len(set(folded)) < len(folded):
        raise t.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in folded):
        raise t.InvalidInputException("System tags cannot be added or removed by the caller.")
    known = tags_of(tx, scope, arn)
    remove_tags(tx, scope, arn, [key for key in known if key.lower() in folded and key not in new_])
    if len({key.lower() for key in known} | set(folded)) > TAGS:
        raise t.LimitExceededException("The number of tags has reached the maximum limit.")
    set_tags(tx, scope, arn, new_)


def drop_tags(tx: Tx, scope: Scope, arn: str, keys: Iterable[str]) -> None:
    folded = {key.lower() for key in keys}
    remove_tags(tx, scope, arn, [key for key in tags_of(tx, scope, arn) if key.lower() in folded])
