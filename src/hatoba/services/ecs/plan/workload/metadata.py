"""What a task's containers are told about it by the metadata endpoint, beside what their node knows itself."""

from __future__ import annotations

from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition


def metadata(task: Task, definition: Definition) -> dict[str, str]:
    found = {
        "Cluster": arns.cluster_arn(task.scope, task.cluster),
        "TaskARN": task.arn,
        "Family": definition.family,
        "Revision": str(definition.revision),
        "LaunchType": task.launch_type,
        "ServiceName": task.service.partition("/")[2] if task.service else "",
        "Group": task.group,
        "AvailabilityZone": task.zone,
        # Fargate has no instances that a task could know about.
        "ContainerInstanceARN": ""
        if task.launch_type == "FARGATE"
        else arns.instance_arn(task.scope, task.cluster, task.node),
        "FaultInjectionEnabled": "true" if _fails_on_purpose(task, definition) else "",
    }
    if task.eni is not None:
        found |= {
            "AvailabilityZone": task.eni.zone or task.zone,
            "AvailabilityZoneID": task.eni.zone_id,
            "VPCID": task.eni.vpc,
            "MAC": task.eni.mac,
            "PrivateDNSName": task.eni.dns,
        }
    for name in (known.name for known in task.containers):
        found[f"ContainerARN:{name}"] = arns.container_arn(task.scope, task.cluster, task.id, name)
    return {name: value for name, value in found.items() if value}


def _fails_on_purpose(task: Task, definition: Definition) -> bool:
    return bool(definition.content.get("enableFaultInjection")) and task.launch_type != "EXTERNAL"
