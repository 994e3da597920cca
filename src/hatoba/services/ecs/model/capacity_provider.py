"""Capacity providers whose instances are a group of the fleet's nodes; FARGATE and FARGATE_SPOT are built in.

An Auto Scaling group is named by its ARN, and its instances are the nodes that say (or that were told by PutAttributes)
that they are of the group of that name: the attribute `hatoba.group`. Nobody starts machines here, so the provider
places, weighs and counts, and its managed scaling is off.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import SPOT
from hatoba.store import Table
from hatoba.store.store import View

BUILT_IN = ("FARGATE", SPOT)
GROUP = "hatoba.group"  # the attribute of an instance that says of which group it is


class CapacityProvider(Record, frozen=True, kw_only=True):
    """The id is the name. Writer: the API only."""

    group_arn: str  # the Auto Scaling group's
    settings: dict[str, Any] = msgspec.field(default_factory=dict)  # the rest of the model's AutoScalingGroupProvider
    created_at: float = 0.0

    @property
    def arn(self) -> str:
        return arns.capacity_provider_arn(self.scope, self.id)

    @property
    def group(self) -> str:
        """The name that the instances' attribute has."""
        return self.group_arn.rpartition("/")[2]


capacity_providers = Table("ecs.capacity_providers", CapacityProvider)


def find_provider(view: View, scope: Scope, name: str) -> CapacityProvider | None:
    """None also for those that are built in."""
    return view.find(capacity_providers, scope, name)
