"""ECS beside the real ec2, elbv2, iam and sts rooms: the same journeys, with their checks and their words."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.fleet import model as fleet
from hatoba.fleet.model import PortBinding
from hatoba.services.elbv2.model.group import targets
from tests.unit.services.ecs.world import World, container, definition, world

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


async def network(w: World) -> dict[str, Any]:
    subnets = (await w.aws.ec2.describe_subnets())["Subnets"]
    return {"awsvpcConfiguration": {"subnets": [subnet["SubnetId"] for subnet in subnets]}}


async def test_a_task_with_a_role_and_a_public_address(tmp_path: Path) -> None:
    async with world(tmp_path, neighbours=True) as w:
        trust = msgspec.json.encode(TRUST).decode()
        role = (await w.aws.iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust))["Role"]["Arn"]
        await w.ecs.register_task_definition(**definition(taskRoleArn=role))
        where = await network(w)
        where["awsvpcConfiguration"]["assignPublicIp"] = "ENABLED"
        ran = await w.ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=where)
        await w.settle()
        (task,) = (await w.ecs.describe_tasks(tasks=[ran["tasks"][0]["taskArn"]]))["tasks"]
        assert task["lastStatus"] == "RUNNING", task
        details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
        (eni,) = (await w.aws.ec2.describe_network_interfaces())["NetworkInterfaces"]
        assert eni["NetworkInterfaceId"] == details["networkInterfaceId"]
        assert eni["PrivateIpAddress"] == details["privateIPv4Address"]
        assert eni["Association"]["PublicIp"].startswith("100.64.")
        (workload,) = w.store.all(fleet.workloads)
        assert (workload.interface, workload.network) == (eni["NetworkInterfaceId"], eni["VpcId"])
        (credential,) = w.store.all(fleet.credentials)
        assert credential.role == role

        await w.ecs.stop_task(task=task["taskArn"])
        await w.settle()
        assert (await w.ecs.describe_tasks(tasks=[task["taskArn"]]))["tasks"][0]["lastStatus"] == "STOPPED"
        assert (await w.aws.ec2.describe_network_interfaces())["NetworkInterfaces"] == []


async def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path, neighbours=True) as w:
        await w.ecs.register_task_definition(**definition())
        where: dict[str, Any] = {"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}}
        run = {"taskDefinition": "web", "launchType": "FARGATE"}
        with pytest.raises(t.InvalidParameterException, match="Error retrieving subnet information for") as refused:
            await w.ecs.run_task(**run, networkConfiguration=where)
        assert "InvalidSubnetID.NotFound" in refused.value.message
        where = await network(w)
        where["awsvpcConfiguration"]["securityGroups"] = ["sg-0123456789abcdef0"]
        with pytest.raises(t.InvalidParameterException, match="Error retrieving security group information for"):
            await w.ecs.run_task(**run, networkConfiguration=where)


async def test_a_service_spreads_over_the_subnets(tmp_path: Path) -> None:
    async with world(tmp_path, neighbours=True) as w:
        await w.ecs.register_task_definition(**definition())
        await w.ecs.create_service(
            serviceName="web",
            taskDefinition="web",
            desiredCount=9,
            launchType="FARGATE",
            networkConfiguration=await network(w),
        )
        await w.settle()
        (service,) = (await w.ecs.describe_services(services=["web"]))["services"]
        assert service["runningCount"] == 9
        arns = (await w.ecs.list_tasks(serviceName="web"))["taskArns"]
        zones = Counter(task["availabilityZone"] for task in (await w.ecs.describe_tasks(tasks=arns))["tasks"])
        assert zones == {"us-east-1a": 3, "us-east-1b": 3, "us-east-1c": 3}
        await w.ecs.delete_service(service="web", force=True)
        await w.settle()
        assert (await w.aws.ec2.describe_network_interfaces())["NetworkInterfaces"] == []
        assert w.store.all(fleet.workloads) == []


async def balancer(w: World, subnets: list[str], kind: str = "ip") -> str:
    """A load balancer with a listener; its target group's ARN."""
    elb = w.aws.elbv2
    vpc = (await w.aws.ec2.describe_vpcs())["Vpcs"][0]["VpcId"]
    made = (await elb.create_load_balancer(Name="web", Subnets=subnets, Scheme="internal"))["LoadBalancers"][0]
    group = await elb.create_target_group(
        Name="web",
        Protocol="HTTP",
        Port=8080,
        VpcId=vpc,
        TargetType=kind,
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
    )
    arn = str(group["TargetGroups"][0]["TargetGroupArn"])
    await elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
    )
    forward = [{"Type": "forward", "TargetGroupArn": arn}]
    await elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward)
    return arn


