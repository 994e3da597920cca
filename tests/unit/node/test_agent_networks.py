"""What the agent does for networks: they come and go, their services fail, and tasks wait for them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

import msgspec

from hatoba.core.errors import PortError
from hatoba.core.virtual import run
from hatoba.fleet import messages as msg
from hatoba.fleet import model as m
from hatoba.fleet.items import NetworkItem, PolicyItem
from hatoba.network.base import Inventory
from hatoba.network.beyond import Gate
from tests.unit.node.machine import Machine, item, on_a_machine
from tests.unit.node.pieces import workload


def test_a_network_that_goes_while_a_task_waits_for_it_is_said_to_be_missing(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.fabric.failures["set_policies"] = [PortError("kernel", "no")] * 3
        machine.want(workload("t1"))
        await asyncio.sleep(0.2)
        machine.tell(gone=[msg.Gone(kind="network", id="v1"), msg.Gone(kind="policy", id="g1")])
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "stopped")
        assert machine.status("t1").error == "network-missing"
        assert "v1" not in machine.fabric.vpcs

    on_a_machine(tmp_path, script)


class Served:
    """A service inside the router; the first openings fail."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.open_: set[str] = set()

    async def open(self, network: str, netns: Path) -> None:
        if self.failures:
            self.failures -= 1
            raise PortError("kernel", "address in use")
        self.open_.add(network)

    async def refresh(self, network: str, netns: Path) -> None:
        assert network in self.open_

    async def close(self, network: str) -> None:
        self.open_.discard(network)


