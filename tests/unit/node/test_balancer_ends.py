"""A load balancer ends together with its VPC, whatever its proxy is waiting in; and both may come back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from hatoba.core.clock import ManualClock
from hatoba.fleet import messages as msg
from hatoba.fleet.items import BalancerItem
from hatoba.node.balancers import Balancers
from hatoba.proxy.base import Wanted
from tests.unit.node.machine import Machine, item, network, on_a_machine

CARRIED = item(
    "balancer", "b1", BalancerItem(network="v1", interfaces=(), spec=msgspec.msgpack.encode(Wanted()), version=1)
)
GONE = [msg.Gone(kind="balancer", id="b1"), msg.Gone(kind="network", id="v1"), msg.Gone(kind="policy", id="g1")]


class Deaf:
    """A proxy whose configuration came into force at the very moment in which it was told to end: what waited for it
    has lost the cancellation, as `asyncio.wait_for` and libraries may."""

    def __init__(self) -> None:
        self.applying = asyncio.Event()
        self.stopped = 0

    async def start(self) -> bool:
        return False

    async def apply(self, wanted: Wanted) -> None:
        self.applying.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    async def stop(self) -> None:
        self.stopped += 1

    async def release(self) -> None: ...


def test_a_vpc_goes_with_a_load_balancer_that_did_not_hear_that_it_was_to_end(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        made: list[Deaf] = []

        def make(*_: Any) -> Deaf:
            made.append(Deaf())
            return made[-1]

        async def let(*_: Any) -> None: ...

        balancers = Balancers(
            lambda: machine.wiring.items("balancer", BalancerItem), make, lambda *_: None, ManualClock(), let, ""
        )
        machine.wiring._services = (balancers,)
        for turn in (1, 2):
            machine.tell(put=[*network("v1"), CARRIED])
            await machine.until(lambda turn=turn: len(made) == turn)
            await made[-1].applying.wait()
            machine.tell(gone=GONE)
            await machine.until(lambda: "v1" not in machine.fabric.vpcs)
            assert made[-1].stopped == 1
        await balancers.release()

    on_a_machine(tmp_path, script)
