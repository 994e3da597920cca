"""Things with a name, and `Kind`: how each kind of them is found and spoken of.

Names are unique within an account without regard to case, as IAM has it: a record's id is its name in lower case.
"""

from __future__ import annotations

import base64
from typing import Generic, TypeVar

import msgspec

from hatoba.aws.shapes import iam as t
from hatoba.core import arn as arns
from hatoba.core.errors import AwsError
from hatoba.core.ids import Ids
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.store import Table
from hatoba.store.store import View


class Named(Record, frozen=True, kw_only=True):
    """What everything with a name has in common. The record's id is the name in lower case."""

    name: str
    path: str = "/"
    unique: str
    created: float


N = TypeVar("N", bound=Named)


def exceeded(quota: str, most: int) -> AwsError:
    return t.LimitExceededException(f"Cannot exceed quota for {quota}: {most}")


class Kind(msgspec.Struct, Generic[N], frozen=True, kw_only=True, eq=False):
    """How one kind of thing with a name is spoken of."""

    noun: str
    table: Table[N]
    resource: str  # in its ARN
    prefix: str  # of its unique ids
    absent: str = "The {noun} with name {name} cannot be found."
    taken: str = "{noun} with name {name} already exists."
    quota: tuple[str, int] | None = None  # of an account, and how IAM calls it

    @property
    def title(self) -> str:
        """In the middle of quotas and members: `PoliciesPerRole`, `RoleName`."""
        return self.noun.title().replace(" ", "")

    def arn(self, record: N) -> str:
        return f"arn:{record.key.partition}:iam::{record.key.account}:{self.resource}{record.path}{record.name}"

    def find(self, view: View, scope: Scope, name: str) -> N | None:
        return view.find(self.table, scope.everywhere(), name.lower())

    def by_arn(self, view: View, arn: str) -> N | None:
        """In whatever account; an ARN with another path than its own names nobody."""
        parsed = arns.parse(arn)
        record = self.find(view, parsed.scope, arn.rpartition("/")[2]) if parsed is not None else None
        return record if record is not None and self.arn(record) == arn else None

    def the(self, view: View, scope: Scope, name: str) -> N:
        """Raises NoSuchEntity."""
        record = self.find(view, scope, name)
        if record is None:
            raise t.NoSuchEntityException(self.absent.format(noun=self.noun, name=name))
        return record

    def free(self, view: View, scope: Scope, name: str) -> None:
        """Raises EntityAlreadyExists."""
        if self.find(view, scope, name) is not None:
            raise t.EntityAlreadyExistsException(self.taken.format(noun=self.noun.capitalize(), name=name))

    def room(self, view: View, scope: Scope) -> None:
        """Raises LimitExceeded when there are as many as an account may have."""
        if self.quota is not None and self.held(view, scope) >= self.quota[1]:
            raise exceeded(*self.quota)

    def held(self, view: View, scope: Scope) -> int:
        """How many count."""
        return view.size(self.table, scope.everywhere())


def unique_id(ids: Ids, prefix: str, length: int = 17) -> str:
    """`AIDA…`, `AROA…`, `ANPA…` (17 further characters), `AKIA…`, `ASIA…` (16)."""
    return prefix + base64.b32encode(bytes.fromhex(ids.hex(24))).decode()[:length]
