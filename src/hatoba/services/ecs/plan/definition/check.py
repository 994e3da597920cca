"""Rules of the whole task definition. Answers what is stored; raises `ClientException` in AWS's words.

Sources: the model's documentation of RegisterTaskDefinition and of each member; the messages as users report them.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, cast

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.plan.definition import containers, fargate, linux, network, requires, sizes, volumes
from hatoba.services.ecs.plan.query import unreadable

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
MOST_CONTAINERS = 10
MOST_BYTES = 65_536  # of the whole definition, as JSON
_EC2_CPU = range(128, 196_609)


class Registered(NamedTuple):
    content: dict[str, Any]
    compatibilities: tuple[str, ...]
    requires: tuple[str, ...]


def register(req: t.RegisterTaskDefinitionRequest) -> Registered:
    """What a valid request comes to: normalised, with the defaults that AWS tells back."""
    _family(req["family"])
    if req.get("tags") == []:
        raise t.ClientException("Tags can not be empty.")
    content = cast("dict[str, Any]", {name: value for name, value in req.items() if name != "tags"})
    content.update(_sizes(req))
    content.setdefault("volumes", [])
    content.setdefault("placementConstraints", [])
    mode = content.get("networkMode")
    content["containerDefinitions"] = [containers.defaults(c, mode) for c in req["containerDefinitions"]]
    if (length := len(msgspec.json.encode(content))) > MOST_BYTES:
        raise t.ClientException(f"Actual length: '{length}'. Max allowed length is '{MOST_BYTES}' bytes.")
    checked = cast(t.RegisterTaskDefinitionRequest, content)
    for_fargate = "FARGATE" in (checked.get("requiresCompatibilities") or ())
    if for_fargate and (refusal := fargate.size(checked)) is not None:
        raise t.ClientException(refusal)
    volumes.check(checked)
    _containers(checked)
    network.modes(checked)
    if (refusal := volumes.ephemeral(checked.get("ephemeralStorage"))) is not None:
        raise t.ClientException(refusal)
    _later(checked)
    refusal = fargate.refusal(checked)
    if for_fargate and refusal is not None:
        raise t.ClientException(refusal)
    _constraints(checked)
    return Registered(content, _compatibilities(checked, refusal is None), requires.attributes(checked))


def _family(family: str) -> None:
    if not family:
        raise t.ClientException("Family should not be null or empty.")
    if not _NAME.fullmatch(family):
        raise t.ClientException("Family contains invalid characters.")


def _sizes(req: t.RegisterTaskDefinitionRequest) -> dict[str, str]:
    """The task's CPU and memory, normalised to units and MiB."""
    found: dict[str, str] = {}
    if (cpu := req.get("cpu")) is not None:
        units = sizes.cpu_units(cpu)
        if units is None or units not in _EC2_CPU:
            raise t.ClientException(_invalid_size("cpu"))
        found["cpu"] = str(units)
    if (memory := req.get("memory")) is not None:
        mib = sizes.memory_mib(memory)
        if mib is None or mib < containers.LEAST_MEMORY:
            raise t.ClientException(_invalid_size("memory"))
        found["memory"] = str(mib)
    return found


def _invalid_size(what: str) -> str:
    return (
        f"Invalid '{what}' setting for task. For more information, see the Troubleshooting section of the Amazon ECS "
        "Developer Guide."
    )


def _containers(req: t.RegisterTaskDefinitionRequest) -> None:
    found = req["containerDefinitions"]
    if not found:
        raise t.ClientException("Container list cannot be empty.")
    if len(found) > MOST_CONTAINERS:
        raise t.ClientException(f"Too many containers: {len(found)}. The maximum is {MOST_CONTAINERS}.")
    for container in found:
        containers.check(container, req)
        linux.check(container)
    names = [container["name"] for container in found]
    if (twice := next((name for name in names if names.count(name) > 1), None)) is not None:
        raise t.ClientException(f"Duplicate container name '{twice}' found in containerDefinitions.")
    if not any(container["essential"] for container in found):
        raise t.ClientException("Task definition doesn't have any essential container.")
    containers.check_together(req)
    _fits_into_the_task(req)


def _fits_into_the_task(req: t.RegisterTaskDefinitionRequest) -> None:
    found = req["containerDefinitions"]
    if "cpu" in req and sum(c["cpu"] for c in found) > int(req["cpu"]):
        raise t.ClientException(
            "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."
        )
    if "memory" not in req:
        return
    task = int(req["memory"])
    for container in found:
        if (container.get("memory") or 0) > task:
            raise t.ClientException(
                f"Invalid setting for container '{container['name']}'. The 'memory' value cannot be greater than the "
                "value of the task 'memory'."
            )
    if sum(c.get("memoryReservation") or 0 for c in found) > task:
        raise t.ClientException(
            "The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'."
        )


def _later(req: t.RegisterTaskDefinitionRequest) -> None:
    if req.get("inferenceAccelerators"):
        raise t.ClientException(linux.NO_INFERENCE)
    if req.get("proxyConfiguration"):
        raise t.ClientException("proxyConfiguration is not available.")
    trusted = req.get("trustedExecutionConfiguration")
    isolation = trusted["isolationMode"] if trusted else "SHARED"
    if isolation != "SHARED":
        raise t.ClientException(f"The isolationMode {isolation} of trustedExecutionConfiguration is not available.")


def _constraints(req: t.RegisterTaskDefinitionRequest) -> None:
    if len(req["placementConstraints"]) > 10:
        raise t.ClientException("A task definition can have at most 10 placement constraints.")
    for constraint in req["placementConstraints"]:
        kind = str(constraint.get("type"))
        if kind != "memberOf":
            raise t.ClientException(f"constraint.type '{kind}' is not supported.")
        if (why := unreadable(constraint.get("expression", ""))) is not None:
            raise t.ClientException(why)


def _compatibilities(req: t.RegisterTaskDefinitionRequest, fargate_: bool) -> tuple[str, ...]:
    """Everywhere it could run, whatever it asked for."""
    mode = req.get("networkMode", "bridge")
    external = ("EXTERNAL",) if mode != "awsvpc" else ()
    return (*external, "EC2", *(("FARGATE",) if fargate_ else ()))
