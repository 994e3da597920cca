"""Configuration from Parameter Store and Secrets Manager inside real containers, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hatoba.runtime.containerd import memory
from tests.contract.runtime.tiny_registry import TinyRegistry, busybox_layer
from tools.instance import Instance, eventually
from tools.traces import Traces, files

pytestmark = pytest.mark.real

SECRETS = {
    "PLAIN": "hunter2-plain",
    "SECURE": "hunter2-secure",
    "DEEP": "hunter2-deep",
    "USER": "hunter2-user",
    "BEFORE": "hunter2-before",
    "FILE": "hunter2-file",
}
FILE = "/run/secrets/file"
CONTAINERS_DISK = 64 << 20  # bytes: what is larger holds the containers' own files
SHOW = 'for name in PLAIN SECURE DEEP USER BEFORE; do eval "echo $name \\$$name"; done; '
SHOW += f'[ ! -e {FILE} ] || echo "FILE $(cat {FILE})"; echo OVER .; sleep 300'


@pytest.fixture(scope="module")
def sources(hatoba: Instance) -> dict[str, str]:
    """What the container's secrets are read from, by name."""
    ssm, manager = hatoba.client("ssm"), hatoba.client("secretsmanager")
    for name, kind in (("injected", "String"), ("injected-secure", "SecureString"), ("/injected/deep", "SecureString")):
        value = SECRETS[{"injected": "PLAIN", "injected-secure": "SECURE", "/injected/deep": "DEEP"}[name]]
        ssm.put_parameter(Name=name, Value=value, Type=kind)
    arn = manager.create_secret(Name="injected", SecretString=json.dumps({"user": SECRETS["BEFORE"]}))["ARN"]
    manager.put_secret_value(SecretId=arn, SecretString=json.dumps({"user": SECRETS["USER"]}))
    return {
        "PLAIN": "injected",
        "SECURE": "arn:aws:ssm:us-east-1:123456789012:parameter/injected-secure",
        "DEEP": "/injected/deep",
        "USER": f"{arn}:user::",
        "BEFORE": f"{arn}:user:AWSPREVIOUS:",
    }


def run(hatoba: Instance, family: str, image: str = "", **container: Any) -> str:
    log = {"awslogs-group": f"/{family}", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "i"}
    hatoba.client("ecs").register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=hatoba.task_role("injection", "ssm:GetParameters", "secretsmanager:GetSecretValue"),
        containerDefinitions=[
            {
                "name": "main",
                "image": image or hatoba.push("busybox"),
                "command": ["sh", "-c", SHOW],
                "stopTimeout": 2,
                "linuxParameters": {"initProcessEnabled": True},
                "logConfiguration": {"logDriver": "awslogs", "options": {**log, "awslogs-create-group": "true"}},
                **container,
            }
        ],
    )
    answer = hatoba.client("ecs").run_task(
        taskDefinition=family, launchType="FARGATE", networkConfiguration=hatoba.network()
    )
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def named(sources: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "valueFrom": source} for name, source in sources.items()]


def said(hatoba: Instance, family: str, arn: str) -> dict[str, str]:
    logs = hatoba.client("logs")

    def found() -> dict[str, str] | None:
        try:
            stream = f"i/main/{arn.rpartition('/')[2]}"
            events = logs.get_log_events(logGroupName=f"/{family}", logStreamName=stream, startFromHead=True)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        lines = dict(event["message"].partition(" ")[::2] for event in events)
        return lines if "OVER" in lines else None

    answer = eventually(found)
    assert answer is not None
    del answer["OVER"]
    return answer


@pytest.fixture(scope="module")
def task(hatoba: Instance, sources: dict[str, str]) -> Iterator[str]:
    hatoba.client("ssm").put_parameter(Name="injected-file", Value=SECRETS["FILE"], Type="SecureString")
    labels = {"hatoba.secrets.files": f"{FILE}=injected-file"}
    arn = run(hatoba, "injected", secrets=named(sources), dockerLabels=labels)
    yield arn
    hatoba.client("ecs").stop_task(task=arn)
    hatoba.wait_task(arn, "STOPPED")


