"""A task and its definition → what the node is to run, in the words of the fleet.

The only place where ECS's words become the node's: overrides are applied, secrets and credentials attached, defaults
made explicit. What comes out is compared by golden files. `container` is one container, with `lifecycle` (health,
restarts), `logs` and `volumes` as parts of it; `environment` adds what was read elsewhere, `firelens` the routing of
logs; `roles` says under which roles it all happens, `metadata` what the containers may know about it.
"""

from __future__ import annotations

from typing import cast

from hatoba.fleet.model import NetworkMode, Workload, workloads
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.secrets import Injected
from hatoba.services.ecs.plan.workload.container import container
from hatoba.services.ecs.plan.workload.environment import inject
from hatoba.services.ecs.plan.workload.firelens import route
from hatoba.services.ecs.plan.workload.logs import log_wanted
from hatoba.services.ecs.plan.workload.metadata import metadata
from hatoba.services.ecs.plan.workload.roles import credential_id, execution_role, role
from hatoba.services.ecs.plan.workload.volumes import GIB, storage, volumes

MIB = 1 << 20
NOTHING = Injected()


def workload(task: Task, definition: Definition, settings: Settings, injected: Injected = NOTHING) -> Workload:
    overrides = {override.get("name"): override for override in task.overrides.get("containerOverrides") or ()}
    containers = tuple(
        inject(container(c, overrides.get(c["name"], {}), task, definition, settings), injected)
        for c in definition.containers
    )
    sized = bool(definition.content.get("cpu") or task.overrides.get("cpu"))
    limited = bool(definition.content.get("memory") or task.overrides.get("memory"))
    plain, made = volumes(definition)
    gib = storage(task, definition)
    return Workload(
        key=workloads.key(task.scope, task.id),
        node=task.node,
        network_mode=cast(NetworkMode, definition.network_mode),
        network=task.eni.vpc if task.eni else None,
        interface=task.eni.id if task.eni else None,
        pid_mode=definition.content.get("pidMode") or "",
        ipc_mode=definition.content.get("ipcMode") or "",
        containers=route(containers, task, definition, injected),
        volumes=plain,
        driver_volumes=made,
        storage=gib * GIB if gib is not None else None,
        cpu=int(task.cpu) if sized else None,
        memory=int(task.memory) * MIB if limited else None,
        hostname=task.eni.dns if task.eni else "",
        execute=task.execute,
        credential=credential_id(task) if role(task, definition) else None,
        region=task.key.region,
        metadata=metadata(task, definition),
    )


__all__ = ["NOTHING", "credential_id", "execution_role", "log_wanted", "role", "workload"]
