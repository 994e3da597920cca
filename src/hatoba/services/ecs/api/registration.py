"""RegisterContainerInstance: a node that has joined the fleet is (again) an instance of a cluster, with attributes.

Nodes are instances of every cluster by themselves, so this is for one that was deregistered, and for who brings
attributes and tags along. The node is named by the `instanceId` of the identity document: its name, or its id. What the
machine has (`totalResources`) and everything under `ecs.` is told by the node itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.fleet.model import Node, nodes
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.attribute import MOST, OURS, checked_attribute
from hatoba.services.ecs.api.instance import shape
from hatoba.services.ecs.api.room import checked_tags, ecs, tag
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import use_cluster
from hatoba.services.ecs.model.instance import instance_of, instances, offered
from hatoba.store.store import View


@ecs.operation
async def register_container_instance(
    req: t.RegisterContainerInstanceRequest, call: Call
) -> t.RegisterContainerInstanceResponse:
    name = _instance_id(req.get("instanceIdentityDocument"))
    attributes = _attributes(req.get("attributes") or ())
    tags = checked_tags(req.get("tags"))
    with call.tx() as tx:
        cluster = use_cluster(tx, call.scope, req.get("cluster")).id
        node = _node(tx, call.scope, name)
        asked = req.get("containerInstanceArn")
        if asked and arns.within(asked, "container-instance", cluster, call.scope) != node.id:
            raise t.InvalidParameterException(f"{asked} is not the container instance of {name}.")
        record = instance_of(tx, call.scope, cluster, node.id)
        known = {} if record.deregistered_at is not None else record.attributes
        merged = {**known, **attributes}
        if len(merged) > MOST:
            raise t.InvalidParameterException(f"A container instance can have at most {MOST} attributes.")
        record = tx.put(instances, replace(record, attributes=merged, deregistered_at=None))
        tag(tx, call.scope, arns.instance_arn(call.scope, cluster, node.id), tags)
        return {"containerInstance": shape(tx, node, record, ("TAGS",))}


def _instance_id(document: str | None) -> str:
    if not document:
        raise t.InvalidParameterException("The instanceIdentityDocument must be given: its instanceId names the node.")
    try:
        name = json.loads(document)["instanceId"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise t.InvalidParameterException(
            "The instanceIdentityDocument is not a document with an instanceId."
        ) from None
    return str(name)


def _node(view: View, scope: Scope, name: str) -> Node:
    named = (node for node in view.all(nodes) if name in {node.id, node.name, node.managed} - {""})
    found = [node for node in named if offered(node, scope)]
    if len(found) != 1:
        why = "has not joined" if not found else "is the name of several nodes: use an id"
        raise t.InvalidParameterException(f"The instance {name} {why}. `hatoba node list` shows those there are.")
    return found[0]


def _attributes(given: Sequence[t.Attribute]) -> dict[str, str]:
    own = (one for one in given if not str(one["name"]).startswith(OURS))
    return dict(checked_attribute(one) for one in own)
