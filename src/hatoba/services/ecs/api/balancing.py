"""Can the service's tasks join these target groups? ELB is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.aws.shapes import ecs as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ecs.api import shifting
from hatoba.services.ecs.model.task import Target
from hatoba.services.ecs.model.task_definition import Definition

MOST = 5


async def checked_targets(
    call: Call, definition: Definition, balancers: Sequence[t.LoadBalancer] | None
) -> tuple[Target, ...]:
    if len(balancers or ()) > MOST:
        raise t.InvalidParameterException(f"load balancers can have at most {MOST} items.")
    targets = tuple(_target(definition, balancer) for balancer in balancers or ())
    if targets:
        groups = await _checked_groups(call, definition, targets)
        balancers_of = {arn: list(group.get("LoadBalancerArns") or ()) for arn, group in groups.items()}
        targets = tuple(replace(x, six=groups[x.group].get("IpAddressType") == "ipv6") for x in targets)
        advanced = [target.shifting for target in targets if target.shifting is not None]
        shifting.check_groups(advanced, balancers_of)
        await shifting.check_rules(call, advanced)
    return targets


def _target(definition: Definition, balancer: t.LoadBalancer) -> Target:
    group, name, port = (balancer.get(m) for m in ("targetGroupArn", "containerName", "containerPort"))
    if balancer.get("loadBalancerName") or not group:
        raise t.InvalidParameterException("A load balancer must be given by its targetGroupArn.")
    if not name or not isinstance(port, int):
        raise t.InvalidParameterException("A load balancer needs a containerName and a containerPort.")
    container = next((c for c in definition.containers if c["name"] == name), None)
    if container is None:
        raise t.InvalidParameterException(f"The container {name} does not exist in the task definition.")
    if not any(mapping.get("containerPort") == port for mapping in container["portMappings"]):
        raise t.InvalidParameterException(f"The container {name} did not have a container port {port} defined.")
    advanced = shifting.read(str(group), balancer.get("advancedConfiguration"))
    return Target(group=str(group), container=str(name), port=port, shifting=advanced)


async def _checked_groups(
    call: Call, definition: Definition, targets: Sequence[Target]
) -> Mapping[str, Mapping[str, Any]]:
    """The target groups as ELB describes them, by ARN."""
    alternates = {target.shifting.groups[1] for target in targets if target.shifting is not None}
    wanted = sorted({target.group for target in targets} | alternates)
    try:
        found = (await call.aws.elbv2.describe_target_groups(TargetGroupArns=wanted))["TargetGroups"]
    except AwsError as error:
        if error.status >= 500:
            raise
        raise t.InvalidParameterException(f"The target group {', '.join(wanted)} does not exist.") from error
    for group in found:
        arn = group["TargetGroupArn"]
        if not group.get("LoadBalancerArns") and arn not in alternates:
            raise t.InvalidParameterException(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )
        if group.get("TargetType") != ("ip" if definition.network_mode == "awsvpc" else "instance"):
            raise t.InvalidParameterException(
                f"The provided target group {arn} has target type {group.get('TargetType')}, which is incompatible "
                f"with the {definition.network_mode} network mode specified in the task definition."
            )
    return {group["TargetGroupArn"]: group for group in found}
