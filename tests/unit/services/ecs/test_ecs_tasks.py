"""Tasks from RunTask to their end, on real controllers."""

import asyncio
from pathlib import Path
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.tags import tags
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.world import NETWORK, ROLE, SCOPE, World, container, definition, world


async def run(w: World, **fields: Any) -> str:
    """One task's ARN."""
    wanted = {"taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": NETWORK, **fields}
    answer = await w.ecs.run_task(**wanted)
    assert answer["failures"] == []
    return str(answer["tasks"][0]["taskArn"])


async def described(w: World, arn: str) -> Any:
    (task,) = (await w.ecs.describe_tasks(tasks=[arn]))["tasks"]
    return task


async def test_a_task_runs_and_is_stopped(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition())
        ran = await w.ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=NETWORK)
        (task,) = ran["tasks"]
        assert task["lastStatus"] == "PROVISIONING"
        await w.settle()
        task = await described(w, task["taskArn"])
        assert task["lastStatus"] == "RUNNING"
        assert task["containers"][0]["lastStatus"] == "RUNNING"
        assert task["attachments"][0]["status"] == "ATTACHED"
        assert len(w.ec2.interfaces) == 1

        await w.ecs.stop_task(task=task["taskArn"], reason="enough")
        await w.settle()
        task = await described(w, task["taskArn"])
        assert (task["lastStatus"], task["stopCode"], task["stoppedReason"]) == ("STOPPED", "UserInitiated", "enough")
        assert task["containers"][0]["exitCode"] == 143
        assert w.ec2.interfaces == {}
        assert w.store.all(fleet.workloads) == []


async def test_states_and_times_follow_the_node(tmp_path: Path) -> None:
    async with world(tmp_path, auto=False) as w:
        await w.ecs.register_task_definition(**definition())
        arn = await run(w)
        id_ = arn.rpartition("/")[2]
        seen = []
        for state in ("pending", "pulling", "created", "running"):
            await w.settle()
            w.clock.advance(1)
            w.report(id_, state)
            await w.settle()
            seen.append((await described(w, arn))["lastStatus"])
        assert seen == ["PENDING", "PENDING", "PENDING", "RUNNING"]
        await w.ecs.stop_task(task=arn)
        await w.settle()
        assert (await described(w, arn))["lastStatus"] == "STOPPING"
        assert [workload.want for workload in w.store.all(fleet.workloads)] == ["stopped"]
        w.clock.advance(2)
        w.report(id_, "stopped")
        await w.settle()
        task = await described(w, arn)
        times = ["createdAt", "pullStartedAt", "startedAt", "stoppingAt", "executionStoppedAt", "stoppedAt"]
        assert [task[name] for name in times] == sorted(task[name] for name in times)
        assert task["executionStoppedAt"] - task["stoppingAt"] == 2


