"""Tags of parameters, which are named by their names, and of managed instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hatoba.aws.shapes import ssm as t
from hatoba.gateway.call import Call
from hatoba.gateway.tags import remove_tags, set_tags, tags_of
from hatoba.services.ssm import model
from hatoba.services.ssm.api.room import ssm
from hatoba.services.ssm.plan.names import invalid
from hatoba.store.store import View

LIMIT = 50


@ssm.operation
async def add_tags_to_resource(req: t.AddTagsToResourceRequest, call: Call) -> t.AddTagsToResourceResult:
    with call.tx() as tx:
        resource = _resource(tx, call, req["ResourceType"], req["ResourceId"])
        set_tags(tx, call.scope, resource, checked(tags_of(tx, call.scope, resource), req["Tags"]))
    return {}


@ssm.operation
async def remove_tags_from_resource(req: t.RemoveTagsFromResourceRequest, call: Call) -> t.RemoveTagsFromResourceResult:
    with call.tx() as tx:
        resource = _resource(tx, call, req["ResourceType"], req["ResourceId"])
        remove_tags(tx, call.scope, resource, req["TagKeys"])
    return {}


@ssm.operation
async def list_tags_for_resource(req: t.ListTagsForResourceRequest, call: Call) -> t.ListTagsForResourceResult:
    resource = _resource(call.store, call, req["ResourceType"], req["ResourceId"])
    found = tags_of(call.store, call.scope, resource)
    return {"TagList": [{"Key": key, "Value": value} for key, value in found.items()]}


def checked(present: Mapping[str, str], new: Sequence[t.Tag]) -> dict[str, str]:
    """The new tags. Raises for names that are reserved or given twice, and for too many."""
    found: dict[str, str] = {}
    for tag in new:
        if tag["Key"].lower().startswith("aws:"):
            raise invalid("aws: prefixed tag key names are not allowed for external use.")
        if tag["Key"] in found:
            raise invalid(f"Duplicate tag key: {tag['Key']}.")
        found[tag["Key"]] = tag["Value"]
    if len({**present, **found}) > LIMIT:
        raise t.TooManyTagsError(f"A resource can have at most {LIMIT} tags.")
    return found


def _resource(view: View, call: Call, type_: str, id_: str) -> str:
    """The ARN. Raises InvalidResourceType for what else Systems Manager has, which is not here."""
    unknown = t.InvalidResourceId("The resource ID is not valid. Verify that you entered the correct ID and try again.")
    match type_:
        case "Parameter":
            parameter = view.find(model.parameters, call.scope, id_.strip(" "))
            if parameter is None:
                raise unknown
            return model.parameter_arn(call.scope, parameter.id)
        case "ManagedInstance":
            if view.find(model.managed, call.scope, id_) is None:
                raise unknown
            return model.managed_arn(call.scope, id_)
    raise t.InvalidResourceType(
        f"Resources of type {type_} are not here; the resource type must be Parameter or ManagedInstance."
    )
