"""Task definitions: register, describe, list, deregister, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.gateway.tags import tags_of
from hatoba.services.ecs.api.room import checked_tags, ecs, page, tag
from hatoba.services.ecs.model.task_definition import (
    Definition,
    Family,
    definition_id,
    definitions,
    families,
    find_definition,
)
from hatoba.services.ecs.plan.definition.check import register
from hatoba.services.ecs.views import pieces
from hatoba.services.ecs.views import task_definition as view
from hatoba.store import Tx

_STILL_ACTIVE = "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
_LAST = chr(0xFFFF)


@ecs.operation
async def register_task_definition(
    req: t.RegisterTaskDefinitionRequest, call: Call
) -> t.RegisterTaskDefinitionResponse:
    registered = register(req)
    tags = checked_tags(req.get("tags"))
    with call.tx() as tx:
        family = tx.find(families, call.scope, req["family"])
        family = family or Family(key=families.key(call.scope, req["family"]))
        revision = family.last + 1
        tx.put(families, replace(family, last=revision, active=revision))
        definition = tx.put(
            definitions,
            Definition(
                key=definitions.key(call.scope, definition_id(req["family"], revision)),
                family=req["family"],
                revision=revision,
                content=registered.content,
                compatibilities=registered.compatibilities,
                requires=registered.requires,
                registered_at=call.now,
                registered_by=call.principal.arn,
            ),
        )
        tag(tx, call.scope, definition.arn, tags)
    answer: t.RegisterTaskDefinitionResponse = {"taskDefinition": view.task_definition(definition)}
    if tags:
        answer["tags"] = pieces.tags(tags)
    return answer


def _need(call: Call, reference: str) -> Definition:
    definition = find_definition(call.store, call.scope, reference)
    if definition is None:
        raise t.ClientException("Unable to describe task definition.")
    return definition


@ecs.operation
async def describe_task_definition(
    req: t.DescribeTaskDefinitionRequest, call: Call
) -> t.DescribeTaskDefinitionResponse:
    definition = _need(call, req["taskDefinition"])
    answer: t.DescribeTaskDefinitionResponse = {"taskDefinition": view.task_definition(definition)}
    if "TAGS" in (req.get("include") or ()):
        answer["tags"] = pieces.tags(tags_of(call.store, call.scope, definition.arn))
    return answer


@ecs.operation
async def deregister_task_definition(
    req: t.DeregisterTaskDefinitionRequest, call: Call
) -> t.DeregisterTaskDefinitionResponse:
    reference = req["taskDefinition"]
    if ":" not in reference.removeprefix("arn:").rpartition("/")[2]:
        raise t.ClientException("A revision must be specified to deregister a task definition.")
    definition = _need(call, reference)
    with call.tx() as tx:
        if definition.status == "ACTIVE":
            definition = tx.put(definitions, replace(definition, status="INACTIVE", deregistered_at=call.now))
            _no_longer_newest(tx, definition)
    return {"taskDefinition": view.task_definition(definition)}


def _no_longer_newest(tx: Tx, definition: Definition) -> None:
    """The bare family name now means the newest revision that is still active."""
    family = tx.find(families, definition.scope, definition.family)
    if family is None or family.active != definition.revision:
        return
    active = tx.index(definitions, "family", (definition.scope, definition.family, "ACTIVE"))
    tx.put(families, replace(family, active=active[-1].revision if active else None))


@ecs.operation
async def delete_task_definitions(req: t.DeleteTaskDefinitionsRequest, call: Call) -> t.DeleteTaskDefinitionsResponse:
    references = req["taskDefinitions"]
    if not 1 <= len(references) <= 10:
        raise t.InvalidParameterException("taskDefinitions must have 1 to 10 items.")
    deleted, failures = [], []
    with call.tx() as tx:
        for reference in references:
            definition = find_definition(tx, call.scope, reference)
            if definition is None or ":" not in reference:
                failures.append(pieces.failure(reference, "MISSING", "The specified task definition was not found."))
            elif definition.status == "ACTIVE":
                failures.append(pieces.failure(definition.arn, "TASK_DEFINITION_ACTIVE", _STILL_ACTIVE))
            elif definition.status == "DELETE_IN_PROGRESS":
                deleted.append(view.task_definition(definition))
            else:
                gone = replace(definition, status="DELETE_IN_PROGRESS", delete_requested_at=call.now)
                deleted.append(view.task_definition(tx.put(definitions, gone)))
    return {"taskDefinitions": deleted, "failures": failures}


# --- lists ---------------------------------------------------------------------------------------------------------


@ecs.operation
async def list_task_definitions(req: t.ListTaskDefinitionsRequest, call: Call) -> t.ListTaskDefinitionsResponse:
    status = req.get("status") or "ACTIVE"
    family = req.get("familyPrefix")
    rows = (
        call.store.index(definitions, "family", (call.scope, family, status))
        if family
        else call.store.index(definitions, "status", (call.scope, status))
    )
    ordered: Iterable[Definition] = rows
    order: Callable[[Definition], str] = lambda definition: definition.id  # noqa: E731
    if req.get("sort") == "DESC":
        ordered, order = reversed(rows), _descending
    found, more = page(call, ordered, req, order)
    return {"taskDefinitionArns": [definition.arn for definition in found], **small_next_token(more)}


def _descending(definition: Definition) -> str:
    """A text that orders the other way round."""
    return "".join(chr(0xFFFE - ord(letter)) for letter in definition.id) + _LAST


@ecs.operation
async def list_task_definition_families(
    req: t.ListTaskDefinitionFamiliesRequest, call: Call
) -> t.ListTaskDefinitionFamiliesResponse:
    prefix, status = req.get("familyPrefix") or "", req.get("status") or "ALL"
    matching = (
        family.id
        for family in call.store.scan(families, call.scope)
        if family.id.startswith(prefix) and _has(call, family, status)
    )
    found, more = page(call, matching, req, lambda name: name)
    return {"families": found, **small_next_token(more)}


def _has(call: Call, family: Family, status: str) -> bool:
    """ACTIVE families have an active revision, INACTIVE ones only others."""
    if status == "ACTIVE":
        return family.active is not None
    left = family.active is not None or any(
        call.store.count(definitions, "family", (call.scope, family.id, other))
        for other in ("INACTIVE", "DELETE_IN_PROGRESS")
    )
    return left if status == "ALL" else left and family.active is None
