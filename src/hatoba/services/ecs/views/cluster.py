"""Cluster → `Cluster`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import Cluster
from hatoba.services.ecs.model.task import Part
from hatoba.services.ecs.views import pieces


class Counts(Part, frozen=True, kw_only=True):
    """What a cluster holds. By launch type: (running, pending) tasks and active services."""

    instances: int = 0
    running: int = 0
    pending: int = 0
    services: int = 0
    statistics: tuple[tuple[str, int], ...] = ()


def cluster(
    record: Cluster, counts: Counts, tags: Mapping[str, str] | None = None, include: Collection[str] = ()
) -> t.Cluster:
    shape: t.Cluster = {
        "clusterArn": arns.cluster_arn(record.scope, record.id),
        "clusterName": record.id,
        "status": record.status,
        "registeredContainerInstancesCount": counts.instances,
        "runningTasksCount": counts.running,
        "pendingTasksCount": counts.pending,
        "activeServicesCount": counts.services,
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": list(record.capacity_providers),
        "defaultCapacityProviderStrategy": [dict(item) for item in record.strategy],  # type: ignore[misc]
    }
    if record.service_connect:
        shape["serviceConnectDefaults"] = {"namespace": record.service_connect}
    if "TAGS" in include and tags:
        shape["tags"] = pieces.tags(tags)
    if "SETTINGS" in include:
        shape["settings"] = [
            {"name": "containerInsights", "value": record.settings.get("containerInsights", "disabled")}
        ]
    if "CONFIGURATIONS" in include and record.configuration:
        shape["configuration"] = record.configuration  # type: ignore[typeddict-item]
    if "STATISTICS" in include:
        shape["statistics"] = [{"name": name, "value": str(value)} for name, value in counts.statistics]
    if "ATTACHMENTS" in include:
        shape["attachments"] = []
    return shape
