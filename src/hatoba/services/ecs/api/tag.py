"""Tags of clusters, capacity providers, services, tasks, task definitions and container instances."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.core import arn
from hatoba.fleet.model import FLEET, nodes
from hatoba.gateway.call import Call
from hatoba.gateway.tags import remove_tags, set_tags, tags_of
from hatoba.services.ecs.api.room import MOST_TAGS, checked_tags, ecs
from hatoba.services.ecs.model.capacity_provider import find_provider
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.instance import offered
from hatoba.services.ecs.model.service import find_service
from hatoba.services.ecs.model.task import find_task
from hatoba.services.ecs.model.task_definition import find_definition
from hatoba.services.ecs.model.task_set import find_task_set
from hatoba.store.store import View

_OF_CLUSTERS = ("container-instance", "service", "task")  # their ARNs name the cluster since 2018


@ecs.operation
async def tag_resource(req: t.TagResourceRequest, call: Call) -> t.TagResourceResponse:
    tags = checked_tags(req["tags"])
    with call.tx() as tx:
        resource = _need(tx, call, req["resourceArn"])
        if sum(not _of_aws(key) for key in {**tags_of(tx, call.scope, resource), **tags}) > MOST_TAGS:
            raise t.LimitExceededException(f"The maximum number of tags is {MOST_TAGS}.")
        set_tags(tx, call.scope, resource, tags)
    return {}


@ecs.operation
async def untag_resource(req: t.UntagResourceRequest, call: Call) -> t.UntagResourceResponse:
    if any(_of_aws(key) for key in req["tagKeys"]):
        raise t.InvalidParameterException("Tag keys starting with aws: are reserved for system use.")
    with call.tx() as tx:
        remove_tags(tx, call.scope, _need(tx, call, req["resourceArn"]), req["tagKeys"])
    return {}


@ecs.operation
async def list_tags_for_resource(req: t.ListTagsForResourceRequest, call: Call) -> t.ListTagsForResourceResponse:
    try:
        resource = _need(call.store, call, req["resourceArn"])
    except t.ResourceNotFoundException as error:  # which this operation does not declare
        raise t.InvalidParameterException("The specified resource was not found.") from error
    found = tags_of(call.store, call.scope, resource)
    return {"tags": [{"key": key, "value": value} for key, value in found.items()]}


def _of_aws(key: str) -> bool:
    """ECS managed tags: nobody else's to change, and not counted."""
    return key.lower().startswith("aws:")


def _need(view: View, call: Call, resource: str) -> str:
    """The ARN of something that exists here."""
    parsed = arn.parse(resource)
    if parsed is None or parsed.service != "ecs":
        raise t.InvalidParameterException(f"Invalid ARN: {resource}.")
    if parsed.resource.partition("/")[0] in _OF_CLUSTERS and parsed.resource.count("/") < 2:
        raise t.InvalidParameterException("Long arn format must be used for tagging operations")
    if parsed.scope != call.scope or not _exists(view, call, parsed):
        raise t.ResourceNotFoundException(f"The resource {resource} was not found.")
    return resource


def _exists(view: View, call: Call, parsed: arn.Arn) -> bool:
    kind, _, rest = parsed.resource.partition("/")
    cluster, _, name = rest.partition("/")
    match kind:
        case "cluster":
            return find_cluster(view, call.scope, rest) is not None
        case "task":
            return find_task(view, call.scope, cluster, name) is not None
        case "service":
            service = find_service(view, call.scope, cluster, name)
            return service is not None and service.status != "INACTIVE"
        case "task-definition":
            found = find_definition(view, call.scope, rest)
            return found is not None and found.arn == str(parsed)  # and not `web:007`, which would have tags of its own
        case "task-set":
            service = find_service(view, call.scope, cluster, name.partition("/")[0])
            return service is not None and find_task_set(view, service, str(parsed)) is not None
        case "capacity-provider":
            return find_provider(view, call.scope, rest) is not None
        case "container-instance":
            node = view.find(nodes, FLEET, name)
            return node is not None and offered(node, call.scope)
        case _:
            return False
