"""What keys, certificates and credentials of a user have in common: found by their ids, listed, switched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam.api.room import marked_page
from hatoba.services.iam.api.user import asked
from hatoba.services.iam.model import OfUser, User
from hatoba.store import Table, Tx
from hatoba.store.store import View

U = TypeVar("U", bound=OfUser)


def the(view: View, call: Call, table: Table[U], user: User, id_: str, noun: str) -> U:
    """Raises NoSuchEntity, also for what is another user's."""
    record = view.find(table, call.scope.everywhere(), id_)
    if record is None or record.user.lower() != user.id:
        raise t.NoSuchEntityException(f"The {noun} with id {id_} cannot be found.")
    return record


def all_of(view: View, table: Table[U], user: User) -> list[U]:
    return view.index(table, "user", (user.key.account, user.id))


def page_of(call: Call, table: Table[U], req: Mapping[str, Any]) -> tuple[list[U], str | None]:
    """One page of the named user's, or of whoever asks."""
    user = asked(call.store, call, req.get("UserName"))
    return marked_page(call, all_of(call.store, table, user), req, lambda record: record.id, user.id)


def switch(tx: Tx, table: Table[U], record: U, status: str) -> None:
    """`Expired` is nothing that anybody can say."""
    if status not in ("Active", "Inactive"):
        raise AwsError(f"The status cannot be set to {status}.", code="ValidationError")
    tx.put(table, replace(record, status=status))
