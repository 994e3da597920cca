"""One node's agent over simulated parts, on virtual time. What a kill leaves is here: disk, host, fabric."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

from hatoba.core.clock import LoopClock
from hatoba.core.virtual import run
from hatoba.fleet import items as i
from hatoba.fleet import messages as msg
from hatoba.fleet.model import ContainerWanted, Workload
from hatoba.network.base import Settings as NetworkSettings
from hatoba.network.beyond import Gate
from hatoba.network.simulated import SimulatedFabric
from hatoba.node.agent import Agent
from hatoba.node.memory import Memory
from hatoba.node.services import NetworkServices
from hatoba.node.session import Session
from hatoba.node.wiring import Wiring
from hatoba.node.worker import Worker
from hatoba.runtime.base import Platform, Stdio
from hatoba.runtime.simulated import SimulatedHost, SimulatedRuntime
from hatoba.store.memory import MemoryDisk, MemoryJournal

GROUP = "g1"
Script = Callable[["Machine"], Coroutine[Any, Any, None]]


def settings(folder: Path, number: int = 0) -> NetworkSettings:
    return NetworkSettings(
        instance="test",
        run_dir=folder / "net",
        host_address=f"100.64.{number}.1",
        transit=f"100.64.{number}.0/24",
        pool="100.64.0.0/16",
        underlay=f"192.0.2.{number + 1}",
    )


class Output:
    """Output that goes nowhere, and remembers whose was opened and whose has ended."""

    def __init__(self) -> None:
        self.open_: set[str] = set()

    async def open(self, workload: Workload, container: ContainerWanted) -> Stdio:
        self.open_.add(f"{workload.id}/{container.name}")
        return Stdio()

    async def ended(self, workload: str, container: str) -> None:
        self.open_.discard(f"{workload}/{container}")


class Said:
    """A session that goes nowhere: the latest report of each thing."""

    def __init__(self) -> None:
        self.reports: dict[tuple[str, str], Any] = {}
        self.history: list[Any] = []
        self.sampled: list[Any] = []

    def start(self) -> None:
        return

    async def close(self) -> None:
        return

    def report(self, kind: str, report: msg.Report) -> None:
        self.reports[kind, report.id] = report
        self.history.append(report)

    def withdraw(self, kind: str, id_: str) -> None:
        self.reports.pop((kind, id_), None)

    def samples(self, samples: Any) -> None:
        self.sampled.append(samples)


class Machine:
    """`kill` drops the agent in the middle of whatever it does; `start` makes a new one."""

    def __init__(self, folder: Path, host: SimulatedHost, fabric: SimulatedFabric) -> None:
        self.folder = folder
        self.host = host
        self.fabric = fabric
        self.clock = host.clock
        self.output = Output()
        self.disk = MemoryDisk()
        self.services: tuple[NetworkServices, ...] = ()
        self.entrance = 0
        self.direct: Gate | None = None
        self.generation = 0
        self.agents = 0

    @classmethod
    def make(cls, folder: Path) -> Machine:
        return cls(folder, SimulatedHost(LoopClock()), SimulatedFabric(settings(folder)))

    async def start(self, registry: str | None = "localhost:4566") -> None:
        """`registry`: None while the control plane is away."""
        self.agents += 1
        self.said = Said()
        self.memory = Memory(self.folder, MemoryJournal(self.disk), lambda error: None)
        self.memory.open()
        self.runtime = SimulatedRuntime(self.host)
        self.agent = Agent(self.memory, self.runtime, self.clock)
        self.wiring = Wiring(self.fabric, self.services, self.entrance, self.direct)
        self.worker = Worker(
            self.runtime, self.wiring, self.output, self.folder / "tasks", self.clock, Platform(), self.agent.emit
        )
        self.agent.bind(self.worker, self.wiring, cast(Session, self.said))
        await self.worker.start()
        await self.agent.start()
        if registry is not None:
            self.agent.welcome(msg.Welcome(protocol=1, region="us-east-1", registry=registry))

    async def kill(self) -> None:
        """As `kill -9` leaves it: what was under way is not finished, and nobody says goodbye."""
        if self.disk.holder is not None:
            self.disk.holder.lost()
        await self.agent.close()
        await self.runtime.close()

    async def restart(self) -> None:
        await self.kill()
        await self.start()

    # --- what the control plane would say

    def want(self, *workloads: Workload) -> None:
        self.tell(put=[thing for workload in workloads for thing in things(workload)])

    def tell(self, put: Any = (), gone: Any = ()) -> None:
        base, self.generation = self.generation, self.generation + 1
        delta = msg.Delta(epoch=1, base=base, generation=self.generation, put=tuple(put), gone=tuple(gone))
        self.memory.keep_delta(delta)
        self.agent.items(delta.put, delta.gone)

    def forget(self, *workloads: Workload) -> None:
        gone = [msg.Gone(kind="workload", id=w.id) for w in workloads]
        gone += [msg.Gone(kind="interface", id=w.interface) for w in workloads if w.interface]
        self.tell(gone=gone)

    # --- what there is

    def status(self, id_: str) -> Any:
        report = self.said.reports.get(("workload", id_))
        return report.status if report else None

    def running(self) -> list[str]:
        return sorted(id_ for id_, c in self.host.containers.items() if c.state == "running")

    async def until(self, condition: Callable[[], Any], seconds: float = 300.0) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition():
            assert loop.time() < end, "it never came true"
            await asyncio.sleep(0.01)

    def leftovers(self) -> list[Any]:
        vpcs = self.fabric.vpcs.values()
        return [
            *self.host.containers,
            *self.host.groups,
            *(holder for vpc in vpcs for holder in vpc.wanted),
            *(self.folder / "tasks").glob("*"),
            *self.output.open_,
            *(record.held.workload.id for record in self.memory.held()),
        ]


def network(id_: str = "v1") -> list[msg.Item]:
    return [
        item("network", id_, i.NetworkItem(cidrs=("10.0.0.0/16",), vni=7, resolver="10.0.0.2")),
        item("policy", GROUP, i.PolicyItem(network=id_, ingress=(), egress=())),
    ]


def item(kind: msg.Kind, id_: str, body: Any) -> msg.Item:
    return msg.Item(kind=kind, id=id_, body=msg.encode(body))


def things(workload: Workload) -> list[msg.Item]:
    """All that a node is told with a workload."""
    found: list[msg.Item] = []
    if workload.network and workload.interface:
        number = sum(map(ord, workload.id)) % 200 + 10
        body = i.InterfaceItem(
            network=workload.network,
            address=f"10.0.0.{number}",
            mac=f"02:00:00:00:00:{number:02x}",
            gateway="10.0.0.1",
            prefix="10.0.0.0/24",
            groups=(GROUP,),
            public=None,
            egress=False,
            balancer=False,
        )
        found = [*network(workload.network), item("interface", workload.interface, body)]
    return [*found, item("workload", workload.id, workload)]


def on_a_machine(folder: Path, script: Script, **options: Any) -> None:
    async def main() -> None:
        machine = Machine.make(folder)
        for name, value in options.items():
            setattr(machine.host, name, value)
        await machine.start()
        await script(machine)
        await machine.kill()
        assert len(asyncio.all_tasks()) == 1, "a task of a closed agent lives on"

    run(main())