def test_the_container_has_them(hatoba: Instance, task: str) -> None:
    assert said(hatoba, "injected", task) == SECRETS


def test_a_changed_value_is_in_its_file_while_the_process_lives_also_after_its_agent_was_killed(
    hatoba: Instance, task: str
) -> None:
    said(hatoba, "injected", task)
    (pid,) = (pid for pid, _ in in_containers(hatoba, f"root{FILE}"))
    for value in ("hunter2-second", "hunter2-third"):
        hatoba.client("ssm").put_parameter(Name="injected-file", Value=value, Type="SecureString", Overwrite=True)
        assert eventually(lambda value=value: in_containers(hatoba, f"root{FILE}") == [(pid, value)])  # type: ignore[misc]
        hatoba.kill("node")
    mode = Path(f"/proc/{pid}/root{FILE}").stat()
    assert (mode.st_mode & 0o777, mode.st_uid) == (0o400, 0)


def in_containers(hatoba: Instance, path: str) -> list[tuple[int, str]]:
    """The file, as the first processes of containers see it."""
    found = []
    for pid, line in Traces(hatoba.folder).processes().items():
        if line.startswith("/sbin/docker-init"):
            try:
                found.append((pid, Path(f"/proc/{pid}/{path}").read_text()))
            except OSError:
                continue
    return found


def test_what_is_in_clear_is_in_memory(hatoba: Instance, task: str) -> None:
    said(hatoba, "injected", task)
    run_ = Path(f"/run/hatoba/{hatoba.name}")
    assert memory.in_memory(run_ / "containerd")
    found = {
        path.relative_to(run_).parts[0]
        for path, content in files(run_, CONTAINERS_DISK)
        if "net" not in path.parts and b"hunter2-" in content
    }
    assert found == {"containerd"}


def test_no_file_of_the_platform_has_them_in_clear(hatoba: Instance, task: str) -> None:
    """The journals, the node's memory, containerd's database; not the logs, where the container has printed them."""
    said(hatoba, "injected", task)
    there = {
        path.relative_to(hatoba.folder): b"hunter2-" in content
        for path, content in files(hatoba.folder, CONTAINERS_DISK)
        if not {"snapshots", "logs", "output"} & set(path.relative_to(hatoba.folder).parts)
    }
    assert {"journal.db", "state.db", "meta.db"} <= {path.name for path in there}
    assert [str(path) for path, has in there.items() if has] == []


def test_no_process_but_the_containers_own_has_them(hatoba: Instance, task: str) -> None:
    said(hatoba, "injected", task)
    found = []
    for pid, line in Traces(hatoba.folder).processes().items():
        try:
            texts = Path(f"/proc/{pid}/cmdline").read_bytes(), Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if b"hunter2-" in b"\0".join(texts):
            found.append(line)
    assert found
    assert all(line.startswith(("/sbin/docker-init", "sh -c", "sleep")) for line in found), found


def test_descriptions_tell_where_from_and_not_what(hatoba: Instance, task: str, sources: dict[str, str]) -> None:
    ecs = hatoba.client("ecs")
    shown = ecs.describe_task_definition(taskDefinition="injected")["taskDefinition"]["containerDefinitions"][0]
    assert shown["secrets"] == named(sources)
    assert "hunter2-" not in json.dumps(ecs.describe_tasks(tasks=[task]), default=str)


def test_a_value_that_was_changed_reaches_the_next_task(hatoba: Instance) -> None:
    ssm = hatoba.client("ssm")
    ssm.put_parameter(Name="changing", Value="one", Type="String")
    first = run(hatoba, "changing", secrets=named({"PLAIN": "changing"}))
    assert said(hatoba, "changing", first)["PLAIN"] == "one"
    ssm.put_parameter(Name="changing", Value="two", Type="String", Overwrite=True)
    second = run(hatoba, "changing", secrets=named({"PLAIN": "changing"}))
    assert said(hatoba, "changing", second)["PLAIN"] == "two"
    for arn in (first, second):
        hatoba.client("ecs").stop_task(task=arn)
        hatoba.wait_task(arn, "STOPPED")


FILE_ENVIRONMENT = b"# the database\nPLAIN=hunter2-of-a-file\n\nnot a variable\nUSER=somebody\n"