def test_a_service_that_does_not_open_is_tried_again_and_a_network_that_returns_is_served(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine.make(tmp_path)
        served = Served(2)
        machine.services = (served,)
        await machine.start()
        wanted = workload("t1")
        machine.want(wanted)
        await machine.until(lambda: machine.running() == ["t1-web"])
        assert served.open_ == {"v1"}
        machine.forget(wanted)
        machine.tell(gone=[msg.Gone(kind="network", id="v1"), msg.Gone(kind="policy", id="g1")])
        machine.want(workload("t2"))  # it is wanted again before it is gone
        await machine.until(lambda: machine.running() == ["t2-web"])
        assert served.open_ == {"v1"}
        await machine.kill()

    run(main())


class Mistaken(Served):
    """Somebody's mistake, once."""

    async def refresh(self, network: str, netns: Path) -> None:
        if self.mistakes:
            self.mistakes -= 1
            raise KeyError(network)

    mistakes = 1


def test_a_mistake_leaves_no_network_unattended(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine.make(tmp_path)
        served = Mistaken(0)
        machine.services = (served,)
        await machine.start()
        machine.want(workload("t1"))
        await machine.until(lambda: machine.running() == ["t1-web"])
        assert served.mistakes == 0
        await machine.kill()

    run(main())


def test_remote_public_addresses_are_tried_again(tmp_path: Path) -> None:
    from hatoba.fleet.items import PublicItem

    async def script(machine: Machine) -> None:
        machine.fabric.failures["set_remote_publics"] = [PortError("kernel", "no")] * 2
        body = PublicItem(address="100.64.9.9", node="192.0.2.9", further=("100.64.9.10",))
        machine.tell(put=[item("public", "e9", body)])
        await machine.until(lambda: machine.fabric.remote == dict.fromkeys(("100.64.9.9", "100.64.9.10"), "192.0.2.9"))

    on_a_machine(tmp_path, script)


def test_a_running_interface_follows_its_further_addresses(tmp_path: Path) -> None:
    """In place: the fabric is asked for the same interface with other addresses, and nothing is removed."""
    from hatoba.fleet.items import InterfaceItem
    from hatoba.network.further import Further

    async def script(machine: Machine) -> None:
        wanted = workload("t1")
        machine.want(wanted)
        await machine.until(lambda: machine.running() == ["t1-web"])
        held = machine.fabric.vpcs["v1"].holders
        calls = len(machine.fabric.calls)
        body = InterfaceItem(
            network="v1",
            address=held["e-t1"].address,
            mac="02:00:00:00:00:01",
            gateway="10.0.0.1",
            prefix="10.0.0.0/24",
            groups=("g1",),
            public=None,
            egress=False,
            balancer=False,
            further=("10.0.0.50", "10.0.0.64/28"),
            publics=(("10.0.0.50", "100.64.9.9"),),
        )
        machine.tell(put=[item("interface", "e-t1", body)])
        expected = (Further(network="10.0.0.50", public="100.64.9.9"), Further(network="10.0.0.64/28"))
        await machine.until(lambda: getattr(held["e-t1"], "further", ()) == expected)
        assert ("remove_interface", "e-t1") not in machine.fabric.calls[calls:]
        assert machine.running() == ["t1-web"]

    on_a_machine(tmp_path, script)


def front(number: int, **fields: object) -> msg.Item:
    """A load balancer's address."""
    from hatoba.fleet.items import InterfaceItem

    body = InterfaceItem(
        network="v1",
        address=f"10.0.0.{number}",
        mac="02:00:00:00:00:01",
        gateway="10.0.0.1",
        prefix="10.0.0.0/24",
        groups=("g1",),
        public=None,
        egress=False,
        balancer=True,
    )
    return item("interface", f"f-{number}", msgspec.structs.replace(body, **fields))


def test_a_balancers_address_comes_changes_and_goes_without_a_look_at_the_others(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        fabric = machine.fabric
        machine.want(workload("t1"))  # with it the network
        machine.tell(put=[front(number) for number in range(100, 140)])
        await machine.until(lambda: machine.running() == ["t1-web"])
        held = fabric.vpcs["v1"].holders
        await machine.until(lambda: len([id_ for id_ in held if id_.startswith("f-")]) == 40)
        looked, look = 0, fabric.inventory

        async def inventory() -> Inventory:
            nonlocal looked
            looked += 1
            return await look()

        fabric.inventory = inventory  # type: ignore[method-assign]
        fabric.calls.clear()
        fabric.failures["ensure_address"] = [PortError("kernel", "no")]
        machine.tell(put=[front(140)])
        await machine.until(lambda: "f-140" in held)
        machine.tell(put=[front(120, groups=())])
        await machine.until(lambda: held["f-120"].groups == ())
        asked = [id_ for operation, id_ in fabric.calls if operation == "ensure_address"]
        assert asked == ["f-140", "f-140", "f-120"], "the first one failed, and is tried again"
        assert not looked
        machine.tell(gone=[msg.Gone(kind="interface", id="f-110")])
        await machine.until(lambda: "f-110" not in held)
        assert len(held) == 41
        assert [id_ for operation, id_ in fabric.calls if operation == "ensure_address"] == asked

    on_a_machine(tmp_path, script)


def test_the_endpoints_of_a_peered_network_are_members_of_groups_and_names_as_they_come_and_go(tmp_path: Path) -> None:
    """Whichever of the two is told of first."""

    class Named(Served):
        asked: ClassVar[list[str]] = []

        async def refresh(self, network: str, netns: Path) -> None:
            self.asked.append(network)

    def known(name: str, peer: str, *endpoints: m.Endpoint) -> msg.Item:
        body = NetworkItem(cidrs=(), vni=1, resolver="10.0.0.2", peerings=(peer,), endpoints=endpoints)
        return item("network", name, body)

    async def main() -> None:
        machine = Machine.make(tmp_path)
        served = Named(0)
        machine.services = (served,)
        await machine.start()
        out = PolicyItem(network="v1", ingress=(), egress=(m.Rule(groups=("g-far",)),))
        machine.tell([known("v1", "v2"), item("policy", "g1", out), known("v2", "v1")])
        await machine.until(lambda: {"v1", "v2"} <= served.open_)
        for endpoints in ((m.Endpoint(addresses=("10.2.0.3",), groups=("g-far",)),), ()):
            served.asked.clear()
            machine.tell([known("v2", "v1", *endpoints)])
            wanted = [(address, each.groups) for each in endpoints for address in each.addresses]
            await machine.until(lambda w=wanted: [(g.address, g.groups) for g in machine.fabric.vpcs["v1"].guests] == w)
            await machine.until(lambda: "v1" in served.asked)
        await machine.kill()

    run(main())


GATED = NetworkItem(cidrs=("10.0.0.0/16",), vni=7, resolver="10.0.0.2", gated=True)


async def _gate(machine: Machine, wanted: Gate | None) -> None:
    await machine.until(lambda: machine.fabric.vpcs["v1"].routing.gate == wanted, seconds=5)


def test_gateway_endpoints_are_asked_where_tasks_of_this_node_ask_the_platform(tmp_path: Path) -> None:
    """Which another machine's hears from the control plane, and knows while that is away."""

    async def main() -> None:
        machine = Machine.make(tmp_path)
        machine.entrance = 4566
        await machine.start("192.0.2.9:4566")
        machine.want(workload("t1"))
        await machine.until(lambda: machine.running() == ["t1-web"])
        await _gate(machine, None)
        machine.tell(put=[item("network", "v1", GATED)])
        await _gate(machine, Gate(address="192.0.2.9", port=4566))
        await machine.kill()
        asked = machine.fabric.calls.count(("set_routing", "v1"))
        await machine.start(None)
        await machine.until(lambda: machine.fabric.calls.count(("set_routing", "v1")) > asked)
        assert machine.fabric.vpcs["v1"].routing.gate == Gate(address="192.0.2.9", port=4566)
        machine.agent.welcome(msg.Welcome(protocol=1, region="us-east-1", registry="192.0.2.10:4566"))
        await _gate(machine, Gate(address="192.0.2.10", port=4566))
        await machine.kill()
        machine.direct = Gate(address="100.64.0.1", port=4566)  # beside the control plane tasks have a way of their own
        await machine.start("127.0.0.1:4566")
        await _gate(machine, machine.direct)
        await machine.kill()
        machine.entrance = 0
        await machine.start()
        await _gate(machine, None)
        await machine.kill()

    run(main())
