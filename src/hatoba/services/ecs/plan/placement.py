"""Placement strategies and constraints: what AWS allows, and what they come to in the words of the engine.

Limits and fields as in the model's documentation of PlacementStrategy and PlacementConstraint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import ZONE
from hatoba.placement import Condition, Order, Site, Use
from hatoba.services.ecs.model.task import Placement
from hatoba.services.ecs.model.usage import Where, groups_in, status_of
from hatoba.services.ecs.plan.query import holds, parse, unreadable

MOST_STRATEGIES = 5
MOST_CONSTRAINTS = 10
_PLACE = re.compile(r"attribute:[A-Za-z0-9_./\\-]{1,128}")
_ALONE = ("instanceId", "host")


class Member(msgspec.Struct, frozen=True):
    """A `memberOf` constraint."""

    expression: str
    where: Where

    def holds(self, site: Site, use: Use) -> bool:
        return holds(parse(self.expression), lambda subject: self._facts(subject, site, use))

    def _facts(self, subject: str, site: Site, use: Use) -> Iterable[str]:
        if subject == "task:group":
            return groups_in(use, self.where)
        if subject == "runningTasksCount":
            return (str(use.counts.get(status_of(self.where, "running"), 0)),)
        value = site.labels.get(subject)
        return () if value is None else (value,)

    def words(self) -> str:
        return self.expression


def checked(
    strategies: Sequence[t.PlacementStrategy] | None,
    constraints: Sequence[t.PlacementConstraint] | None,
    launch_type: str,
) -> Placement:
    """Raises `InvalidParameterException`."""
    for given, what in ((strategies, "strategies"), (constraints, "constraints")):
        if given and launch_type == "FARGATE":
            raise t.InvalidParameterException(f"Placement {what} are not supported with FARGATE launch type.")
    if len(strategies or ()) > MOST_STRATEGIES:
        raise t.InvalidParameterException(f"The maximum number of placement strategies is {MOST_STRATEGIES}.")
    if len(constraints or ()) > MOST_CONSTRAINTS:
        raise t.InvalidParameterException(f"The maximum number of placement constraints is {MOST_CONSTRAINTS}.")
    return Placement(
        strategy=tuple(_strategy(strategy) for strategy in strategies or ()),
        constraints=tuple(_constraint(constraint) for constraint in constraints or ()),
    )


def _strategy(given: Mapping[str, Any]) -> dict[str, str]:
    kind, field = given.get("type"), given.get("field") or ""
    match kind:
        case "random":
            if field:
                raise t.InvalidParameterException("The placement strategy random takes no field.")
            return {"type": "random"}
        case "binpack":
            if field.lower() not in ("cpu", "memory"):
                raise t.InvalidParameterException("The field of the placement strategy binpack must be cpu or memory.")
            return {"type": "binpack", "field": field.upper()}
        case "spread":
            if field not in _ALONE and not _PLACE.fullmatch(field):
                raise t.InvalidParameterException(
                    "The field of the placement strategy spread must be instanceId, host or attribute:<name>."
                )
            return {"type": "spread", "field": "instanceId" if field in _ALONE else field}
        case _:
            raise t.InvalidParameterException("A placement strategy must have the type random, spread or binpack.")


def _constraint(given: Mapping[str, Any]) -> dict[str, str]:
    kind, expression = given.get("type"), given.get("expression") or ""
    if kind == "distinctInstance":
        if expression:
            raise t.InvalidParameterException("The placement constraint distinctInstance takes no expression.")
        return {"type": "distinctInstance"}
    if kind != "memberOf":
        raise t.InvalidParameterException("A placement constraint must have the type distinctInstance or memberOf.")
    if (why := unreadable(expression)) is not None:
        raise t.InvalidParameterException(why)
    return {"type": "memberOf", "expression": expression}


def orders(placement: Placement) -> tuple[Order, ...]:
    """Where nothing is asked for, over the zones, and (as always, among equals) over the instances."""
    if not placement.strategy:
        return (Order("spread", f"attribute:{ZONE}"),)
    return tuple(_order(strategy) for strategy in placement.strategy)


def _order(strategy: Mapping[str, str]) -> Order:
    match strategy["type"]:
        case "random":
            return Order("random")
        case "binpack":
            return Order("pack", strategy["field"].lower())
        case _:
            return Order("spread", "" if strategy["field"] in _ALONE else strategy["field"])


def conditions(placement: Placement, of_definition: Iterable[Mapping[str, str]], where: Where) -> tuple[Condition, ...]:
    """The service's or request's constraints, and the task definition's own."""
    expressions = [c["expression"] for c in (*placement.constraints, *of_definition) if c["type"] == "memberOf"]
    return tuple(Member(expression, where) for expression in dict.fromkeys(expressions))


def in_zone(placement: Placement, zone: str) -> Placement:
    """The same wishes, in one zone only."""
    constraint = {"type": "memberOf", "expression": f"attribute:{ZONE} == {zone}"}
    return msgspec.structs.replace(placement, constraints=(*placement.constraints, constraint))


def alone(placement: Placement) -> bool:
    return any(constraint["type"] == "distinctInstance" for constraint in placement.constraints)
