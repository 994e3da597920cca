"""What may happen at the same moment on a node, in the order that hurts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hatoba.core.records import replace
from hatoba.fleet.items import InterfaceItem
from hatoba.fleet.messages import decoder
from tests.unit.node.machine import Machine, item, on_a_machine, things
from tests.unit.node.pieces import workload


def test_an_interface_that_goes_while_a_restarted_agent_looks_for_it_stays_gone(tmp_path: Path) -> None:
    """The agent finds its workloads' interfaces again once their network stands. A workload may have ended by then."""

    async def script(machine: Machine) -> None:
        wanted = workload("t1")
        machine.want(wanted)
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "running")
        machine.fabric.delays["ensure_vpc"] = 5.0
        await machine.restart()
        machine.want(replace(wanted, want="stopped"))
        await machine.until(lambda: machine.status("t1").state == "stopped")
        machine.fabric.calls.clear()
        await machine.until(lambda: ("ensure_vpc", "v1") in machine.fabric.calls)
        await asyncio.sleep(1.0)
        assert "e-t1" not in machine.fabric.vpcs["v1"].wanted
        machine.forget(wanted)
        await machine.until(lambda: not machine.leftovers())

    on_a_machine(tmp_path, script)


def test_an_interface_that_goes_while_its_network_is_gone_through_stays_gone(tmp_path: Path) -> None:
    """A pass looks at what stands, and then takes its time over a balancer's address before it comes to the task's."""

    async def script(machine: Machine) -> None:
        wanted = workload("t1")
        machine.want(wanted)
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "running")
        machine.fabric.delays["ensure_address"] = 5.0
        (interface,) = (thing for thing in things(wanted) if thing.kind == "interface")
        body = decoder(InterfaceItem).decode(interface.body)
        balancer = replace(body, address="10.0.0.250", balancer=True)
        machine.tell(put=[item("interface", "e-t1", replace(body, egress=True)), item("interface", "e-lb", balancer)])
        machine.tell(put=[item("workload", "t1", replace(wanted, want="stopped"))])
        await machine.until(lambda: machine.status("t1").state == "stopped")
        assert ("ensure_address", "e-lb") not in machine.fabric.calls, "the pass was over before the task was"
        await machine.until(lambda: ("ensure_address", "e-lb") in machine.fabric.calls)
        await asyncio.sleep(1.0)
        assert machine.fabric.vpcs["v1"].wanted.keys() == {"e-lb"}

    on_a_machine(tmp_path, script)
