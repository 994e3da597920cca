"""`hatoba story TASK`: everything that happened to a task, with the time since it began."""

from __future__ import annotations

import argparse
import datetime
import json

from hatoba.cli.daily import Cloud, _table
from hatoba.core.errors import Refused


def story(given: argparse.Namespace) -> int:
    cloud = Cloud(given)
    told = cloud.read(f"/_hatoba/tasks/{_arn(cloud, given)}/story", "ecs")
    if given.json:
        print(json.dumps(told, indent=2))
        return 0
    head = [("task", told["taskArn"]), ("of", told.get("group", "")), ("on", told.get("node", ""))]
    if "stopCode" in told:
        head += [("ended", f"{told['stopCode']}: {told.get('stoppedReason', '')}"), ("by", told.get("stoppedBy", ""))]
    for name, value in head:
        if value:
            print(f"{name:8}{value}")
    print()
    begun = _time(told["moments"][0]["at"])
    rows: list[tuple[str, ...]] = [("AT", "SINCE", "CONTAINER", "WHAT", "")]
    for moment in told["moments"]:
        at = _time(moment["at"])
        since = f"{(at - begun).total_seconds():+.3f}"
        local = at.astimezone().strftime("%H:%M:%S.%f")[:-3]
        rows.append((local, since, moment.get("container", ""), moment["what"], moment.get("text", "")))
    _table(rows)
    return 0


def _arn(cloud: Cloud, given: argparse.Namespace) -> str:
    if given.task.startswith("arn:"):
        return str(given.task)
    found = cloud.client("ecs").describe_tasks(cluster=given.cluster, tasks=[given.task])["tasks"]
    if not found:
        raise Refused(f"There is no task {given.task} in the cluster {given.cluster}. `hatoba ps --all` lists them.")
    return str(found[0]["taskArn"])


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
