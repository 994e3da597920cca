"""Rules of each container of a task definition, and of the containers together.

Pure: a request in, refusals (`ClientException`) in AWS's words out. The rules are those of the developer guide's
"Task definition parameters", one function for each subject.
"""

from __future__ import annotations

import re
from typing import cast

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.plan.definition import configuration, logs, network

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_IMAGE = re.compile(r"[A-Za-z0-9_\-.:/@]{1,255}")
LEAST_MEMORY = 6  # MiB


def _refuse(message: str) -> t.ClientException:
    return t.ClientException(message)


def _setting(container: t.ContainerDefinition, message: str) -> t.ClientException:
    return _refuse(f"Invalid setting for container '{container.get('name')}'. {message}")


def defaults(container: t.ContainerDefinition, mode: str | None) -> t.ContainerDefinition:
    """The container as AWS tells it back: with the members that are always there."""
    full = cast(t.ContainerDefinition, {name: value for name, value in container.items() if value is not None})
    full.setdefault("cpu", 0)
    full.setdefault("essential", True)
    full.setdefault("environment", [])
    full.setdefault("mountPoints", [])
    full.setdefault("volumesFrom", [])
    full.setdefault("systemControls", [])
    if container.get("firelensConfiguration"):
        full.setdefault("user", "0")  # as AWS has it: it opens a socket in a folder of the node's
    full["portMappings"] = [network.defaults(port, mode) for port in container.get("portMappings") or ()]
    return full


def check(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> None:
    _identity(container)
    _memory(container, "memory" in req)
    network.check(container, req)
    _lifecycle(container)
    _health(container)
    configuration.check(container, req)
    logs.check(container, req)


def _identity(container: t.ContainerDefinition) -> None:
    for member, pattern in (("name", _NAME), ("image", _IMAGE)):
        value = str(container.get(member) or "")
        if not value:
            raise _refuse(f"Container.{member} should not be null or empty.")
        if not pattern.fullmatch(value):
            raise _refuse(f"Container.{member} contains invalid characters.")


def _memory(container: t.ContainerDefinition, task_has: bool) -> None:
    hard, soft = container.get("memory"), container.get("memoryReservation")
    if hard is None and soft is None and not task_has:
        raise _setting(container, "At least one of 'memory' or 'memoryReservation' must be specified.")
    for name, value in (("memory", hard), ("memoryReservation", soft)):
        if value is not None and value < LEAST_MEMORY:
            raise _setting(container, f"The '{name}' value must be at least {LEAST_MEMORY} MiB.")
    if hard is not None and soft is not None and hard < soft:
        raise _setting(container, "The 'memory' value must be greater than the 'memoryReservation' value.")
    if container["cpu"] < 0:
        raise _setting(container, "The 'cpu' value must not be negative.")


def _lifecycle(container: t.ContainerDefinition) -> None:
    for name, most in (("startTimeout", 2**31), ("stopTimeout", 2**31)):
        value = cast("int | None", container.get(name))
        if value is not None and not 0 <= value < most:
            raise _setting(container, f"The '{name}' value must not be negative.")
    policy = container.get("restartPolicy")
    if policy and not 60 <= policy.get("restartAttemptPeriod", 300) <= 1800:
        raise _refuse(
            f"The 'restartAttemptPeriod' setting for container '{container.get('name')}' must be between 60 and 1800."
        )
    if policy and len(policy.get("ignoredExitCodes") or ()) > 50:
        raise _setting(container, "At most 50 ignoredExitCodes can be specified.")


def _health(container: t.ContainerDefinition) -> None:
    health = container.get("healthCheck")
    if not health:
        return
    command = health["command"]
    if not command or command[0] not in ("CMD", "CMD-SHELL", "NONE"):
        raise _setting(container, "The health check command must start with CMD or CMD-SHELL.")
    for name, least, most in (("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)):
        value = cast("int | None", health.get(name))
        if value is not None and not least <= value <= most:
            raise _setting(container, f"The health check {name} must be between {least} and {most}.")


# --- the containers together -------------------------------------------------------------------------------------


def check_together(req: t.RegisterTaskDefinitionRequest) -> None:
    """References from one container to another, and to volumes."""
    by_name = {container["name"]: container for container in req["containerDefinitions"]}
    volumes = {volume["name"] for volume in req["volumes"]}
    for container in by_name.values():
        for mount in container["mountPoints"]:
            if not mount.get("containerPath"):
                raise _refuse("MountPoint.containerPath should not be null or empty.")
            if mount.get("sourceVolume") not in volumes:
                raise _refuse(f"Unknown volume '{mount.get('sourceVolume')}'.")
        for source in container["volumesFrom"]:
            if source.get("sourceContainer") not in by_name:
                raise _refuse(f"Invalid 'volumesFrom' setting. Unknown container: '{source.get('sourceContainer')}'.")
        for name, _ in network.linked(container):
            if name not in by_name:
                raise _refuse(f"Invalid 'links' setting. Unknown container: '{name}'.")
        _depends(container, by_name)
    logs.check_together(req)
    _no_cycle(by_name)
    network.distinct_ports(req)


def _depends(container: t.ContainerDefinition, by_name: dict[str, t.ContainerDefinition]) -> None:
    for dependency in container.get("dependsOn") or ():
        other = by_name.get(dependency["containerName"])
        if other is None:
            raise _refuse(f"Cannot depend on container {dependency['containerName']} because it does not exist")
        if other is container:
            raise _refuse("A container cannot depend on itself.")
        if dependency["condition"] in ("SUCCESS", "COMPLETE") and other["essential"]:
            raise _refuse("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container")
        if dependency["condition"] == "HEALTHY" and not other.get("healthCheck"):
            raise _refuse("A dependency container with HEALTHY condition must have health check configured.")


def _no_cycle(by_name: dict[str, t.ContainerDefinition]) -> None:
    """Who is linked to another starts after it, too."""
    waiting = {
        name: {dependency["containerName"] for dependency in container.get("dependsOn") or ()}
        | {other for other, _ in network.linked(container)}
        for name, container in by_name.items()
    }
    while waiting:
        free = {name for name, others in waiting.items() if not others}
        if not free:
            raise _refuse("A container dependency cycle was found among: " + ", ".join(sorted(waiting)) + ".")
        waiting = {name: others - free for name, others in waiting.items() if name not in free}
