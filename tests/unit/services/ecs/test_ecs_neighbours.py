"""ECS beside the real ec2, iam and sts rooms: the same journeys, with their checks and their words."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.fleet import model as fleet
from tests.unit.services.ecs.world import World, definition, world

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
