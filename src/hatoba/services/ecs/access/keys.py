"""ECS's condition keys, `ecs:cluster` and its like, from requests.

Source: the developer guide, "How Amazon Elastic Container Service works with IAM", policy condition keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.gateway.call import Call
from hatoba.gateway.needs import Extra, Keys, Params, Values, member
from hatoba.services.ecs.access.resources import (
    INSTANCES,
    TASK,
    cluster_arn,
    definition,
    plain,
    provider_arn,
    service_arn,
)
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.plan.definition.sizes import cpu_units, memory_mib

CONNECT = "serviceConnectConfiguration"
VPC = "networkConfiguration.awsvpcConfiguration"
UNSAID: dict[str, Any] = {  # what a new service is when its request does not say
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
    "propagateTags": "NONE",
    "volumeConfigurations": [],
    "vpcLatticeConfigurations": [],
    CONNECT: {},
}


def in_cluster(req: Params, call: Call) -> Keys:
    return {"ecs:cluster": cluster_arn(req, call)}


def in_service(req: Params, call: Call) -> Keys:
    return {"ecs:cluster": cluster_arn(req, call), "ecs:service": service_arn(req, call)}


def in_history(kind: str, path: str) -> Extra:
    """The clusters and services of what `resources.history` finds."""

    def keys(req: Params, call: Call) -> Keys:
        ids = [plain(reference, kind).split("/") for reference in member(req, path)]
        return {
            "ecs:cluster": [arns.cluster_arn(call.scope, id_[0]) for id_ in ids],
            "ecs:service": [arns.service_arn(call.scope, id_[0], id_[1]) for id_ in ids if len(id_) > 1],
        }

    return keys


def account_setting(req: Params, call: Call) -> Keys:
    return {"ecs:account-setting": req.get("name") or ""}


def namespace(req: Params, call: Call) -> Keys:
    return {"ecs:namespace": req.get("namespace") or ""}


def command(req: Params, call: Call) -> Keys:
    """A task's only container need not be named."""
    task = next(iter(TASK(req, call)))
    known = call.store.find(tasks, call.scope, task.rpartition("/")[2])
    name = req.get("container") or (known.containers[0].name if known and len(known.containers) == 1 else "")
    found = {"ecs:cluster": cluster_arn(req, call), "ecs:task": task}
    return {**found, "ecs:container-name": name} if name else found


def of_cluster(req: Params, call: Call) -> Keys:
    key = next(member(req, "configuration.managedStorageConfiguration.fargateEphemeralStorageKmsKeyId"), None)
    return {**_providers(req, call), **({"ecs:fargate-ephemeral-storage-kms-key": key} if key else {})}


def of_provider(req: Params, call: Call) -> Keys:
    found = next(member(req, "managedInstancesProvider.propagateTags"), None)
    return {"ecs:propagate-tags": found} if found else {}


def of_definition(req: Params, call: Call) -> Keys:
    containers = req.get("containerDefinitions") or ()
    return {
        "ecs:compute-compatibility": list(member(req, "requiresCompatibilities")),
        "ecs:privileged": _flag(any(container.get("privileged") for container in containers)),
        **_sizes(req),
    }


def of_run(req: Params, call: Call) -> Keys:
    return {
        "ecs:cluster": cluster_arn(req, call),
        "ecs:enable-execute-command": _flag(req.get("enableExecuteCommand")),
        "ecs:enable-ebs-volumes": _flag(req.get("volumeConfigurations")),
        **_providers(req, call),
    }


def of_start(req: Params, call: Call) -> Keys:
    return {**of_run(req, call), "ecs:container-instances": list(INSTANCES(req, call))}


def of_task_set(req: Params, call: Call) -> Keys:
    return {**in_service(req, call), **_providers(req, call), **_definition(req, call)}


def of_new_service(req: Params, call: Call) -> Keys:
    return of_service({**UNSAID, **req}, call)


def of_service(req: Params, call: Call) -> Keys:
    """What the request says; a change leaves the rest as it is."""
    found: dict[str, Values] = {"ecs:cluster": cluster_arn(req, call)}
    for name, key in (
        ("enableECSManagedTags", "ecs:enable-ecs-managed-tags"),
        ("enableExecuteCommand", "ecs:enable-execute-command"),
        ("vpcLatticeConfigurations", "ecs:enable-vpc-lattice"),
        ("volumeConfigurations", "ecs:enable-ebs-volumes"),
    ):
        if name in req:
            found[key] = _flag(req[name])
    if "propagateTags" in req:
        found["ecs:propagate-tags"] = req["propagateTags"]
    if (connect := req.get(CONNECT)) is not None:
        found["ecs:enable-service-connect"] = _flag(connect.get("enabled"))
        if connect.get("namespace"):
            found["ecs:namespace"] = connect["namespace"]
    if subnets := list(member(req, f"{VPC}.subnets")):
        found["ecs:subnet"] = subnets
        found["ecs:auto-assign-public-ip"] = _flag("ENABLED" in member(req, f"{VPC}.assignPublicIp"))
    return {**found, **_providers(req, call), **_definition(req, call)}


def _providers(req: Params, call: Call) -> Keys:
    """Those that the request names, on their own or in a strategy."""
    paths = ("capacityProviders", "capacityProviderStrategy.capacityProvider")
    found = [provider_arn(call, reference) for path in paths for reference in member(req, path)]
    return {"ecs:capacity-provider": list(dict.fromkeys(found))} if found else {}


def _definition(req: Params, call: Call) -> Keys:
    reference = next(member(req, "taskDefinition"), None)
    if reference is None:
        return {}
    name, known = definition(call, reference)
    return {"ecs:task-definition": name, **(_sizes(known.content) if known is not None else {})}


def _sizes(content: Mapping[str, Any]) -> Keys:
    """In units and MiB, however they were written."""
    sizes = {
        "ecs:task-cpu": cpu_units(str(content.get("cpu") or "")),
        "ecs:task-memory": memory_mib(str(content.get("memory") or "")),
    }
    return {key: str(size) for key, size in sizes.items() if size is not None}


def _flag(value: object) -> str:
    return "true" if value else "false"
