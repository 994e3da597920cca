"""A service's next task, before it has an id and a node."""

from __future__ import annotations

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan import launch


def wish(service: Service, definition: Definition) -> launch.Wish:
    """A task of the service's PRIMARY deployment."""
    revision = service.primary.revision
    return launch.Wish(
        cluster=service.cluster,
        definition=definition,
        launch_type=revision.launch_type,
        group=f"service:{service.name}",
        started_by=service.primary.id,
        service=service.id,
        deployment=service.primary.id,
        platform_version=revision.platform_version,
        network=revision.network,
        execute=service.execute,
        placement=service.placement,
        targets=tuple(replace(target, shifting=None) for target in service.primary.targets),
    )
