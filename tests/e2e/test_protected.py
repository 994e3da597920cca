"""A task that protects itself from inside, by its agent's endpoint, is the one that scaling in leaves alone."""

from __future__ import annotations

import json

import pytest

from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

# It protects itself, looks at that, and asks for nonsense.
WORK = r"""
mkdir -p /tmp/www
path=${ECS_AGENT_URI#http://169.254.170.2}/task-protection/v1/state
say='{"ProtectionEnabled":true,"ExpiresInMinutes":5}'
ask() { printf "$1 $path HTTP/1.0\r\nContent-Length: ${#2}\r\n\r\n$2" | nc 169.254.170.2 80 | tail -n 1; echo; }
until ask PUT "$say" | tee /tmp/said | grep -q '"protection"'; do sleep 0.1; done
echo "PUT $(cat /tmp/said)"
echo "GET $(ask GET '')"
echo "BAD $(ask PUT '{}')"
sleep 600
"""


def test_a_task_protects_itself(hatoba: Instance) -> None:
    ecs, logs = hatoba.client("ecs"), hatoba.client("logs")
    role = hatoba.task_role("busy", "ecs:GetTaskProtection", "ecs:UpdateTaskProtection")
    logs.create_log_group(logGroupName="/ecs/busy")
    log = {"awslogs-group": "/ecs/busy", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    image = hatoba.push("busybox")
    for family, command in (("idle", ["sleep", "600"]), ("busy", ["sh", "-c", WORK])):
        ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            taskRoleArn=role,
            executionRoleArn=role,
            containerDefinitions=[
                {
                    "name": "main",
                    "image": image,
                    "command": command,
                    "stopTimeout": 2,
                    "linuxParameters": {"initProcessEnabled": True},
                    "logConfiguration": {"logDriver": "awslogs", "options": log},
                }
            ],
        )
    ecs.create_service(
        serviceName="busy",
        taskDefinition="busy",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=hatoba.network(),
    )
    (busy,) = eventually(lambda: ecs.list_tasks(serviceName="busy")["taskArns"])
    stream = f"t/main/{busy.rpartition('/')[2]}"

    def said() -> dict[str, str] | None:
        try:
            found = logs.get_log_events(logGroupName="/ecs/busy", logStreamName=stream, startFromHead=True)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        words = dict(event["message"].partition(" ")[::2] for event in found)
        return words if "BAD" in words else None

    words = eventually(said)
    assert words is not None
    told = json.loads(words["PUT"])["protection"]
    assert (told["TaskArn"], told["ProtectionEnabled"]) == (busy, True)
    assert json.loads(words["GET"])["protection"] == told
    assert json.loads(words["BAD"])["error"]["Code"] == "InvalidParameterException"
    (known,) = ecs.get_task_protection(cluster="default", tasks=[busy])["protectedTasks"]
    assert known["expirationDate"].strftime("%Y-%m-%dT%H:%M:%SZ") == told["ExpirationDate"]

    ecs.update_service(service="busy", taskDefinition="idle")  # a deployment, and then scaling in
    eventually(lambda: len(ecs.list_tasks(serviceName="busy")["taskArns"]) == 2)
    ecs.update_service(service="busy", desiredCount=0)
    eventually(lambda: ecs.list_tasks(serviceName="busy")["taskArns"] == [busy])
    more = "The number of protected tasks are more than the desired count"
    eventually(lambda: more in str(ecs.describe_services(services=["busy"])["services"][0]["events"]))
    assert hatoba.task(busy)["lastStatus"] == "RUNNING"
    ecs.update_task_protection(cluster="default", tasks=[busy], protectionEnabled=False)
    eventually(lambda: not ecs.list_tasks(serviceName="busy")["taskArns"])
    ecs.delete_service(service="busy")
