"""What a task may ask of the fault API, and in which words it is refused: those of the open ECS agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.core.errors import PortError
from hatoba.fleet.model import Workload
from hatoba.node.metadata.faults import parse
from hatoba.node.metadata.refusal import NotThere
from hatoba.node.translate import endpoint_id
from tests.unit.node.pieces import workload
from tests.unit.node.test_metadata_endpoint import Asking, running, task

BLACKHOLE = {"Port": 5432, "Protocol": "tcp", "TrafficType": "egress"}
LATENCY = {"DelayMilliseconds": 200, "JitterMilliseconds": 10, "Sources": ["10.0.0.0/8"]}
LOSS = {"LossPercent": 30, "Sources": ["10.0.0.1", "fd00::/8"]}


class Failing(Asking):
    """A task that may make its network fail, with an interface to do it in."""

    def __init__(self, folder: Path, wanted: Workload | None = None) -> None:
        super().__init__(folder)
        self.known.held["v1", "10.0.0.7"] = running(wanted or task("t1", FaultInjectionEnabled="true"))

    async def fault(self, kind: str, verb: str, body: Any = None, *, wait: float = 5.0) -> tuple[int, Any]:
        self.clock.advance(wait)
        sent = b"" if body is None else msgspec.json.encode(body)
        return await self(f"/api/{endpoint_id('t1', 'web')}/fault/v1/{kind}/{verb}", method="POST", body=sent)


@pytest.fixture
async def failing(tmp_path: Path) -> Failing:
    made = Failing(tmp_path)
    await made.launch()
    return made


async def test_a_blackhole_begins_and_ends(failing: Failing) -> None:
    kind = "network-blackhole-port"
    assert await failing.fault(kind, "status", BLACKHOLE) == (200, {"Status": "not-running"})
    for _ in range(2):
        assert await failing.fault(kind, "start", BLACKHOLE) == (200, {"Status": "running"})
    assert await failing.fault(kind, "status", BLACKHOLE) == (200, {"Status": "running"})
    other = BLACKHOLE | {"Port": 80}
    assert await failing.fault(kind, "status", other) == (200, {"Status": "not-running"})
    assert not failing.fabric.can_reach("e-t1", "10.0.0.9", 5432)
    for _ in range(2):
        assert await failing.fault(kind, "stop", BLACKHOLE) == (200, {"Status": "stopped"})
    assert await failing.fault(kind, "status", BLACKHOLE) == (200, {"Status": "not-running"})


@pytest.mark.parametrize(
    ("kind", "body", "running"),
    [
        ("network-latency", LATENCY, "There is already one network latency fault running"),
        ("network-packet-loss", LOSS, "There is already one network packet loss fault running"),
    ],
)
async def test_of_latency_and_loss_there_is_one(failing: Failing, kind: str, body: Any, running: str) -> None:
    assert await failing.fault(kind, "start", body) == (200, {"Status": "running"})
    for again, its in (("network-latency", LATENCY), ("network-packet-loss", LOSS)):
        assert await failing.fault(again, "start", its) == (409, {"Error": running})
    assert await failing.fault(kind, "status") == (200, {"Status": "running"}), "looking needs no body"
    assert await failing.fault(kind, "stop") == (200, {"Status": "stopped"})
    assert await failing.fault(kind, "stop") == (200, {"Status": "stopped"})
    assert await failing.fault(kind, "status") == (200, {"Status": "not-running"})


async def test_each_operation_once_in_five_seconds(failing: Failing) -> None:
    kind = "network-latency"
    assert (await failing.fault(kind, "status"))[0] == 200
    assert (await failing.fault(kind, "status", wait=4.9))[0] == 429
    assert (await failing.fault(kind, "stop", wait=0))[0] == 200, "another operation"
    assert (await failing.fault("network-packet-loss", "status", wait=0))[0] == 200, "another fault"
    assert (await failing.fault(kind, "status", wait=0.2))[0] == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("network-blackhole-port", BLACKHOLE | {"Port": 80}),
        ("network-latency", LATENCY | {"Sources": ["0.0.0.0/0"]}),
        ("network-packet-loss", LOSS | {"LossPercent": 100, "Sources": ["0.0.0.0/0"], "SourcesToFilter": ["10.0.0.9"]}),
    ],
)
async def test_the_metadata_endpoint_stays_within_reach(failing: Failing, kind: str, body: Any) -> None:
    """Or a task that took everything away from itself could not give it back."""
    await failing.fault(kind, "start", body)
    (fault,) = failing.fabric.vpcs["v1"].faults.values()
    assert fault.spared == (*body.get("SourcesToFilter", ()), "169.254.170.2")


async def test_other_ports_spare_nobody_who_is_not_named(failing: Failing) -> None:
    await failing.fault("network-blackhole-port", "start", BLACKHOLE)
    (fault,) = failing.fabric.vpcs["v1"].faults.values()
    assert fault.spared == ()


async def test_what_the_kernel_cannot_do_is_said(failing: Failing) -> None:
    failing.fabric.failures["start_fault"] = [PortError("unsupported", "no netem")]
    status, body = await failing.fault("network-latency", "start", LATENCY)
    assert status == 500
    assert body["Error"].startswith("internal error: the kernel of this node cannot do it")
    failing.fabric.failures["start_fault"] = [PortError("rules", "secret details")]
    assert await failing.fault("network-latency", "start", LATENCY) == (500, {"Error": "internal error"})


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("network-blackhole-port", None, "required request body is missing"),
        ("network-blackhole-port", {}, "required parameter Port is missing"),
        ("network-blackhole-port", {"Port": 1}, "required parameter Protocol is missing"),
        ("network-blackhole-port", {"Port": 1, "Protocol": "tcp"}, "required parameter TrafficType is missing"),
        ("network-blackhole-port", BLACKHOLE | {"Protocol": "sctp"}, "invalid value sctp for parameter Protocol"),
        ("network-blackhole-port", BLACKHOLE | {"TrafficType": "x"}, "invalid value x for parameter TrafficType"),
        ("network-blackhole-port", BLACKHOLE | {"Port": 65536}, "invalid value 65536 for parameter Port"),
        (
            "network-blackhole-port",
            BLACKHOLE | {"SourcesToFilter": ["x"]},
            "invalid value x for parameter SourcesToFilter",
        ),
        ("network-latency", {}, "required parameter DelayMilliseconds is missing"),
        ("network-latency", {"DelayMilliseconds": 1}, "required parameter JitterMilliseconds is missing"),
        ("network-latency", LATENCY | {"Sources": []}, "required parameter Sources is missing"),
        ("network-latency", LATENCY | {"Sources": ["1.2.3"]}, "invalid value 1.2.3 for parameter Sources"),
        ("network-latency", LATENCY | {"FlowsPercent": 101}, "invalid value 101 for parameter FlowsPercent"),
        ("network-latency", LATENCY | {"DelayMilliseconds": -1}, "invalid value -1 for parameter DelayMilliseconds"),
        ("network-packet-loss", {}, "required parameter LossPercent is missing"),
        ("network-packet-loss", LOSS | {"LossPercent": 0}, "invalid value 0 for parameter LossPercent"),
        ("network-packet-loss", LOSS | {"LossPercent": 101}, "invalid value 101 for parameter LossPercent"),
        ("network-packet-loss", {"LossPercent": 5}, "required parameter Sources is missing"),
    ],
)
async def test_what_is_asked_wrongly(failing: Failing, kind: str, body: Any, why: str) -> None:
    assert await failing.fault(kind, "start", body) == (400, {"Error": why})
    assert failing.fabric.vpcs["v1"].faults == {}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"Port": "80"}', b'{"Sources": 1}', b"\xff"])
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(NotThere) as refused:
        parse("network-blackhole-port", body)
    assert refused.value.status == 400


async def test_a_task_whose_definition_does_not_allow_it(tmp_path: Path) -> None:
    plain = Failing(tmp_path, task("t1"))
    await plain.launch()
    arn = "arn:aws:ecs:us-east-1:123456789012:task/default/t1"
    refusal = (400, {"Error": f"enableFaultInjection is not enabled for task: {arn}"})
    assert await plain.fault("network-latency", "start", LATENCY) == refusal
    assert await plain.fault("network-latency", "status") == refusal


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("bridge", "bridge mode is not supported. Please use either host or awsvpc mode."),
        ("none", "none mode is not supported. Please use either host or awsvpc mode."),
        ("host", "host mode is not supported. Please use awsvpc mode."),
    ],
)
async def test_a_task_without_a_network_of_its_own(tmp_path: Path, mode: Any, why: str) -> None:
    wanted = workload("t1", network=None, interface=None, network_mode=mode, metadata={"FaultInjectionEnabled": "true"})
    asking = Failing(tmp_path, wanted)
    assert await asking.fault("network-latency", "start", LATENCY) == (400, {"Error": why})


async def test_only_posts_and_only_its_own(failing: Failing) -> None:
    path = f"/api/{endpoint_id('t1', 'web')}/fault/v1/network-latency/status"
    assert (await failing(path))[0] == 405
    stranger = f"/api/{endpoint_id('t2', 'web')}/fault/v1/network-latency/status"
    assert (await failing(stranger, method="POST"))[0] == 404
    assert (await failing(path.replace("latency", "weather"), method="POST"))[0] == 404
