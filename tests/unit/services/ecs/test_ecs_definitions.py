"""Task definitions: what is refused and in which words, what is told back, revisions and lists."""

from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model.task_definition import definitions
from hatoba.services.ecs.plan.definition import sizes
from hatoba.services.ecs.plan.definition.check import register
from tests.unit.services.ecs.world import NETWORK, container, definition, world

EC2 = {"requiresCompatibilities": ["EC2"], "networkMode": "bridge"}
EXECUTION = "arn:aws:iam::123456789012:role/execution"
AWSLOGS = {"awslogs-group": "/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}


def one(**fields: Any) -> dict[str, Any]:
    """A definition whose only container has these fields."""
    return {"containerDefinitions": [container(**fields)]}


def two(**fields: Any) -> dict[str, Any]:
    """A second container beside the usual one."""
    return {"containerDefinitions": [container(), container("b", **{"portMappings": [], **fields})]}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"family": "no good"}, "Family contains invalid characters."),
    ({"family": ""}, "Family should not be null or empty."),
    ({"containerDefinitions": []}, "Container list cannot be empty."),
    ({"tags": []}, "Tags can not be empty."),
    ({"cpu": "lots"}, "Invalid 'cpu' setting for task."),
    ({"memory": "-1"}, "Invalid 'memory' setting for task."),
    ({"cpu": None}, "Fargate requires that 'cpu' be defined at the task level."),
    ({"memory": None}, "Fargate requires that 'memory' be defined at the task level."),
    ({"cpu": "256", "memory": "4096"}, "No Fargate configuration exists for given values: 256 CPU, 4096 memory"),
    ({"networkMode": "bridge"}, "Fargate only supports network mode ‘awsvpc’."),
    ({"ipcMode": "task"}, "Tasks using the Fargate launch type do not support ipcMode."),
    (
        {"placementConstraints": [{"type": "memberOf"}]},
        "Fargate compatible task definitions do not support constraints",
    ),
    ({"ephemeralStorage": {"sizeInGiB": 20}}, "EphemeralStorage size should be at least 21"),
    ({"volumes": [{"name": "a"}, {"name": "a"}]}, "Duplicate volume name 'a'"),
    ({"volumes": [{"name": "a b"}]}, "volume.name contains invalid characters."),
    (
        {"volumes": [{"name": "a", "host": {"sourcePath": "/x"}}]},
        "Fargate compatible task definitions do not support sourcePath",
    ),
    (one(name=""), "Container.name should not be null or empty."),
    (one(name="a b"), "Container.name contains invalid characters."),
    (one(image=""), "Container.image should not be null or empty."),
    (one(image="a b"), "Container.image contains invalid characters."),
    (one(essential=False), "Task definition doesn't have any essential container."),
    (one(cpu=512), "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."),
    (one(memory=1024), "The 'memory' value cannot be greater than the value of the task 'memory'."),
    (one(memory=5), "The 'memory' value must be at least 6 MiB."),
    (one(memory=64, memoryReservation=128), "The 'memory' value must be greater than the 'memoryReservation' value."),
    (
        one(portMappings=[{"containerPort": 80, "hostPort": 81}]),
        "When networkMode=awsvpc, the host ports and container",
    ),
    (
        one(portMappings=[{"containerPort": 80}, {"containerPort": 80}]),
        "The host port 80/tcp is mapped more than once.",
    ),
    (one(privileged=True), "Fargate requires that the 'privileged' setting be 'false'."),
    (one(linuxParameters={"devices": [{"hostPath": "/dev/x"}]}), "do not support devices"),
    (one(linuxParameters={"maxSwap": 5}), "do not support maxSwap"),
    (one(dockerSecurityOptions=["label:x"]), "do not support dockerSecurityOptions"),
    (one(resourceRequirements=[{"type": "GPU", "value": "1"}]), "do not support GPU resource requirements"),
    (one(stopTimeout=121), "Fargate requires that 'stopTimeout' be between 2 and 120 seconds."),
    (
        one(logConfiguration={"logDriver": "syslog"}),
        "syslog is not a valid log driver. Must be one of [awslogs, splunk",
    ),
    (
        one(logConfiguration={"logDriver": "awslogs"}),
        "Log driver awslogs requires options: awslogs-group, awslogs-region",
    ),
    (
        one(logConfiguration={"logDriver": "awslogs", "options": AWSLOGS}),
        "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
    ),
    (
        one(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1"),
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
    (one(secrets=[{"name": "A", "valueFrom": "a"}]), "you must also specify a value for 'executionRoleArn'"),
    (one(environment=[{"name": "", "value": "a"}]), "Environment variable name cannot be null or blank."),
    (one(environmentFiles=[{"type": "s3", "value": "s3://bucket/a.env"}]), "Invalid arn syntax."),
    (
        one(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::bucket/a.env"}]),
        "When you are specifying environment files, you must also specify a value for 'executionRoleArn'.",
    ),
    (
        one(secrets=[{"name": "A", "valueFrom": "a"}, {"name": "A", "valueFrom": "b"}]),
        "Duplicate secret names found: A. Each secret name must be unique.",
    ),
    (
        one(secrets=[{"name": "A", "valueFrom": "a"}], environment=[{"name": "A", "value": "b"}]),
        "The secret name must be unique and not shared with any new or existing environment variables set on the "
        "container, such as 'A'.",
    ),
    (
        one(secrets=[{"name": "A", "valueFrom": "mysecret:key::"}]),
        "The Systems Manager parameter name specified for secret A is invalid.",
    ),
    (
        one(secrets=[{"name": "A", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:a:key"}]),
        "an invalid ARN format for the AWS Secrets Manager secret was specified.",
    ),
    (
        one(repositoryCredentials={"credentialsParameter": "arn:aws:ssm:us-east-1:123456789012:parameter/a"}),
        "The credentialsParameter arn:aws:ssm:us-east-1:123456789012:parameter/a is invalid",
    ),
    (one(healthCheck={"command": ["true"]}), "The health check command must start with CMD or CMD-SHELL."),
    (one(healthCheck={"command": ["CMD", "x"], "interval": 4}), "The health check interval must be between 5 and 300."),
    (one(mountPoints=[{"sourceVolume": "x", "containerPath": "/x"}]), "Unknown volume 'x'."),
    (one(mountPoints=[{"sourceVolume": "x"}]), "MountPoint.containerPath should not be null or empty."),
    (one(volumesFrom=[{"sourceContainer": "x"}]), "Invalid 'volumesFrom' setting. Unknown container: 'x'."),
    (
        one(ulimits=[{"name": "nofile", "softLimit": 9, "hardLimit": 1}]),
        "Soft limit exceeds hard limit for ulimit nofile",
    ),
    (one(restartPolicy={"enabled": True, "restartAttemptPeriod": 5}), "between 60 and 1800"),
    ({"containerDefinitions": [container(), container(portMappings=[])]}, "Duplicate container name 'web'"),
    (one(command=["x" * 65_500]), "Actual length: '65898'. Max allowed length is '65536' bytes."),
    ({"containerDefinitions": [container(f"c{n}", portMappings=[]) for n in range(11)]}, "Too many containers: 11"),
    (
        two(dependsOn=[{"containerName": "x", "condition": "START"}]),
        "Cannot depend on container x because it does not exist",
    ),
    (
        two(dependsOn=[{"containerName": "web", "condition": "SUCCESS"}]),
        "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
    ),
    (
        two(dependsOn=[{"containerName": "web", "condition": "HEALTHY"}]),
        "A dependency container with HEALTHY condition must have health check configured",
    ),
    (two(portMappings=[{"containerPort": 8080}]), "The host port 8080/tcp is mapped more than once."),
    (
        {
            "containerDefinitions": [
                container("a", dependsOn=[{"containerName": "b", "condition": "START"}]),
                container("b", portMappings=[], dependsOn=[{"containerName": "a", "condition": "START"}]),
            ]
        },
        "A container dependency cycle was found among: a, b.",
    ),
    ({**EC2, "cpu": None, "memory": None}, "Invalid setting for container 'web'. At least one of 'memory' or"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=[message[:50] for _, message in REFUSED])
def test_refusals(fields: dict[str, Any], message: str) -> None:
    request = {name: value for name, value in definition(**fields).items() if value is not None}
    with pytest.raises(t.ClientException) as refused:
        register(request)  # type: ignore[arg-type]
    assert message in refused.value.message


def test_sizes_as_users_write_them() -> None:
    assert [sizes.cpu_units(text) for text in ("256", ".25 vCPU", "1 vcpu", "0.5vCPU", "x", "1e3", "-1")] == [
        256,
        256,
        1024,
        512,
        None,
        None,
        None,
    ]
    assert [sizes.memory_mib(text) for text in ("512", "0.5GB", "1 gb", "30 GB", "1 MB")] == [
        512,
        512,
        1024,
        30720,
        None,
    ]
    assert sum(len(memories) for memories in sizes.FARGATE.values()) == 3 + 4 + 7 + 13 + 23 + 12 + 12


def test_what_is_told_back_has_the_defaults() -> None:
    registered = register(definition(cpu="1 vCPU", memory="2 GB"))  # type: ignore[arg-type]
    assert (registered.content["cpu"], registered.content["memory"]) == ("1024", "2048")
    assert registered.content["containerDefinitions"] == [
        {
            "name": "web",
            "image": "localhost:4566/web:1",
            "cpu": 0,
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
            "systemControls": [],
        }
    ]


@pytest.mark.parametrize(
    ("fields", "compatibilities"),
    [
        ({}, ("EC2", "FARGATE")),
        ({"requiresCompatibilities": ["EC2"], "cpu": "300"}, ("EC2",)),
        (EC2, ("EXTERNAL", "EC2")),
        ({"requiresCompatibilities": ["EC2"], **one(privileged=True)}, ("EC2",)),
    ],
)
def test_compatibilities(fields: dict[str, Any], compatibilities: tuple[str, ...]) -> None:
    assert register(definition(**fields)).compatibilities == compatibilities  # type: ignore[arg-type]


def test_required_attributes() -> None:
    wanted = container(
        image="123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1",
        logConfiguration={"logDriver": "awslogs", "options": AWSLOGS},
        secrets=[{"name": "A", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:a"}],
        healthCheck={"command": ["CMD", "true"]},
    )
    request = definition(containerDefinitions=[wanted], executionRoleArn=EXECUTION, taskRoleArn=EXECUTION)
    assert register(request).requires == (  # type: ignore[arg-type]
        "com.amazonaws.ecs.capability.docker-remote-api.1.18",
        "com.amazonaws.ecs.capability.docker-remote-api.1.19",
        "com.amazonaws.ecs.capability.docker-remote-api.1.29",
        "com.amazonaws.ecs.capability.ecr-auth",
        "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "com.amazonaws.ecs.capability.task-iam-role",
        "ecs.capability.container-health-check",
        "ecs.capability.execution-role-awslogs",
        "ecs.capability.execution-role-ecr-pull",
        "ecs.capability.secrets.asm.environment-variables",
        "ecs.capability.task-cpu-mem-limit",
        "ecs.capability.task-eni",
    )


async def test_revisions_and_families(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for family in ("web", "web", "web-api", "db"):
            await w.ecs.register_task_definition(**definition(family))
        arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/"

        async def listed(**filters: Any) -> list[str]:
            answer = await w.ecs.list_task_definitions(**filters)
            return [found.removeprefix(arn) for found in answer["taskDefinitionArns"]]

        assert sorted(await listed()) == ["db:1", "web-api:1", "web:1", "web:2"]
        assert await listed(familyPrefix="web") == ["web:1", "web:2"]
        assert await listed(sort="DESC") == list(reversed(await listed()))
        pages, token = [], None
        while True:
            answer = await w.ecs.list_task_definitions(
                sort="DESC", maxResults=1, **({"nextToken": token} if token else {})
            )
            pages += [found.removeprefix(arn) for found in answer["taskDefinitionArns"]]
            if (token := answer.get("nextToken")) is None:
                break
        assert pages == list(reversed(await listed()))

        assert (await w.ecs.describe_task_definition(taskDefinition="web"))["taskDefinition"]["revision"] == 2
        with pytest.raises(t.ClientException, match="A revision must be specified"):
            await w.ecs.deregister_task_definition(taskDefinition="web")
        gone = (await w.ecs.deregister_task_definition(taskDefinition="web:2"))["taskDefinition"]
        assert gone["status"] == "INACTIVE"
        assert (await w.ecs.describe_task_definition(taskDefinition="web"))["taskDefinition"]["revision"] == 1
        assert await listed(status="INACTIVE") == ["web:2"]
        await w.ecs.deregister_task_definition(taskDefinition=arn + "db:1")
        assert (await w.ecs.list_task_definition_families(status="ACTIVE"))["families"] == ["web", "web-api"]
        assert (await w.ecs.list_task_definition_families(status="INACTIVE"))["families"] == ["db"]
        assert (await w.ecs.list_task_definition_families(familyPrefix="web"))["families"] == ["web", "web-api"]
        with pytest.raises(t.ClientException, match="Unable to describe task definition"):
            await w.ecs.describe_task_definition(taskDefinition="db")
        again = (await w.ecs.register_task_definition(**definition()))["taskDefinition"]
        assert again["revision"] == 3


async def test_deleting_waits_for_the_tasks(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition(), tags=[{"key": "a", "value": "b"}])
        described = await w.ecs.describe_task_definition(taskDefinition="web:1", include=["TAGS"])
        assert described["tags"] == [{"key": "a", "value": "b"}]
        ran = await w.ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=NETWORK)
        await w.settle()
        refused = await w.ecs.delete_task_definitions(taskDefinitions=["web:1", "web:9"])
        assert [failure["reason"] for failure in refused["failures"]] == ["TASK_DEFINITION_ACTIVE", "MISSING"]
        await w.ecs.deregister_task_definition(taskDefinition="web:1")
        with pytest.raises(t.ClientException, match="TaskDefinition is inactive"):
            await w.ecs.run_task(taskDefinition="web:1")
        deleted = await w.ecs.delete_task_definitions(taskDefinitions=["web:1"])
        (going,) = deleted["taskDefinitions"]
        assert going["status"] == "DELETE_IN_PROGRESS"
        assert going["registeredAt"] <= going["deregisteredAt"] <= going["deleteRequestedAt"]
        await w.ecs.stop_task(task=ran["tasks"][0]["taskArn"])
        await w.settle()
        assert len(w.store.all(definitions)) == 1
        await w.pass_time(w.settings.stopped_tasks_kept + 61)
        assert w.store.all(definitions) == []
