"""One task asks everything from inside: what it is, what it uses, how it is tagged; and makes its own network fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

GROUP = "/ecs/metadata"
SAY = r"""
ask() { printf "$2 $1 HTTP/1.0\r\nContent-Length: ${#3}\r\n\r\n$3" | nc 169.254.170.2 80 | tail -n 1; echo; }
get() { ask "$1" GET ""; }
base=http://169.254.170.2
third=${ECS_CONTAINER_METADATA_URI#$base}; fourth=${ECS_CONTAINER_METADATA_URI_V4#$base}; agent=${ECS_AGENT_URI#$base}
until get $fourth/task | grep -q '"KnownStatus":"RUNNING","Pull'; do sleep 0.05; done
until get $fourth | grep -q '"status":"HEALTHY"'; do sleep 0.05; done
echo "V2TASK $(get /v2/metadata)"
echo "V3TASK $(get $third/task)"
echo "V4TASK $(get $fourth/taskWithTags)"
echo "CONTAINER $(get $fourth)"
echo "FIRST $(get $fourth/stats)"
i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done
sleep 1.1
echo "SECOND $(get $fourth/task/stats)"
env | grep -E '^(AWS|ECS)_' | sort | tr '\n' ' ' | sed 's/^/ENVIRONMENT /'; echo
place=${AWS_ENDPOINT_URL#http://}
reach() {
  printf "GET /_hatoba/health HTTP/1.0\r\n\r\n" | timeout $1 nc ${place%:*} ${place#*:} | head -n 1 | grep -c "200 OK"
}
hole=$agent/fault/v1/network-blackhole-port
what='{"Port": '${place#*:}', "Protocol": "tcp", "TrafficType": "egress"}'
echo "REACHED $(reach 20)"
echo "START $(ask $hole/start POST "$what")"
echo "TAKEN $(reach 1)"
echo "STATUS $(ask $hole/status POST "$what")"
echo "STOP $(ask $hole/stop POST "$what")"
echo "GIVEN $(reach 20)"
loss=$agent/fault/v1/network-packet-loss
echo "LOSE $(ask $loss/start POST '{"LossPercent": 100, "Sources": ["0.0.0.0/0"]}')"
echo "LOST $(reach 1)"
echo "MEND $(ask $loss/stop POST "")"
echo "MENDED $(reach 20)"
echo "LATENCY $(ask $agent/fault/v1/network-latency/status POST "")"
echo "THE END"
sleep 600
"""


def definition(hatoba: Instance, role: str) -> dict[str, Any]:
    image = hatoba.push("busybox")
    options = {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    return {
        "family": "metadata",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "1024",
        "taskRoleArn": role,
        "executionRoleArn": role,
        "enableFaultInjection": True,
        "containerDefinitions": [
            {
                "name": "main",
                "image": image,
                "command": ["sh", "-c", SAY],
                "memory": 256,
                "stopTimeout": 2,
                "dockerLabels": {"colour": "blue"},
                "portMappings": [{"containerPort": 8080}],
                "healthCheck": {"command": ["CMD-SHELL", "echo fine"], "interval": 5},
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            },
            {"name": "side", "image": image, "command": ["sleep", "600"], "stopTimeout": 2},
        ],
    }


@pytest.fixture(scope="module")
def said(hatoba: Instance) -> dict[str, Any]:
    """Everything that the task said, by its first word; with its ARN."""
    ecs, logs = hatoba.client("ecs"), hatoba.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    ecs.register_task_definition(**definition(hatoba, hatoba.task_role("metadata")))
    network = hatoba.network()
    hatoba.kill("node")  # what tasks are told must not depend on whether their agent is the first one here
    eventually(hatoba.health_or_none)
    tags = [{"key": "team", "value": "blue"}]
    (task,) = ecs.run_task(taskDefinition="metadata", launchType="FARGATE", networkConfiguration=network, tags=tags)[
        "tasks"
    ]
    arn = task["taskArn"]
    hatoba.wait_task(arn, "RUNNING")
    stream = f"t/main/{arn.rpartition('/')[2]}"

    def all_said() -> dict[str, str] | None:
        events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)["events"]
        found = dict(event["message"].partition(" ")[::2] for event in events if " " in event["message"])
        return found if "THE" in found else None

    found = eventually(all_said)
    assert found is not None
    described = hatoba.task(arn)
    ecs.stop_task(task=arn)
    return {"arn": arn, "task": described, **found}


def test_the_versions_tell_the_same_task(said: dict[str, Any]) -> None:
    second, third, fourth = (json.loads(said[name]) for name in ("V2TASK", "V3TASK", "V4TASK"))
    assert second == third
    for member in ("TaskARN", "Cluster", "Family", "Revision", "KnownStatus", "Limits", "PullStartedAt"):
        assert second[member] == fourth[member]
    assert fourth["TaskARN"] == said["arn"]
    assert fourth["TaskTags"] == {"team": "blue"}
    assert fourth["Limits"] == {"CPU": 0.5, "Memory": 1024}
    assert fourth["AvailabilityZone"] == said["task"]["availabilityZone"]
    assert fourth["AvailabilityZoneID"].startswith("use1-az")
    assert fourth["LaunchType"] == "FARGATE"
    assert fourth["FaultInjectionEnabled"] is True
    assert fourth["ClockDrift"]["ClockSynchronizationStatus"] in ("SYNCHRONIZED", "NOT_SYNCHRONIZED")
    assert {c["Name"] for c in fourth["Containers"]} == {"main", "side"}


def test_a_container_knows_itself_its_network_and_its_health(said: dict[str, Any]) -> None:
    mine = json.loads(said["CONTAINER"])
    details = {d["name"]: d["value"] for a in said["task"]["attachments"] for d in a["details"]}
    (network,) = mine["Networks"]
    assert network["IPv4Addresses"] == [details["privateIPv4Address"]]
    assert network["MACAddress"] == details["macAddress"]
    assert network["IPv4SubnetCIDRBlock"].startswith("172.31.")
    assert network["SubnetGatewayIpv4Address"].endswith(network["IPv4SubnetCIDRBlock"].rpartition("/")[2])
    assert network["DomainNameServers"] == ["172.31.0.2"]
    assert mine["Health"]["status"] == "HEALTHY"
    assert (mine["Health"]["exitCode"], mine["Health"]["output"]) == (0, "fine\n")
    assert mine["Labels"]["colour"] == "blue"
    assert mine["ContainerARN"] in {c["containerArn"] for c in said["task"]["containers"]}
    assert (mine["LogDriver"], mine["LogOptions"]["awslogs-group"]) == ("awslogs", GROUP)
    assert mine["Limits"]["Memory"] == 256


def test_stats_grow_with_what_is_done(said: dict[str, Any]) -> None:
    first, second = json.loads(said["FIRST"]), json.loads(said["SECOND"])
    assert len(second) == 2
    mine = second[first["id"]]
    used = mine["cpu_stats"]["cpu_usage"]["total_usage"] - mine["precpu_stats"]["cpu_usage"]["total_usage"]
    machine = mine["cpu_stats"]["system_cpu_usage"] - mine["precpu_stats"]["system_cpu_usage"]
    assert 0 < used < machine
    assert mine["precpu_stats"]["cpu_usage"] == first["cpu_stats"]["cpu_usage"]
    assert mine["networks"]["eth0"]["tx_bytes"] > first["networks"]["eth0"]["tx_bytes"] > 0
    assert mine["network_rate_stats"]["rx_bytes_per_sec"] > 0
    assert 0 < mine["memory_stats"]["usage"] < mine["memory_stats"]["limit"] == 256 << 20
    assert mine["pids_stats"]["current"] >= 1


def test_what_stands_in_the_environment(said: dict[str, Any]) -> None:
    found = dict(word.partition("=")[::2] for word in said["ENVIRONMENT"].split())
    assert found["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE"
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "us-east-1"
    assert found["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"].startswith("/v2/credentials/")
    assert found["AWS_ENDPOINT_URL"].startswith("http://100.")


def test_a_blackhole_takes_the_platform_away_and_gives_it_back(said: dict[str, Any]) -> None:
    assert said["REACHED"] == "1"
    assert json.loads(said["START"]) == {"Status": "running"}
    assert said["TAKEN"] == "0"
    assert json.loads(said["STATUS"]) == {"Status": "running"}
    assert json.loads(said["STOP"]) == {"Status": "stopped"}
    assert said["GIVEN"] == "1"
    assert json.loads(said["LATENCY"]) == {"Status": "not-running"}


def test_a_task_that_loses_every_packet_can_still_end_it(said: dict[str, Any]) -> None:
    """Its metadata endpoint is on the same interface, and is spared."""
    assert json.loads(said["LOSE"]) == {"Status": "running"}
    assert said["LOST"] == "0"
    assert json.loads(said["MEND"]) == {"Status": "stopped"}
    assert said["MENDED"] == "1"
