"""A simulated node: the real agent and session over a simulated runtime, network and proxy.

What a kill leaves is here: its disk, its containers, its fabric.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatoba.core.clock import Clock
from hatoba.core.ids import SeededIds
from hatoba.fleet import messages as msg
from hatoba.fleet.items import BalancerItem
from hatoba.fleet.model import ContainerWanted, Workload
from hatoba.fleet.session import Sessions
from hatoba.network.base import BRIDGE
from hatoba.network.base import Settings as NetworkSettings
from hatoba.network.simulated import SimulatedFabric, Underlay
from hatoba.node.agent import Agent
from hatoba.node.balancers import Balancers, opening
from hatoba.node.memory import Memory
from hatoba.node.session import Session
from hatoba.node.wiring import Wiring
from hatoba.node.worker import Worker
from hatoba.proxy.simulated import SimulatedProxy
from hatoba.runtime.base import Platform, Stdio
from hatoba.runtime.simulated import SimulatedHost, SimulatedRuntime
from hatoba.store.memory import MemoryDisk, MemoryJournal
from tests.simulation.wire import Link

Answers = Callable[[str, int], int | None]


class Nowhere:
    """Output goes nowhere."""

    async def open(self, workload: Workload, container: ContainerWanted) -> Stdio:
        return Stdio()

    async def ended(self, workload: str, container: str) -> None:
        return


class SimulatedNode:
    def __init__(
        self,
        id_: str,
        number: int,
        *,
        folder: Path,
        host: SimulatedHost,
        underlay: Underlay,
        clock: Clock,
        sessions: Callable[[], Sessions | None],
        answers: Answers,
        seed: int,
    ) -> None:
        self.id = id_
        self.number = number
        self.host = host
        self.link = Link(id_, seed)
        self.starts: Counter[str] = Counter()
        self.proxies: dict[str, SimulatedProxy] = {}
        self.up = False
        self._folder = folder / id_
        self._clock = clock
        self._sessions = sessions
        self._answers = answers
        self._ids = SeededIds(seed)
        self._disk = MemoryDisk()
        self.fabric = SimulatedFabric(
            NetworkSettings(
                instance=id_,
                run_dir=self._folder / "net",
                host_address=f"100.64.{number}.1",
                transit=f"100.64.{number}.0/24",
                pool="100.64.0.0/16",
                underlay=f"192.0.2.{number + 1}",
            ),
            underlay,
        )
        start = host.start

        def counted(container: Any) -> int:
            self.starts[container.spec.id] += 1
            return start(container)

        host.start = counted  # type: ignore[method-assign]

    async def start(self) -> None:
        self._memory = Memory(self._folder, MemoryJournal(self._disk), lambda error: None)
        self._memory.open()
        self._runtime = SimulatedRuntime(self.host)
        self.agent = Agent(self._memory, self._runtime, self._clock)
        self._session = Session(
            self._memory,
            self.agent,
            self._hello,
            host="",
            port=0,
            context=None,
            connect=lambda: self.link.connect(self._sessions()),
        )
        self._balancers = Balancers(
            lambda: self._wiring.items("balancer", BalancerItem),
            self._proxy,
            self._session.report,
            self._clock,
            opening(self.fabric),
            self.fabric.settings.host_address,
        )
        self._wiring = Wiring(self.fabric, (self._balancers,))
        self._worker = Worker(
            self._runtime,
            self._wiring,
            Nowhere(),
            self._folder / "tasks",
            self._clock,
            Platform(),
            self.agent.emit,
        )
        self.agent.bind(self._worker, self._wiring, self._session)
        await self._worker.start()
        await self.agent.start()
        self.up = True

    def _proxy(self, network: str, netns: Path, on_health: Any) -> SimulatedProxy:
        proxy = SimulatedProxy(clock=self._clock, ids=self._ids, on_health=on_health, answers=self._answers)
        self.proxies[network] = proxy
        return proxy

    def _hello(self, epoch: int, generation: int) -> msg.Hello:
        return msg.Hello(
            protocol=msg.PROTOCOL,
            name=self.id,
            address=f"192.0.2.{self.number + 1}",
            cpu=8192,
            memory=16 << 30,
            architecture="x86_64",
            attributes={},
            agent="sim",
            epoch=epoch,
            generation=generation,
        )

    async def kill(self) -> None:
        """The agent is gone at once; what runs, runs on."""
        self.up = False
        if self._disk.holder is not None:
            self._disk.holder.lost()
        self.link.drop()
        await self.agent.close()
        await self._balancers.release()
        await self._runtime.close()

    def holders(self) -> list[Any]:
        """Of VPCs' addresses."""
        vpcs = [vpc for id_, vpc in self.fabric.vpcs.items() if id_ != BRIDGE]
        return [holder for vpc in vpcs for holder in vpc.holders.values()]

    def seats(self) -> list[Any]:
        """On the node's own bridge."""
        return list(self.fabric.vpcs[BRIDGE].holders.values()) if BRIDGE in self.fabric.vpcs else []

    def answering(self, address: str) -> bool:
        """A container behind this address runs here."""
        return any(
            c.state == "running" and c.spec.netns.rpartition("/")[2] in self._interfaces_at(address)
            for c in self.host.containers.values()
        )

    def _interfaces_at(self, address: str) -> set[str]:
        return {holder.id for holder in self.holders() if holder.address == address}
