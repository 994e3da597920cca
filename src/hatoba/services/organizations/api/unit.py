"""Organisational units, and who is below and above whom."""

from __future__ import annotations

from hatoba.aws.shapes import organizations as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags, set_tags
from hatoba.services.organizations import model, views
from hatoba.services.organizations.api.room import (
    DEPTH,
    UNITS,
    checked_tags,
    managed,
    organizations,
    page,
    seen,
    the_parent,
    violation,
)
from hatoba.services.organizations.controller.openings import defaults
from hatoba.services.organizations.model import Organization, Unit
from hatoba.store.store import View


def the_unit(view: View, org: Organization, id_: str) -> Unit:
    unit = model.find_unit(view, org, id_)
    if unit is None:
        raise t.OrganizationalUnitNotFoundException("You specified an organizational unit that doesn't exist.")
    return unit


def _shown(view: View, org: Organization, unit: Unit) -> t.OrganizationalUnit:
    return views.unit(org, model.above(view, org, unit), unit)


@organizations.operation
async def create_organizational_unit(
    req: t.CreateOrganizationalUnitRequest, call: Call
) -> t.CreateOrganizationalUnitResponse:
    tags = checked_tags(req.get("Tags"))
    with call.tx() as tx:
        org = managed(tx, call)
        parent = the_parent(tx, org, req["ParentId"])
        if len(model.above(tx, org, parent)) > DEPTH:
            raise violation("OU_DEPTH_LIMIT_EXCEEDED", f"Organizational units can be at most {DEPTH} levels deep.")
        if tx.count(model.units, "organization", org.id) >= UNITS:
            raise violation(
                "OU_NUMBER_LIMIT_EXCEEDED", f"An organization can have at most {UNITS} organizational units."
            )
        _check_free(tx, org, req["ParentId"], req["Name"])
        id_ = f"ou-{org.root.removeprefix('r-')}-{call.ids.hex(8)}"
        unit = Unit(
            key=model.units.key(org.scope, id_),
            organization=org.id,
            parent=req["ParentId"],
            name=req["Name"],
            policies=defaults(org),
        )
        unit = tx.put(model.units, unit)
        set_tags(tx, org.scope, unit.arn, tags)
        return {"OrganizationalUnit": _shown(tx, org, unit)}


def _check_free(view: View, org: Organization, parent: str, name: str, but: str = "") -> None:
    units, _ = model.children(view, org, parent)
    if any(unit.name == name and unit.id != but for unit in units):
        raise t.DuplicateOrganizationalUnitException("An OU with the same name already exists.")


@organizations.operation
async def update_organizational_unit(
    req: t.UpdateOrganizationalUnitRequest, call: Call
) -> t.UpdateOrganizationalUnitResponse:
    with call.tx() as tx:
        org = managed(tx, call)
        unit = the_unit(tx, org, req["OrganizationalUnitId"])
        name = req.get("Name", unit.name)
        if name != unit.name:
            _check_free(tx, org, unit.parent, name, but=unit.id)
            unit = tx.put(model.units, replace(unit, name=name))
        return {"OrganizationalUnit": _shown(tx, org, unit)}


@organizations.operation
async def delete_organizational_unit(req: t.DeleteOrganizationalUnitRequest, call: Call) -> None:
    with call.tx() as tx:
        org = managed(tx, call)
        unit = the_unit(tx, org, req["OrganizationalUnitId"])
        if any(model.children(tx, org, unit.id)):
            raise t.OrganizationalUnitNotEmptyException(
                "The OU is not empty: move its accounts and delete the units in it first."
            )
        forget_tags(tx, org.scope, unit.arn)
        tx.forget(model.units, unit.key)


@organizations.operation
async def describe_organizational_unit(
    req: t.DescribeOrganizationalUnitRequest, call: Call
) -> t.DescribeOrganizationalUnitResponse:
    org = seen(call.store, call)
    return {"OrganizationalUnit": _shown(call.store, org, the_unit(call.store, org, req["OrganizationalUnitId"]))}


@organizations.operation
async def list_organizational_units_for_parent(
    req: t.ListOrganizationalUnitsForParentRequest, call: Call
) -> t.ListOrganizationalUnitsForParentResponse:
    org = seen(call.store, call)
    the_parent(call.store, org, req["ParentId"])
    units, _ = model.children(call.store, org, req["ParentId"])
    found, more = page(call, units, req, lambda one: one.id, req["ParentId"])
    shown = [_shown(call.store, org, one) for one in found]
    return {"OrganizationalUnits": shown, **more}


# --- below and above


@organizations.operation
async def list_children(req: t.ListChildrenRequest, call: Call) -> t.ListChildrenResponse:
    org, kind = seen(call.store, call), req["ChildType"]
    the_parent(call.store, org, req["ParentId"])
    units, accounts = model.children(call.store, org, req["ParentId"])
    ids = [one.id for one in (accounts if kind == "ACCOUNT" else units)]
    found, more = page(call, ids, req, lambda one: one, (req["ParentId"], kind))
    children: list[t.Child] = [{"Id": one, "Type": kind} for one in found]
    return {"Children": children, **more}


@organizations.operation
async def list_parents(req: t.ListParentsRequest, call: Call) -> t.ListParentsResponse:
    """There is always one."""
    org, child = seen(call.store, call), req["ChildId"]
    found = model.find_target(call.store, org, child)
    if found is None or isinstance(found, Organization):
        raise _no_child()
    parent = found.parent
    return {"Parents": [{"Id": parent, "Type": "ROOT" if parent == org.root else "ORGANIZATIONAL_UNIT"}]}


def _no_child() -> AwsError:
    return t.ChildNotFoundException("You specified child that doesn't exist.")
