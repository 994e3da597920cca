"""How a new deployment is rolled out: the strategy that is configured, the target groups that its tasks join, and where
its shift of traffic begins.
"""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Deployment, Revision, Service
from hatoba.services.ecs.model.service_deployment import begin, current_deployment, number_of
from hatoba.services.ecs.model.shift import Shift
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan import alarms
from hatoba.services.ecs.plan.rollout.shifting import governs
from hatoba.services.ecs.plan.shift import stages
from hatoba.services.ecs.plan.shift.configuration import shifting
from hatoba.services.ecs.plan.shift.traffic import free_groups
from hatoba.services.ecs.views.service import configuration
from hatoba.store import Tx


def check_balancing(service: Service, revision: Revision) -> None:
    """Traffic can only be shifted where it is known between what."""
    strategy = shifting(service.percents.rest)
    if strategy is not None and any(target.shifting is None for target in revision.targets):
        raise t.InvalidParameterException(
            f"The {strategy} deployment strategy needs an advancedConfiguration for each load balancer."
        )


def opened(tx: Tx, service: Service, definition: Definition, id_: str, now: float) -> Service:
    """The service's PRIMARY deployment is new: gives it its target groups, and notes it. Not yet put."""
    check_balancing(service, service.primary.revision)
    strategy, blue = shifting(service.percents.rest), _serving(service)
    if strategy is None and governs(current_deployment(tx, service)) is not None:
        raise t.InvalidParameterException(
            "The deployment strategy cannot be ROLLING while two service revisions may have traffic: the last service "
            "deployment has not succeeded and was not rolled back."
        )
    before = [target.group for target in blue.targets] if blue is not None else _before(service)
    groups = free_groups(service.primary.revision.targets, before, shifting=strategy is not None)
    service = replace(service, deployments=(replace(service.primary, groups=groups), *service.deployments[1:]))
    told: dict[str, Any] = configuration(service.percents)
    shift: Shift | None = None
    if strategy is not None:
        others = len(service.deployments) > (1 if blue is None else 2)
        shift = stages.first(strategy, number_of(blue.id) if blue is not None else "", others=others, now=now)
    return begin(tx, service, definition, id_, told, now, shift=shift, watch=alarms.watch(told))


def _serving(service: Service) -> Deployment | None:
    """Of those that were there before, the one that a new deployment takes the traffic from."""
    others = service.deployments[1:]
    return next((d for d in others if d.id == service.completed_as), others[0] if others else None)


def _before(service: Service) -> tuple[str, ...]:
    if service.completed is None:
        return ()
    return service.completed_groups or tuple(target.group for target in service.completed.targets)
