"""What a person does all day, on top of the public API: ps, logs, open."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import botocore.session

from hatoba.app.rootkey import read_root
from hatoba.cli.instance import _running
from hatoba.core.errors import Refused


class Cloud:
    """Clients of the running instance, under its root key."""

    def __init__(self, given: argparse.Namespace) -> None:
        settings, places = _running(given)
        self._endpoint = f"http://{settings.host}:{settings.port}"
        self._key, self._secret = read_root(places.credentials)
        self._region = settings.region
        self._session = botocore.session.get_session()

    def client(self, service: str) -> Any:
        return self._session.create_client(
            service,
            region_name=self._region,
            endpoint_url=self._endpoint,
            aws_access_key_id=self._key,
            aws_secret_access_key=self._secret,
        )

    def read(self, path: str, service: str) -> Any:
        """A page of the platform's own, signed as a call of the service would be. Raises `Refused`."""
        request = botocore.awsrequest.AWSRequest(method="GET", url=f"{self._endpoint}{path}")
        credentials = botocore.credentials.Credentials(self._key, self._secret)
        botocore.auth.SigV4Auth(credentials, service, self._region).add_auth(request)
        wanted = urllib.request.Request(request.url, headers=dict(request.headers))
        try:
            with urllib.request.urlopen(wanted, timeout=10.0) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error).get("message", str(error))) from None
        except OSError as error:
            raise Refused(f"The platform does not answer: {error}.") from None


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What the platform refuses is the operator's to read."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise Refused(error.response["Error"]["Message"]) from None


def _age(moment: datetime.datetime | None) -> str:
    if moment is None:
        return "-"
    seconds = int(time.time() - moment.timestamp())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _service(ecs: Any, cluster: str, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = ecs.describe_services(cluster=cluster, services=[name])["services"]
    if not found:
        raise Refused(f"There is no service {name} in the cluster {cluster}. `hatoba ps` lists them.")
    return found[0]


def ps(given: argparse.Namespace) -> int:
    ecs = Cloud(given).client("ecs")
    arns = [a for page in _pages(ecs, "list_services", cluster=given.cluster) for a in page["serviceArns"]]
    if arns:
        rows: list[tuple[str, ...]] = [("SERVICE", "DESIRED", "RUNNING", "PENDING", "STATUS", "TASK DEFINITION")]
        for start in range(0, len(arns), 10):
            for service in ecs.describe_services(cluster=given.cluster, services=arns[start : start + 10])["services"]:
                definition = service.get("taskDefinition", "-").rpartition("/")[2]  # none without a primary task set
                counts = (str(service[name]) for name in ("desiredCount", "runningCount", "pendingCount"))
                rows.append((service["serviceName"], *counts, service["status"], definition))
        _table(rows)
        print()
    states = ("RUNNING", "STOPPED") if given.all else ("RUNNING",)
    tasks = [
        arn
        for state in states
        for page in _pages(ecs, "list_tasks", cluster=given.cluster, desiredStatus=state)
        for arn in page["taskArns"]
    ]
    rows = [("TASK", "STATUS", "GROUP", "ADDRESS", "AGE", "WHY")]
    for start in range(0, len(tasks), 100):
        for task in ecs.describe_tasks(cluster=given.cluster, tasks=tasks[start : start + 100])["tasks"]:
            rows.append(
                (
                    task["taskArn"].rpartition("/")[2],
                    task["lastStatus"],
                    task.get("group", ""),
                    _address(task),
                    _age(task.get("createdAt")),
                    task.get("stoppedReason", ""),
                )
            )
    _table(rows)
    return 0


def _address(task: dict[str, Any]) -> str:
    for attachment in task.get("attachments", ()):
        for detail in attachment.get("details", ()):
            if detail["name"] == "privateIPv4Address":
                return str(detail["value"])
    bindings = [binding for container in task.get("containers", ()) for binding in container.get("networkBindings", ())]
    ports = [str(binding.get("hostPort") or binding.get("hostPortRange")) for binding in bindings]
    return ", ".join(f":{port}" for port in ports) or "-"  # of its node, which the platform does not name


def _pages(client: Any, operation: str, **params: Any) -> Any:
    return client.get_paginator(operation).paginate(**params)


def logs(given: argparse.Namespace) -> int:
    cloud = Cloud(given)
    service = _service(cloud.client("ecs"), given.cluster, given.service)
    if "taskDefinition" not in service:
        raise Refused(f"{given.service} has no primary task set yet: UpdateServicePrimaryTaskSet says which one it is.")
    definition = cloud.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
    client = cloud.client("logs")
    found = [
        (options["awslogs-group"], f"{options['awslogs-stream-prefix']}/{c['name']}/")
        for c in definition["taskDefinition"]["containerDefinitions"]
        if (options := c.get("logConfiguration", {}).get("options", {})).get("awslogs-stream-prefix")
    ]
    if not found:
        raise Refused(f"The containers of {given.service} do not send their output to a log group (awslogs).")
    since: dict[tuple[str, str], int] = dict.fromkeys(found, 0)
    seen: set[str] = set()
    while True:
        for group, prefix in found:
            params = {"logGroupName": group, "logStreamNamePrefix": prefix, "startTime": since[group, prefix]}
            for page in _pages(client, "filter_log_events", **params):
                for event in page["events"]:
                    if event["eventId"] not in seen:
                        seen.add(event["eventId"])
                        since[group, prefix] = max(since[group, prefix], event["timestamp"])
                        print(f"{event['logStreamName'].rpartition('/')[2][:8]}  {event['message']}", flush=True)
        if not given.follow:
            return 0
        time.sleep(0.5)


def open_url(given: argparse.Namespace) -> int:
    cloud = Cloud(given)
    service = _service(cloud.client("ecs"), given.cluster, given.service)
    elbv2, ec2 = cloud.client("elbv2"), cloud.client("ec2")
    for joined in service.get("loadBalancers", ()):
        group = elbv2.describe_target_groups(TargetGroupArns=[joined["targetGroupArn"]])["TargetGroups"][0]
        for arn in group["LoadBalancerArns"]:
            name = "/".join(arn.split("/")[1:])
            interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"ELB {name}"]}])[
                "NetworkInterfaces"
            ]
            listeners = elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
            for interface in interfaces:
                if "Association" in interface and listeners:
                    port = listeners[0]["Port"]
                    suffix = "" if port == 80 else f":{port}"
                    print(f"http://{interface['Association']['PublicIp']}{suffix}/")
                    return 0
    raise Refused(f"{given.service} is not behind an internet-facing load balancer.")
