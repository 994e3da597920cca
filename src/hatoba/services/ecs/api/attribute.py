"""Attributes of container instances: those that users put, beside those that the platform and the node tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.fleet.model import Node
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.services.ecs.api.room import ecs, page
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.instance import Instance, find_instance, gone, instances, registered
from hatoba.services.ecs.views import instance as view
from hatoba.services.ecs.views.pieces import present
from hatoba.store import Tx

MOST_AT_ONCE = 10
MOST = 10  # of an instance, those that were put
_NAME = re.compile(r"[A-Za-z0-9_./\\-]{1,128}")
_VALUE = re.compile(r"(?! )[A-Za-z0-9_./\\:@ -]{1,128}(?<! )")
OURS = ("ecs.", "com.amazonaws.ecs.")


@ecs.operation
async def put_attributes(req: t.PutAttributesRequest, call: Call) -> t.PutAttributesResponse:
    _how_many(req["attributes"])
    with call.tx() as tx:
        cluster = find_cluster(tx, call.scope, req.get("cluster")).id
        put = []
        for given in req["attributes"]:
            name, value = checked_attribute(given)
            node, record = _target(tx, call, cluster, given)
            attributes = {**record.attributes, name: value}
            if len(attributes) > MOST:
                raise t.AttributeLimitExceededException(f"A container instance can have at most {MOST} attributes.")
            if attributes != record.attributes:
                tx.put(instances, replace(record, attributes=attributes))
            put.append(_told(call, cluster, node, name, value))
        return {"attributes": put}


@ecs.operation
async def delete_attributes(req: t.DeleteAttributesRequest, call: Call) -> t.DeleteAttributesResponse:
    _how_many(req["attributes"])
    with call.tx() as tx:
        cluster = find_cluster(tx, call.scope, req.get("cluster")).id
        deleted = []
        for given in req["attributes"]:
            node, record = _target(tx, call, cluster, given)
            name = _name(given)
            value = record.attributes.get(name)
            if value is None or given.get("value", value) != value:
                continue
            left = {other: kept for other, kept in record.attributes.items() if other != name}
            tx.put(instances, replace(record, attributes=left))
            deleted.append(_told(call, cluster, node, name, value))
        return {"attributes": deleted}


@ecs.operation
async def list_attributes(req: t.ListAttributesRequest, call: Call) -> t.ListAttributesResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    name, value = req.get("attributeName"), req.get("attributeValue")
    if value is not None and name is None:
        raise t.InvalidParameterException("attributeValue can only be given with attributeName.")
    rows = [
        attribute
        for node, record in registered(call.store, call.scope, cluster)
        for attribute in view.attributes(node, record, call.scope, arns.instance_arn(call.scope, cluster, node.id))
        if name in (None, attribute["name"]) and value in (None, attribute.get("value", ""))
    ]
    found, more = page(call, rows, req, lambda attribute: f"{attribute['targetId']} {attribute['name']}")
    return {"attributes": found, **small_next_token(more)}


def _how_many(attributes: Sequence[t.Attribute]) -> None:
    if not 1 <= len(attributes) <= MOST_AT_ONCE:
        raise t.InvalidParameterException(f"From 1 to {MOST_AT_ONCE} attributes can be given at once.")


def checked_attribute(given: t.Attribute) -> tuple[str, str]:
    """Its name, and its value or "". Raises `InvalidParameterException`."""
    name, value = _name(given), given.get("value") or ""
    if value and not _VALUE.fullmatch(value):
        raise t.InvalidParameterException(f"The value of the attribute {name} contains invalid characters.")
    return name, value


def _name(given: Mapping[str, object]) -> str:
    name = str(given["name"])
    if not _NAME.fullmatch(name):
        raise t.InvalidParameterException("The name of an attribute has from 1 to 128 letters, digits and _ - . / \\.")
    if name.startswith(OURS):
        raise t.InvalidParameterException(f"The attribute {name} is told by the platform and cannot be changed.")
    return name


def _target(tx: Tx, call: Call, cluster: str, given: t.Attribute) -> tuple[Node, Instance]:
    reference = given.get("targetId")
    if not reference:
        raise t.InvalidParameterException("The targetId of an attribute must be given.")
    known = find_instance(tx, call.scope, cluster, reference)
    if known is None or gone(*known):
        raise t.TargetNotFoundException("The specified target wasn't found.")
    return known


def _told(call: Call, cluster: str, node: Node, name: str, value: str) -> t.Attribute:
    target = arns.instance_arn(call.scope, cluster, node.id)
    return present(t.Attribute(name=name, value=value or None, targetId=target))  # type: ignore[typeddict-item]
