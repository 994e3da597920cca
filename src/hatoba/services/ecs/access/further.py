"""What ECS's operations need beside their own actions: to tag at creation, and to pass roles.

Source: the developer guide, "Grant permission to tag resources on creation"; "IAM roles for Amazon ECS".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hatoba.gateway.call import Call
from hatoba.gateway.needs import Need, Params, Resources, Rule, member, tag_keys
from hatoba.services.ecs.access.keys import CONNECT
from hatoba.services.ecs.access.resources import definition
from hatoba.services.ecs.model.account import effective, principal

TASKS = "ecs-tasks.amazonaws.com"
ECS = "ecs.amazonaws.com"


def tagging(made: Resources) -> Rule:
    """`ecs:TagResource` counts at creation, too, unless whoever asks has switched tagResourceAuthorization off."""

    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        tags = tag_keys(req.get("tags"))
        if not tags or effective(call.store, call.scope, principal(call.principal))["tagResourceAuthorization"] != "on":
            return
        keys = {**tags, "ecs:CreateAction": action.removeprefix("ecs:")}
        for resource in made(req, call):
            yield Need(action="ecs:TagResource", resource=resource, keys=keys)

    return rule


def passing(to: str, *paths: str) -> Rule:
    def rule(action: str, req: Params, call: Call) -> Iterable[Need]:
        return _passed(call, to, (role for path in paths for role in member(req, path)))

    return rule


def passing_tasks_roles(action: str, req: Params, call: Call) -> Iterable[Need]:
    """Of what is run: the task definition's, unless overridden."""
    reference = next(member(req, "taskDefinition"), None)
    known = definition(call, reference)[1] if reference is not None else None
    said: Params = req.get("overrides") or {}
    own = known.content if known is not None else {}
    # An empty text overrides nothing, as `plan.workload.roles` has it.
    roles = (said.get(name) or own.get(name) for name in ("taskRoleArn", "executionRoleArn"))
    return _passed(call, TASKS, filter(None, roles))


def _passed(call: Call, to: str, roles: Iterable[str]) -> Iterator[Need]:
    """ECS takes roles by name, too."""
    for role in dict.fromkeys(roles):
        completed = f"arn:{call.scope.partition}:iam::{call.scope.account}:role/{role.removeprefix('/')}"
        resource = role if role.startswith("arn:") else completed
        yield Need(action="iam:PassRole", resource=resource, keys={"iam:PassedToService": to})


PROVIDER_ROLES = passing(ECS, "managedInstancesProvider.infrastructureRoleArn")
DEFINITION_ROLES = passing(TASKS, "taskRoleArn", "executionRoleArn")
VOLUME_ROLES = passing(ECS, "volumeConfigurations.managedEBSVolume.roleArn")
BALANCER_ROLES = passing(ECS, "loadBalancers.advancedConfiguration.roleArn")
SERVICE_ROLES = passing(
    ECS,
    "role",
    "deploymentConfiguration.lifecycleHooks.roleArn",
    "loadBalancers.advancedConfiguration.roleArn",
    "volumeConfigurations.managedEBSVolume.roleArn",
    "vpcLatticeConfigurations.roleArn",
    f"{CONNECT}.services.tls.roleArn",
)
