"""RunTask: checks, places and writes; the task controller does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.gateway.call import Call
from hatoba.gateway.tags import tags_of
from hatoba.placement import Assignment, Refusal
from hatoba.services.ecs.api import capacity as capacities
from hatoba.services.ecs.api.networking import checked_network
from hatoba.services.ecs.api.room import checked_tags, checked_token, ecs, tag
from hatoba.services.ecs.api.task import definition_of
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.account import log_mode, principal
from hatoba.services.ecs.model.cluster import find_cluster, use_cluster
from hatoba.services.ecs.model.instance import registered
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.task_definition import Definition, usable_definition
from hatoba.services.ecs.placing import assign_charged
from hatoba.services.ecs.plan import launch, placement, tagging
from hatoba.services.ecs.plan.capacity import providers
from hatoba.services.ecs.plan.definition import configuration, linux, sizes
from hatoba.services.ecs.plan.definition.volumes import ephemeral
from hatoba.services.ecs.plan.needs import failure_code
from hatoba.services.ecs.plan.rollout.words import NO_CAPACITY
from hatoba.services.ecs.spot import make_room
from hatoba.services.ecs.views import pieces
from hatoba.services.ecs.views import task as view
from hatoba.store import Tx

MOST = 10
LONGEST_TOKEN = 64
LONGEST_OVERRIDES = 8192  # characters of JSON
NO_INSTANCES = "No Container Instances were found in your cluster."


@ecs.operation
async def run_task(req: t.RunTaskRequest, call: Call) -> t.RunTaskResponse:
    count = req.get("count", 1)
    if not 1 <= count <= MOST:
        raise t.InvalidParameterException(f"Count must be between 1 and {MOST}.")
    cluster = find_cluster(call.store, call.scope, req.get("cluster"))
    definition = usable_definition(call.store, call.scope, req["taskDefinition"])
    chosen = capacities.capacity(
        cluster, definition, req.get("launchType"), req.get("capacityProviderStrategy"), req.get("platformVersion")
    )
    _unsupported(req)
    wish = launch.Wish(
        cluster=cluster.id,
        definition=definition,
        launch_type=chosen.launch_type,
        group=checked_group(req.get("group"), definition),
        started_by=checked_started_by(req.get("startedBy")),
        platform_version=chosen.platform_version,
        overrides=checked_overrides(req.get("overrides"), definition, chosen.launch_type),
        network=await checked_network(call, definition, chosen.launch_type, req.get("networkConfiguration")),
        execute=bool(req.get("enableExecuteCommand")),
        log_mode=log_mode(call.store, call.scope, principal(call.principal)),
        placement=placement.checked(req.get("placementStrategy"), req.get("placementConstraints"), chosen.launch_type),
    )
    token = checked_token(req.get("clientToken"), LONGEST_TOKEN)
    with call.tx() as tx:
        earlier = call.earlier(tx, req, token, mismatch=_conflict)
        if earlier is not None:
            return _again(tx, call, earlier)
        use_cluster(tx, call.scope, req.get("cluster"))
        usable_definition(tx, call.scope, req["taskDefinition"])
        answer = start(tx, call, wish, count, checked_task_tags(tx, call, req, wish), chosen.strategy)
        started = [task["taskArn"].rpartition("/")[2] for task in answer["tasks"]]
        call.remember(tx, req, token, {"tasks": started, "failures": answer["failures"]})
        return answer


def _again(tx: Tx, call: Call, earlier: dict[str, Any]) -> t.RunTaskResponse:
    """The tasks that the same request started before, as they are now."""
    found = (tx.find(tasks, call.scope, id_) for id_ in earlier["tasks"])
    return {
        "tasks": [view.task(task, definition_of(tx, task)) for task in found if task is not None],
        "failures": earlier["failures"],
    }


def _conflict() -> t.ConflictException:
    return t.ConflictException("The clientToken was used before with different parameters.", resourceIds=[])


def start(
    tx: Tx, call: Call, wish: launch.Wish, count: int, tags: dict[str, str], strategy: Sequence[dict[str, Any]]
) -> t.RunTaskResponse:
    settings = call.get(Settings)
    if wish.launch_type != "FARGATE" and not registered(tx, call.scope, wish.cluster):
        raise t.InvalidParameterException(NO_INSTANCES)
    taken = wish.reserve(settings)
    started: list[t.Task] = []
    refused: list[tuple[launch.Wish, Refusal]] = []
    subnets = launch.spread(wish.network, (), count)
    charged = providers(strategy, (), count)
    for number, (one, answer) in enumerate(assign_charged(tx, wish, charged, settings)):
        if not isinstance(answer, Assignment):
            refused.append((one, answer))
            continue
        task = tx.put(
            tasks, launch.task(one, call.scope, call.ids.hex(32), answer.node, subnets[number], taken, call.now)
        )
        tag(tx, call.scope, task.arn, tags)
        shape = view.task(task, wish.definition)
        started.append({**shape, "tags": pieces.tags(tags)} if tags else shape)
    giving_way = make_room(tx, *refused[0], len(refused), settings, call.now) if refused else 0
    return {"tasks": started, "failures": [_failure(call, one, why, giving_way) for one, why in refused]}


def _failure(call: Call, wish: launch.Wish, refusal: Refusal, giving_way: int) -> t.Failure:
    soon = f"; {giving_way} Spot tasks are being interrupted to make room: try again" if giving_way else ""
    if wish.launch_type == "FARGATE" or refusal.closest is None:
        return {"reason": NO_CAPACITY, "detail": refusal.words() + soon}
    arn = arns.instance_arn(call.scope, wish.cluster, refusal.closest[0])
    return pieces.failure(arn, failure_code(refusal), refusal.detail() + soon)


# --- checks --------------------------------------------------------------------------------------------------------


def _unsupported(req: t.RunTaskRequest) -> None:
    if req.get("volumeConfigurations"):
        raise t.UnsupportedFeatureException("volumeConfigurations is not available.")


def checked_group(group: str | None, definition: Definition) -> str:
    if group and group.startswith(("service:", "family:")):
        raise t.InvalidParameterException("Invalid namespace for group.")
    return group or f"family:{definition.family}"


def checked_started_by(started_by: str | None) -> str:
    if len(started_by or "") > 128:
        raise t.InvalidParameterException("startedBy can have at most 128 characters.")
    return started_by or ""


def checked_overrides(overrides: t.TaskOverride | None, definition: Definition, launch_type: str) -> dict[str, Any]:
    if overrides and len(msgspec.json.encode(overrides).decode()) > LONGEST_OVERRIDES:
        raise t.InvalidParameterException(f"Container Overrides length must be at most {LONGEST_OVERRIDES}")
    by_name = {container["name"]: container for container in definition.containers}
    for override in (overrides or {}).get("containerOverrides") or ():
        name = override.get("name")
        if name is None:
            raise t.InvalidParameterException("Override for container must have a name.")
        if name not in by_name:
            raise t.InvalidParameterException(
                f"Override for container named {name} is not a container in the TaskDefinition."
            )
        role = (overrides or {}).get("executionRoleArn") or definition.content.get("executionRoleArn")
        if (why := configuration.refused_override(override, by_name[name], role)) is not None:
            raise t.InvalidParameterException(why)
        linux.requirements(override)
    if (overrides or {}).get("inferenceAcceleratorOverrides"):
        raise t.ClientException(linux.NO_INFERENCE)
    if (refusal := ephemeral((overrides or {}).get("ephemeralStorage"))) is not None:
        raise t.InvalidParameterException(refusal)
    return {**cast("dict[str, Any]", overrides or {}), **_sizes(overrides or {}, definition, launch_type)}


def _sizes(overrides: t.TaskOverride, definition: Definition, launch_type: str) -> dict[str, str]:
    """The task's overridden CPU and memory, normalised to units and MiB."""
    found: dict[str, str] = {}
    for name, units in (("cpu", sizes.cpu_units), ("memory", sizes.memory_mib)):
        if text := overrides.get(name):
            if (size := units(str(text))) is None:
                raise t.InvalidParameterException(f"Invalid '{name}' setting in the overrides of the task: {text}.")
            found[name] = str(size)
    cpu, memory = (int(found.get(name) or definition.content.get(name) or 0) for name in ("cpu", "memory"))
    if found and launch_type == "FARGATE" and not sizes.fargate_offers(cpu, memory):
        raise t.InvalidParameterException(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory"
        )
    return found


def checked_task_tags(
    tx: Tx, call: Call, req: t.RunTaskRequest | t.StartTaskRequest, wish: launch.Wish
) -> dict[str, str]:
    own = checked_tags(req.get("tags"))
    propagate = req.get("propagateTags") or "NONE"
    if propagate == "SERVICE":
        raise t.InvalidParameterException("Tags can only be propagated from a service to the tasks that it starts.")
    if propagate == "TASK_DEFINITION":
        own = {**tags_of(tx, call.scope, wish.definition.arn), **own}
    return {**own, **tagging.managed(wish.cluster)} if req.get("enableECSManagedTags") else own
