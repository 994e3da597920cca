"""Managed instances: machines that an activation has let in. What is told of them is what their nodes say.

The platform's other nodes are nobody's instances: they are not listed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import hatoba
from hatoba.aws.shapes import ssm as t
from hatoba.core.records import replace
from hatoba.fleet.model import FLEET, nodes
from hatoba.fleet.reports import expel
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags, tags_of
from hatoba.services.ssm import model, views
from hatoba.services.ssm.api.activation import check_role
from hatoba.services.ssm.api.room import bad_token, ssm
from hatoba.services.ssm.model import Managed, managed_arn
from hatoba.store.store import View

PAGE = 10
_ALWAYS = {"PlatformTypes": "Linux", "ResourceType": "ManagedInstance"}
Shown = t.InstanceInformation
_FILTERS: dict[str, Callable[[Shown], Any]] = {
    "InstanceIds": lambda shown: shown["InstanceId"],
    "AgentVersion": lambda shown: shown.get("AgentVersion"),
    "PingStatus": lambda shown: shown["PingStatus"],
    "ActivationIds": lambda shown: shown["ActivationId"],
    "IamRole": lambda shown: shown["IamRole"],
    **{name: lambda shown, value=value: value for name, value in _ALWAYS.items()},  # type: ignore[misc]
    "AssociationStatus": lambda shown: None,  # there are no associations
}


@ssm.operation
async def describe_instance_information(
    req: t.DescribeInstanceInformationRequest, call: Call
) -> t.DescribeInstanceInformationResult:
    given = [(str(f["key"]), f["valueSet"]) for f in req.get("InstanceInformationFilterList") or ()]
    given += [(f["Key"], f["Values"]) for f in req.get("Filters") or ()]
    if req.get("InstanceInformationFilterList") and req.get("Filters"):
        raise t.InvalidFilterKey("Only one of InstanceInformationFilterList and Filters can be given.")
    rows = [(record, _shown(call, record)) for record in call.store.scan(model.managed, call.scope)]
    for name, values in given:
        rows = [row for row in rows if _passes(call, row, name, values)]
    page, token = call.page(
        [shown for _, shown in rows],
        order=lambda shown: shown["InstanceId"],
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=given,
        bad_token=bad_token,
    )
    return {"InstanceInformationList": page, **next_token(token)}


def _passes(call: Call, row: tuple[Managed, Shown], name: str, values: Sequence[str]) -> bool:
    record, shown = row
    if name == "tag-key":
        return bool(tags_of(call.store, call.scope, managed_arn(call.scope, record.id)).keys() & set(values))
    if name.startswith("tag:"):
        return tags_of(call.store, call.scope, managed_arn(call.scope, record.id)).get(name[4:]) in values
    if name not in _FILTERS:
        known = ", ".join((*_FILTERS, "tag-key", "tag:<name>"))
        raise t.InvalidFilterKey(f"The filter key {name} is not valid. Valid keys: {known}.")
    return _FILTERS[name](shown) in values


def _shown(call: Call, record: Managed) -> Shown:
    node = call.store.find(nodes, FLEET, record.node)
    return views.managed(record, node, call.now, hatoba.__version__)


def need(view: View, call: Call, id_: str) -> Managed:
    record = view.find(model.managed, call.scope, id_)
    if record is None:
        raise t.InvalidInstanceId(f"The managed instance {id_} is not registered.")
    return record


@ssm.operation
async def deregister_managed_instance(
    req: t.DeregisterManagedInstanceRequest, call: Call
) -> t.DeregisterManagedInstanceResult:
    """It is cut off at once: its tasks count as lost, and are replaced. To come back it needs an activation."""
    record = need(call.store, call, req["InstanceId"])
    expel(call.store, record.node)
    with call.tx() as tx:
        tx.forget(model.managed, record.key)
        forget_tags(tx, call.scope, managed_arn(call.scope, record.id))
    return {}


@ssm.operation
async def update_managed_instance_role(
    req: t.UpdateManagedInstanceRoleRequest, call: Call
) -> t.UpdateManagedInstanceRoleResult:
    need(call.store, call, req["InstanceId"])
    await check_role(call, req["IamRole"])
    with call.tx() as tx:
        tx.put(model.managed, replace(need(tx, call, req["InstanceId"]), role=req["IamRole"]))
    return {}
