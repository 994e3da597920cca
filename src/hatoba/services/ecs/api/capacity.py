"""Where tasks run: launch types, capacity provider strategies, and the providers there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, cast

from hatoba.aws.shapes import ecs as t
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.cluster import PROVIDERS
from hatoba.services.ecs.api.room import ecs
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import Cluster
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.launch import LATEST_PLATFORM
from hatoba.services.ecs.views.pieces import failure

PLATFORMS = ("1.4.0", "1.3.0")


class Capacity(NamedTuple):
    launch_type: Literal["FARGATE", "EC2"]
    platform_version: str
    strategy: tuple[dict[str, Any], ...]  # empty when a launch type was asked for


def capacity(
    cluster: Cluster,
    definition: Definition,
    launch_type: str | None,
    strategy: Sequence[t.CapacityProviderStrategyItem] | None,
    platform_version: str | None,
) -> Capacity:
    """What was asked for, or else the cluster's default strategy, or else EC2."""
    if launch_type and strategy:
        raise t.InvalidParameterException(
            "Specifying both a launch type and capacity provider strategy is not supported."
        )
    items = tuple(cast("dict[str, Any]", item) for item in strategy or (() if launch_type else cluster.strategy))
    for item in items:
        if item["capacityProvider"] not in cluster.capacity_providers:
            raise t.InvalidParameterException(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated "
                "with the cluster. Associate the capacity provider with the cluster and try again."
            )
    if launch_type in ("EXTERNAL", "MANAGED_INSTANCES"):
        raise t.UnsupportedFeatureException(f"The launch type {launch_type} is not available.")
    chosen: Literal["FARGATE", "EC2"] = "FARGATE" if items or launch_type == "FARGATE" else "EC2"
    if chosen not in definition.compatibilities:
        raise t.InvalidParameterException(f"Task definition does not support launch_type {chosen}.")
    if chosen == "EC2":
        if platform_version:
            raise t.InvalidParameterException("The platform version must be null when specifying an EC2 launch type.")
        if definition.network_mode in ("bridge", "none"):
            raise t.UnsupportedFeatureException(
                f"The network mode {definition.network_mode} is not available. Use awsvpc or host."
            )
        return Capacity(chosen, "", items)
    return Capacity(chosen, _platform(platform_version), items)


def _platform(version: str | None) -> str:
    if version in (None, "", "LATEST"):
        return LATEST_PLATFORM
    if version not in PLATFORMS:
        raise t.PlatformUnknownException("The specified platform does not exist.")
    return str(version)


@ecs.operation
async def describe_capacity_providers(
    req: t.DescribeCapacityProvidersRequest, call: Call
) -> t.DescribeCapacityProvidersResponse:
    asked = req.get("capacityProviders") or list(PROVIDERS)
    found: list[t.CapacityProvider] = []
    failures = []
    for reference in asked:
        name = arns.plain(reference, "capacity-provider")
        if name in PROVIDERS:
            found.append(
                {
                    "capacityProviderArn": arns.capacity_provider_arn(call.scope, name),
                    "name": name,
                    "status": "ACTIVE",
                    "tags": [],
                    "type": cast(t.CapacityProviderType, name),
                }
            )
        else:
            failures.append(failure(arns.capacity_provider_arn(call.scope, name), "MISSING"))
    return {"capacityProviders": found, "failures": failures}
