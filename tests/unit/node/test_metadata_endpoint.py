"""The endpoint at 169.254.170.2: who asks is known by the address, and gets what is its own and nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.errors import PortError
from hatoba.core.secret import Secret
from hatoba.fleet.items import CredentialItem
from hatoba.fleet.model import HealthCheckWanted, LogWanted, MountWanted, Workload
from hatoba.gateway.http.messages import Request
from hatoba.network.base import InterfaceSpec, VpcSpec
from hatoba.network.simulated import SimulatedFabric
from hatoba.node import events as step
from hatoba.node.advance import advance
from hatoba.node.health import Outcome
from hatoba.node.held import Held, begin
from hatoba.node.metadata.endpoint import MetadataEndpoint
from hatoba.node.translate import Place, endpoint_id
from hatoba.runtime.base import ContainerSpec
from hatoba.runtime.simulated import SimulatedHost, SimulatedRuntime
from tests.unit.node.machine import settings
from tests.unit.node.pieces import container, workload

NOW = 1_700_000_000.0
GOLDEN = Path(__file__).parent / "golden"
CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/default"
PLACE = Place(
    netns="n",
    address="10.0.0.7",
    servers=("10.0.0.2",),
    domain="ec2.internal",
    files=Path("/t"),
    registry="r",
    mac="02:00:00:00:00:07",
    gateway="10.0.0.1",
    prefix="10.0.0.0/20",
)


def task(id_: str, name: str = "web", **fields: Any) -> Workload:
    first = container(
        name,
        cpu=256,
        memory=128 << 20,
        health=HealthCheckWanted(command=("CMD", "true")),
        restart_after=60.0,
        mounts=(MountWanted(target="/data", volume="data"), MountWanted(target="/tmp", tmpfs=True)),
        ports=((8080, "tcp"),),
        labels={"team": "blue"},
        log=LogWanted(driver="awslogs", group="/web", stream="s", options={"awslogs-group": "/web"}),
    )
    metadata = {
        "TaskARN": f"arn:aws:ecs:us-east-1:123456789012:task/default/{id_}",
        "Cluster": CLUSTER,
        "Family": "web",
        "Revision": "3",
        "LaunchType": "FARGATE",
        "VPCID": "vpc-1",
        "ServiceName": "web",
        "Group": "service:web",
        "AvailabilityZone": "us-east-1b",
        "AvailabilityZoneID": "use1-az2",
        "PrivateDNSName": "ip-10-0-0-7.ec2.internal",
        f"ContainerARN:{name}": f"arn:aws:ecs:us-east-1:123456789012:container/default/{id_}/c-1",
    }
    return workload(id_, first, container("side"), cpu=512, memory=1 << 30, metadata=metadata | fields)


def running(wanted: Workload) -> Held:
    held = begin(wanted)
    first = wanted.containers[0].name
    events: list[step.Event] = [step.Wanted(wanted), step.Attached(NOW)]
    for spec in wanted.containers:
        events += [
            step.Pulled(spec.name, "sha256:1", NOW, NOW + 1),
            step.Launched(spec.name, f"{wanted.id}-{spec.name}", NOW + 2, NOW + 2.5),
        ]
    for event in (*events, step.HealthChanged(first, "healthy", NOW + 5)):
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

    endpoint = "127.0.0.1:1"

    def __init__(self) -> None:
        places = (("v1", "10.0.0.7"), ("v1", "10.0.0.8"), ("v2", "10.0.0.7"))
        self.held = {place: running(task(id_)) for place, id_ in zip(places, ("t1", "t2", "t3"), strict=True)}
        self.credentials = {"c1": credential("t1"), "c2": credential("t2"), "old": credential("t1", NOW - 1)}
        self.asked: list[tuple[str, str]] = []
        self.silent = False

    def by_address(self, network: str, address: str) -> Held | None:
        return self.held.get((network, address))

    def place(self, workload_: str) -> Place | None:
        return PLACE

    def credential(self, id_: str) -> CredentialItem | None:
        return self.credentials.get(id_)

    def last_check(self, workload_: str, container_: str) -> Outcome | None:
        return Outcome(code=0, output="fine\n") if container_ == "web" else None

    async def ask(self, workload_: str, what: str) -> bytes:
        self.asked.append((workload_, what))
        if self.silent:
            raise PortError("disconnected", "the control plane is not connected")
        return b'{"task": {"team": "blue"}, "instance": {"rack": "1"}}'


class Asking:
    """The endpoint, and what a container hears from it."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW)
        self.host = SimulatedHost(self.clock)
        self.fabric = SimulatedFabric(settings(folder))
        self.known = Known()
        self.endpoint = MetadataEndpoint(self.fabric, self.known, SimulatedRuntime(self.host), self.clock)

    async def __call__(
        self,
        path: str,
        peer: str = "10.0.0.7",
        network: str = "v1",
        method: str = "GET",
        body: bytes = b"",
    ) -> tuple[int, Any]:
        request = Request(method=method, target=path, headers={}, body=Sent(body), peer=peer)  # type: ignore[arg-type]
        answer = await self.endpoint._handler(network)(request)
        assert isinstance(answer.body, bytes)
        return answer.status, msgspec.json.decode(answer.body)

    async def launch(self) -> None:
        """The containers of the first task, for real as far as the simulation goes; and its interface."""
        runtime, image = SimulatedRuntime(self.host), self.host.publish("web", "1")
        self.host.images[image.digest] = image
        for name in ("web", "side"):
            spec = ContainerSpec(id=f"t1-{name}", image=image.digest, args=("serve",))
            await runtime.create(spec)
            await runtime.start(spec.id)
        await self.fabric.ensure_vpc(VpcSpec(id="v1", cidrs=("10.0.0.0/16",), vni=1))
        await self.fabric.ensure_interface(
            InterfaceSpec(id="e-t1", vpc="v1", address="10.0.0.7", mac="02:00:00:00:00:07", gateway="10.0.0.1")
        )


