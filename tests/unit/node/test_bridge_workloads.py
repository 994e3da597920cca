"""Workloads on the node's bridge, and those that share namespaces: the agent over simulated parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.fleet.items import ZoneItem
from hatoba.fleet.model import ContainerStatus, PortBinding, PortWanted, Workload
from hatoba.network.base import BRIDGE, SeatSpec
from hatoba.node.bridge import seat_id
from hatoba.node.metadata import views
from hatoba.runtime.simulated import Delays
from tests.unit.node.machine import Machine, item, on_a_machine
from tests.unit.node.pieces import container, workload


def bridged(id_: str, *ports: PortWanted, **fields: Any) -> Workload:
    web = container(publish=ports, links=(("db", "database"),))
    more = {"interface": None, "network": None, "network_mode": "bridge"} | fields
    return workload(id_, web, container("db"), **more)


def named(machine: Machine, id_: str, name: str) -> ContainerStatus:
    found: ContainerStatus = next(c for c in machine.status(id_).containers if c.name == name)
    return found


async def running(machine: Machine, id_: str) -> None:
    await machine.until(lambda: machine.status(id_) and machine.status(id_).state == "running")


def test_each_container_has_a_seat_and_the_ports_are_told(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        wanted = bridged("t1", PortWanted(container=80), PortWanted(container=53, host=5353, protocol="udp"))
        machine.want(wanted)
        await running(machine, "t1")
        web, db = named(machine, "t1", "web"), named(machine, "t1", "db")
        assert web.bindings == (
            PortBinding(container=80, host=32768),
            PortBinding(container=53, host=5353, protocol="udp"),
        )
        assert db.bindings == ()
        assert len({web.address, db.address, ""}) == 3
        spec = machine.host.containers["t1-web"].spec
        assert spec.netns.endswith(seat_id("t1", "web"))
        assert spec.netns != machine.host.containers["t1-db"].spec.netns
        assert f"{db.address} database" in (machine.folder / "tasks" / "t1" / "web" / "hosts").read_text()
        found = machine.agent.by_address(BRIDGE, web.address)
        assert found is not None
        assert found.workload.id == "t1"
        machine.want(replace(wanted, want="stopped"))
        await machine.until(lambda: machine.status("t1").state == "stopped")
        assert machine.agent.by_address(BRIDGE, web.address) is None
        machine.forget(wanted)
        await machine.until(lambda: not machine.leftovers())

    on_a_machine(tmp_path, script)


@pytest.mark.parametrize("version", [3, 4])
def test_a_container_is_told_its_address_and_where_its_ports_are(tmp_path: Path, version: int) -> None:
    async def script(machine: Machine) -> None:
        machine.want(bridged("t1", PortWanted(container=80, count=2), PortWanted(container=53, protocol="udp")))
        await running(machine, "t1")
        held = machine.agent.held("t1")
        assert held is not None
        about = views.About(held=held, place=machine.agent.place("t1"))
        web, db = (views.container(about, c, held.container(c.name), version) for c in held.workload.containers)
        host_ip = {"HostIp": "0.0.0.0"} if version == 4 else {}
        assert web["Ports"] == [
            {"ContainerPort": 80, "Protocol": "tcp", "HostPort": 32768, **host_ip},
            {"ContainerPort": 81, "Protocol": "tcp", "HostPort": 32769, **host_ip},
            {"ContainerPort": 53, "Protocol": "udp", "HostPort": 32768, **host_ip},
        ]
        assert "Ports" not in db
        for shape, name in ((web, "web"), (db, "db")):
            address = named(machine, "t1", name).address
            assert shape["Networks"] == [{"NetworkMode": "bridge", "IPv4Addresses": [address]}]

    on_a_machine(tmp_path, script)


def test_a_port_that_another_has_stops_the_task_and_says_so(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.want(bridged("t1", PortWanted(container=80, host=8080)))
        await running(machine, "t1")
        machine.want(bridged("t2", PortWanted(container=80, host=8080)))
        await machine.until(lambda: machine.status("t2") and machine.status("t2").state == "stopped")
        status = machine.status("t2")
        assert (status.error, status.detail) == (
            "port_taken",
            "Bind for 0.0.0.0:8080 failed: port is already allocated",
        )
        assert machine.fabric.vpcs[BRIDGE].holders.keys() == {seat_id("t1", "web"), seat_id("t1", "db")}

    on_a_machine(tmp_path, script)


@pytest.mark.parametrize("turns", range(0, 60, 4))
def test_killed_at_any_moment_it_keeps_its_ports_and_goes_without_a_trace(tmp_path: Path, turns: int) -> None:
    async def script(machine: Machine) -> None:
        wanted = bridged("t1", PortWanted(container=80), ipc_mode="task")
        machine.want(wanted)
        steps = 0

        def passed() -> bool:
            nonlocal steps
            steps += 1
            return steps > turns

        await machine.until(passed)
        await machine.restart()
        machine.want(wanted)  # as the control plane does, whatever the node still knew
        await running(machine, "t1")
        before = named(machine, "t1", "web")
        await machine.restart()
        after = named(machine, "t1", "web")
        assert (after.address, after.bindings) == (before.address, before.bindings)
        assert before.bindings
        await machine.until(lambda: machine.agent.by_address(BRIDGE, before.address) is not None)
        machine.want(replace(wanted, want="stopped"))
        machine.forget(wanted)
        await machine.until(lambda: not machine.leftovers() and not machine.host.shared)

    on_a_machine(tmp_path, script, delays=Delays(pull=0.05, create=0.05, start=0.05))


def test_a_bridge_that_cannot_be_made_fails_the_task_and_then_works(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.fabric.failures["ensure_bridge"] = [PortError("kernel", "no more devices")]
        machine.want(bridged("t1"))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "stopped")
        assert machine.status("t1").error == "kernel"
        machine.want(bridged("t2"))
        await running(machine, "t2")

    on_a_machine(tmp_path, script)


class Service:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def open(self, network: str, netns: Path) -> None:
        self.told.append(f"open {network}")

    async def refresh(self, network: str, netns: Path) -> None:
        self.told.append(f"refresh {network}")

    async def close(self, network: str) -> None:
        self.told.append(f"close {network}")


def test_services_are_opened_once_again_after_a_restart_and_told_of_names(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        service = Service()
        machine.services = (service,)
        await machine.restart()
        assert service.told == [], "nobody needs a bridge"
        machine.want(bridged("t1"), bridged("t2"))
        await running(machine, "t1")
        await running(machine, "t2")
        assert service.told == ["open bridge"]
        await machine.restart()
        await machine.until(lambda: service.told == ["open bridge"] * 2)
        machine.tell(put=[item("zone", "lb.example", ZoneItem(network="", addresses=("100.64.4.1",), ttl=60))])
        await machine.until(lambda: "refresh bridge" in service.told)

    on_a_machine(tmp_path, script)


def test_a_seat_that_a_crash_left_is_swept(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        await machine.fabric.ensure_bridge(())
        await machine.fabric.ensure_seat(SeatSpec(id=seat_id("gone", "web")))
        machine.want(bridged("t1"))
        await running(machine, "t1")
        await machine.restart()
        kept = {seat_id("t1", "web"), seat_id("t1", "db")}
        await machine.until(lambda: machine.fabric.vpcs[BRIDGE].holders.keys() == kept)

    on_a_machine(tmp_path, script)


@pytest.mark.parametrize(
    ("told", "mode", "found"),
    [
        ("http://100.64.0.1:4566", "bridge", "http://100.64.0.1:4566"),
        ("http://100.64.0.1:4566", "host", "http://localhost:4566"),
        ("", "host", None),
    ],
)
def test_where_the_platform_is(tmp_path: Path, told: str, mode: str, found: str | None) -> None:
    async def script(machine: Machine) -> None:
        machine.worker.places.endpoint = told
        machine.want(workload("t1", interface=None, network=None, network_mode=mode))
        await running(machine, "t1")
        env = dict(entry.split("=", 1) for entry in machine.host.containers["t1-web"].spec.env)
        assert env.get("AWS_ENDPOINT_URL") == found

    on_a_machine(tmp_path, script)


def test_who_shares_and_who_does_not(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        both = {"interface": None, "network": None, "network_mode": "none"}
        machine.want(workload("t1", container("a"), container("b"), pid_mode="task", **both))
        machine.want(workload("t2", pid_mode="host", ipc_mode="none", **both))
        await running(machine, "t1")
        await running(machine, "t2")
        specs = {id_: found.spec for id_, found in machine.host.containers.items()}
        assert specs["t1-a"].pidns == specs["t1-b"].pidns != ""
        assert {specs["t1-a"].ipcns, specs["t1-a"].netns} == {""}
        assert (specs["t2-web"].pidns, specs["t2-web"].shm_size) == ("host", 0)
        assert machine.host.shared.keys() == {"t1"}

    on_a_machine(tmp_path, script)
