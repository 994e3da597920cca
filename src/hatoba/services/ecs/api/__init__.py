"""The operations of ECS: each checks, writes one transaction, and answers with a view.

`ecs` is the room: importing this package declares all of it.
"""

from hatoba.services.ecs.api import (
    account,
    attribute,
    cluster,
    execute_command,
    instance,
    namespace,
    protection,
    providers,
    registration,
    run_task,
    service,
    service_deployment,
    service_write,
    start_task,
    tag,
    task,
    task_definition,
    task_set,
)
from hatoba.services.ecs.api.room import ecs

__all__ = [
    "account",
    "attribute",
    "cluster",
    "ecs",
    "execute_command",
    "instance",
    "namespace",
    "protection",
    "providers",
    "registration",
    "run_task",
    "service",
    "service_deployment",
    "service_write",
    "start_task",
    "tag",
    "task",
    "task_definition",
    "task_set",
]
