"""A task → its whole story, for people: `GET /_hatoba/tasks/<arn>/story` and `hatoba story`."""

from __future__ import annotations

import datetime
from typing import Any

from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.story import Moment, read
from hatoba.services.ecs.model.task import Container, Task

_KILLED = 137


def story(task: Task) -> dict[str, Any]:
    shape = {
        "taskArn": task.arn,
        "clusterArn": arns.cluster_arn(task.scope, task.cluster),
        "definition": task.definition,
        "group": task.group,
        "startedBy": task.started_by,
        "node": task.node,
        "lastStatus": task.status,
        "desiredStatus": task.desired,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "stoppedBy": who(task),
        "moments": [_told(task, moment) for moment in _moments(task)],
    }
    return {name: value for name, value in shape.items() if value != ""}


def who(task: Task) -> str:
    """Who wanted it stopped, in one or two words where it was no principal."""
    match task.stop_code:
        case "":
            return ""
        case "ServiceSchedulerInitiated" if task.service:
            return arns.service_arn(task.scope, *task.service.split("/", 1))
        case "EssentialContainerExited" | "TaskFailedToStart":
            return "the task itself"
        case "InfrastructureHealth" | "SpotInterruption":
            return "the platform"
    return task.stopped_by


def _moments(task: Task) -> list[Moment]:
    first = "PROVISIONING" if task.network is not None else "PENDING"
    return [Moment(task.created_at, "status", text=first), *read(task.story)]


def _told(task: Task, moment: Moment) -> dict[str, Any]:
    told: dict[str, Any] = {"at": _iso(moment.at), "what": moment.what}
    container = task.containers[moment.container] if 0 <= moment.container < len(task.containers) else None
    if container is not None:
        told["container"] = container.name
    if text := _text(task, moment, container):
        told["text"] = text
    return told


def _text(task: Task, moment: Moment, container: Container | None) -> str:
    match moment.what:
        case "status" | "health":
            return moment.text
        case "stop":
            by = moment.text or who(task)
            return f"{task.stop_code}: {task.stopped_reason}" + (f" (by {by})" if by else "")
        case "protected":
            return f"until {_iso(float(moment.text))}" if moment.text else "no longer"
        case "pulled":
            return container.digest if container is not None else ""
        case "restarted":
            return f"after exit code {moment.text}" if moment.text else ""
        case "failed":
            return container.reason if container is not None else ""
        case "exited":
            return _exit(task, moment, container)
        case "omitted":
            return f"{moment.text} moments"
    return moment.text


def _exit(task: Task, moment: Moment, container: Container | None) -> str:
    words = [f"exit code {moment.text}"]
    if container is not None and container.reason:
        words.append(container.reason)
    elif int(moment.text) == _KILLED:
        asked = (m for m in read(task.story) if m.what == "signalled" and m.container == moment.container)
        if (signalled := next(asked, None)) is not None and signalled.at <= moment.at:
            words.append(f"killed {moment.at - signalled.at:.1f} s after it was asked to stop")
    return ", ".join(words)


def _iso(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
