"""What ECS's requests need to be allowed, as the service authorisation reference has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.services.ecs.access import ACCESS
from hatoba.services.ecs.model.account import AccountSettings, account_settings
from hatoba.services.ecs.model.task import Container, Task, tasks
from hatoba.services.ecs.model.task_definition import Definition, Family, definition_id, definitions, families
from tests.unit.services.asked import ALICE, SCOPE, Asked

HERE = "arn:aws:ecs:us-east-1:123456789012"
FOREIGN = "arn:aws:ecs:eu-west-1:999999999999"
ROLES = {"taskRoleArn": "arn:aws:iam::123456789012:role/app", "executionRoleArn": "pull"}
APP, PULL = "iam:PassRole role/app", "iam:PassRole role/pull"
ONE = {"name": "web", "image": "app"}


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """A family `web` with revisions 1 to 3, of which 2 is the newest active one; `one` runs a single container."""
    asked = Asked("ecs", ACCESS, account_settings, definitions, families, tasks)
    for revision in (1, 2, 3):
        asked.put(
            definitions,
            Definition(
                key=definitions.key(SCOPE, definition_id("web", revision)),
                family="web",
                revision=revision,
                content={**ROLES, "cpu": ".25 vCPU", "memory": "512", "containerDefinitions": [ONE]},
                compatibilities=("FARGATE",),
                requires=(),
                registered_at=0.0,
                registered_by="",
            ),
        )
    asked.put(families, Family(key=families.key(SCOPE, "web"), last=3, active=2))
    asked.put(tasks, _task("one", ("web",)))
    asked.put(tasks, _task("two", ("web", "sidecar")))
    yield asked
    asked.close()


def _task(id_: str, containers: tuple[str, ...]) -> Task:
    return Task(
        key=tasks.key(SCOPE, id_),
        cluster="c",
        definition=definition_id("web", 2),
        launch_type="FARGATE",
        group="family:web",
        created_at=0.0,
        containers=tuple(Container(name=name) for name in containers),
    )


C = {"cluster": "c"}
S = {**C, "service": "s"}
NAMED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("CreateCluster", {}, ["cluster/default"]),
    ("CreateCluster", {"clusterName": "c"}, ["cluster/c"]),
    ("DescribeClusters", {}, ["cluster/default"]),
    ("DescribeClusters", {"clusters": ["a", f"{HERE}:cluster/b"]}, ["cluster/a", "cluster/b"]),
    ("DeleteCluster", C, ["cluster/c"]),
    ("ListClusters", {}, ["*"]),
    ("ListServices", C, ["*"]),
    ("ListContainerInstances", {}, ["cluster/default"]),
    ("RegisterContainerInstance", C, ["cluster/c"]),
    ("DescribeCapacityProviders", {}, ["capacity-provider/*"]),
    ("DeleteCapacityProvider", {"capacityProvider": "p"}, ["capacity-provider/p"]),
    ("PutAttributes", {**C, "attributes": [{"name": "a", "targetId": "i"}]}, ["container-instance/c/i"]),
    ("UpdateContainerInstancesState", {"containerInstances": ["i", "j"], "status": "DRAINING"},
     ["container-instance/default/i", "container-instance/default/j"]),
    ("DescribeTaskDefinition", {"taskDefinition": "web"}, ["*"]),
    ("DeleteTaskDefinitions", {"taskDefinitions": ["web:1", "web:002"]},
     ["task-definition/web:1", "task-definition/web:2"]),
    ("RegisterTaskDefinition", {"family": "new", "containerDefinitions": [ONE]}, ["task-definition/new:*"]),
    ("StopTask", {"task": "t"}, ["task/default/t"]),
    ("StopTask", {**C, "task": f"{HERE}:task/t"}, ["task/c/t"]),
    ("DescribeTasks", {**C, "tasks": ["t", "c/u", f"{HERE}:task/c/v"]},
     ["task/c/t", "task/c/u", "task/c/v"]),
    ("ListTasks", C, ["container-instance/c/*"]),
    ("ListTasks", {**C, "containerInstance": "i"}, ["container-instance/c/i"]),
    ("ExecuteCommand", {**C, "task": "t", "command": "sh", "interactive": True}, ["cluster/c", "task/c/t"]),
    ("DescribeServices", {**C, "services": ["s", f"{HERE}:service/t"]},
     ["service/c/s", "service/c/t"]),
    ("DeleteService", S, ["service/c/s"]),
    ("CreateTaskSet", {**S, "taskDefinition": "web"}, ["task-set/c/s/*"]),
    ("UpdateTaskSet", {**S, "taskSet": "ecs-svc/1", "scale": {}}, ["task-set/c/s/ecs-svc/1"]),
    ("DescribeTaskSets", S, ["task-set/c/s/*"]),
    ("DescribeTaskSets", {**S, "taskSets": [f"{FOREIGN}:task-set/c/s/ecs-svc/1"]}, ["task-set/c/s/ecs-svc/1"]),
    ("StopServiceDeployment", {"serviceDeploymentArn": f"{FOREIGN}:service-deployment/c/s/x"},
     ["service/c/s", "service-deployment/c/s/x"]),
    ("ListServiceDeployments", {"service": "s"}, ["service/default/s"]),
    ("TagResource", {"resourceArn": f"{FOREIGN}:cluster/c", "tags": []}, [f"{FOREIGN}:cluster/c"]),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "req", "resources"), NAMED)
def test_names_in_all_their_forms_come_to_one_arn(
    asked: Asked, operation: str, req: dict[str, Any], resources: list[str]
) -> None:
    assert asked.said(operation, **req) == [f"ecs:{operation} {resource}" for resource in resources]


def test_an_arn_of_elsewhere_names_what_the_operation_finds_under_it_here(asked: Asked) -> None:
    """Otherwise a policy for one region would be good for all."""
    assert asked.said("StopTask", cluster=f"{FOREIGN}:cluster/c", task=f"{FOREIGN}:task/c/t") == [
        "ecs:StopTask task/c/t"
    ]
    assert asked.said("RunTask", taskDefinition=f"{FOREIGN}:task-definition/web:1")[0].endswith(
        " task-definition/web:1"
    )


@pytest.mark.parametrize(
    ("reference", "resource"),
    [
        ("web", "web:2"),  # the newest that is active
        ("web:3", "web:3"),
        ("web:0003", "web:3"),  # or a deny of `web:3` could be written around
        ("none", "none:*"),
        ("none:7", "none:7"),
        ("web:" + "9" * 5000, "web:" + "9" * 5000),
    ],
)
def test_a_task_definition_is_the_revision_that_would_run(asked: Asked, reference: str, resource: str) -> None:
    assert asked.said("RunTask", taskDefinition=reference)[0] == f"ecs:RunTask task-definition/{resource}"


def test_roles_of_what_is_run_are_passed(asked: Asked) -> None:
    run = ["ecs:RunTask task-definition/web:2"]
    assert asked.said("RunTask", taskDefinition="web") == [*run, APP, PULL]
    own = {"taskRoleArn": "arn:aws:iam::123456789012:role/other"}
    assert asked.said("RunTask", taskDefinition="web", overrides=own) == [*run, "iam:PassRole role/other", PULL]
    volumes = [{"name": "v", "managedEBSVolume": {"roleArn": "arn:aws:iam::123456789012:role/ebs"}}]
    found = asked.needs("RunTask", taskDefinition="web", volumeConfigurations=volumes)[1:]
    assert [need.keys["iam:PassedToService"] for need in found] == [
        "ecs-tasks.amazonaws.com",
        "ecs-tasks.amazonaws.com",
        "ecs.amazonaws.com",
    ]
    start = asked.said("StartTask", taskDefinition="web", containerInstances=["i"])
    assert start == ["ecs:StartTask task-definition/web:2", APP, PULL]
    assert asked.said("RegisterTaskDefinition", family="f", containerDefinitions=[ONE], **ROLES)[1:] == [APP, PULL]


def test_roles_that_a_service_is_given_are_passed(asked: Asked) -> None:
    def role(name: str) -> str:
        return f"arn:aws:iam::123456789012:role/{name}"

    found = asked.said(
        "CreateService",
        serviceName="s",
        role="plain",
        loadBalancers=[{"advancedConfiguration": {"roleArn": role("lb")}}],
        deploymentConfiguration={"lifecycleHooks": [{"roleArn": role("hook")}, {"roleArn": role("hook")}]},
        volumeConfigurations=[{"name": "v", "managedEBSVolume": {"roleArn": role("ebs")}}],
        vpcLatticeConfigurations=[{"roleArn": role("lattice"), "targetGroupArn": "g", "portName": "p"}],
    )
    passed = [f"iam:PassRole role/{name}" for name in ("plain", "hook", "lb", "ebs", "lattice")]
    assert found == ["ecs:CreateService service/default/s", *passed]
    hooks = {"lifecycleHooks": [{"roleArn": role("hook")}]}
    assert asked.said("UpdateService", service="s", deploymentConfiguration=hooks)[1:] == ["iam:PassRole role/hook"]
    balancers = [{"advancedConfiguration": {"roleArn": role("lb")}}]
    assert asked.said("CreateTaskSet", **S, taskDefinition="web", loadBalancers=balancers)[1:] == [
        "iam:PassRole role/lb"
    ]


TAGS = [{"key": "stage", "value": "beta"}]
MADE: list[tuple[str, dict[str, Any], str]] = [
    ("CreateCluster", {}, "cluster/default"),
    ("CreateCapacityProvider", {"name": "p"}, "capacity-provider/p"),
    ("RegisterContainerInstance", C, "container-instance/c/*"),
    ("RegisterTaskDefinition", {"family": "f", "containerDefinitions": [ONE]}, "task-definition/f:*"),
    ("RunTask", {**C, "taskDefinition": "none"}, "task/c/*"),
    ("StartTask", {**C, "taskDefinition": "none", "containerInstances": ["i"]}, "task/c/*"),
    ("CreateService", {**C, "serviceName": "s"}, "service/c/s"),
    ("CreateTaskSet", {**S, "taskDefinition": "none"}, "task-set/c/s/*"),
]


@pytest.mark.parametrize(("operation", "req", "made"), MADE)
def test_tags_at_creation_need_the_right_to_tag_unless_the_account_says_otherwise(
    asked: Asked, operation: str, req: dict[str, Any], made: str
) -> None:
    assert asked.said(operation, **req, tags=TAGS)[1:] == [f"ecs:TagResource {made}"]
    assert asked.needs(operation, **req, tags=TAGS)[1].keys == {
        "aws:TagKeys": ["stage"],
        "aws:RequestTag/stage": "beta",
        "ecs:CreateAction": operation,
    }
    assert len(asked.needs(operation, **req)) == 1
    for whose in ("", ALICE.arn):
        settings = AccountSettings(key=account_settings.key(SCOPE, whose), values={"tagResourceAuthorization": "off"})
        asked.put(account_settings, settings)
        off = asked.needs(operation, **req, tags=TAGS)
        assert [need.action for need in off] == [f"ecs:{operation}"]
        assert off[0].keys["aws:RequestTag/stage"] == "beta"
        asked.forget(account_settings, settings)


DEFAULTS = {
    "ecs:cluster": "cluster/c",
    "ecs:enable-ebs-volumes": "false",
    "ecs:enable-execute-command": "false",
}
NEW = {
    **DEFAULTS,
    "ecs:enable-ecs-managed-tags": "false",
    "ecs:enable-service-connect": "false",
    "ecs:enable-vpc-lattice": "false",
    "ecs:propagate-tags": "NONE",
}
SIZES = {"ecs:task-definition": "task-definition/web:2", "ecs:task-cpu": "256", "ecs:task-memory": "512"}
STRATEGY = [{"capacityProvider": "FARGATE"}, {"capacityProvider": f"{FOREIGN}:capacity-provider/p"}]
PROVIDERS = {"ecs:capacity-provider": ["capacity-provider/FARGATE", "capacity-provider/p"]}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"], "assignPublicIp": "ENABLED"}}
SERVICE = {"ecs:cluster": "cluster/c", "ecs:service": "service/c/s"}
KEYS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("RunTask", {**C, "taskDefinition": "web"}, DEFAULTS),
    ("RunTask", {**C, "taskDefinition": "web", "enableExecuteCommand": True, "capacityProviderStrategy": STRATEGY},
     {**DEFAULTS, **PROVIDERS, "ecs:enable-execute-command": "true"}),
    ("StartTask", {**C, "taskDefinition": "web", "containerInstances": ["i", "j"]},
     {**DEFAULTS, "ecs:container-instances": ["container-instance/c/i", "container-instance/c/j"]}),
    ("CreateService", {**C, "serviceName": "s"}, NEW),
    ("CreateService", {**C, "serviceName": "s", "taskDefinition": "web", "networkConfiguration": NETWORK},
     {**NEW, **SIZES, "ecs:subnet": ["subnet-1", "subnet-2"], "ecs:auto-assign-public-ip": "true"}),
    ("UpdateService", S, {"ecs:cluster": "cluster/c"}),
    ("UpdateService",
     {**S, "enableExecuteCommand": False, "propagateTags": "SERVICE",
      "serviceConnectConfiguration": {"enabled": True, "namespace": "n"}},
     {"ecs:cluster": "cluster/c", "ecs:enable-execute-command": "false", "ecs:propagate-tags": "SERVICE",
      "ecs:enable-service-connect": "true", "ecs:namespace": "n"}),
    ("CreateTaskSet", {**S, "taskDefinition": "web", "capacityProviderStrategy": STRATEGY},
     {**SERVICE, **PROVIDERS, **SIZES}),
    ("DeleteTaskSet", {**S, "taskSet": "ecs-svc/1"}, SERVICE),
    ("DescribeServiceRevisions", {"serviceRevisionArns": [f"{FOREIGN}:service-revision/c/s/1"]},
     {"ecs:cluster": ["cluster/c"], "ecs:service": ["service/c/s"]}),
    ("DescribeServiceRevisions", {"serviceRevisionArns": ["?"]}, {"ecs:cluster": ["cluster/?"], "ecs:service": []}),
    ("ListTasks", C, {"ecs:cluster": "cluster/c"}),
    ("PutAccountSetting", {"name": "awsvpcTrunking", "value": "enabled"}, {"ecs:account-setting": "awsvpcTrunking"}),
    ("ListServicesByNamespace", {"namespace": "n"}, {"ecs:namespace": "n"}),
    ("PutClusterCapacityProviders", {**C, "capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []},
     {"ecs:capacity-provider": ["capacity-provider/FARGATE"]}),
    ("UpdateCluster", {**C, "configuration": {"managedStorageConfiguration": {"fargateEphemeralStorageKmsKeyId": "k"}}},
     {"ecs:fargate-ephemeral-storage-kms-key": "k"}),
    ("RegisterTaskDefinition",
     {"family": "f", "cpu": "1 vCPU", "memory": "2GB", "requiresCompatibilities": ["EC2"],
      "containerDefinitions": [{"privileged": True}]},
     {"ecs:compute-compatibility": ["EC2"], "ecs:privileged": "true",
      "ecs:task-cpu": "1024", "ecs:task-memory": "2048"}),
    ("UntagResource", {"resourceArn": "a", "tagKeys": ["x"]}, {"aws:TagKeys": ["x"]}),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "req", "keys"), KEYS)
def test_condition_keys(asked: Asked, operation: str, req: dict[str, Any], keys: dict[str, Any]) -> None:
    assert asked.keys(operation, **req) == keys


def test_a_command_is_for_a_container_also_when_it_is_not_named(asked: Asked) -> None:
    def name(task: str, **req: Any) -> Any:
        found = asked.keys("ExecuteCommand", **C, task=task, command="sh", interactive=True, **req)
        assert found["ecs:task"] == f"task/c/{task}"
        return found.get("ecs:container-name")

    assert [name("one"), name("two"), name("two", container="sidecar"), name("none")] == ["web", None, "sidecar", None]
