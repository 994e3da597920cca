"""Container instances: what they tell, draining, attributes, deregistering."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from tests.unit.services.ecs.test_ecs_placement import nodes_of, register, running
from tests.unit.services.ecs.world import NETWORK, World, container, definition, world


async def listed(w: World, **asked: Any) -> list[str]:
    found = (await w.ecs.list_container_instances(**asked))["containerInstanceArns"]
    return [arn.rpartition("/")[2] for arn in found]


async def described(w: World, id_: str, **asked: Any) -> Any:
    return (await w.ecs.describe_container_instances(containerInstances=[id_], **asked))["containerInstances"][0]


def resources(instance: Any, which: str = "remainingResources") -> dict[str, Any]:
    return {r["name"]: r.get("stringSetValue", r["integerValue"]) for r in instance[which]}


async def test_what_an_instance_tells(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        ports = [{"containerPort": 8080, "hostPort": 8080}, {"containerPort": 53, "hostPort": 53, "protocol": "udp"}]
        await register(w, containerDefinitions=[container(cpu=256, memory=512, portMappings=ports)])
        await w.ecs.run_task(taskDefinition="ec2")
        one = await described(w, "node-1")
        assert (one["runningTasksCount"], one["pendingTasksCount"]) == (0, 1)
        await w.settle()
        one = await described(w, "node-1", include=["CONTAINER_INSTANCE_HEALTH", "TAGS"])
        assert (one["runningTasksCount"], one["pendingTasksCount"]) == (1, 0)
        assert resources(one, "registeredResources") == {"CPU": 2048, "MEMORY": 8192, "PORTS": [], "PORTS_UDP": []}
        assert resources(one) == {"CPU": 1792, "MEMORY": 7680, "PORTS": ["8080"], "PORTS_UDP": ["53"]}
        assert one["healthStatus"]["overallStatus"] == "OK"
        told = {attribute["name"]: attribute.get("value") for attribute in one["attributes"]}
        assert told["ecs.availability-zone"] == "us-east-1b"
        assert told["ecs.cpu-architecture"] == "x86_64"
        # The same node in another cluster: the same room is left, but none of its tasks.
        await w.ecs.create_cluster(clusterName="far")
        far = await described(w, "node-1", cluster="far")
        assert resources(far) == resources(one)
        assert far["runningTasksCount"] == 0


async def test_a_node_that_is_lost_is_an_instance_without_its_agent(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.change_node("node-1", state="lost", seen_at=5.0)
        w.add_node("node-2")
        w.change_node("node-2", state="lost", seen_at=0.0)  # it has joined, and never connected
        one = await described(w, "node-1", include=["CONTAINER_INSTANCE_HEALTH"])
        assert (one["status"], one["agentConnected"], one["healthStatus"]["overallStatus"]) == (
            "ACTIVE",
            False,
            "IMPAIRED",
        )
        assert await listed(w, filter="agentConnected == false") == ["node-1"]
        answer = await w.ecs.describe_container_instances(containerInstances=["node-2"])
        assert answer["failures"][0]["reason"] == "MISSING"
        await register(w)
        answer = await w.ecs.run_task(taskDefinition="ec2")
        assert answer["failures"][0]["reason"] == "AGENT"
        assert answer["failures"][0]["detail"] == "no capacity: 1 node is lost: node-1"


async def test_a_drained_instance_takes_no_new_tasks_and_its_services_move_away(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        await register(w)
        await w.ecs.create_cluster(clusterName="far")
        await w.ecs.create_service(serviceName="web", taskDefinition="ec2", desiredCount=4)
        await w.ecs.create_service(cluster="far", serviceName="web", taskDefinition="ec2", desiredCount=2)
        single = await w.ecs.start_task(taskDefinition="ec2", containerInstances=["node-1"])
        await w.settle()
        assert await running(w, "web") == {"node-1": 2, "node-2": 2}
        answer = await w.ecs.update_container_instances_state(
            containerInstances=["node-1", "node-9"], status="DRAINING"
        )
        assert [one["status"] for one in answer["containerInstances"]] == ["DRAINING"]
        assert [one["reason"] for one in answer["failures"]] == ["MISSING"]
        assert (await described(w, "node-1", cluster="far"))["status"] == "ACTIVE"  # clusters are boundaries
        await w.settle()
        assert await running(w, "web") == {"node-2": 4}
        assert (await described(w, "node-1", cluster="far"))["runningTasksCount"] == 1
        one = await w.ecs.describe_tasks(tasks=[single["tasks"][0]["taskArn"]])
        assert one["tasks"][0]["lastStatus"] == "RUNNING"  # nobody's but its own
        assert await listed(w, status="DRAINING") == ["node-1"]
        assert await nodes_of(w, await w.ecs.run_task(taskDefinition="ec2", count=2)) == ["node-2", "node-2"]
        refused = await w.ecs.start_task(taskDefinition="ec2", containerInstances=["node-1"])
        assert refused["failures"][0]["detail"] == "no capacity: 1 node is draining: node-1"
        await w.ecs.update_container_instances_state(containerInstances=["node-1"], status="ACTIVE")
        answer = await w.ecs.run_task(taskDefinition="ec2", group="new", count=2)
        assert sorted(await nodes_of(w, answer)) == ["node-1", "node-2"]


async def test_draining_keeps_to_the_percentages(tmp_path: Path) -> None:
    """With nowhere to go, and no task to spare, what serves goes on serving."""
    async with world(tmp_path) as w:
        await register(w)
        await w.ecs.create_service(serviceName="web", taskDefinition="ec2", desiredCount=2)
        await w.settle()
        await w.ecs.update_container_instances_state(containerInstances=["node-1"], status="DRAINING")
        await w.settle()
        assert await running(w, "web") == {"node-1": 2}
        (service,) = (await w.ecs.describe_services(services=["web"]))["services"]
        assert "no capacity: 1 node is draining" in service["events"][0]["message"]
        w.add_node("node-2")
        await w.settle()
        assert await running(w, "web") == {"node-2": 2}


async def test_a_drain_that_is_taken_back_leaves_everything_where_it_is(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await register(w)
        await w.ecs.create_service(
            serviceName="web", taskDefinition="ec2", desiredCount=2, availabilityZoneRebalancing="DISABLED"
        )
        await w.settle()
        for status in ("DRAINING", "ACTIVE"):
            await w.ecs.update_container_instances_state(containerInstances=["node-1"], status=status)
            await w.settle()
        w.add_node("node-2")
        await w.settle()
        assert await running(w, "web") == {"node-1": 2}


async def test_fargate_knows_no_instances(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.update_container_instances_state(containerInstances=["node-1"], status="DRAINING")
        await w.ecs.register_task_definition(**definition())
        answer = await w.ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=NETWORK)
        assert len(answer["tasks"]) == 1


async def test_what_cannot_be_asked_of_an_instance(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        ask = w.ecs.update_container_instances_state
        with pytest.raises(t.InvalidParameterException, match=r"should be one of \[ACTIVE, DRAINING\]"):
            await ask(containerInstances=["node-1"], status="DEREGISTERING")
        with pytest.raises(t.InvalidParameterException, match="From 1 to 10"):
            await ask(containerInstances=["node-1"] * 11, status="ACTIVE")
        with pytest.raises(t.InvalidParameterException, match="Identifier is for cluster far"):
            await ask(
                containerInstances=["arn:aws:ecs:us-east-1:123456789012:container-instance/far/node-1"], status="ACTIVE"
            )
        with pytest.raises(t.InvalidParameterException, match="color is not a subject"):
            await w.ecs.list_container_instances(filter="color == red")
        with pytest.raises(t.InvalidParameterException, match="not found"):
            await w.ecs.deregister_container_instance(containerInstance="node-9")


async def test_deregistering(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        w.change_node("node-1", seen_at=w.clock.now())
        await register(w)
        await w.ecs.create_service(serviceName="web", taskDefinition="ec2", desiredCount=2)
        await w.ecs.put_attributes(attributes=[{"name": "stack", "value": "blue", "targetId": "node-1"}])
        await w.settle()
        gone = (await w.ecs.list_tasks(containerInstance="node-1"))["taskArns"]
        with pytest.raises(t.InvalidParameterException, match="Found running tasks on the instance"):
            await w.ecs.deregister_container_instance(containerInstance="node-1")
        answer = await w.ecs.deregister_container_instance(containerInstance="node-1", force=True)
        assert answer["containerInstance"]["status"] == "INACTIVE"
        await w.settle()
        assert await running(w, "web") == {"node-2": 2}
        (task,) = (await w.ecs.describe_tasks(tasks=gone))["tasks"]
        assert (task["lastStatus"], task["stoppedReason"]) == (
            "STOPPED",
            "Container instance deregistration forced by user",
        )
        assert await listed(w) == ["node-2"]
        assert (await described(w, "node-1"))["status"] == "INACTIVE"
        (cluster,) = (await w.ecs.describe_clusters())["clusters"]
        assert cluster["registeredContainerInstancesCount"] == 1
        answer = await w.ecs.update_container_instances_state(containerInstances=["node-1"], status="ACTIVE")
        assert answer["failures"][0]["reason"] == "INACTIVE"
        answer = await w.ecs.start_task(taskDefinition="ec2", containerInstances=["node-1"])
        assert answer["failures"][0]["reason"] == "INACTIVE"
        with pytest.raises(t.InvalidParameterException, match="not found"):
            await w.ecs.deregister_container_instance(containerInstance="node-1")
        # Its agent connects anew: it is there again, and nothing is left of what was decided about it.
        w.change_node("node-1", seen_at=w.clock.now() + 1)
        assert await listed(w) == ["node-1", "node-2"]
        assert await listed(w, filter="attribute:stack exists") == []


async def test_attributes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        arn = (await w.ecs.list_container_instances())["containerInstanceArns"][0]
        stack = {"name": "stack", "value": "blue 1", "targetId": arn, "targetType": "container-instance"}
        answer = await w.ecs.put_attributes(attributes=[stack, {"name": "ssd", "targetId": "node-2"}])
        assert answer["attributes"][0] == {"name": "stack", "value": "blue 1", "targetId": arn}
        assert "value" not in answer["attributes"][1]
        assert await listed(w, filter="attribute:stack == 'blue 1'") == ["node-1"]
        assert await listed(w, filter="attribute:ssd exists") == ["node-2"]
        ask = w.ecs.list_attributes
        found = (await ask(targetType="container-instance", attributeName="stack"))["attributes"]
        assert found == [{"name": "stack", "value": "blue 1", "targetId": arn}]
        assert (await ask(targetType="container-instance", attributeName="stack", attributeValue="x"))[
            "attributes"
        ] == []
        everything, token = [], None
        for _ in range(20):
            page = await ask(targetType="container-instance", maxResults=3, **({"nextToken": token} if token else {}))
            everything += [(a["targetId"], a["name"]) for a in page["attributes"]]
            token = page.get("nextToken")
            if token is None:
                break
        assert everything == sorted(set(everything))
        assert (arn, "ecs.os-type") in everything
        nothing = await w.ecs.delete_attributes(attributes=[{"name": "stack", "value": "red", "targetId": arn}])
        assert nothing["attributes"] == []
        deleted = await w.ecs.delete_attributes(attributes=[{"name": "stack", "targetId": arn}])
        assert len(deleted["attributes"]) == 1
        assert await listed(w, filter="attribute:stack exists") == []


@pytest.mark.parametrize(
    ("attribute", "error", "why"),
    [
        ({"name": "a b", "targetId": "node-1"}, t.InvalidParameterException, "name of an attribute"),
        ({"name": "a" * 129, "targetId": "node-1"}, t.InvalidParameterException, "name of an attribute"),
        ({"name": "a", "value": " x", "targetId": "node-1"}, t.InvalidParameterException, "value of the attribute a"),
        (
            {"name": "a", "value": "x" * 129, "targetId": "node-1"},
            t.InvalidParameterException,
            "value of the attribute a",
        ),
        (
            {"name": "ecs.os-type", "value": "x", "targetId": "node-1"},
            t.InvalidParameterException,
            "told by the platform",
        ),
        ({"name": "a", "value": "x"}, t.InvalidParameterException, "targetId"),
        ({"name": "a", "value": "x", "targetId": "node-9"}, t.TargetNotFoundException, "wasn't found"),
    ],
)
async def test_attributes_that_are_refused(tmp_path: Path, attribute: Any, error: Any, why: str) -> None:
    async with world(tmp_path) as w:
        with pytest.raises(error, match=why):
            await w.ecs.put_attributes(attributes=[{"name": "fine", "targetId": "node-1"}, attribute])
        assert await listed(w, filter="attribute:fine exists") == []  # all or nothing


async def test_an_instance_has_ten_attributes_at_most(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        ten = [{"name": f"a{number}", "targetId": "node-1"} for number in range(10)]
        await w.ecs.put_attributes(attributes=ten)
        await w.ecs.put_attributes(attributes=ten)
        with pytest.raises(t.AttributeLimitExceededException):
            await w.ecs.put_attributes(attributes=[{"name": "b", "targetId": "node-1"}])


async def test_a_new_cluster_knows_nothing_of_one_that_had_its_name(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.create_cluster(clusterName="c")
        await w.ecs.put_attributes(cluster="c", attributes=[{"name": "gpu", "targetId": "node-1"}])
        await w.ecs.update_container_instances_state(cluster="c", containerInstances=["node-1"], status="DRAINING")
        await w.ecs.delete_cluster(cluster="c")
        await w.ecs.create_cluster(clusterName="c")
        assert await listed(w, cluster="c", status="ACTIVE") == ["node-1"]
        assert await listed(w, cluster="c", filter="attribute:gpu exists") == []


async def test_a_deregistered_node_is_registered_again_with_attributes_and_tags(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.create_cluster(clusterName="c")
        (arn,) = (await w.ecs.list_container_instances(cluster="c"))["containerInstanceArns"]
        await w.ecs.put_attributes(cluster="c", attributes=[{"name": "old", "value": "1", "targetId": arn}])
        await w.ecs.deregister_container_instance(cluster="c", containerInstance=arn)
        assert (await w.ecs.list_container_instances(cluster="c"))["containerInstanceArns"] == []
        asked = {
            "cluster": "c",
            "instanceIdentityDocument": json.dumps({"instanceId": "node-1", "region": "us-east-1"}),
            "attributes": [{"name": "stack", "value": "blue"}, {"name": "ecs.os-type", "value": "windows"}],
            "tags": [{"key": "team", "value": "red"}],
        }
        made = (await w.ecs.register_container_instance(**asked))["containerInstance"]
        assert (made["containerInstanceArn"], made["status"]) == (arn, "ACTIVE")
        told = {attribute["name"]: attribute.get("value") for attribute in made["attributes"]}
        assert (told["stack"], told["ecs.os-type"], "old" in told) == ("blue", "linux", False)
        assert made["tags"] == [{"key": "team", "value": "red"}]
        assert (await w.ecs.list_container_instances(cluster="c"))["containerInstanceArns"] == [arn]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "instanceIdentityDocument must be given"),
        ({"instanceIdentityDocument": "{"}, "not a document with an instanceId"),
        ({"instanceIdentityDocument": "[]"}, "not a document with an instanceId"),
        ({"instanceIdentityDocument": '{"instanceId": "none"}'}, "has not joined"),
        (
            {"instanceIdentityDocument": '{"instanceId": "node-1"}', "containerInstanceArn": "other"},
            "not the container instance of node-1",
        ),
        (
            {"instanceIdentityDocument": '{"instanceId": "node-1"}', "attributes": [{"name": "no spaces"}]},
            "name of an attribute",
        ),
    ],
)
async def test_registrations_that_are_refused(tmp_path: Path, fields: dict[str, Any], why: str) -> None:
    async with world(tmp_path) as w:
        with pytest.raises(t.InvalidParameterException, match=why):
            await w.ecs.register_container_instance(**fields)


# --- machines that an activation has let in

OURS = {"account": "123456789012", "region": "us-east-1", "managed": "mi-00000000000000001"}


@pytest.mark.parametrize("other", [{"account": "210987654321"}, {"region": "eu-west-1"}])
async def test_an_activation_of_another_account_or_region_gives_no_instance_here(
    tmp_path: Path, other: dict[str, str]
) -> None:
    async with world(tmp_path) as w:
        w.add_node("far", cpu=65536, memory=1 << 40)
        w.change_node("far", attributes={"ecs.capability.external": ""}, **{**OURS, **other})
        assert await listed(w) == ["node-1"]
        found = await w.ecs.describe_container_instances(containerInstances=["far"])
        assert [failure["reason"] for failure in found["failures"]] == ["MISSING"]
        for name in ("far", OURS["managed"]):
            with pytest.raises(t.InvalidParameterException, match="has not joined"):
                await w.ecs.register_container_instance(instanceIdentityDocument=json.dumps({"instanceId": name}))
        await register(w)
        refused = await w.ecs.run_task(taskDefinition="ec2", launchType="EXTERNAL")
        assert (refused["tasks"], len(refused["failures"])) == ([], 1)
        refused = await w.ecs.start_task(taskDefinition="ec2", containerInstances=["far"])
        assert (refused["tasks"], len(refused["failures"])) == ([], 1)
        with pytest.raises(t.TargetNotFoundException):
            await w.ecs.put_attributes(attributes=[{"name": "mine", "targetId": "far"}])
        (arn,) = (await w.ecs.list_container_instances())["containerInstanceArns"]
        with pytest.raises(t.ResourceNotFoundException):
            await w.ecs.tag_resource(resourceArn=arn.replace("node-1", "far"), tags=[{"key": "a", "value": "b"}])


async def test_an_instance_of_ones_own_is_known_by_its_managed_name_and_takes_external_tasks(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("own")
        w.change_node("own", attributes={"ecs.capability.external": ""}, **OURS)
        assert (await described(w, "own"))["ec2InstanceId"] == OURS["managed"]
        assert await listed(w, filter=f"ec2InstanceId == {OURS['managed']}") == ["own"]
        document = json.dumps({"instanceId": OURS["managed"]})
        made = await w.ecs.register_container_instance(instanceIdentityDocument=document)
        assert made["containerInstance"]["containerInstanceArn"].endswith("/own")
        await register(w)
        for launch, node in (("EXTERNAL", "own"), ("EC2", "node-1")):
            ran = await w.ecs.run_task(taskDefinition="ec2", launchType=launch, count=3)
            assert set(await nodes_of(w, ran)) == {node}
