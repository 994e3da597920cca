"""Which tags a task is born with."""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.services.ecs.model.service import Service

CLUSTER = "aws:ecs:clusterName"
SERVICE = "aws:ecs:serviceName"


def task_tags(service: Service, of_source: Mapping[str, str]) -> dict[str, str]:
    """`of_source`: the tags of the service or of the definition, whichever it propagates."""
    tags = {} if service.propagate_tags == "NONE" else dict(of_source)
    if service.managed_tags:
        tags |= managed(service.cluster, service.name)
    return tags


def managed(cluster: str, service: str = "") -> dict[str, str]:
    """ECS managed tags (enableECSManagedTags)."""
    return {CLUSTER: cluster, **({SERVICE: service} if service else {})}
