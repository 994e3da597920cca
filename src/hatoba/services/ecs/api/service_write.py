"""CreateService and UpdateService: what is wanted of a service, checked and written; the controller converges.

Checks that need a neighbour (subnets, target groups) go through the front door before the transaction, those that need
our own records are made inside of it. A change that needs new tasks opens a new deployment; any other leaves the
running one alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ecs.api import capacity as capacities
from hatoba.services.ecs.api.balancing import checked_targets
from hatoba.services.ecs.api.networking import checked_network
from hatoba.services.ecs.api.room import checked_tags, ecs, tag
from hatoba.services.ecs.api.service import shape
from hatoba.services.ecs.model.cluster import Cluster, find_cluster, use_cluster
from hatoba.services.ecs.model.service import (
    Deployment,
    Percents,
    Revision,
    Service,
    Threshold,
    find_service,
    forget_service,
    need_service,
    service_id,
    services,
)
from hatoba.services.ecs.model.service_deployment import begin, forget_history
from hatoba.services.ecs.model.task import Placement
from hatoba.services.ecs.model.task_definition import Definition, definitions, usable_definition
from hatoba.services.ecs.plan import placement
from hatoba.services.ecs.plan.rollout.progress import redeploy
from hatoba.services.ecs.plan.rollout.words import in_progress
from hatoba.services.ecs.views import pieces
from hatoba.services.ecs.views.service import configuration
from hatoba.store import Conflict
from hatoba.store.store import View

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_UNSUPPORTED = (
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
)
_NO_COUNT = (
    "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and "
    "try again."
)
MOST_TASKS = 5000
MOST_TRIES = 8


@ecs.operation
async def create_service(req: t.CreateServiceRequest, call: Call) -> t.CreateServiceResponse:
    if not _NAME.fullmatch(req["serviceName"]):
        raise t.InvalidParameterException("Service name contains invalid characters.")
    if not req.get("taskDefinition"):
        raise t.InvalidParameterException("TaskDefinition can not be blank.")
    _unsupported(cast("dict[str, Any]", req))
    daemon = req.get("schedulingStrategy") == "DAEMON"
    if daemon:
        _daemon(cast("dict[str, Any]", req))
    desired = 0 if daemon else _desired(req.get("desiredCount"))
    percents = _percents(Percents(minimum=0, maximum=100) if daemon else Percents(), req.get("deploymentConfiguration"))
    tags = checked_tags(req.get("tags"))
    cluster = find_cluster(call.store, call.scope, req.get("cluster"))
    definition = usable_definition(call.store, call.scope, req["taskDefinition"])
    revision = await _revision(cast("dict[str, Any]", req), call, cluster, definition)
    if daemon and revision.launch_type == "FARGATE":
        raise t.InvalidParameterException("Tasks using the Fargate launch type do not support the DAEMON strategy.")
    deployment = _first(call, revision, desired)
    fresh = call.ids.hex(21)
    service = Service(
        key=services.key(call.scope, service_id(cluster.id, req["serviceName"])),
        cluster=cluster.id,
        name=req["serviceName"],
        desired=desired,
        created_at=call.now,
        created_by=call.principal.arn,
        deployments=(deployment,),
        percents=percents,
        grace=_grace(req.get("healthCheckGracePeriodSeconds"), revision),
        settings=_settings(cast("dict[str, Any]", req)),
        managed_tags=bool(req.get("enableECSManagedTags")),
        propagate_tags=req.get("propagateTags") or "NONE",
        execute=bool(req.get("enableExecuteCommand")),
        daemon=daemon,
        placement=placement.checked(
            req.get("placementStrategy"), req.get("placementConstraints"), revision.launch_type
        ),
    )
    token = req.get("clientToken")
    with call.tx() as tx:
        earlier = call.earlier(tx, req, token, mismatch=_not_idempotent)
        if earlier is not None and (made := tx.find(services, call.scope, earlier["id"])) is not None:
            return {"service": shape(tx, made)}
        use_cluster(tx, call.scope, req.get("cluster"))
        usable_definition(tx, call.scope, req["taskDefinition"])
        known = find_service(tx, call.scope, cluster.id, req["serviceName"])
        if known is not None:
            _may_be_replaced(known)
            forget_history(tx, known)
            forget_service(tx, known)
        service = tx.put(services, begin(tx, service, definition, fresh, configuration(service.percents), call.now))
        tag(tx, call.scope, service.arn, tags)
        described = shape(tx, service)
        if tags:
            described["tags"] = pieces.tags(tags)
        call.remember(tx, req, token, {"id": service.id})
        return {"service": described}


def _not_idempotent() -> t.InvalidParameterException:
    return t.InvalidParameterException("Creation of service was not idempotent.")


def _may_be_replaced(known: Service) -> None:
    if known.status == "DRAINING":
        raise t.InvalidParameterException("Unable to Start a service that is still Draining.")
    if known.status == "ACTIVE":
        raise _not_idempotent()


@ecs.operation
async def update_service(req: t.UpdateServiceRequest, call: Call) -> t.UpdateServiceResponse:
    _unsupported(cast("dict[str, Any]", req))
    cluster = find_cluster(call.store, call.scope, req.get("cluster"))
    fresh, story = f"ecs-svc/{call.ids.digits(19)}", call.ids.hex(21)
    for _ in range(MOST_TRIES):
        base = _active(call.store, call, cluster, req["service"]).primary.revision
        revision = await _changed_revision(req, call, cluster, base)
        with call.tx() as tx:
            service = _active(tx, call, cluster, req["service"])
            if service.primary.revision != base:
                continue  # somebody else changed it while the neighbours were asked: look again
            after = _changed(req, service, revision)
            if revision != base or req.get("forceNewDeployment"):
                after = redeploy(after, fresh, revision, call.now)
                definition = tx.find(definitions, call.scope, revision.definition)
                assert definition is not None, "a definition with services is not forgotten"
                after = begin(tx, after, definition, story, configuration(after.percents), call.now)
            if after != service:
                after = tx.put(services, after)
            return {"service": shape(tx, after)}
    raise Conflict("the service was changed each time while its network and target groups were looked up")


def _active(view: View, call: Call, cluster: Cluster, reference: str) -> Service:
    service = need_service(view, call.scope, cluster.id, reference)
    if service.status != "ACTIVE":
        raise t.ServiceNotActiveException("Service was not ACTIVE.")
    return service


def _changed(req: t.UpdateServiceRequest, service: Service, revision: Revision) -> Service:
    """What takes effect without a new deployment."""
    if "desiredCount" in req:
        if service.daemon:
            raise t.InvalidParameterException(_NO_COUNT)
        service = replace(service, desired=_desired(req["desiredCount"]), steady=False)
    if "healthCheckGracePeriodSeconds" in req:
        service = replace(service, grace=_grace(req["healthCheckGracePeriodSeconds"], revision))
    if "enableExecuteCommand" in req:
        service = replace(service, execute=req["enableExecuteCommand"])
    if "enableECSManagedTags" in req:
        service = replace(service, managed_tags=req["enableECSManagedTags"])
    if "propagateTags" in req:
        service = replace(service, propagate_tags=req["propagateTags"])
    return replace(
        service,
        placement=_placement(req, service, revision),
        percents=_percents(service.percents, req.get("deploymentConfiguration")),
        settings={**service.settings, **_settings(cast("dict[str, Any]", req))},
    )


def _placement(req: t.UpdateServiceRequest, service: Service, revision: Revision) -> Placement:
    """For the tasks that are placed from now on: those that run stay where they are."""
    asked = placement.checked(req.get("placementStrategy"), req.get("placementConstraints"), revision.launch_type)
    now = service.placement if revision.launch_type != "FARGATE" else Placement()
    return Placement(
        strategy=asked.strategy if "placementStrategy" in req else now.strategy,
        constraints=asked.constraints if "placementConstraints" in req else now.constraints,
    )


# --- what is rolled out --------------------------------------------------------------------------------------------


def _first(call: Call, revision: Revision, desired: int) -> Deployment:
    id_ = f"ecs-svc/{call.ids.digits(19)}"
    return Deployment(
        id=id_,
        status="PRIMARY",
        revision=revision,
        desired=desired,
        created_at=call.now,
        updated_at=call.now,
        reason=in_progress(id_),
    )


async def _revision(req: dict[str, Any], call: Call, cluster: Cluster, definition: Definition) -> Revision:
    chosen = capacities.capacity(
        cluster, definition, req.get("launchType"), req.get("capacityProviderStrategy"), req.get("platformVersion")
    )
    return Revision(
        definition=definition.id,
        launch_type=chosen.launch_type,
        platform_version=chosen.platform_version,
        capacity=chosen.strategy,
        network=await checked_network(call, definition, chosen.launch_type, req.get("networkConfiguration")),
        targets=await checked_targets(call, definition, req.get("loadBalancers")),
    )


async def _changed_revision(req: t.UpdateServiceRequest, call: Call, cluster: Cluster, now: Revision) -> Revision:
    """The present revision with what the request changes; checked only as far as it changes."""
    if "taskDefinition" in req:
        definition = usable_definition(call.store, call.scope, req["taskDefinition"])
    else:
        known = call.store.find(definitions, call.scope, now.definition)
        assert known is not None, "a definition with services is not forgotten"
        definition = known
    wanted: dict[str, Any] = {
        "launchType": None if now.capacity else now.launch_type,
        "capacityProviderStrategy": list(now.capacity),
        "platformVersion": now.platform_version,
        "networkConfiguration": pieces.network(now.network) if definition.network_mode == "awsvpc" else None,
        "loadBalancers": pieces.load_balancers(now.targets),
    }
    changes = {name: value for name, value in req.items() if name in wanted}
    if changes.get("capacityProviderStrategy"):
        changes["launchType"] = None
    if not changes and definition.id == now.definition:
        return now
    return await _revision({**wanted, **changes}, call, cluster, definition)


# --- checks --------------------------------------------------------------------------------------------------------


def _desired(count: int | None) -> int:
    if count is None:
        raise t.InvalidParameterException("DesiredCount must be specified.")
    if not 0 <= count <= MOST_TASKS:
        raise t.InvalidParameterException(f"DesiredCount must be between 0 and {MOST_TASKS}.")
    return count


def _percents(now: Percents, given: t.DeploymentConfiguration | None) -> Percents:
    if not given:
        return now
    breaker: Mapping[str, Any] = given.get("deploymentCircuitBreaker") or {}
    own = ("maximumPercent", "minimumHealthyPercent", "deploymentCircuitBreaker")
    wanted = Percents(
        minimum=given.get("minimumHealthyPercent", now.minimum),
        maximum=given.get("maximumPercent", now.maximum),
        breaker=breaker.get("enable", now.breaker),
        rollback=breaker.get("rollback", now.rollback),
        threshold=_threshold(now.threshold, breaker),
        reset=breaker.get("resetOnHealthyTask", now.reset),
        rest={**now.rest, **{name: value for name, value in given.items() if name not in own}},
    )
    if wanted.minimum < 0 or wanted.maximum < 0:
        raise t.InvalidParameterException("minimumHealthyPercent and maximumPercent must not be negative.")
    if wanted.maximum <= wanted.minimum == 100:
        raise t.InvalidParameterException(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
        )
    if wanted.maximum < wanted.minimum or wanted.maximum < 100:
        raise t.InvalidParameterException("maximumPercent must be at least 100 and at least minimumHealthyPercent.")
    return wanted


def _threshold(now: Threshold, breaker: Mapping[str, Any]) -> Threshold:
    """A circuit breaker that is written without one has the default."""
    given = breaker.get("thresholdConfiguration")
    if given is None:
        return Threshold() if breaker else now
    kind, value = given["type"], given["value"]
    most = MOST_TASKS if kind == "COUNT" else 100
    if not 1 <= value <= most:
        raise t.InvalidParameterException(f"The circuit breaker threshold {kind} must be between 1 and {most}.")
    return Threshold(type=kind, value=value)


def _grace(seconds: int | None, revision: Revision) -> int | None:
    if seconds is not None and not revision.targets:
        raise t.InvalidParameterException(
            "Health check grace period is only valid for services configured to use load balancers"
        )
    if seconds is not None and seconds < 0:
        raise t.InvalidParameterException("healthCheckGracePeriodSeconds must not be negative.")
    return seconds


def _settings(req: dict[str, Any]) -> dict[str, Any]:
    """Members that are told back as they came."""
    return {name: req[name] for name in ("availabilityZoneRebalancing",) if req.get(name)}


def _daemon(req: dict[str, Any]) -> None:
    """How many there are, and where, follows from the instances."""
    if req.get("desiredCount") is not None:
        raise t.InvalidParameterException(_NO_COUNT)
    if req.get("placementStrategy"):
        raise t.InvalidParameterException("The daemon scheduling strategy does not support placement strategies.")


def _unsupported(req: dict[str, Any]) -> None:
    for member in _UNSUPPORTED:
        if req.get(member):
            raise t.UnsupportedFeatureException(f"{member} is not available.")
    if (req.get("deploymentController") or {}).get("type", "ECS") != "ECS":
        raise t.UnsupportedFeatureException("Only the deployment controller ECS is available.")
    if (req.get("serviceConnectConfiguration") or {}).get("enabled"):
        raise t.UnsupportedFeatureException("Service Connect is not available.")
    configuration = req.get("deploymentConfiguration") or {}
    if configuration.get("strategy", "ROLLING") != "ROLLING":
        raise t.UnsupportedFeatureException(f"The deployment strategy {configuration['strategy']} is not available.")
    if (configuration.get("alarms") or {}).get("enable"):
        raise t.UnsupportedFeatureException("Deployment alarms are not available.")
