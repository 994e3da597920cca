"""ExecuteCommand's decisions: which container, whether it may be entered, and where what happens in it is logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model.task import Container, Task
from hatoba.services.ecs.model.task_definition import Definition

AGENT = "ExecuteCommandAgent"
NOT_ENABLED = (
    "The execute command failed because execute command was not enabled when the task was run or the execute command "
    "agent isn’t running. Wait and try again or run a new task with execute command enabled and try again."
)
_LOGGING = ("NONE", "DEFAULT", "OVERRIDE")
INTERNAL = "The execute command failed due to an internal error. Try again later."


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Where the session is logged: to a log group, a bucket, both or (all "") nowhere."""

    group: str = ""
    bucket: str = ""
    prefix: str = ""

    @property
    def parameters(self) -> dict[str, list[str]]:
        """Of the document that starts the session."""
        said = {"cloudWatchLogGroupName": self.group, "s3BucketName": self.bucket, "s3KeyPrefix": self.prefix}
        return {name: [value] for name, value in said.items() if value}


def container(task: Task, name: str | None) -> Container:
    """The one that is meant, when it can be entered. Raises InvalidParameterException."""
    if task.desired == "STOPPED" or task.status == "STOPPED":
        raise t.InvalidParameterException(f"The execute command failed because the task is {task.status}.")
    if name is None and len(task.containers) > 1:
        names = ", ".join(each.name for each in task.containers)
        raise t.InvalidParameterException(
            f"A container name must be specified for tasks containing multiple containers: one of {names}."
        )
    found = next((each for each in task.containers if name in (None, each.name)), None)
    if found is None:
        raise t.InvalidParameterException(f"The container {name} is not part of the task.")
    if not task.execute or found.status != "RUNNING":
        raise t.InvalidParameterException(NOT_ENABLED)
    return found


def checked(configuration: Mapping[str, Any] | None) -> dict[str, Any]:
    """A cluster's configuration, when it can be meant. What cannot be had here is kept: `kept` says so in time."""
    wanted = (configuration or {}).get("executeCommandConfiguration") or {}
    logging = wanted.get("logging", "DEFAULT")
    if logging not in _LOGGING:
        raise t.InvalidParameterException(f"logging must be one of {', '.join(_LOGGING)}.")
    if logging == "OVERRIDE" and not wanted.get("logConfiguration"):
        raise t.InvalidParameterException("A logConfiguration must be provided when logging is OVERRIDE.")
    return dict(configuration or {})


def kept(cluster: Mapping[str, Any], definition: Definition, container: str) -> Kept:
    """`cluster`: its configuration. Raises for what is asked for and cannot be had: a session that should be logged or
    encrypted is not held without it."""
    wanted = cluster.get("executeCommandConfiguration") or {}
    if wanted.get("kmsKeyId"):
        raise t.InvalidParameterException(
            "The cluster encrypts its sessions with a KMS key, which is not available here. Remove kmsKeyId from the "
            "cluster's executeCommandConfiguration to hold sessions without."
        )
    match wanted.get("logging", "DEFAULT"):
        case "NONE":
            return Kept()
        case "OVERRIDE":
            return _overridden(wanted.get("logConfiguration") or {})
    return _default(definition, container)


def _overridden(wanted: Mapping[str, Any]) -> Kept:
    if wanted.get("cloudWatchEncryptionEnabled"):
        raise t.InvalidParameterException(
            "The cluster logs its sessions to encrypted log groups only, which are not available here. Set "
            "cloudWatchEncryptionEnabled to false in the cluster's executeCommandConfiguration."
        )
    bucket = wanted.get("s3BucketName", "")  # whose objects are encrypted in any case
    return Kept(
        group=wanted.get("cloudWatchLogGroupName", ""),
        bucket=bucket,
        prefix=wanted.get("s3KeyPrefix", "") if bucket else "",
    )


def _default(definition: Definition, name: str) -> Kept:
    """The container's own awslogs configuration, where it has one."""
    found = next(each for each in definition.containers if each["name"] == name)
    logs: Mapping[str, Any] = found.get("logConfiguration") or {}
    options = logs.get("options") or {}
    return Kept(group=options.get("awslogs-group", "") if logs.get("logDriver") == "awslogs" else "")
