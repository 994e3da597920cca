"""Stop codes, stopped reasons and container reasons, word for word: each of AWS's has a cause, or says why not.

The list is the project's checklist of what the service promises (section "Task lifecycle"), not the code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import botocore.session
import pytest

from hatoba.core.records import replace
from hatoba.fleet.model import ContainerStatus, WorkloadStatus, workload_statuses
from hatoba.runtime.failures import Failure
from hatoba.services.ecs.model.task import Container, Eni, Status, Task, tasks
from hatoba.services.ecs.plan import facts, lifecycle, reasons
from tests.unit.services.ecs.world import SCOPE

SOURCES = Path(__file__).parents[4] / "src" / "hatoba"
NOW = 1_700_000_000.0

# By the name of a container's error: a code of ours that becomes it, or why none does.
ERRORS: dict[str, str | None] = {
    "CannotPullContainerError": "image-not-found",
    "CannotPullImageManifestError": "image-manifest",
    "CannotCreateContainerError": "container-spec",
    "CannotStartContainerError": "container-start",
    "CannotInspectContainerError": "container-state",
    "CannotCreateVolumeError": "volume",
    "ContainerNetworkingError": "kernel",
    "ContainerVanishedError": "vanished",
    "TaskDependencyError": "dependency",
    "ResourceInitializationError": "logs",
    "OutOfMemoryError": "oom",
    # None: what it stands for cannot come about here.
    "CannotPullECRContainerError": None,  # the platform's registry takes the node's own login
    "CannotPullContainerAuthError": None,  # logins are read before the task starts: a ResourceInitializationError
    "CannotStopContainerError": None,  # stopping is repeated until it is done
    "CannotRemoveContainerError": None,  # so is removing
    "CannotDescribeContainerError": None,  # the runtime's answers are awaited, not asked for
    "NoSuchContainerError": None,
    "DockerTimeoutError": None,  # there is no Docker
    "DockerStateError": None,
    "HostConfigError": None,  # what cannot be carried out is refused at registration
    "InvalidVolumeError": None,
    "TaskStoppedBeforePullBeginError": None,  # a task that is stopped early has no error
    "ImpossibleStateTransitionError": None,  # states only move forward
}


def task(launch_type: str = "FARGATE", **fields: object) -> Task:
    return Task(
        **{
            "key": tasks.key(SCOPE, "1" * 32),
            "cluster": "default",
            "definition": "web:1",
            "launch_type": launch_type,
            "group": "family:web",
            "created_at": NOW,
            "node": "node-1",
            "launched": True,
            "status": "PENDING",
            "eni": Eni(id="eni-1", subnet="subnet-1", vpc="vpc-1", address="10.0.0.1", mac="02:00:00:00:00:01"),
            "containers": (Container(name="web"), Container(name="side", essential=False)),
            **fields,
        }
    )


def seen(one: Task, of: str = "stopped", fault: tuple[str, str] = ("", ""), **container: object) -> Task:
    """After a report: `of` the workload, `fault` of the workload, and the fields of its first container."""
    first = ContainerStatus(**{"name": "web", "state": "stopped", **container})  # type: ignore[arg-type]
    status = WorkloadStatus(
        key=workload_statuses.key(SCOPE, one.id),
        node="node-1",
        state=of,  # type: ignore[arg-type]
        containers=(first, ContainerStatus(name="side", state="stopped")),
        error=fault[0],
        detail=fault[1],
    )
    return facts.observe(one, status, NOW + 5)


@pytest.mark.parametrize("name", [name for name, code in ERRORS.items() if code not in (None, "oom")])
def test_a_container_that_could_not_be_started_says_what_kind_of_error_it_was(name: str) -> None:
    code = ERRORS[name]
    assert code is not None
    ended = seen(task(), error=code, detail="why")
    web = ended.containers[0]
    assert web.reason == f"{name}: why"
    assert web.exit_code is None, "it never ran"
    assert (ended.stop_code, ended.stopped_reason) == ("TaskFailedToStart", web.reason)
    on_ec2 = seen(task("EC2"), error=code, detail="why")
    assert (on_ec2.stop_code, on_ec2.stopped_reason) == ("TaskFailedToStart", "Task failed to start")


def test_every_code_of_the_runtime_the_network_and_the_agent_has_a_name_of_awss() -> None:
    raised = {code.value for code in Failure}
    for folder in ("node", "network", "runtime"):
        for path in (SOURCES / folder).rglob("*.py"):
            raised |= set(re.findall(r'PortError\(\s*"([a-z_-]+)"', path.read_text()))
    # What ends no container: asked again, or of a request that is no task's start.
    others = {"runtime-unavailable", "disconnected", "timeout", "too-old", "unsupported", "network-timeout"}
    unnamed = {code for code in raised - others if reasons.reason(code, "").startswith("ResourceInitialization")}
    assert unnamed <= {"logs"}
    for code in raised - others:
        assert reasons.reason(code, "x").partition(":")[0] in ERRORS


def test_out_of_memory_is_what_the_kernel_says_not_what_the_code_suggests() -> None:
    killed = seen(task(status="RUNNING"), of="running", exit_code=137, oom=True)
    assert killed.containers[0].reason == "OutOfMemoryError: Container killed due to memory usage"
    assert killed.containers[0].exit_code == 137
    stopped = seen(task(status="RUNNING"), of="running", exit_code=137)
    assert stopped.containers[0].reason == ""
    assert (stopped.stop_code, stopped.stopped_reason) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )


def test_reasons_are_trimmed_to_1024_characters() -> None:
    text = reasons.reason("container-start", "x" * 5000)
    assert len(text) == 1024
    assert text.startswith("CannotStartContainerError: xxx")


def test_the_reasons_of_tasks() -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"
    assert reasons.scaling("ecs-svc/1234567890123456789") == (
        "Scaling activity initiated by (deployment ecs-svc/1234567890123456789)"
    )
    assert reasons.elb(arn) == f"Task failed ELB health checks in (target-group {arn})"
    assert reasons.HEALTH_CHECKS == "Task failed container health checks"
    assert reasons.ENI_TIMEOUT == "Timeout waiting for network interface provisioning to complete."
    assert reasons.lost("EC2", "i-0123") == "Host EC2 (instance i-0123) terminated."
    assert reasons.lost("FARGATE", "node-1") == (
        "ECS is performing maintenance on the underlying infrastructure hosting the task."
    )


def test_a_network_that_took_too_long() -> None:
    ended = seen(task(), fault=("network-timeout", "the network vpc-1 could not be made in time"))
    assert (ended.stop_code, ended.stopped_reason) == ("TaskFailedToStart", reasons.ENI_TIMEOUT)


def test_a_lost_node_ends_what_ran_there() -> None:
    gone = seen(task("EC2", status="RUNNING"), of="lost")
    assert (gone.stop_code, gone.stopped_reason) == ("InfrastructureHealth", "Host EC2 (instance node-1) terminated.")
    assert [container.status for container in gone.containers] == ["STOPPED", "STOPPED"]
    assert [container.exit_code for container in gone.containers] == [None, None], "nobody knows how they ended"


def test_who_said_so_first_is_remembered() -> None:
    first = lifecycle.end(task(), "UserInitiated", "enough", "arn:aws:iam::123456789012:user/u")
    then = lifecycle.end(first, "ServiceSchedulerInitiated", "scaling")
    assert (then.stop_code, then.stopped_reason, then.stopped_by) == (
        "UserInitiated",
        "enough",
        "arn:aws:iam::123456789012:user/u",
    )


def test_every_stop_code_of_the_model_is_somebodys() -> None:
    """And no other is used."""
    model = botocore.session.get_session().get_service_model("ecs").shape_for("TaskStopCode").enum
    text = "".join(path.read_text() for path in (SOURCES / "services" / "ecs").rglob("*.py"))
    assert {code for code in model if f'"{code}"' not in text} == set()
    used = set(re.findall(r'lifecycle\.end\([^,]+,\s*"([A-Za-z]+)"', text))
    assert used <= set(model)


# --- times: right on every path


def test_the_times_of_a_task_that_never_ran() -> None:
    """It has an end, and no beginning of anything that did not begin."""
    refused = lifecycle.settle(
        lifecycle.end(task(launched=False, status="PROVISIONING"), "TaskFailedToStart", "no"), NOW
    )
    assert refused.status == "DEPROVISIONING"
    released = lifecycle.settle(replace(refused, released=True), NOW + 1)
    assert (released.status, released.stopping_at, released.stopped_at) == ("STOPPED", NOW, NOW + 1)
    assert (released.started_at, released.execution_stopped_at, released.pull_started_at) == (None, None, None)


def test_the_times_of_a_task_whose_image_could_not_be_pulled() -> None:
    failed = seen(task(), error="image-not-found", pull_started=NOW + 1)
    settled = lifecycle.settle(failed, NOW + 6)
    assert (settled.pull_started_at, settled.pull_stopped_at, settled.started_at) == (NOW + 1, None, None)
    assert settled.stopping_at == NOW + 6


def test_the_times_of_a_task_that_ran() -> None:
    pulled = {"pull_started": NOW + 1, "pull_stopped": NOW + 2, "started": NOW + 3}
    running = lifecycle.settle(seen(task(), of="running", state="running", **pulled), NOW + 4)
    assert (running.pull_started_at, running.started_at, running.stopping_at) == (NOW + 1, NOW + 3, None)
    ended = seen(running, exit_code=0, finished=NOW + 9, **pulled)
    settled = lifecycle.settle(ended, NOW + 10)
    assert (settled.stopping_at, settled.execution_stopped_at) == (NOW + 10, NOW + 9)
    assert settled.status == "DEPROVISIONING"


def test_the_states_are_those_of_the_documentation() -> None:
    assert get_args(Status) == (
        "PROVISIONING",
        "PENDING",
        "ACTIVATING",
        "RUNNING",
        "DEACTIVATING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
    )