async def become(w: World, group: str, state: Any) -> dict[str, str]:
    """The proxies find every new target in this state. What ELB then says of all of them."""
    for record in w.store.all(targets):
        id_ = fleet.target_id(group, record.name)
        key = fleet.target_statuses.key(fleet.FLEET, id_)
        if record.draining_until is None and w.store.get(fleet.target_statuses, key) is None:
            with w.store.tx() as tx:
                tx.put(fleet.target_statuses, fleet.TargetStatus(key=key, group=group, target=record.name, state=state))
    await w.settle()
    said = (await w.aws.elbv2.describe_target_health(TargetGroupArn=group))["TargetHealthDescriptions"]
    return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in said}


async def test_a_rolling_update_behind_a_real_load_balancer(tmp_path: Path) -> None:
    async with world(tmp_path, neighbours=True) as w:
        where = await network(w)
        group = await balancer(w, where["awsvpcConfiguration"]["subnets"])
        await w.ecs.register_task_definition(**definition())
        await w.ecs.create_service(
            serviceName="web",
            taskDefinition="web",
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration=where,
            loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
        )
        await w.settle()
        old = await become(w, group, "healthy")
        assert Counter(old.values()) == {"healthy": 2}
        await w.ecs.register_task_definition(**definition())
        await w.ecs.update_service(service="web", taskDefinition="web")
        await w.settle()
        both = (await w.aws.elbv2.describe_target_health(TargetGroupArn=group))["TargetHealthDescriptions"]
        assert Counter(one["TargetHealth"]["State"] for one in both) == {"healthy": 2, "initial": 2}
        after = await become(w, group, "healthy")
        assert {address for address, state in after.items() if state == "draining"} == set(old)
        await w.pass_time(1.1)
        await w.pass_time(0.1)
        left = await become(w, group, "healthy")
        assert set(left.values()) == {"healthy"}
        assert set(left) == set(after) - set(old)
        (service,) = (await w.ecs.describe_services(services=["web"]))["services"]
        assert (len(service["deployments"]), service["runningCount"]) == (1, 2)
        assert len(w.store.all(fleet.workloads)) == 2


def ec2_definition(mode: str, *, host: int = 0) -> dict[str, Any]:
    port = {"containerPort": 8080} | ({"hostPort": host} if host else {})
    made = definition(
        requiresCompatibilities=["EC2"], networkMode=mode, containerDefinitions=[container(portMappings=[port])]
    )
    return {name: value for name, value in made.items() if value is not None}


def run_at(w: World, workload: fleet.Workload, *ports: int) -> None:
    """The node says that the task runs, and where its ports are."""
    w.report(workload.id, "running", bindings=tuple(PortBinding(container=8080, host=port) for port in ports))


async def waiting(w: World) -> list[fleet.Workload]:
    """What nodes have not said anything of yet."""
    known = {status.id for status in w.store.all(fleet.workload_statuses)}
    return sorted((each for each in w.store.all(fleet.workloads) if each.id not in known), key=lambda each: each.id)


