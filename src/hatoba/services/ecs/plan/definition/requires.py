"""The attributes that a container instance must have to run a task definition, in the names of the open ECS agent."""

from __future__ import annotations

from collections.abc import Iterator

from hatoba.aws.shapes import ecs as t

_AGENT = "ecs.capability."
_LEGACY = "com.amazonaws.ecs.capability."
_DOCKER = _LEGACY + "docker-remote-api."
_SECURITY = {"apparmor": _LEGACY + "apparmor", "label": _LEGACY + "selinux", "credentialspec": _AGENT + "gmsa"}
_SPECIAL = {*_SECURITY.values(), _AGENT + "gmsa-domainless"}


def attributes(req: t.RegisterTaskDefinitionRequest) -> tuple[str, ...]:
    """Sorted, each once."""
    found = set(_of_task(req))
    for container in req["containerDefinitions"]:
        found.update(_of_container(container, req))
    return tuple(sorted(found))


def _of_task(req: t.RegisterTaskDefinitionRequest) -> Iterator[str]:
    if req.get("networkMode") == "awsvpc":
        yield _AGENT + "task-eni"
        yield _DOCKER + "1.18"
    if req.get("taskRoleArn"):
        yield _LEGACY + ("task-iam-role-network-host" if req.get("networkMode") == "host" else "task-iam-role")
    if req.get("cpu") or req.get("memory"):
        yield _AGENT + "task-cpu-mem-limit"
    if req.get("pidMode") or req.get("ipcMode"):
        yield _AGENT + "pid-ipc-namespace-sharing"
    for volume in req.get("volumes") or ():
        if (docker := volume.get("dockerVolumeConfiguration")) is not None:
            yield f"{_AGENT}docker-plugin.{docker.get('driver', 'local')}"


def _of_container(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> Iterator[str]:
    log = container.get("logConfiguration")
    if log:
        driver = log["logDriver"]
        yield f"{_LEGACY}logging-driver.{driver}"
        yield _DOCKER + "1.19"
        if driver == "awslogs" and req.get("executionRoleArn"):
            yield _AGENT + "execution-role-awslogs"
        for option in log.get("secretOptions") or ():
            yield f"{_AGENT}secrets.{_store(option)}.bootstrap.log-driver"
        if "log-driver-buffer-limit" in (log.get("options") or {}):
            yield f"{_AGENT}logging-driver.{driver}.log-driver-buffer-limit"
    if ".dkr.ecr." in container["image"].partition("/")[0]:
        yield _LEGACY + "ecr-auth"
        if req.get("executionRoleArn"):
            yield _AGENT + "execution-role-ecr-pull"
    if container.get("repositoryCredentials"):
        yield _AGENT + "private-registry-authentication.secretsmanager"
    for secret in container.get("secrets") or ():
        yield f"{_AGENT}secrets.{_store(secret)}.environment-variables"
    if container.get("environmentFiles"):
        yield _AGENT + "env-files.s3"
    if container.get("healthCheck"):
        yield _AGENT + "container-health-check"
        yield _DOCKER + "1.29"
    if container.get("dependsOn"):
        yield _AGENT + "container-ordering"
    yield from _of_security(container)
    if container.get("privileged"):
        yield _LEGACY + "privileged-container"
    if any("containerPortRange" in port for port in container["portMappings"]):
        yield _AGENT + "container-port-range"
    if container.get("memoryReservation"):
        yield _DOCKER + "1.21"
    if router := container.get("firelensConfiguration"):
        yield f"{_AGENT}firelens.{router['type']}"
        if kind := (router.get("options") or {}).get("config-file-type"):
            yield f"{_AGENT}firelens.options.config.{kind}"


def _of_security(container: t.ContainerDefinition) -> Iterator[str]:
    for option in container.get("dockerSecurityOptions") or ():
        kind = option.partition(":")[0]
        if kind in _SECURITY:
            yield _SECURITY[kind]
    for spec in container.get("credentialSpecs") or ():
        yield _AGENT + ("gmsa-domainless" if spec.startswith("credentialspecdomainless:") else "gmsa")


def special(attribute: str) -> bool:
    """Whether a node has to say of itself that it has it: it is none of what every node of ours can do."""
    plugin = attribute.startswith(f"{_AGENT}docker-plugin.")
    return attribute in _SPECIAL or (plugin and not attribute.endswith(".local"))


def _store(secret: t.Secret) -> str:
    return "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