def test_environment_files_are_read_from_s3_by_the_execution_role(hatoba: Instance) -> None:
    s3, ecs = hatoba.client("s3"), hatoba.client("ecs")
    s3.create_bucket(Bucket="environment-files")
    s3.put_object(Bucket="environment-files", Key="app/one.env", Body=FILE_ENVIRONMENT)
    file = {"type": "s3", "value": "arn:aws:s3:::environment-files/app/one.env"}
    wanted = {"environmentFiles": [file], "environment": [{"name": "USER", "value": "the definition's"}]}
    denied = run(hatoba, "of-files", **wanted)
    stopped = hatoba.wait_task(denied, "STOPPED")
    reason = "ResourceInitializationError: failed to download env files: "
    assert stopped["stoppedReason"].startswith(reason)
    assert "AccessDenied" in stopped["stoppedReason"]
    reader = hatoba.task_role("reads-files", "s3:GetObject", "s3:GetBucketLocation")
    known = ecs.describe_task_definition(taskDefinition="of-files")["taskDefinition"]
    again = {key: known[key] for key in ("family", "networkMode", "requiresCompatibilities", "cpu", "memory")}
    ecs.register_task_definition(**again, containerDefinitions=known["containerDefinitions"], executionRoleArn=reader)
    arn = ecs.run_task(taskDefinition="of-files", launchType="FARGATE", networkConfiguration=hatoba.network())
    arn = arn["tasks"][0]["taskArn"]
    found = said(hatoba, "of-files", arn)
    assert (found["PLAIN"], found["USER"]) == ("hunter2-of-a-file", "the definition's")
    ecs.stop_task(task=arn)
    hatoba.wait_task(arn, "STOPPED")
    s3.delete_object(Bucket="environment-files", Key="app/one.env")
    s3.delete_bucket(Bucket="environment-files")


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (
            {"secrets": named({"A": "injected-missing"})},
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            "failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm "
            "parameters: injected-missing",
        ),
        (
            {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::configuration/app.env"}]},
            "ResourceInitializationError: failed to download env files: ",
        ),
    ],
    ids=["parameter", "file"],
)
def test_what_is_missing_is_the_reason_of_the_tasks_end(
    hatoba: Instance, container: dict[str, Any], reason: str
) -> None:
    arn = run(hatoba, "missing", **container)
    stopped = hatoba.wait_task(arn, "STOPPED")
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped["stoppedReason"].startswith(reason)


def test_a_missing_member_of_a_secret(hatoba: Instance, sources: dict[str, str]) -> None:
    arn = run(hatoba, "missing", secrets=named({"A": sources["USER"].replace(":user:", ":nobody:")}))
    stopped = hatoba.wait_task(arn, "STOPPED")
    assert stopped["stoppedReason"].endswith("retrieved secret from Secrets Manager did not contain json key nobody")


@pytest.fixture
def registry() -> Iterator[TinyRegistry]:
    made = TinyRegistry()
    made.user = ("me", "hunter2-registry")
    made.image("private", "1", [busybox_layer()], {"Cmd": ["sh"]})
    yield made
    made.close()


def test_an_image_of_a_private_registry(hatoba: Instance, registry: TinyRegistry) -> None:
    manager = hatoba.client("secretsmanager")
    good = manager.create_secret(
        Name="registry", SecretString=json.dumps({"username": "me", "password": "hunter2-registry"})
    )["ARN"]
    bad = manager.create_secret(Name="stranger", SecretString=json.dumps({"username": "me", "password": "x"}))["ARN"]
    image = f"{registry.host}/private:1"
    arn = run(hatoba, "private", image, repositoryCredentials={"credentialsParameter": good})
    hatoba.wait_task(arn, "RUNNING")
    refused = run(hatoba, "private", image.replace(":1", ":2"), repositoryCredentials={"credentialsParameter": bad})
    assert "CannotPullContainerError" in hatoba.wait_task(refused, "STOPPED")["stoppedReason"]
    hatoba.client("ecs").stop_task(task=arn)
    hatoba.wait_task(arn, "STOPPED")