async def test_tasks_on_the_bridge_join_by_instance_and_port_and_are_drained(tmp_path: Path) -> None:
    async with world(tmp_path, neighbours=True) as w:
        subnets = (await network(w))["awsvpcConfiguration"]["subnets"]
        group = await balancer(w, subnets, "instance")
        w.auto = False
        w.change_node("node-1", name="ip-10-1")
        await w.ecs.register_task_definition(**ec2_definition("bridge"))
        await w.ecs.create_service(
            serviceName="web",
            taskDefinition="web",
            desiredCount=2,
            launchType="EC2",
            loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
        )
        await w.settle()
        assert await become(w, group, "healthy") == {}, "nobody knows yet where they will be"
        for number, workload in enumerate(await waiting(w)):
            run_at(w, workload, 32768 + number)
        await w.settle()
        await become(w, group, "healthy")
        assert await places(w, group) == {("ip-10-1", 32768): "healthy", ("ip-10-1", 32769): "healthy"}
        (service,) = (await w.ecs.describe_services(services=["web"]))["services"]
        assert service["runningCount"] == 2

        (arn, _) = sorted((await w.ecs.list_tasks(serviceName="web"))["taskArns"])
        (stopping,) = (each for each in w.store.all(fleet.workloads) if arn.endswith(each.id))
        (status,) = (s for s in w.store.all(fleet.workload_statuses) if s.id == stopping.id)
        port = status.containers[0].bindings[0].host
        await w.ecs.stop_task(task=arn)
        await w.settle()
        assert (await places(w, group))["ip-10-1", port] == "draining"
        assert (await w.ecs.describe_tasks(tasks=[arn]))["tasks"][0]["lastStatus"] == "DEACTIVATING"
        now = w.store.find(fleet.workloads, stopping.scope, stopping.id)
        assert now is not None
        assert now.want == "running", "it serves until it is drained"
        (new,) = await waiting(w)
        run_at(w, new, 40000)
        await w.settle()
        await become(w, group, "healthy")
        await w.pass_time(1.1)
        await w.pass_time(0.1)
        now = w.store.find(fleet.workloads, stopping.scope, stopping.id)
        assert now is not None
        assert now.want == "stopped"
        await become(w, group, "healthy")
        assert await places(w, group) == {("ip-10-1", 40000): "healthy", ("ip-10-1", 65537 - port): "healthy"}


async def test_a_task_on_the_hosts_network_joins_by_its_own_port(tmp_path: Path) -> None:
    async with world(tmp_path, neighbours=True) as w:
        group = await balancer(w, (await network(w))["awsvpcConfiguration"]["subnets"], "instance")
        await w.ecs.register_task_definition(**ec2_definition("host"))
        await w.ecs.create_service(
            serviceName="web",
            taskDefinition="web",
            desiredCount=1,
            launchType="EC2",
            loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
        )
        await w.settle()
        await become(w, group, "healthy")
        assert await places(w, group) == {("node-1", 8080): "healthy"}


async def test_a_renamed_instance_is_registered_under_its_new_name(tmp_path: Path) -> None:
    async with world(tmp_path, neighbours=True) as w:
        group = await balancer(w, (await network(w))["awsvpcConfiguration"]["subnets"], "instance")
        await w.ecs.register_task_definition(**ec2_definition("host"))
        await w.ecs.create_service(
            serviceName="web",
            taskDefinition="web",
            desiredCount=1,
            launchType="EC2",
            loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
        )
        await w.settle()
        await become(w, group, "healthy")
        w.change_node("node-1", name="other")
        await w.settle()
        await become(w, group, "healthy")
        assert await places(w, group) == {("other", 8080): "healthy"}


@pytest.mark.parametrize(("mode", "kind"), [("bridge", "ip"), ("host", "ip"), ("awsvpc", "instance")])
async def test_types_of_targets_and_network_modes_go_together(tmp_path: Path, mode: str, kind: str) -> None:
    async with world(tmp_path, neighbours=True) as w:
        where = await network(w)
        group = await balancer(w, where["awsvpcConfiguration"]["subnets"], kind)
        await w.ecs.register_task_definition(**ec2_definition(mode))
        words = f"{group} has target type {kind}, which is incompatible with the {mode} network mode specified"
        with pytest.raises(t.InvalidParameterException, match=re.escape(words)):
            await w.ecs.create_service(
                serviceName="web",
                taskDefinition="web",
                desiredCount=1,
                launchType="EC2",
                loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
                **({"networkConfiguration": where} if mode == "awsvpc" else {}),
            )


async def places(w: World, group: str) -> dict[tuple[str, int], str]:
    said = (await w.aws.elbv2.describe_target_health(TargetGroupArn=group))["TargetHealthDescriptions"]
    return {(one["Target"]["Id"], one["Target"]["Port"]): one["TargetHealth"]["State"] for one in said}