async def test_an_essential_container_that_exits_ends_the_task(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition())
        arn = await run(w)
        await w.settle()
        w.report(arn.rpartition("/")[2], "stopped", exit_code=137, oom=True)
        await w.settle()
        task = await described(w, arn)
        assert (task["stopCode"], task["stoppedReason"]) == (
            "EssentialContainerExited",
            "Essential container in task exited",
        )
        assert task["containers"][0]["exitCode"] == 137
        assert task["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


async def test_a_task_that_was_over_before_anybody_looked_has_run(tmp_path: Path) -> None:
    """Its node's first report of the container is that it ended."""
    async with world(tmp_path, auto=False) as w:
        await w.ecs.register_task_definition(**definition())
        quick, never = await run(w), await run(w)
        await w.settle()
        w.clock.advance(1)
        now = w.clock.now()
        w.report(quick.rpartition("/")[2], "stopped", started=now, exit_code=0)
        w.report(
            never.rpartition("/")[2], "stopped", started=None, error="start", detail="no such file", exit_code=None
        )
        await w.settle()
        task = await described(w, quick)
        assert (task["startedAt"], task["stopCode"]) == (task["executionStoppedAt"], "EssentialContainerExited")
        task = await described(w, never)
        assert ("startedAt" in task, task["stopCode"]) == (False, "TaskFailedToStart")


async def test_a_task_ends_after_it_began(tmp_path: Path) -> None:
    """Both times are its node's, however late they are heard."""
    async with world(tmp_path, auto=False) as w:
        await w.ecs.register_task_definition(**definition())
        arn = await run(w)
        await w.settle()
        began = w.clock.now()
        w.clock.advance(2)
        w.report(arn.rpartition("/")[2], "running", started=began)
        await w.settle()
        w.report(arn.rpartition("/")[2], "stopped", started=began, finished=began + 1)
        await w.settle()
        task = await described(w, arn)
        assert (task["startedAt"], task["executionStoppedAt"]) == (began, began + 1)


async def test_a_sidecar_that_exits_does_not_end_the_task(tmp_path: Path) -> None:
    async with world(tmp_path, auto=False) as w:
        containers = [container(), container("init", essential=False, portMappings=[])]
        await w.ecs.register_task_definition(**definition(containerDefinitions=containers))
        arn = await run(w)
        await w.settle()
        id_ = arn.rpartition("/")[2]
        w.report(id_, "running")
        await w.settle()
        with w.store.tx() as tx:
            status = tx.find(fleet.workload_statuses, SCOPE, id_)
            assert status is not None
            web, init = status.containers
            ended = replace(init, state="stopped", exit_code=0)
            tx.put(fleet.workload_statuses, replace(status, containers=(web, ended)))
        await w.settle()
        task = await described(w, arn)
        assert task["lastStatus"] == "RUNNING"
        assert {c["name"]: c["lastStatus"] for c in task["containers"]} == {"web": "RUNNING", "init": "STOPPED"}


async def test_an_execution_role_that_does_not_trust_us_ends_the_task(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        stranger = "arn:aws:iam::123456789012:role/stranger"
        await w.ecs.register_task_definition(**definition(executionRoleArn=stranger))
        arn = await run(w)
        await w.settle()
        task = await described(w, arn)
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"].startswith(f"ECS was unable to assume the role '{stranger}'")
        assert w.ec2.interfaces == {}


async def test_an_execution_role_is_not_asked_for_every_task(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ecr.give_logins()
        await w.ecs.register_task_definition(**definition(executionRoleArn=ROLE))
        for _ in range(3):
            await run(w)
            await w.settle()
        assert w.sts.given == 2  # to see that it trusts ECS, and for the registry


async def test_an_image_that_cannot_be_pulled(tmp_path: Path) -> None:
    async with world(tmp_path, auto=False) as w:
        await w.ecs.register_task_definition(**definition())
        arn = await run(w)
        await w.settle()
        w.report(arn.rpartition("/")[2], "stopped", error="image-not-found", detail="web:1: not found", exit_code=None)
        await w.settle()
        task = await described(w, arn)
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"] == "CannotPullContainerError: web:1: not found"
        assert task["containers"][0]["reason"] == "CannotPullContainerError: web:1: not found"
        assert "exitCode" not in task["containers"][0]
        assert "startedAt" not in task


async def test_an_interface_that_cannot_be_made(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ec2.error = AwsError("full", code="InsufficientFreeAddressesInSubnet")
        await w.ecs.register_task_definition(**definition())
        arn = await run(w)
        await w.settle()
        task = await described(w, arn)
        assert task["lastStatus"] == "STOPPED"
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"] == (
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-a': "
            "InsufficientFreeAddressesInSubnet"
        )


async def test_what_may_pass_is_tried_again_for_five_minutes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ec2.error = AwsError("busy", code="InternalError", status=500)
        await w.ecs.register_task_definition(**definition())
        first = await run(w)
        await w.settle()
        await w.pass_time(31)
        assert (await described(w, first))["lastStatus"] == "PROVISIONING"
        w.ec2.error = None
        await w.pass_time(31)
        assert (await described(w, first))["lastStatus"] == "RUNNING"
        w.ec2.error = AwsError("busy", code="InternalError", status=500)
        second = await run(w)
        await w.settle()
        for _ in range(12):
            await w.pass_time(31)
        task = await described(w, second)
        assert (task["lastStatus"], task["stoppedReason"]) == (
            "STOPPED",
            "Timeout waiting for network interface provisioning to complete.",
        )


async def test_role_credentials_are_given_and_renewed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition(taskRoleArn=ROLE))
        arn = await run(w)
        await w.settle()
        (first,) = w.store.all(fleet.credentials)
        (workload,) = w.store.all(fleet.workloads)
        assert (workload.credential, first.role, first.node) == (first.id, ROLE, "node-1")
        assert [each["ContextAssertion"] for each in w.sts.contexts] == [arn.rpartition("/")[2]]
        await w.pass_time(first.expires - w.clock.now() - 900)  # the SDKs begin to ask for new ones
        (second,) = w.store.all(fleet.credentials)
        assert second.id == first.id
        assert second.access_key != first.access_key
        await w.ecs.stop_task(task=arn)
        await w.settle()
        assert w.store.all(fleet.credentials) == []


async def test_a_role_that_cannot_be_assumed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition(taskRoleArn="arn:aws:iam::123456789012:role/other"))
        arn = await run(w)
        await w.settle()
        task = await described(w, arn)
        assert task["stoppedReason"].startswith(
            "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/other'"
        )
        assert w.ec2.interfaces == {}


async def test_stopped_while_its_interface_is_being_made(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition())
        w.ec2.gate = asyncio.Event()
        arn = await run(w)
        for _ in range(50):
            await asyncio.sleep(0.001)
        await w.ecs.stop_task(task=arn)
        w.ec2.gate.set()
        await w.settle()
        assert (await described(w, arn))["lastStatus"] == "STOPPED"
        assert w.ec2.made == 1
        assert w.ec2.interfaces == {}
        assert w.store.all(fleet.workloads) == []


async def test_a_crash_after_the_interface_was_made_leaves_one_interface(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition())
        made = w.ec2.create_network_interface
        w.ec2.gate = asyncio.Event()
        arn = await run(w)
        for _ in range(50):
            await asyncio.sleep(0.001)
        task = w.store.find(tasks, SCOPE, arn.rpartition("/")[2])
        assert task is not None
        # It was made, and the process died before it could be written down.
        gate, w.ec2.gate = w.ec2.gate, None
        await made({"SubnetId": "subnet-a", "ClientToken": task.attachment, "Description": "x"}, None)  # type: ignore[arg-type]
        del gate
        await w.crash()
        await w.settle()
        assert (await described(w, arn))["lastStatus"] == "RUNNING"
        assert w.ec2.made == 1


async def test_an_interface_that_nobody_wrote_down_is_found_and_deleted(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition())
        made, w.ec2.gate = w.ec2.create_network_interface, asyncio.Event()
        arn = await run(w)
        for _ in range(50):
            await asyncio.sleep(0.001)
        task = w.store.find(tasks, SCOPE, arn.rpartition("/")[2])
        assert task is not None
        w.ec2.gate = None
        description = f"arn:aws:ecs:us-east-1:123456789012:attachment/{task.attachment}"
        await made({"SubnetId": "a", "ClientToken": task.attachment, "Description": description}, None)  # type: ignore[arg-type]
        await w.ecs.stop_task(task=arn)
        await w.crash()
        await w.settle()
        assert (await described(w, arn))["lastStatus"] == "STOPPED"
        assert (w.ec2.made, w.ec2.interfaces) == (1, {})


async def test_a_crash_at_any_moment_of_the_start_converges(tmp_path: Path) -> None:
    for moment in range(12):
        (tmp_path / str(moment)).mkdir()
        async with world(tmp_path / str(moment)) as w:
            await w.ecs.register_task_definition(**definition(taskRoleArn=ROLE))
            arn = await run(w)
            for _ in range(moment):
                await asyncio.sleep(0.0005)
            await w.crash()
            for workload in w.store.all(fleet.workloads):  # the node goes on and reports again
                w.report(workload.id, "running")
            await w.settle()
            assert (await described(w, arn))["lastStatus"] == "RUNNING"
            assert len(w.ec2.interfaces) == 1
            assert len(w.store.all(fleet.workloads)) == 1
            assert len(w.store.all(fleet.credentials)) == 1


async def test_a_lost_node_takes_its_tasks_along(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition())
        arn = await run(w)
        await w.settle()
        w.change_node("node-1", state="lost")
        await w.settle()
        task = await described(w, arn)
        assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "InfrastructureHealth")
        assert w.store.all(fleet.workloads) == []
        assert w.ec2.interfaces == {}


