"""How a row of the table reads: `on(made("subnet"), of("vpc", "VpcId"))`.

An operation needs its action on each resource that it touches. Tags that are given at creation are seen on what is to
be made, and need `ec2:CreateTags` there as well, with `ec2:CreateAction`.

Source: the EC2 user guide, "Grant permission to tag Amazon EC2 resources during creation", "Control access using
attribute-based access": a changed attribute is seen by its name and, where it is one value, by that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hatoba.gateway.call import Call
from hatoba.gateway.needs import EVERYTHING, Keys, Need, Params, Rule, Values, tag_keys
from hatoba.services.ec2.access.resources import Target, Thing, made, tagged


def on(*targets: Target, changing: tuple[str, ...] | None = None) -> Rule:
    """The operation's own action on each target; on everything when nothing is named.

    `changing`: attributes of the first target change, which are all members of the request but these.
    """

    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        where = {"ec2:Region": call.scope.region}
        found: list[Thing] = []
        for number, target in enumerate(targets):
            for thing in target(req, call):
                keys = {**where, **thing.keys, **(_new_tags(req, thing.kind) if thing.made else {})}
                if number == 0 and changing is not None:
                    keys |= _attributes(req, changing)
                if thing not in found:
                    found.append(thing)
                    yield Need(action=action, resource=thing.arn, keys=keys)
        if not found:
            yield Need(action=action, resource=EVERYTHING, keys=where)
        yield from _tagging(action, req, call)

    return rule


def when_tagged(target: Target) -> Target:
    """Only for requests that tag it: rules of security groups."""

    def things(req: Params, call: Call) -> Iterator[Thing]:
        if req.get("TagSpecifications"):
            yield from target(req, call)

    return things


def tags(action: str, req: Params, call: Call) -> Iterator[Need]:
    """CreateTags and DeleteTags themselves."""
    given = tag_keys(req.get("Tags"))
    if action == "ec2:DeleteTags":
        given = {key: value for key, value in given.items() if key == "aws:TagKeys"}
    for thing in tagged(req, call):
        yield Need(action=action, resource=thing.arn, keys={"ec2:Region": call.scope.region, **thing.keys, **given})


def _tagging(action: str, req: Params, call: Call) -> Iterator[Need]:
    for specification in req.get("TagSpecifications") or ():
        kind = specification.get("ResourceType")
        given = tag_keys(specification.get("Tags"))
        for thing in made(kind)(req, call) if kind and given else ():
            keys = {"ec2:Region": call.scope.region, "ec2:CreateAction": action.removeprefix("ec2:"), **given}
            yield Need(action="ec2:CreateTags", resource=thing.arn, keys=keys)


def _new_tags(req: Params, kind: str) -> Keys:
    specifications = req.get("TagSpecifications") or ()
    return tag_keys(
        [tag for each in specifications if each.get("ResourceType") == kind for tag in each.get("Tags", ())]
    )


def _attributes(req: Params, but: tuple[str, ...]) -> dict[str, Values]:
    """`ec2:Attribute`: the names; `ec2:Attribute/<name>`: the value, of those that have one."""
    changed = {name: _value(value) for name, value in req.items() if name not in (*but, "DryRun")}
    if not changed:
        return {}
    values = {f"ec2:Attribute/{name}": value for name, value in changed.items() if value is not None}
    return {"ec2:Attribute": list(changed), **values}


def _value(given: Any) -> Values | None:
    """Also of `{"Value": …}`; what has several parts is not told."""
    if isinstance(given, dict):
        given = given.get("Value") if given.keys() == {"Value"} else None
    match given:
        case bool():
            return "true" if given else "false"
        case str() | int():
            return str(given)
        case list() if given and all(isinstance(each, str) for each in given):
            return list(given)
    return None
