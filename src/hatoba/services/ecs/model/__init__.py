"""What ECS stores: clusters and their capacity, task definitions, tasks, services and their deployments, settings."""

from typing import Any

from hatoba.services.ecs.model.account import account_settings
from hatoba.services.ecs.model.capacity_provider import capacity_providers
from hatoba.services.ecs.model.cluster import clusters
from hatoba.services.ecs.model.hook import hooks
from hatoba.services.ecs.model.instance import instances
from hatoba.services.ecs.model.outgoing import outgoing
from hatoba.services.ecs.model.service import events, services
from hatoba.services.ecs.model.service_deployment import deployments, revisions
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.task_definition import definitions, families
from hatoba.services.ecs.model.task_set import task_sets
from hatoba.services.ecs.model.watch import watches
from hatoba.store import Table

TABLES: tuple[Table[Any], ...] = (
    clusters,
    capacity_providers,
    instances,
    families,
    definitions,
    tasks,
    services,
    events,
    deployments,
    revisions,
    hooks,
    task_sets,
    account_settings,
    outgoing,
    watches,
)
