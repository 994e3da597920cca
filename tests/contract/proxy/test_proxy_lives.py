"""Envoys and agents that die, are found again, or cannot start: what is left, and what it costs the requests."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from hatoba.core.clock import SystemClock
from hatoba.core.errors import PortError, Refused
from hatoba.proxy.base import (
    Balancer,
    FixedResponse,
    Listener,
    Rejected,
    Wanted,
)
from hatoba.proxy.engine import EnvoyProxy
from hatoba.proxy.launches import ended, started_at
from hatoba.proxy.server import ConfigServer
from tests.contract.proxy.proxy_rigs import (
    Facts,
    RealRig,
    forward,
    group,
    until,
    wanted,
)
from tests.contract.proxy.serving import NEVER, serving, status_of
from tools.waiting import PATIENCE, heard

pytestmark = pytest.mark.real


async def test_an_agent_that_was_killed_finds_its_envoy_and_no_request_fails(real: RealRig) -> None:
    a, b = await serving(real, "a", "b")
    wish = wanted(forward("web"), group("web", a, b, check=NEVER))
    async with real.load() as load:
        await load.answered(20)
        pid = real.proxy.process.pid
        for _ in range(3):
            await real.agent_dies()
            await load.answered(30)
            assert await real.agent_returns()
            await load.answered(30)
            await real.proxy.apply(wish)
            assert real.proxy.process.pid == pid
            await load.answered(30)
        sent = real.server._envoys["vpc-1"].session
        assert sent is not None
        assert sent.responses == 0  # nothing had changed, so nothing was sent
    assert load.failures == []
    assert set(load.answers) == {"a", "b"}
    assert real.facts.of("a") == ["healthy"]  # told again, never taken for new


async def test_an_agent_that_comes_back_to_a_changed_world_converges(real: RealRig) -> None:
    a, b = await serving(real, "a", "b")
    async with real.load() as load:
        await real.agent_dies()
        assert await real.agent_returns()
        await real.proxy.apply(wanted(forward("web"), group("web", b, check=NEVER)))
        await load.answered(20, by="b")
    assert load.failures == []
    assert await real.get() == (200, "b")
    assert a.listening


async def test_without_an_agent_a_target_that_vanishes_costs_no_request(real: RealRig) -> None:
    a, _ = await serving(real, "a", "b")
    await real.agent_dies()
    async with real.load() as load:
        await real.down(a)
        await load.answered(100)
    assert load.failures == []
    await real.agent_returns()


async def test_an_envoy_that_dies_is_started_again_with_everything(real: RealRig) -> None:
    await serving(real, "a")
    pid = real.proxy.process.pid
    assert pid is not None
    restarted = asyncio.Event()
    real.proxy.process.on_restart = restarted.set
    os.kill(pid, signal.SIGKILL)
    await asyncio.wait_for(restarted.wait(), PATIENCE)
    await real.server.settled("vpc-1", PATIENCE)
    assert real.proxy.process.pid != pid
    assert await real.get() == (200, "a")


async def test_an_adopted_envoy_that_dies_is_started_again_too(real: RealRig) -> None:
    (a,) = await serving(real, "a")
    await real.agent_dies()
    await real.agent_returns()
    await real.proxy.apply(wanted(forward("web"), group("web", a, check=NEVER)))
    restarted = asyncio.Event()
    real.proxy.process.on_restart = restarted.set
    os.kill(real.proxy.process.pid or 0, signal.SIGKILL)
    await asyncio.wait_for(restarted.wait(), PATIENCE)
    await real.server.settled("vpc-1", PATIENCE)
    assert await real.get() == (200, "a")


async def test_a_pid_file_of_another_process_is_not_believed(real: RealRig) -> None:
    await real.agent_dies()
    pid = real.proxy.process.pid or 0
    os.kill(pid, signal.SIGTERM)
    await ended(pid)
    (real.directory / "e" / "envoy-1.pid").write_text(f'{{"pid":{os.getpid()},"started":12345}}')
    assert not await real.agent_returns()
    assert real.proxy.process.pid not in (pid, os.getpid())


async def test_stop_leaves_nothing(real: RealRig) -> None:
    pid = real.proxy.process.pid or 0
    await real.proxy.stop()
    assert started_at(pid) is None
    assert not (real.directory / "e").exists()


async def test_envoy_can_do_little_on_the_host(real: RealRig) -> None:
    await real.proxy.apply(Wanted())
    status = status_of(real.proxy.process.pid)
    assert re.search(r"CapEff:\t0000000000002404\n", status)  # reads its files, binds low ports, speaks for clients
    assert re.search(r"NoNewPrivs:\t1\n", status)


async def test_who_waits_for_an_envoy_that_never_comes_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = ConfigServer(tmp_path_factory.mktemp("px") / "x.sock")
    await server.start()
    with pytest.raises(PortError, match=r"Timeout: Envoy nobody is not connected within 0\.05 s"):
        await server.settled("nobody", 0.05)
    await server.close()


async def test_a_path_too_long_for_a_socket_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="too long for a socket"):
        await ConfigServer(tmp_path / ("x" * 120)).start()


async def test_an_envoy_that_cannot_start_says_why(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("px")
    server = ConfigServer(directory / "x.sock")
    await server.start()
    proxy = EnvoyProxy(
        name="vpc-1",
        directory=directory / "e",
        server=server,
        clock=SystemClock(),
        on_health=Facts(),
        netns=str(directory / "no-such-namespace"),
        timeout=0.5,
    )
    try:
        await proxy.start()
        await until(lambda: "no-such-namespace" in proxy.process.last_words())
        with pytest.raises(PortError, match=r"Timeout: .* is not connected .*no-such-namespace"):
            await proxy.apply(Wanted())
    finally:
        await proxy.stop()
        await server.close()


async def test_a_log_that_grew_is_put_aside_and_a_new_one_begun(real: RealRig) -> None:
    a = await real.backend("a")
    process = real.proxy.process
    taken = Listener(id="taken", port=a.port, default=FixedResponse(status=200))
    refused = Wanted(balancers=(Balancer(id="b", addresses=("127.0.0.1",), listeners=(taken,)),))
    for _ in range(2):
        with pytest.raises(Rejected):
            await real.proxy.apply(refused)  # writes a line into the log
        await until(lambda: process.log_file.exists() and "failed to bind" in process.log_file.read_text())
        await process.bound_log(largest=0)
    assert "failed to bind" in process.log_file.with_suffix(".log.1").read_text()


async def test_whoever_stops_waits_for_an_envoy_that_is_just_being_started(
    real: RealRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a thread that starts it, and goes on: that Envoy would be nobody's."""
    process = real.proxy.process
    begun, may, spawn = threading.Event(), threading.Event(), process._spawn
    started: list[int] = []

    def spawn_when_told(*args: object) -> int:
        begun.set()
        may.wait(PATIENCE)
        started.append(spawn(*args))  # type: ignore[arg-type]
        return started[0]

    monkeypatch.setattr(process, "_spawn", spawn_when_told)
    os.kill(process.pid or 0, signal.SIGKILL)
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    stopping = asyncio.create_task(real.proxy.stop())
    with pytest.raises(TimeoutError):
        await heard(asyncio.shield(stopping))
    may.set()
    await stopping
    assert [pid for pid in started if started_at(pid) is not None] == []