class Sent:
    """A request's body."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, most: int) -> bytes:
        return self._data


def check(name: str, shape: Any) -> None:
    text = msgspec.json.format(msgspec.json.encode(shape), indent=2).decode() + "\n"
    text = re.sub(r'"ClockErrorBound": [0-9.]+', '"ClockErrorBound": 0.0', text)
    text = re.sub(r'"ClockSynchronizationStatus": "\w+"', '"ClockSynchronizationStatus": "SYNCHRONIZED"', text)
    path = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


async def test_a_task_gets_its_own_credentials(ask: Asking) -> None:
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
    ask: Asking, path: str, peer: str, network: str, status: int, code: str
) -> None:
    found, body = await ask(path, peer, network)
    assert (found, body["code"]) == (status, code)
    assert "secret" not in str(body)


@pytest.mark.parametrize("path", ["/v1/credentials?id=c1", "/v2/credentials/c1"])
async def test_both_ways_to_the_credentials(ask: Asking, path: str) -> None:
    assert (await ask(path))[1]["AccessKeyId"] == "ASIA1"


@pytest.mark.parametrize("version", ["v3", "v4"])
async def test_what_a_container_and_its_task_are(ask: Asking, version: str) -> None:
    """Every member of the documented bodies, true values."""
    me = endpoint_id("t1", "web")
    status, mine = await ask(f"/{version}/{me}")
    assert status == 200
    check(f"metadata-{version}-container", mine)
    status, task_ = await ask(f"/{version}/{me}/task")
    assert status == 200
    check(f"metadata-{version}-task", task_)
    assert [c for c in task_["Containers"] if c["Name"] == "web"] == [mine]


async def test_the_second_version_knows_containers_by_their_ids(ask: Asking) -> None:
    """Its task is that of the third."""
    me = endpoint_id("t1", "web")
    _, third = await ask(f"/v3/{me}/task")
    assert await ask("/v2/metadata") == (200, third)
    assert await ask("/v2/metadata/") == (200, third)
    status, mine = await ask("/v2/metadata/t1-web")
    assert (status, mine["Name"]) == (200, "web")
    assert (await ask("/v2/metadata/t2-web"))[0] == 400
    assert (await ask("/v2/stats/t2-web"))[0] == 400


async def test_a_task_that_stops_says_so(ask: Asking) -> None:
    place, me = ("v1", "10.0.0.7"), endpoint_id("t1", "web")
    ask.known.held[place], _ = advance(ask.known.held[place], step.Exited("web", 3, NOW + 9, False), NOW + 9)
    _, task_ = await ask(f"/v4/{me}/task")
    assert (task_["DesiredStatus"], task_["KnownStatus"]) == ("STOPPED", "RUNNING")
    assert "ExecutionStoppedAt" not in task_, "the other container runs"
    ended, other = task_["Containers"]
    assert (ended["KnownStatus"], ended["ExitCode"]) == ("STOPPED", 3)
    assert (other["DesiredStatus"], other["KnownStatus"]) == ("STOPPED", "RUNNING")
    ask.known.held[place], _ = advance(ask.known.held[place], step.Exited("side", 143, NOW + 11, False), NOW + 11)
    _, task_ = await ask(f"/v4/{me}/task")
    assert task_["ExecutionStoppedAt"] == "2023-11-14T22:13:31.000000000Z"


# --- tags


@pytest.mark.parametrize("version", ["v2", "v3", "v4"])
async def test_tags_are_asked_of_the_control_plane_when_they_are_wanted(ask: Asking, version: str) -> None:
    base = f"/{version}/{endpoint_id('t1', 'web')}"
    plain, tagged = (
        ("/v2/metadata", "/v2/metadataWithTags") if version == "v2" else (f"{base}/task", f"{base}/taskWithTags")
    )
    _, without = await ask(plain)
    assert not {"TaskTags", "ContainerInstanceTags"} & without.keys()
    assert ask.known.asked == []
    status, with_ = await ask(tagged)
    assert (status, with_["TaskTags"], with_["ContainerInstanceTags"]) == (200, {"team": "blue"}, {"rack": "1"})
    assert ask.known.asked == [("t1", "tags")]


async def test_tags_that_cannot_be_had_are_an_error_beside_the_rest(ask: Asking) -> None:
    ask.known.silent = True
    me = endpoint_id("t1", "web")
    status, body = await ask(f"/v4/{me}/taskWithTags")
    assert (status, body["Family"]) == (200, "web")
    (error,) = body["Errors"]
    assert (error["ErrorField"], error["ErrorCode"]) == ("TaskTags", "disconnected")
    assert error["ResourceARN"] == body["TaskARN"]
    status, third = await ask(f"/v3/{me}/taskWithTags")
    assert (status, "Errors" in third) == (200, False)


# --- stats


def still(told: tuple[int, Any]) -> tuple[int, Any]:
    """Without the time that the machine's CPUs have passed meanwhile."""
    status, body = told
    for one in (body,) if "cpu_stats" in body else body.values():
        del one["cpu_stats"]["system_cpu_usage"]
    return status, body


