"""Rules of log drivers, and of the container that routes the others' logs (FireLens).

Which options a driver takes is the driver's own business: it says so when the container starts. Sources: the developer
guide, "Send logs to an AWS service or third party"; the open agent's words; messages as users report them.
"""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.plan import secrets
from hatoba.services.ecs.plan.definition import configuration
from hatoba.services.ecs.plan.workload import firelens

_REQUIRED = {"awslogs": ("awslogs-group", "awslogs-region"), "splunk": ("splunk-token", "splunk-url")}


def check(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> None:
    log = container.get("logConfiguration")
    if not log:
        return
    secret = log.get("secretOptions") or ()
    configuration.check_references(secret)
    if secret and not req.get("executionRoleArn"):
        raise t.ClientException(
            "When you are specifying secret options of a log driver, you must also specify a value for "
            "'executionRoleArn'."
        )
    given = {*(log.get("options") or {}), *(option["name"] for option in secret)}
    missing = [name for name in _REQUIRED.get(log["logDriver"], ()) if name not in given]
    if missing:
        raise t.ClientException(f"Log driver {log['logDriver']} requires options: {', '.join(missing)}")


def check_together(req: t.RegisterTaskDefinitionRequest) -> None:
    """At most one container routes, and only if there is something to route."""
    found = req["containerDefinitions"]
    routers = [container for container in found if container.get("firelensConfiguration")]
    routed = [container for container in found if firelens.sends(container)]
    if routed and not routers:
        raise t.ClientException(
            "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be "
            "configured in one of the containers."
        )
    if not routers:
        return
    if not routed:
        raise t.ClientException(
            "When a firelensConfiguration object is specified, at least one container has to be configured with the "
            "awsfirelens log driver."
        )
    if len(routers) > 1:
        raise t.ClientException("Only one container of a task definition can have a firelensConfiguration.")
    if routers[0] in routed:
        raise t.ClientException("The container with the firelensConfiguration cannot route its own logs.")
    _router(routers[0], req)
    _starts_first(routers[0], routed, {container["name"]: container for container in found})
    for container in routed:
        _routed(container, routers[0])


def _router(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> None:
    options = container["firelensConfiguration"].get("options") or {}
    kind = options.get("config-file-type")
    if kind is None:
        return
    if kind not in ("s3", "file"):
        raise t.ClientException(f"invalid value {kind} is specified for option config-file-type")
    if "config-file-value" not in options:
        raise t.ClientException("option config-file-type is specified but config-file-value is not specified")
    if kind == "file":
        return
    try:
        secrets.object_at(options["config-file-value"])
    except secrets.Unreadable as error:
        raise t.ClientException(str(error)) from None
    if not req.get("executionRoleArn"):
        raise t.ClientException(
            "When you are specifying a config file in S3, you must also specify a value for 'executionRoleArn'."
        )


def _starts_first(
    router: t.ContainerDefinition, routed: list[t.ContainerDefinition], by_name: dict[str, t.ContainerDefinition]
) -> None:
    """Containers whose logs are routed wait for the router: it cannot wait for them."""
    names = {container["name"] for container in routed}
    reached, waiting = set[str](), [router["name"]]
    while waiting:
        name = waiting.pop()
        if name in names:
            raise t.ClientException(
                f"Container {router['name']} routes the logs of {name} and starts before it: it cannot depend on it."
            )
        if name not in reached and name in by_name:
            reached.add(name)
            waiting += [need["containerName"] for need in by_name[name].get("dependsOn") or ()]


def _routed(container: t.ContainerDefinition, router: t.ContainerDefinition) -> None:
    log = container["logConfiguration"]
    options = {**(log.get("options") or {}), **dict.fromkeys((s["name"] for s in log.get("secretOptions") or ()), "")}
    kind = router["firelensConfiguration"]["type"]
    if (missing := firelens.missing_output(kind, options)) is not None:
        raise t.ClientException(
            f"unable to apply log options of container {container['name']} to firelens config: missing output key "
            f"{missing} which is required for firelens configuration of type {kind}"
        )
    limit = options.get(firelens.BUFFER, "0")
    if not limit.isdecimal() or int(limit) > firelens.LARGEST_BUFFER:
        raise t.ClientException(
            f"Log driver awsfirelens: {firelens.BUFFER} must be a number from 0 to {firelens.LARGEST_BUFFER}."
        )
