"""Capacity providers: the two that are built in, and the clear refusal of those that need what is not here.

A provider of instances grows and shrinks an Auto Scaling group (or lets ECS manage instances): without either room a
record of one would promise machines that never come. The fleet's nodes need no provider: they are container instances
of every cluster, for the launch type EC2.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.capacity import PROVIDERS, default_strategy, known_providers, unknown
from hatoba.services.ecs.api.cluster import shape
from hatoba.services.ecs.api.room import checked_tags, ecs, page
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import clusters, find_cluster
from hatoba.services.ecs.model.service import services
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.task_set import sets_of
from hatoba.services.ecs.views.pieces import failure
from hatoba.store import Tx

MOST_DESCRIBED = 10  # on a page
_NAME = re.compile(r"(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,255}", re.IGNORECASE)


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
    checked_tags(req.get("tags"))
    kinds = [kind for kind in ("autoScalingGroupProvider", "managedInstancesProvider") if req.get(kind)]
    if len(kinds) != 1:
        raise t.InvalidParameterException(
            "A capacity provider needs either an autoScalingGroupProvider or a managedInstancesProvider."
        )
    raise t.UnsupportedFeatureException(
        f"A capacity provider with {kinds[0]} is not available. The nodes of the fleet are container instances of "
        "every cluster: use the launch type EC2, or the capacity providers FARGATE and FARGATE_SPOT."
    )


@ecs.operation
async def update_capacity_provider(
    req: t.UpdateCapacityProviderRequest, call: Call
) -> t.UpdateCapacityProviderResponse:
    raise _reserved(req["name"], "updated")


@ecs.operation
async def delete_capacity_provider(
    req: t.DeleteCapacityProviderRequest, call: Call
) -> t.DeleteCapacityProviderResponse:
    raise _reserved(req["capacityProvider"], "deleted")


def _reserved(reference: str, verb: str) -> t.InvalidParameterException:
    name = arns.plain(reference, "capacity-provider")
    if name in PROVIDERS:
        return t.InvalidParameterException(f"The capacity provider {name} is reserved and cannot be {verb}.")
    return unknown(name)


@ecs.operation
async def describe_capacity_providers(
    req: t.DescribeCapacityProvidersRequest, call: Call
) -> t.DescribeCapacityProvidersResponse:
    asked = list(dict.fromkeys(arns.plain(one, "capacity-provider") for one in req.get("capacityProviders") or ()))
    known = [name for name in PROVIDERS if name in asked or not asked]
    found, more = page(call, known, req, str, limit=MOST_DESCRIBED, most=MOST_DESCRIBED)
    answer: t.DescribeCapacityProvidersResponse = {
        "capacityProviders": [_described(call, name) for name in found],
        "failures": [
            failure(arns.capacity_provider_arn(call.scope, name), "MISSING") for name in asked if name not in PROVIDERS
        ],
    }
    if more:
        answer["nextToken"] = more
    return answer


def _described(call: Call, name: str) -> t.CapacityProvider:
    return {
        "capacityProviderArn": arns.capacity_provider_arn(call.scope, name),
        "name": name,
        "status": "ACTIVE",
        "tags": [],
        "type": cast(t.CapacityProviderType, name),
    }


@ecs.operation
async def put_cluster_capacity_providers(
    req: t.PutClusterCapacityProvidersRequest, call: Call
) -> t.PutClusterCapacityProvidersResponse:
    providers = known_providers(req["capacityProviders"])
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