async def test_stats_are_of_the_tasks_own_containers(ask: Asking) -> None:
    await ask.launch()
    me = endpoint_id("t1", "web")
    status, both = await ask(f"/v4/{me}/task/stats")
    assert (status, set(both)) == (200, {"t1-web", "t1-side"})
    both_still = still((status, msgspec.json.decode(msgspec.json.encode(both))))
    assert still(await ask("/v2/stats")) == both_still
    assert still(await ask("/v2/stats/t1-web")) == (200, both_still[1]["t1-web"])
    assert still(await ask(f"/v3/{me}/stats")) == (200, both_still[1]["t1-web"])
    assert both["t1-web"]["networks"].keys() == {"eth0"}
    assert "network_rate_stats" not in both["t1-web"], "a rate needs two moments"
    ask.clock.advance(2)
    _, later = await ask(f"/v4/{me}/stats")
    assert later["network_rate_stats"] == {"rx_bytes_per_sec": 0.0, "tx_bytes_per_sec": 0.0}
    assert later["preread"] == both["t1-web"]["read"] != later["read"]
    assert later["precpu_stats"]["cpu_usage"] == both["t1-web"]["cpu_stats"]["cpu_usage"]
    assert later["cpu_stats"]["system_cpu_usage"] >= later["precpu_stats"]["system_cpu_usage"] > 0


async def test_a_container_that_does_not_run_uses_nothing(ask: Asking) -> None:
    me = endpoint_id("t1", "web")
    assert await ask(f"/v4/{me}/stats") == (200, None)
    assert await ask(f"/v4/{me}/task/stats") == (200, {"t1-web": None, "t1-side": None})


async def test_two_that_ask_at_once_do_not_spoil_each_others_figures(ask: Asking) -> None:
    await ask.launch()
    me = endpoint_id("t1", "web")
    await ask(f"/v4/{me}/stats")
    ask.clock.advance(5)
    _, first = await ask(f"/v4/{me}/stats")
    ask.clock.advance(0.01)
    _, second = await ask(f"/v4/{me}/stats")
    assert first["preread"] == second["preread"]


# --- associations


async def test_there_are_no_associations(ask: Asking) -> None:
    me = endpoint_id("t1", "web")
    assert await ask(f"/v4/{me}/associations/elastic-inference") == (200, {"Associations": []})
    assert (await ask(f"/v4/{me}/associations/elastic-inference/one"))[0] == 400


async def test_protection_is_asked_for_by_ones_own_path(ask: Asking) -> None:
    state = "/task-protection/v1/state"
    status, body = await ask(f"/api/{endpoint_id('t2', 'web')}{state}")
    assert (status, body["error"]["Code"]) == (404, "ResourceNotFoundException")
    status, body = await ask(f"/api/{endpoint_id('t1', 'web')}{state}")
    assert (status, body["error"]["Code"]) == (403, "AccessDeniedException")
    assert body["error"]["Message"] == "Invalid Request: no task IAM role credentials available for task"
    assert (await ask(f"/api/{endpoint_id('t1', 'web')}{state}", method="POST"))[0] == 405
    assert (await ask(f"/api/{endpoint_id('t1', 'web')}/elsewhere"))[0] == 404


async def test_another_tasks_container_is_nobody_here(ask: Asking) -> None:
    assert (await ask(f"/v4/{endpoint_id('t2', 'web')}"))[0] == 404
    assert (await ask(f"/v4/{endpoint_id('t3', 'web')}/task"))[0] == 404


@pytest.mark.parametrize("path", ["/", "/v4", "/v9/x", "/v4/x/task/more", "/../v2/credentials/c1"])
async def test_other_paths_are_not_there(ask: Asking, path: str) -> None:
    assert (await ask(path))[0] == 404


async def test_a_stranger_and_a_writer_are_refused(ask: Asking) -> None:
    assert (await ask("/v2/credentials/c1", peer="10.9.9.9"))[0] == 404
    assert (await ask("/v2/credentials/c1", method="POST"))[0] == 405
