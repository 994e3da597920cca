"""Capacity providers: the two that are built in, and groups of the fleet's nodes.

A provider of an Auto Scaling group stands for the nodes that say they are of that group (`model/capacity_provider`).
There is no room yet that starts machines: managed scaling is refused by name, rather than promise some that never come.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core import arn
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.gateway.tags import forget_tags, tags_of
from hatoba.services.ecs.api.capacity import default_strategy, known_providers, unknown
from hatoba.services.ecs.api.cluster import shape
from hatoba.services.ecs.api.room import checked_tags, ecs, page, tag
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.capacity_provider import (
    BUILT_IN,
    CapacityProvider,
    capacity_providers,
    find_provider,
)
from hatoba.services.ecs.model.cluster import clusters, find_cluster
from hatoba.services.ecs.model.service import services
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.task_set import sets_of
from hatoba.services.ecs.views import capacity_provider as view
from hatoba.services.ecs.views.pieces import failure
from hatoba.store import Tx
from hatoba.store.store import View

MOST_DESCRIBED = 10  # on a page
MOST_OWN = 20  # in an account and region, as AWS allows for a cluster
_NAME = re.compile(r"(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,255}", re.IGNORECASE)
_GROUP = re.compile(r"autoScalingGroup:[^:]+:autoScalingGroupName/([A-Za-z0-9_.\-]{1,255})")


@ecs.operation
async def create_capacity_provider(
    req: t.CreateCapacityProviderRequest, call: Call
) -> t.CreateCapacityProviderResponse:
    if not _NAME.fullmatch(req["name"]):
        raise t.InvalidParameterException(
            "The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters "
            "(upper and lowercase), numbers, underscores, and hyphens. The name cannot be prefixed with "
            '"aws", "ecs", or "fargate".'
        )
    tags = checked_tags(req.get("tags"))
    kinds = [kind for kind in ("autoScalingGroupProvider", "managedInstancesProvider") if req.get(kind)]
    if len(kinds) != 1:
        raise t.InvalidParameterException(
            "A capacity provider needs either an autoScalingGroupProvider or a managedInstancesProvider."
        )
    if kinds[0] == "managedInstancesProvider":
        raise t.UnsupportedFeatureException("A capacity provider with managedInstancesProvider is not available.")
    given = cast("dict[str, Any]", req["autoScalingGroupProvider"])
    with call.tx() as tx:
        if find_provider(tx, call.scope, req["name"]) is not None:
            raise t.InvalidParameterException(
                "A capacity provider with the specified name already exists. Change the name and try again."
            )
        if len(list(tx.scan(capacity_providers, call.scope))) >= MOST_OWN:
            raise t.LimitExceededException(f"The maximum number of capacity providers is {MOST_OWN}.")
        record = CapacityProvider(
            key=capacity_providers.key(call.scope, req["name"]),
            group_arn=_group(given["autoScalingGroupArn"]),
            settings=_settings({}, given),
            created_at=call.now,
        )
        record = tx.put(capacity_providers, record)
        tag(tx, call.scope, record.arn, tags)
        return {"capacityProvider": view.own(record, tags)}


def _group(reference: str) -> str:
    parsed = arn.parse(reference)
    if parsed is None or parsed.service != "autoscaling" or not _GROUP.fullmatch(parsed.resource):
        raise t.InvalidParameterException(
            "The specified Auto Scaling group ARN is not valid. Provide the full ARN of the group and try again."
        )
    return reference


def _settings(now: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The rest of what was given, over what there is. Raises for what would have machines started."""
    scaling = {**view.SCALING, **now.get("managedScaling", {}), **(given.get("managedScaling") or {})}
    if scaling["status"] == "ENABLED":
        raise t.UnsupportedFeatureException(
            "Managed scaling is not available: no room here starts instances. Join nodes to the group instead "
            "(hatoba node --group), and set the status of managedScaling to DISABLED."
        )
    protection = given.get("managedTerminationProtection") or now.get("managedTerminationProtection", "DISABLED")
    if protection == "ENABLED":
        raise t.InvalidParameterException(
            "The managed termination protection setting for the capacity provider is invalid. To enable managed "
            "termination protection for a capacity provider, managed scaling must be enabled."
        )
    draining = given.get("managedDraining") or now.get("managedDraining", "ENABLED")
    return {"managedScaling": scaling, "managedTerminationProtection": protection, "managedDraining": draining}


