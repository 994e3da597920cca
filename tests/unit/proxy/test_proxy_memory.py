"""What an agent knows of targets outlives it: noted before the proxy is told, let alone anybody else."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from envoy.config.core.v3.health_check_pb2 import HEALTHY as IN_SERVICE
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from hatoba.core.clock import LoopClock
from hatoba.proxy import memory
from hatoba.proxy.base import Balancer, Forward, HealthFact, Listener, Share, Target, TargetGroup, TargetKey, Wanted
from hatoba.proxy.engine import EnvoyProxy
from hatoba.proxy.health import HEALTHY, REGISTERING, Answered, Result, TimedOut, unhealthy
from hatoba.proxy.memory import Memory
from hatoba.proxy.resource import Snapshot

A, B = TargetKey("g", "a"), TargetKey("g", "b")


def test_health_is_remembered_and_a_spoilt_memory_is_none(tmp_path: Path) -> None:
    file = tmp_path / "health.json"
    assert memory.load(file) == {}
    known = {A: HEALTHY, B: unhealthy(TimedOut())}
    memory.save(file, known)
    assert memory.load(file) == known
    file.write_bytes(file.read_bytes()[:-7])
    assert memory.load(file) == {}


def test_of_one_target_the_last_word_counts_and_a_half_written_one_does_not(tmp_path: Path) -> None:
    file = tmp_path / "health.json"
    known = {A: REGISTERING}
    writer = Memory(file, lambda: known)
    writer.note({A: REGISTERING})
    writer.note({A: HEALTHY})
    writer.note({B: unhealthy(TimedOut())})
    assert memory.load(file) == {A: HEALTHY, B: unhealthy(TimedOut())}
    with file.open("ab") as half:
        half.write(b'[{"group":"g","target":"a","health":{"sta')
    assert memory.load(file) == {A: HEALTHY, B: unhealthy(TimedOut())}


def test_a_change_costs_a_line_and_the_file_stays_small(tmp_path: Path) -> None:
    file = tmp_path / "health.json"
    known = {TargetKey("g", str(number)): HEALTHY for number in range(200)}
    asked = 0

    def all_of_it() -> dict[TargetKey, Any]:
        nonlocal asked
        asked += 1
        return known

    writer = Memory(file, all_of_it)
    writer.note({})
    whole, most = file.stat().st_size, 0
    for _ in range(3000):
        writer.note({TargetKey("g", "7"): HEALTHY})
        most = max(most, file.stat().st_size)
    assert asked <= 4, "what is known was gone through for single changes"
    assert most < 15 * whole
    assert memory.load(file) == known


def test_a_memory_that_cannot_be_written_is_tried_again_whole(tmp_path: Path) -> None:
    file = tmp_path / "not yet" / "health.json"
    known = {A: HEALTHY, B: HEALTHY}
    writer = Memory(file, lambda: known)
    writer.note({A: HEALTHY})
    file.parent.mkdir()
    writer.note({B: HEALTHY})
    assert memory.load(file) == known


class Server:
    """In the place of Envoy's configuration server: acknowledges at once what it is offered, and looks at the file."""

    path = Path("/nowhere")

    def __init__(self, file: Path) -> None:
        self._file = file
        self.served: list[set[str]] = []  # targets in service, by offer

    def offer(self, name: str, snapshot: Snapshot, *, again: bool = False) -> None:
        serving = {each for resource in snapshot["endpoints"].values() for each in _in_service(resource.body)}
        remembered = {key.target for key, health in memory.load(self._file).items() if health == HEALTHY}
        assert serving <= remembered, "an agent that is killed now forgets who serves"
        self.served.append(serving)

    async def settled(self, name: str, timeout: float) -> None: ...

    def lead(self, name: str, number: int) -> None: ...

    def forget(self, name: str) -> None: ...


def _in_service(body: bytes) -> set[str]:
    message = ClusterLoadAssignment.FromString(body)
    ends = [end for locality in message.endpoints for end in locality.lb_endpoints if end.health_status == IN_SERVICE]
    return {end.endpoint.address.socket_address.address for end in ends}


class Agent:
    """A proxy whose targets answer, or hold their answers back."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, *, answering: bool) -> None:
        async def ask(*_: Any, **__: Any) -> Result:
            if not answering:
                await asyncio.Event().wait()
            return Answered(code=200)

        async def start() -> bool:
            return True

        directory.mkdir(exist_ok=True)
        monkeypatch.setattr("hatoba.proxy.engine.ask", ask)
        self.server = Server(directory / "health.json")
        self.told: asyncio.Queue[HealthFact] = asyncio.Queue()
        self.proxy = EnvoyProxy(
            name="vpc-1",
            directory=directory,
            server=self.server,  # type: ignore[arg-type]
            clock=LoopClock(),
            on_health=self.told.put_nowait,
        )
        monkeypatch.setattr(self.proxy.process, "start", start)


def wanted(*targets: str) -> Wanted:
    listener = Listener(id="main", port=80, default=Forward(shares=(Share(group="g"),)))
    ends = tuple(Target(id=each, address=each, port=80) for each in targets)
    return Wanted(
        balancers=(Balancer(id="web", addresses=("10.0.0.5",), listeners=(listener,)),),
        groups=(TargetGroup(id="g", targets=ends),),
    )


async def test_an_agent_killed_as_it_tells_of_a_target_leaves_it_in_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told deregisters the only other target at once; the agent that comes next has not asked anybody."""
    before = Agent(tmp_path / "before", monkeypatch, answering=True)
    await before.proxy.start()
    await before.proxy.apply(wanted("10.0.0.1"))
    await before.proxy.apply(wanted("10.0.0.1", "10.0.0.2"))
    async with asyncio.timeout(5):
        while (fact := await before.told.get()) and (fact.target, fact.health) != ("10.0.0.2", HEALTHY):
            pass
    shutil.copytree(tmp_path / "before", tmp_path / "after")  # that is all that a killed one leaves
    after = Agent(tmp_path / "after", monkeypatch, answering=False)
    await after.proxy.start()
    await after.proxy.apply(wanted("10.0.0.2"))
    assert after.server.served[0] == {"10.0.0.2"}
    for each in (before, after):
        await each.proxy.checker.close()
        await each.proxy._tasks.close()