async def test_overrides_and_environment_reach_the_workload(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        one = container(environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], command=["serve"])
        await w.ecs.register_task_definition(**definition(containerDefinitions=[one]))
        override = {"name": "web", "command": ["migrate"], "environment": [{"name": "B", "value": "3"}]}
        arn = await run(w, overrides={"containerOverrides": [override], "cpu": "512", "memory": "1 GB"})
        await w.settle()
        (workload,) = w.store.all(fleet.workloads)
        (wanted,) = workload.containers
        assert wanted.command == ("migrate",)
        assert wanted.environment == {"A": "1", "B": "3"}
        assert (workload.cpu, workload.memory) == (512, 1 << 30)
        task = await described(w, arn)
        assert (task["cpu"], task["memory"]) == ("512", "1024")


async def test_a_stopped_task_is_remembered_and_then_forgotten(tmp_path: Path) -> None:
    async with world(tmp_path, settings=Settings(stopped_tasks_kept=1000.0)) as w:
        await w.ecs.register_task_definition(**definition())
        first = await run(w, tags=[{"key": "a", "value": "b"}])
        await w.settle()
        await w.ecs.stop_task(task=first)
        await w.settle()
        await w.pass_time(300)
        second = await run(w)
        await w.settle()
        await w.ecs.stop_task(task=second)
        await w.settle()
        await w.pass_time(600)
        await w.crash()
        await w.pass_time(99)
        assert (await described(w, first))["lastStatus"] == "STOPPED"
        await w.pass_time(121)  # to the minute
        assert (await w.ecs.describe_tasks(tasks=[first]))["failures"][0]["reason"] == "MISSING"
        assert (await described(w, second))["lastStatus"] == "STOPPED"
        assert [record.key.id for record in w.store.all(tags) if first in record.key.id] == []
        await w.pass_time(300)
        assert w.store.all(tasks) == []
        third = await run(w)
        await w.settle()
        await w.ecs.stop_task(task=third)
        await w.settle()
        await w.pass_time(1130)
        assert w.store.all(tasks) == []


async def test_a_task_on_the_hosts_network(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        ports = [{"containerPort": 80}]
        await w.ecs.register_task_definition(
            family="host", networkMode="host", containerDefinitions=[container(memory=64, portMappings=ports)]
        )
        answer = await w.ecs.run_task(taskDefinition="host", count=2)
        assert [len(answer["tasks"]), answer["failures"][0]["reason"]] == [1, "RESOURCE:PORTS"]
        await w.settle()
        task = await described(w, answer["tasks"][0]["taskArn"])
        assert task["lastStatus"] == "RUNNING"
        assert task["containers"][0]["networkBindings"][0]["hostPort"] == 80
        assert w.ec2.made == 0
        (instance,) = (await w.ecs.describe_container_instances(containerInstances=["node-1"]))["containerInstances"]
        assert instance["runningTasksCount"] == 1
        assert {"80"} == set(instance["remainingResources"][2]["stringSetValue"])
