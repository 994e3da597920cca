"""What Fargate asks of a task definition, and what it refuses."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.plan.definition import sizes

LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
_TIMEOUTS = range(2, 121)  # seconds
_CAPABILITIES = {"SYS_PTRACE"}  # what may be added


def _not(what: str) -> str:
    return f"Fargate compatible task definitions do not support {what}"


def refusal(req: t.RegisterTaskDefinitionRequest) -> str | None:
    """Why it cannot run on Fargate, in AWS's words, or None when it can."""
    of_containers = (_container(container, req) for container in req["containerDefinitions"])
    return size(req) or _task(req) or next(filter(None, of_containers), None)


def size(req: t.RegisterTaskDefinitionRequest) -> str | None:
    """Why the network mode or the task's size rule Fargate out."""
    if req.get("networkMode") != "awsvpc":
        return "Fargate only supports network mode ‘awsvpc’."
    for name in ("cpu", "memory"):
        if name not in req:
            return f"Fargate requires that '{name}' be defined at the task level."
    if not sizes.fargate_offers(int(req["cpu"]), int(req["memory"])):
        return f"No Fargate configuration exists for given values: {req['cpu']} CPU, {req['memory']} memory"
    return None


def _task(req: t.RegisterTaskDefinitionRequest) -> str | None:
    if req.get("placementConstraints"):
        return _not("constraints")
    if req.get("ipcMode"):
        return "Tasks using the Fargate launch type do not support ipcMode."
    if req.get("pidMode") == "host":
        return (
            "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is "
            "'task'."
        )
    if req.get("inferenceAccelerators"):
        return _not("inferenceAccelerators")
    for volume in req.get("volumes") or ():
        if (volume.get("host") or {}).get("sourcePath"):
            return _not("sourcePath")
        if volume.get("dockerVolumeConfiguration"):
            return _not("dockerVolumeConfiguration")
    return None


def _container(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> str | None:
    linux = container.get("linuxParameters") or {}
    if container.get("privileged"):
        return "Fargate requires that the 'privileged' setting be 'false'."
    for member in ("devices", "sharedMemorySize", "tmpfs", "maxSwap", "swappiness"):
        if linux.get(member) not in (None, []):
            return _not(member)
    for capability in (linux.get("capabilities") or {}).get("add") or ():
        if capability not in _CAPABILITIES:
            return f"{capability} is not allowed on Fargate."
    for member in ("dockerSecurityOptions", "disableNetworking", "links", "credentialSpecs"):
        if container.get(member):
            return _not(member)
    for requirement in container.get("resourceRequirements") or ():
        return f"Tasks using the Fargate launch type do not support {requirement['type']} resource requirements."
    for name, seconds in (
        ("startTimeout", container.get("startTimeout")),
        ("stopTimeout", container.get("stopTimeout")),
    ):
        if seconds is not None and seconds not in _TIMEOUTS:
            return f"Fargate requires that '{name}' be between 2 and 120 seconds."
    router = container.get("firelensConfiguration")
    if router and (router.get("options") or {}).get("config-file-type") == "s3":
        return _not("the config-file-type s3 of firelensConfiguration")
    return _log(container, req) or _image(container, req)


def _log(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> str | None:
    log = container.get("logConfiguration")
    if not log:
        return None
    driver = log["logDriver"]
    if driver not in LOG_DRIVERS:
        return f"{driver} is not a valid log driver. Must be one of [{', '.join(LOG_DRIVERS)}]"
    if driver != "awslogs":
        return None
    if "awslogs-stream-prefix" not in (log.get("options") or {}):
        return "Log driver awslogs requires options: awslogs-stream-prefix"
    return _needs_role(req, "log driver awslogs")


def _image(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> str | None:
    if ".dkr.ecr." in container["image"].partition("/")[0]:
        return _needs_role(req, "ECR images")
    if container.get("repositoryCredentials"):
        return _needs_role(req, "private registry authentication")
    return None


def _needs_role(req: t.RegisterTaskDefinitionRequest, what: str) -> str | None:
    if req.get("executionRoleArn"):
        return None
    return f"Fargate requires task definition to have execution role ARN to support {what}."
