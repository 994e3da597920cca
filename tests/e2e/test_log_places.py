"""Drivers that take a container's output elsewhere than to the platform's logs, on real containers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tools.instance import Instance, eventually

pytestmark = pytest.mark.real


def run(hatoba: Instance, log: dict[str, Any], command: str = "echo one; echo two >&2", **container: Any) -> str:
    family = f"places-{log['logDriver']}"
    hatoba.client("ecs").register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["EC2"],
        executionRoleArn=hatoba.task_role("places", "ssm:GetParameters"),
        containerDefinitions=[
            {
                "name": "main",
                "image": hatoba.push("busybox"),
                "memory": 64,
                "command": ["sh", "-c", command],
                "logConfiguration": log,
                **container,
            }
        ],
    )
    answer = hatoba.client("ecs").run_task(
        taskDefinition=family, launchType="EC2", networkConfiguration=hatoba.network()
    )
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        yield server


def test_files_on_the_node_stay_when_the_container_is_gone(hatoba: Instance) -> None:
    arn = run(hatoba, {"logDriver": "json-file", "options": {"max-size": "1m", "max-file": "2"}})
    hatoba.wait_task(arn, "STOPPED")
    file = hatoba.folder / "node" / "log-files" / f"{arn.rpartition('/')[2]}-main" / "container.log"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted((line["stream"], line["log"]) for line in lines) == [("stderr", "two\n"), ("stdout", "one\n")]


def test_a_syslog_server_on_the_nodes_network(hatoba: Instance, udp: socket.socket) -> None:
    where = f"udp://127.0.0.1:{udp.getsockname()[1]}"
    options = {"syslog-address": where, "syslog-format": "rfc5424", "tag": "{{.Name}}"}
    arn = run(hatoba, {"logDriver": "syslog", "options": options})
    heard = sorted(udp.recv(4096).decode() for _ in range(2))
    assert heard[0].startswith("<27>1 ")
    assert f" ecs-places-syslog-1-main-{arn.rpartition('/')[2][:20]} - " in heard[0]
    assert [line.rpartition(" ")[2] for line in heard] == ["two", "one"]
    hatoba.wait_task(arn, "STOPPED")


def test_the_token_of_splunk_is_on_no_disk(hatoba: Instance) -> None:
    hatoba.client("ssm").put_parameter(Name="splunk", Value="hunter2-splunk", Type="SecureString")
    with socket.create_server(("127.0.0.1", 0)) as collector:
        options = {
            "splunk-url": f"http://127.0.0.1:{collector.getsockname()[1]}",
            "splunk-verify-connection": "false",
            "splunk-format": "raw",
        }
        secret = [{"name": "splunk-token", "valueFrom": "splunk"}]
        arn = run(
            hatoba,
            {"logDriver": "splunk", "options": options, "secretOptions": secret},
            "echo one; sleep 60",
            stopTimeout=2,
        )
        collector.settimeout(20)
        asked, _ = collector.accept()
        with asked, asked.makefile("rb") as words:
            said = b""
            while b'"event"' not in said:
                said += words.readline() if b"\r\n\r\n" not in said else words.read1()
            kept = hatoba.folder / "node" / "output" / f"{arn.rpartition('/')[2]}-main" / "options"
            assert b"hunter2-splunk" not in kept.read_bytes()
            asked.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert b"Authorization: Splunk hunter2-splunk" in said
    hatoba.client("ecs").stop_task(task=arn)
    hatoba.wait_task(arn, "STOPPED")


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            {"logDriver": "json-file", "options": {"max-file": "0"}},
            "ResourceInitializationError: failed to validate logger args: max-file cannot be less than 1 : exit "
            "status 1",
        ),
        (
            {"logDriver": "fluentd", "options": {"fluentd-address": "tcp://127.0.0.1:1"}},
            "ResourceInitializationError: failed to initialize logging driver: ",
        ),
    ],
    ids=["option", "receiver"],
)
def test_what_a_driver_has_against_a_container_is_its_reason(
    hatoba: Instance, log: dict[str, Any], reason: str
) -> None:
    arn = run(hatoba, log)
    stopped = hatoba.wait_task(arn, "STOPPED")
    assert stopped["containers"][0]["reason"].startswith(reason)
    eventually(lambda: not (hatoba.folder / "node" / "output" / f"{arn.rpartition('/')[2]}-main").exists())