@ecs.operation
async def update_capacity_provider(
    req: t.UpdateCapacityProviderRequest, call: Call
) -> t.UpdateCapacityProviderResponse:
    if req.get("managedInstancesProvider"):
        raise t.UnsupportedFeatureException("A capacity provider with managedInstancesProvider is not available.")
    with call.tx() as tx:
        record = _need(tx, call, req["name"], "updated")
        given = cast("dict[str, Any]", req.get("autoScalingGroupProvider") or {})
        record = tx.put(capacity_providers, replace(record, settings=_settings(record.settings, given)))
        shape_ = view.own(record, tags_of(tx, call.scope, record.arn))
        return {"capacityProvider": {**shape_, "updateStatus": "UPDATE_COMPLETE"}}


@ecs.operation
async def delete_capacity_provider(
    req: t.DeleteCapacityProviderRequest, call: Call
) -> t.DeleteCapacityProviderResponse:
    with call.tx() as tx:
        record = _need(tx, call, req["capacityProvider"], "deleted")
        having = [c.id for c in tx.scan(clusters, call.scope) if record.id in c.capacity_providers]
        if having:
            raise t.InvalidParameterException(
                f"The specified capacity provider is associated with a cluster ({', '.join(having)}) and cannot be "
                "deleted. Remove the capacity provider from the cluster and try again."
            )
        shape_ = view.own(record, tags_of(tx, call.scope, record.arn))
        tx.forget(capacity_providers, record.key)
        forget_tags(tx, call.scope, record.arn)
        return {"capacityProvider": {**shape_, "status": "INACTIVE", "updateStatus": "DELETE_COMPLETE"}}


def _need(view_: View, call: Call, reference: str, verb: str) -> CapacityProvider:
    name = arns.plain(reference, "capacity-provider", call.scope)
    if name in BUILT_IN:
        raise t.InvalidParameterException(f"The capacity provider {name} is reserved and cannot be {verb}.")
    record = find_provider(view_, call.scope, name)
    if record is None:
        raise unknown(name)
    return record


@ecs.operation
async def describe_capacity_providers(
    req: t.DescribeCapacityProvidersRequest, call: Call
) -> t.DescribeCapacityProvidersResponse:
    asked = list(
        dict.fromkeys(arns.plain(one, "capacity-provider", call.scope) for one in req.get("capacityProviders") or ())
    )
    own = {record.id: record for record in call.store.scan(capacity_providers, call.scope)}
    there = sorted([*BUILT_IN, *own])
    known = [name for name in there if name in asked or not asked]
    found, more = page(call, known, req, str, limit=MOST_DESCRIBED, most=MOST_DESCRIBED)
    tagged = "TAGS" in (req.get("include") or ())
    return {
        "capacityProviders": [
            view.own(own[name], tags_of(call.store, call.scope, own[name].arn) if tagged else {})
            if name in own
            else view.built_in(call.scope, name)
            for name in found
        ],
        "failures": [
            failure(arns.capacity_provider_arn(call.scope, name), "MISSING") for name in asked if name not in there
        ],
        **small_next_token(more),
    }


@ecs.operation
async def put_cluster_capacity_providers(
    req: t.PutClusterCapacityProvidersRequest, call: Call
) -> t.PutClusterCapacityProvidersResponse:
    providers = known_providers(call.store, call.scope, req["capacityProviders"])
    strategy = default_strategy(req["defaultCapacityProviderStrategy"], providers)
    with call.tx() as tx:
        record = find_cluster(tx, call.scope, req["cluster"])
        _refuse_used(tx, call, record.id, set(record.capacity_providers) - set(providers))
        changed = tx.put(clusters, replace(record, capacity_providers=providers, strategy=strategy))
        return {"cluster": shape(tx, call, changed, ("TAGS", "SETTINGS"))}


def _refuse_used(tx: Tx, call: Call, cluster: str, removed: Collection[str]) -> None:
    if not removed:
        return
    where = (call.scope, cluster)
    used = {task.capacity_provider for task in tx.index(tasks, "cluster", (*where, "RUNNING"))}
    for service in tx.index(services, "cluster", where):
        deployed = (*service.deployments[:1], *(task_set.deployment for task_set in sets_of(tx, service)))
        used |= {item["capacityProvider"] for deployment in deployed for item in deployment.revision.capacity}
    if used & set(removed):
        raise t.ResourceInUseException("The specified capacity provider is in use and cannot be removed.")
