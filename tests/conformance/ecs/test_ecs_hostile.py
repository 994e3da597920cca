"""Whatever values a request has: every operation answers, or refuses in ECS's words, and a refusal changes nothing.

What was answered is converged afterwards, so that no accepted value makes a controller fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatoba.aws import models
from hatoba.services.ecs.api import ecs
from hatoba.services.ecs.model.cluster import clusters
from hatoba.services.ecs.model.service import services
from hatoba.services.ecs.model.task_definition import families
from tests.conformance.aws.aws_oracle import Values
from tests.conformance.hostile.asked import Asked, declared, likely
from tests.unit.services.ecs.world import GROUP, NETWORK, ROLE, SCOPE, World, container, definition

ARN = "arn:aws:ecs:us-east-1:123456789012:"
NAMES = st.sampled_from(["web", "api", "web:1", "web:x", "default", "", "no good", ARN + "cluster/default", "arn:x"])
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "cluster": st.sampled_from(["default", "blue", ARN + "cluster/default", "none"]),
    "clusters": st.lists(NAMES, max_size=3),
    "clusterName": st.sampled_from(["default", "blue", ""]),
    "family": st.sampled_from(["web", "api", "no good"]),
    "taskDefinition": st.sampled_from(["web", "web:1", "api", ARN + "task-definition/web:1", "web:", ":1", "web:-1"]),
    "taskDefinitions": st.lists(NAMES, max_size=3),
    "service": st.sampled_from(["web", "api", ARN + "service/default/web", ARN + "service/web"]),
    "serviceName": st.sampled_from(["web", "api", "a/b"]),
    "services": st.lists(NAMES, max_size=3),
    "task": st.sampled_from(["0" * 32, "", ARN + "task/default/" + "0" * 32, ARN + "task/blue/x"]),
    "tasks": st.lists(st.sampled_from(["0" * 32, "", ARN + "task/default/x"]), max_size=3),
    "resourceArn": st.sampled_from(
        [ARN + "cluster/default", ARN + "service/default/web", ARN + "task-definition/web:1", ARN + "x", "x"]
    ),
    "launchType": st.sampled_from(["FARGATE", "FARGATE", "EC2", "EXTERNAL"]),
    "networkConfiguration": st.sampled_from([NETWORK, {}, {"awsvpcConfiguration": {"subnets": []}}]),
    "loadBalancers": st.sampled_from(
        [[], [{"targetGroupArn": GROUP, "containerName": "web", "containerPort": 8080}], [{"containerName": "web"}]]
    ),
    "serviceDeploymentArn": st.sampled_from([ARN + "service-deployment/default/web/x", ARN + "x", "x"]),
    "serviceDeploymentArns": st.lists(st.sampled_from([ARN + "service-deployment/default/web/x", ARN, ""]), max_size=3),
    "serviceRevisionArns": st.lists(st.sampled_from([ARN + "service-revision/default/web/1", "a/b/c"]), max_size=3),
    "desiredCount": st.integers(-1, 3),
    "count": st.integers(0, 3),
    "maxResults": st.integers(0, 3),
    "cpu": st.sampled_from(["256", ".5 vCPU", "x"]),
    "memory": st.sampled_from(["512", "1GB", ""]),
    "networkMode": st.sampled_from(["awsvpc", "awsvpc", "bridge", "host"]),
    "capacityProviders": st.lists(st.sampled_from(["FARGATE", "FARGATE_SPOT", "mine"]), max_size=2),
    "containerInstances": st.lists(st.sampled_from(["node-1", "x", ""]), max_size=2),
    "taskRoleArn": st.sampled_from([ROLE, "x"]),
}
# Requests that pass, of which a few members are then whatever the shapes allow.
PASSING: dict[str, dict[str, Any]] = {
    "RegisterTaskDefinition": definition(),
    "RunTask": {"taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": NETWORK},
    "CreateService": {
        "taskDefinition": "web",
        "desiredCount": 1,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
    },
    "UpdateService": {"service": "web"},
}


class Room(Asked):
    def __init__(self, folder: Path) -> None:
        super().__init__(ecs, SCOPE)
        self.world = World(folder)
        self.run(self._open())

    async def _open(self) -> None:
        await self.world.open()
        self.world.add_node()
        self.plane = self.world.plane

    async def ready(self) -> None:
        """A definition and a service, whatever happened before."""
        aws, store = self.world.ecs, self.world.store
        cluster = store.find(clusters, SCOPE, "default")
        if cluster is None or cluster.status != "ACTIVE":
            await aws.create_cluster()
        family = store.find(families, SCOPE, "web")
        if family is None or family.active is None:
            await aws.register_task_definition(**definition())
        service = store.find(services, SCOPE, "default/web")
        if service is None or service.status == "INACTIVE":
            await aws.create_service(serviceName="web", **PASSING["CreateService"])
            await self.world.settle()

    async def ask(self, operation: str, params: dict[str, Any]) -> None:
        world = self.world
        await self.ready()
        if operation == "CreateService":
            params = {"serviceName": f"new-{sum(self.answered.values())}", **params}
        await self.perform(operation, params)
        await world.settle()
        failing = {name: lane["failing"] for name, lane in world.runner.report().items() if lane["failing"]}
        assert not failing

    def close(self) -> None:
        self.run(self.world.close())
        self.loop.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    room = Room(tmp_path_factory.mktemp("room"))
    yield room
    room.close()


@pytest.mark.slow
@pytest.mark.parametrize("operation", declared(ecs))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_operation_answers_or_refuses(room: Room, operation: str, data: st.DataObject) -> None:
    found = models.load("ecs").operation(operation)
    assert found is not None
    params = data.draw(Values("ecs", output=False).of(found))
    shape = found.model.shape(found.input) if found.input is not None else None
    likely(data, LIKELY, params, shape.required if shape else ())
    if (passing := PASSING.get(operation)) is not None:
        odd = data.draw(st.lists(st.sampled_from(sorted(params)), max_size=2, unique=True)) if params else []
        drawn = [c for c in params.get("containerDefinitions") or [] if c]
        params = passing | {name: params[name] for name in odd if name != "containerDefinitions"}
        if drawn:
            member = data.draw(st.sampled_from(sorted(drawn[0])))
            params = params | {"containerDefinitions": [container(**{member: drawn[0][member]})]}
    room.run(room.ask(operation, params))
    if operation == "RegisterTaskDefinition":  # and what was registered can be run
        room.run(room.ask("RunTask", PASSING["RunTask"]))


@pytest.mark.slow
def test_both_happened(room: Room) -> None:
    """Or the test before would be about nothing."""
    if sum(room.answered.values()):  # it may be run alone
        assert min(room.answered[name] for name in PASSING) > 0
        assert len(room.answered) > 20
        assert len(room.refused) > 20


def test_all_that_is_declared_is_in_the_model() -> None:
    assert len(declared(ecs)) == len(ecs.handlers)
