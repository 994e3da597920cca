"""Capacity providers → `CapacityProvider`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.capacity_provider import CapacityProvider
from hatoba.services.ecs.views import pieces

SCALING: dict[str, Any] = {
    "status": "DISABLED",
    "targetCapacity": 100,
    "minimumScalingStepSize": 1,
    "maximumScalingStepSize": 10_000,
    "instanceWarmupPeriod": 300,
}


def own(record: CapacityProvider, tags: Mapping[str, str]) -> t.CapacityProvider:
    shape: dict[str, Any] = {
        "capacityProviderArn": record.arn,
        "name": record.id,
        "status": "ACTIVE",
        "autoScalingGroupProvider": {"autoScalingGroupArn": record.group_arn, **record.settings},
        "tags": pieces.tags(tags),
        "type": "EC2_AUTOSCALING",
    }
    return cast(t.CapacityProvider, shape)


def built_in(scope: Scope, name: str) -> t.CapacityProvider:
    return {
        "capacityProviderArn": arns.capacity_provider_arn(scope, name),
        "name": name,
        "status": "ACTIVE",
        "tags": [],
        "type": cast(t.CapacityProviderType, name),
    }
