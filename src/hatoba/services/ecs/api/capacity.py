"""What tasks are to run on: a launch type, or the capacity providers of a strategy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.capacity_provider import BUILT_IN, find_provider
from hatoba.services.ecs.model.cluster import Cluster
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.capacity import checked, usable
from hatoba.services.ecs.plan.launch import LATEST_PLATFORM
from hatoba.store.store import View

PLATFORMS = ("1.4.0", "1.3.0")


class Capacity(NamedTuple):
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL"]
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
    items = usable(cast("Sequence[dict[str, Any]]", strategy or (() if launch_type else cluster.strategy)))
    for item in items:
        if item["capacityProvider"] not in cluster.capacity_providers:
            raise t.InvalidParameterException(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated "
                "with the cluster. Associate the capacity provider with the cluster and try again."
            )
    if launch_type == "MANAGED_INSTANCES":
        raise t.UnsupportedFeatureException(f"The launch type {launch_type} is not available.")
    chosen = _of_strategy(items) if items else _LAUNCH_TYPES[launch_type or "EC2"]
    if chosen not in definition.compatibilities:
        raise t.InvalidParameterException(f"Task definition does not support launch_type {chosen}.")
    if chosen != "FARGATE":
        if platform_version:
            raise t.InvalidParameterException(
                f"The platform version must be null when specifying an {chosen} launch type."
            )
        return Capacity(chosen, "", items)
    return Capacity(chosen, _platform(platform_version), items)


_LAUNCH_TYPES: dict[str, Literal["FARGATE", "EC2", "EXTERNAL"]] = {
    "FARGATE": "FARGATE",
    "EC2": "EC2",
    "EXTERNAL": "EXTERNAL",
}


def _of_strategy(items: Sequence[Mapping[str, Any]]) -> Literal["FARGATE", "EC2"]:
    """Providers are of one kind: Fargate's, or groups of instances."""
    kinds = {item["capacityProvider"] in BUILT_IN for item in items}
    if len(kinds) > 1:
        raise t.InvalidParameterException(
            "The specified capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling "
            "groups and Fargate capacity providers. Specify one or the other and try again."
        )
    return "FARGATE" if kinds == {True} else "EC2"


def check_balanced(launch_type: str, balancers: Sequence[object] | None) -> None:
    if launch_type == "EXTERNAL" and balancers:
        raise t.InvalidParameterException("Service load balancing is not supported for the EXTERNAL launch type.")


def _platform(version: str | None) -> str:
    if version in (None, "", "LATEST"):
        return LATEST_PLATFORM
    if version not in PLATFORMS:
        raise t.PlatformUnknownException("The specified platform does not exist.")
    return str(version)


# --- a cluster's providers -----------------------------------------------------------------------------------------


def known_providers(view: View, scope: Scope, names: Iterable[str]) -> tuple[str, ...]:
    """Each once, by name. Raises for what does not exist."""
    found = tuple(dict.fromkeys(arns.plain(name, "capacity-provider", scope) for name in names))
    for name in found:
        if name not in BUILT_IN and find_provider(view, scope, name) is None:
            raise unknown(name)
    return found


def default_strategy(
    items: Iterable[t.CapacityProviderStrategyItem] | None, providers: Collection[str]
) -> tuple[dict[str, Any], ...]:
    strategy = checked(cast("Iterable[Mapping[str, Any]]", items or ()))
    for item in strategy:
        if item["capacityProvider"] not in providers:
            raise t.InvalidParameterException(
                "The specified default capacity provider strategy cannot contain a capacity provider that is not "
                "associated with the cluster. Associate the capacity provider with the cluster and try again."
            )
    return strategy


def unknown(name: str) -> t.InvalidParameterException:
    return t.InvalidParameterException(
        f"The specified capacity provider '{name}' does not exist. Specify a valid name or ARN and try again."
    )
