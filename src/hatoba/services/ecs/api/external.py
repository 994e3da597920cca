"""Services whose deployments somebody else decides (EXTERNAL, CODE_DEPLOY): made, changed, handed over, taken back.

What is at the level of task sets cannot be said of such a service, and what may be changed of it is what the model's
documentation of UpdateService lists. A service that ECS deploys can be handed over, and any other be taken back, while
its tasks go on running: documentation, "Troubleshooting Amazon ECS deployment strategy updates".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.room import checked_tags
from hatoba.services.ecs.api.service import shape
from hatoba.services.ecs.api.service_checks import check_name, checked_count, checked_percents, told_back
from hatoba.services.ecs.api.service_new import create as create_new
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.service import Percents, Service, service_id, services
from hatoba.services.ecs.model.service_deployment import current_deployment, keep_revision
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.model.task_set import TaskSet, sets_of, task_sets
from hatoba.services.ecs.plan import placement
from hatoba.services.ecs.plan import task_sets as parts
from hatoba.store import Tx
from hatoba.store.store import View

Controller = Literal["ECS", "EXTERNAL", "CODE_DEPLOY"]
_OF_TASK_SETS = (
    "taskDefinition",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "networkConfiguration",
    "loadBalancers",
)
_CHANGEABLE = {
    "cluster",
    "service",
    "deploymentController",
    "desiredCount",
    "placementConstraints",
    "placementStrategy",
    "healthCheckGracePeriodSeconds",
    "enableECSManagedTags",
    "propagateTags",
}
_NAMED = {
    "taskDefinition": "task definition",
    "networkConfiguration": "network parameters",
    "loadBalancers": "load balancers",
    "platformVersion": "platform version",
    "capacityProviderStrategy": "capacity provider strategy",
    "deploymentConfiguration": "deployment configuration",
}
_INSTEAD = {
    "CODE_DEPLOY": "Use AWS CodeDeploy to trigger a new deployment.",
    "EXTERNAL": "Use CreateTaskSet to change what the service runs.",
}


def controller_of(req: Mapping[str, Any]) -> Controller | None:
    """The one that is asked for, if any."""
    return cast("Controller | None", (req.get("deploymentController") or {}).get("type"))


# --- making --------------------------------------------------------------------------------------------------------


async def create(req: t.CreateServiceRequest, call: Call) -> t.CreateServiceResponse:
    """A service with EXTERNAL: nothing runs until it has task sets."""
    given = cast("dict[str, Any]", req)
    check_name(req["serviceName"])
    for member in _OF_TASK_SETS:
        if given.get(member):
            raise t.InvalidParameterException(f"{member[0].upper()}{member[1:]} must be blank.")
    check_fits(given, "EXTERNAL", daemon=req.get("schedulingStrategy") == "DAEMON")
    tags = checked_tags(req.get("tags"))
    cluster = find_cluster(call.store, call.scope, req.get("cluster"))
    service = Service(
        key=services.key(call.scope, service_id(cluster.id, req["serviceName"])),
        cluster=cluster.id,
        name=req["serviceName"],
        desired=checked_count(req.get("desiredCount", 0)),
        created_at=call.now,
        created_by=call.principal.arn,
        deployments=(),
        percents=checked_percents(Percents(), req.get("deploymentConfiguration")),
        grace=_grace(req.get("healthCheckGracePeriodSeconds")),
        settings=told_back(given),
        managed_tags=bool(req.get("enableECSManagedTags")),
        propagate_tags=req.get("propagateTags") or "NONE",
        execute=bool(req.get("enableExecuteCommand")),
        controller="EXTERNAL",
        placement=placement.checked(req.get("placementStrategy"), req.get("placementConstraints"), "EC2"),
    )
    return create_new(req, call, tags, lambda tx: tx.put(services, service))


def check_fits(req: Mapping[str, Any], controller: Controller, *, daemon: bool) -> None:
    """Does what is asked of the service go together with its controller?"""
    if controller == "ECS":
        return
    if daemon:
        raise t.InvalidParameterException(
            f"The {controller} deployment controller type is not supported for services using the DAEMON scheduling "
            "strategy."
        )
    if req.get("availabilityZoneRebalancing") == "ENABLED":
        raise t.InvalidParameterException(
            f"AvailabilityZoneRebalancing does not support the {controller} deployment controller"
        )
    configuration = req.get("deploymentConfiguration") or {}
    for member, feature in (
        ("deploymentCircuitBreaker", "Deployment circuit breaker"),
        ("alarms", "Alarm based rollback"),
    ):
        if (configuration.get(member) or {}).get("enable"):
            raise t.InvalidParameterException(
                f"{feature} feature is only supported with ECS deployment controller. Update to ECS deployment "
                "controller and try again."
            )
    if configuration.get("strategy", "ROLLING") != "ROLLING":
        raise t.InvalidParameterException(
            f"The deployment strategy {configuration['strategy']} is only supported with ECS deployment controller."
        )
    if (req.get("serviceConnectConfiguration") or {}).get("enabled"):
        raise t.InvalidParameterException(
            f"The {controller} deployment controller type is not supported for services using Service Connect."
        )


def hand_over(tx: Tx, service: Service, controller: Controller, definition: Definition, now: float) -> Service:
    """A service that is made with a deployment, for somebody else to go on with. Puts it and its task set."""
    assert controller != "ECS", "asked before"
    if controller == "CODE_DEPLOY" and not service.primary.revision.targets:
        raise t.InvalidParameterException(
            "Services with a CODE_DEPLOY deployment controller must use an Application Load Balancer or a Network Load "
            "Balancer."
        )
    given = parts.handed_over(service, controller, now)
    keep_revision(tx, service, service.primary, definition, now)
    tx.put(task_sets, given.task_set)
    return tx.put(services, given.service)


# --- changing ------------------------------------------------------------------------------------------------------


def stays_outside(service: Service, req: t.UpdateServiceRequest) -> bool:
    """It is not ECS that deploys it once the request is carried out."""
    return (controller_of(req) or service.controller) != "ECS"


def update(req: t.UpdateServiceRequest, call: Call, service: Service) -> t.UpdateServiceResponse:
    """Of a service that stays outside, or goes there."""
    with call.tx() as tx:
        current = tx.get(services, service.key)
        assert current is not None, "found a moment ago"
        to = controller_of(req) or current.controller
        _refuse(req, to)
        check_fits(req, to, daemon=current.daemon)
        after = _changed(req, _moved(tx, current, to, call.now))
        if after != current:
            after = tx.put(services, after)
        return {"service": shape(tx, after)}


def _refuse(req: t.UpdateServiceRequest, controller: Controller) -> None:
    allowed = _CHANGEABLE | ({"deploymentConfiguration"} if controller == "CODE_DEPLOY" else set())
    article = "an" if controller == "EXTERNAL" else "a"
    on = f"on services with {article} {controller} deployment controller. {_INSTEAD[controller]}"
    if req.get("forceNewDeployment"):
        raise t.InvalidParameterException(f"Cannot force a new deployment {on}")
    for member in sorted(set(req) - allowed - {"forceNewDeployment"}):
        raise t.InvalidParameterException(f"Unable to update {_NAMED.get(member, member)} {on}")


def _changed(req: t.UpdateServiceRequest, service: Service) -> Service:
    if "desiredCount" in req:
        service = replace(service, desired=checked_count(req["desiredCount"]))
    if "healthCheckGracePeriodSeconds" in req:
        service = replace(service, grace=_grace(req["healthCheckGracePeriodSeconds"]))
    if "enableECSManagedTags" in req:
        service = replace(service, managed_tags=req["enableECSManagedTags"])
    if "propagateTags" in req:
        service = replace(service, propagate_tags=req["propagateTags"])
    asked = placement.checked(req.get("placementStrategy"), req.get("placementConstraints"), "EC2")
    if "placementStrategy" in req:
        service = replace(service, placement=replace(service.placement, strategy=asked.strategy))
    if "placementConstraints" in req:
        service = replace(service, placement=replace(service.placement, constraints=asked.constraints))
    return replace(service, percents=checked_percents(service.percents, req.get("deploymentConfiguration")))


def _grace(seconds: int | None) -> int | None:
    if seconds is not None and seconds < 0:
        raise t.InvalidParameterException("healthCheckGracePeriodSeconds must not be negative.")
    return seconds


# --- changing hands ------------------------------------------------------------------------------------------------


def _moved(tx: Tx, service: Service, to: Controller, now: float) -> Service:
    """The service with its new controller, not yet put; its task set, where it had none, is."""
    if service.controller == to or to == "ECS":
        return service
    if service.controller != "ECS":
        _only(sets_of(tx, service))
        return replace(service, controller=to)
    story = current_deployment(tx, service)
    if len(service.deployments) > 1 or (story is not None and story.under_way):
        raise _several()
    given = parts.handed_over(service, to, now)
    tx.put(task_sets, given.task_set)
    return given.service


def owned(view: View, service: Service) -> Service:
    """The service as ECS deploys it: as it is, or taken back from whoever did. Nothing is written."""
    if service.controller == "ECS":
        return service
    return parts.taken_back(service, _only(sets_of(view, service)))


def let_go(tx: Tx, before: Service) -> None:
    """The service has been taken back: its task sets are no more."""
    for task_set in sets_of(tx, before):
        tx.forget(task_sets, task_set.key)


def _only(sets: list[TaskSet]) -> TaskSet:
    if len(sets) > 1:
        raise _several()
    if not sets or sets[0].status != "PRIMARY":
        raise t.InvalidParameterException(
            "Updating the deployment controller requires a primary taskset in the service. Please ensure your service "
            "has a primary taskset and try again."
        )
    return sets[0]


def _several() -> t.InvalidParameterException:
    return t.InvalidParameterException(
        "Updating the deployment controller is not supported when there are multiple tasksets in the service. Please "
        "ensure your service has only one taskset and try again."
    )
