"""Task definitions: immutable revisions of a family.

What was registered is kept in the model's own shape (`content`): it is the language that everybody who reads it speaks.
"""

from __future__ import annotations

from typing import Any, Literal, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.ecs.model import arns
from hatoba.store import Index, Table
from hatoba.store.store import View

Status = Literal["ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"]
LONGEST_REVISION = 10  # digits


class Definition(Record, frozen=True, kw_only=True):
    """The id is `family:revision`, the revision padded so that the order of ids is that of revisions."""

    family: str
    revision: int
    content: dict[str, Any]  # the model's RegisterTaskDefinitionRequest, without tags
    compatibilities: tuple[str, ...]
    requires: tuple[str, ...]  # names of attributes
    registered_at: float
    registered_by: str
    status: Status = "ACTIVE"
    deregistered_at: float | None = None
    delete_requested_at: float | None = None

    @property
    def arn(self) -> str:
        return arns.definition_arn(self.scope, self.family, self.revision)

    @property
    def containers(self) -> list[t.ContainerDefinition]:
        return cast("list[t.ContainerDefinition]", self.content["containerDefinitions"])

    @property
    def network_mode(self) -> str:
        return str(self.content.get("networkMode", "bridge"))


class Family(Record, frozen=True, kw_only=True):
    """Counts revisions: a number is never used twice, whatever became of its revision."""

    last: int = 0
    active: int | None = None  # the newest ACTIVE revision: what the bare name means


definitions = Table(
    "ecs.task_definitions",
    Definition,
    indexes=(
        Index("status", lambda d: (d.key[:3], d.status)),
        Index("family", lambda d: (d.key[:3], d.family, d.status)),
    ),
)
families = Table("ecs.families", Family)


def definition_id(family: str, revision: int) -> str:
    return f"{family}:{revision:010d}"


def find_definition(view: View, scope: Scope, reference: str) -> Definition | None:
    """By `family`, `family:revision` or ARN; a bare family means its newest active revision."""
    return named_definition(view, scope, arns.plain(reference, "task-definition", scope))


def named_definition(view: View, scope: Scope, name: str) -> Definition | None:
    """By `family` or `family:revision`. Raises nothing."""
    family, _, number = name.partition(":")
    if number:
        known = number.isdecimal() and len(number) <= LONGEST_REVISION
        return view.find(definitions, scope, definition_id(family, int(number))) if known else None
    record = view.find(families, scope, family)
    if record is None or record.active is None:
        return None
    return view.find(definitions, scope, definition_id(family, record.active))


def usable_definition(view: View, scope: Scope, reference: str) -> Definition:
    """One that tasks and services may be started from."""
    definition = find_definition(view, scope, reference)
    if definition is None:
        raise t.ClientException("TaskDefinition not found.")
    if definition.status != "ACTIVE":
        raise t.ClientException("TaskDefinition is inactive")
    return definition
