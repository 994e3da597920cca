"""The endpoint at 169.254.170.2: who asks is known by the address, and gets what is its own and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.secret import Secret
from hatoba.fleet.items import CredentialItem
from hatoba.gateway.http.messages import Request
from hatoba.network.simulated import SimulatedFabric
from hatoba.node import advance as step
from hatoba.node.advance import Held, advance, begin
from hatoba.node.metadata.endpoint import MetadataEndpoint
from hatoba.node.translate import Place, endpoint_id
from hatoba.runtime.simulated import SimulatedHost, SimulatedRuntime
from tests.unit.node.machine import settings
from tests.unit.node.pieces import container, workload

NOW = 1_700_000_000.0
PLACE = Place(netns="n", address="10.0.0.7", resolver="10.0.0.2", files=Path("/t"), registry="r")


def running(id_: str, name: str = "web") -> Held:
    wanted = workload(
        id_,
        container(name),
        cpu=512,
        memory=1 << 30,
        metadata={
            "TaskARN": f"arn:aws:ecs:us-east-1:123456789012:task/default/{id_}",
            "Cluster": "default",
            "Family": "web",
            "Revision": "3",
            "LaunchType": "FARGATE",
        },
    )
    held = begin(wanted)
    for event in (
        step.Wanted(wanted),
        step.Attached(NOW),
        step.Pulled(name, "sha256:1", NOW, NOW),
        step.Launched(name, f"{id_}-{name}", NOW, NOW),
    ):
        held, _ = advance(held, event, NOW)
    return held


def credential(workload_: str, expires: float = NOW + 3600) -> CredentialItem:
    return CredentialItem(
        workload=workload_,
        role="arn:aws:iam::123456789012:role/web",
        access_key="ASIA1",
        secret_key=Secret("secret"),
        token=Secret("token"),
        expires=expires,
    )


class Known:
    """Two tasks in one network, one in another with the same address."""

    def __init__(self) -> None:
        places = (("v1", "10.0.0.7"), ("v1", "10.0.0.8"), ("v2", "10.0.0.7"))
        self.held = {place: running(id_) for place, id_ in zip(places, ("t1", "t2", "t3"), strict=True)}
        self.credentials = {"c1": credential("t1"), "c2": credential("t2"), "old": credential("t1", NOW - 1)}

    def by_address(self, network: str, address: str) -> Held | None:
        return self.held.get((network, address))

    def place(self, workload_: str) -> Place | None:
        return PLACE

    def credential(self, id_: str) -> CredentialItem | None:
        return self.credentials.get(id_)


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    clock = ManualClock(NOW)
    fabric = SimulatedFabric(settings(tmp_path))
    endpoint = MetadataEndpoint(fabric, Known(), SimulatedRuntime(SimulatedHost(clock)), clock)

    async def get(path: str, peer: str = "10.0.0.7", network: str = "v1", method: str = "GET") -> tuple[int, Any]:
        request = Request(method=method, target=path, headers={}, body=None, peer=peer)  # type: ignore[arg-type]
        answer = await endpoint._handler(network)(request)
        assert isinstance(answer.body, bytes)
        return answer.status, msgspec.json.decode(answer.body)

    return get


async def test_a_task_gets_its_own_credentials(ask: Any) -> None:
    assert await ask("/v2/credentials/c1") == (
        200,
        {
            "RoleArn": "arn:aws:iam::123456789012:role/web",
            "AccessKeyId": "ASIA1",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": "2023-11-14T23:13:20Z",
        },
    )


@pytest.mark.parametrize(
    ("path", "peer", "network", "status", "code"),
    [
        ("/v2/credentials/c2", "10.0.0.7", "v1", 400, "InvalidIdInRequest"),  # another task's
        ("/v2/credentials/c1", "10.0.0.8", "v1", 400, "InvalidIdInRequest"),
        ("/v2/credentials/c1", "10.0.0.7", "v2", 400, "InvalidIdInRequest"),  # the same address in another network
        ("/v2/credentials/none", "10.0.0.7", "v1", 400, "InvalidIdInRequest"),
        ("/v2/credentials/", "10.0.0.7", "v1", 400, "NoIdInRequest"),
        ("/v2/credentials", "10.0.0.7", "v1", 400, "NoIdInRequest"),
        ("/v2/credentials/old", "10.0.0.7", "v1", 503, "CredentialsUninitialized"),
    ],
)
async def test_credentials_of_others_are_refused(
    ask: Any, path: str, peer: str, network: str, status: int, code: str
) -> None:
    found, body = await ask(path, peer, network)
    assert (found, body["code"]) == (status, code)
    assert "secret" not in str(body)


async def test_a_container_is_told_about_itself_and_its_task(ask: Any) -> None:
    me = endpoint_id("t1", "web")
    status, body = await ask(f"/v4/{me}")
    assert status == 200
    assert (body["Name"], body["KnownStatus"], body["DockerId"]) == ("web", "RUNNING", "t1-web")
    assert body["Networks"][0]["IPv4Addresses"] == ["10.0.0.7"]
    status, task = await ask(f"/v4/{me}/task")
    assert task["TaskARN"].endswith("task/default/t1")
    assert (task["Family"], task["Revision"], task["LaunchType"]) == ("web", "3", "FARGATE")
    assert task["Limits"] == {"CPU": 0.5, "Memory": 1024}
    _, third = await ask(f"/v3/{me}/task")
    assert "LaunchType" not in third
    assert (await ask(f"/v4/{me}/stats"))[0] == 200


async def test_another_tasks_container_is_nobody_here(ask: Any) -> None:
    assert (await ask(f"/v4/{endpoint_id('t2', 'web')}"))[0] == 404
    assert (await ask(f"/v4/{endpoint_id('t3', 'web')}/task"))[0] == 404


@pytest.mark.parametrize("path", ["/", "/v4", "/v9/x", "/v4/x/task/more", "/../v2/credentials/c1"])
async def test_other_paths_are_not_there(ask: Any, path: str) -> None:
    assert (await ask(path))[0] == 404


async def test_a_stranger_and_a_writer_are_refused(ask: Any) -> None:
    assert (await ask("/v2/credentials/c1", peer="10.9.9.9"))[0] == 404
    assert (await ask("/v2/credentials/c1", method="POST"))[0] == 405
