"""One Envoy hands over to the next under load: no request fails, whoever dies at whatever moment of it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from typing import Any

import pytest

from hatoba.core.errors import PortError
from hatoba.proxy import handover, launches
from hatoba.proxy.session import Session
from tests.contract.proxy.proxy_rigs import Backend, RealRig, forward, group, until, wanted
from tests.contract.proxy.serving import NEVER, request, serving
from tests.contract.proxy.test_proxy_accesslog import noted
from tests.contract.proxy.test_proxy_accesslog import serving as logged
from tests.contract.proxy.test_proxy_killed import agent, served
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real

PARTING = 1.0


@pytest.fixture
async def quick(real: RealRig) -> RealRig:
    """Envoys end a second after they have handed over."""
    await real.proxy.stop()
    real.parting = PARTING
    real.proxy = real.make()
    await real.proxy.start()
    return real


def envoys(rig: RealRig) -> list[launches.Running]:
    return launches.found(rig.directory / "e")


async def alone(rig: RealRig) -> None:
    """Until all but one have ended."""
    await until(lambda: len(envoys(rig)) == 1)


async def begun(rig: RealRig) -> asyncio.Task[None]:
    """A hand-over whose successor has been started."""
    renewing = asyncio.create_task(rig.proxy.renew())
    await until(lambda: rig.proxy.process._successor is not None)
    return renewing


def without_listeners(pull: Callable[[Session], list[Any]]) -> Callable[[Session], list[Any]]:
    return lambda session: [each for each in pull(session) if not each.type_url.endswith(".Listener")]


async def test_a_hand_over_costs_no_request(quick: RealRig) -> None:
    a, b = await serving(quick, "a", "b")
    async with quick.load(clients=16, pause=0.001) as load:
        await load.answered(200)
        for _ in range(3):
            before, requests = quick.proxy.process.pid, (await quick.proxy.traffic())["web"].requests
            await quick.proxy.renew()
            assert quick.proxy.process.pid != before
            await load.answered(200)
            # While the former still has connections, targets come and go for both.
            await quick.proxy.apply(wanted(forward("web"), group("web", b, check=NEVER)))
            await load.answered(200, by="b")
            await quick.proxy.apply(wanted(forward("web"), group("web", a, b, check=NEVER)))
            await alone(quick)
            await load.answered(200)
            assert (await quick.proxy.traffic())["web"].requests > requests  # counters go on
    assert load.failures == []
    assert len(envoys(quick)) == 1


async def test_a_connection_that_is_busy_ends_in_peace(quick: RealRig) -> None:
    await serving(quick, "a")
    reader, writer = await quick.connect()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: web\r\n\r\n")
    await quick.met.wait()
    await quick.proxy.renew()
    quick.release.set()
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 200")
    assert "connection: close" in head  # the client is asked to come anew


async def test_what_the_former_still_answers_is_noted_in_the_new_file(quick: RealRig) -> None:
    await logged(quick)
    reader, writer = await quick.connect()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: web\r\n\r\n")
    await quick.met.wait()
    await quick.raw(request("/fixed"))
    await until(lambda: noted(quick) == 1)
    await quick.proxy.renew()
    await quick.proxy.deliver(quick.directory / "logs")
    assert noted(quick) == 0
    quick.release.set()
    await reader.readuntil(b"\r\n\r\n")
    await until(lambda: noted(quick) == 1)
    assert len(envoys(quick)) == 2


async def test_an_outdated_envoy_is_replaced_once_everything_is_in_force(quick: RealRig) -> None:
    (a,) = await serving(quick, "a")
    wish = wanted(forward("web"), group("web", a, check=NEVER))
    before = quick.proxy.process.pid
    await quick.agent_dies()
    assert await quick.agent_returns()
    await quick.proxy.apply(wish)
    assert not quick.proxy.process.outdated
    (note,) = (quick.directory / "e").glob("envoy-*.pid")
    note.write_text(note.read_text().replace('"form":"', '"form":"an earlier '))
    async with quick.load() as load:
        await quick.agent_dies()
        assert await quick.agent_returns()
        assert quick.proxy.process.outdated
        assert quick.proxy.process.pid == before
        await quick.proxy.apply(wish)
        await until(lambda: not quick.proxy.process.outdated)
        assert quick.proxy.process.pid != before
        await load.answered(20)
        await alone(quick)
        await load.answered(20)
    assert load.failures == []


async def test_a_successor_that_comes_to_nothing_leaves_the_former_serving(
    quick: RealRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = await serving(quick, "a", "b")
    before = quick.proxy.process.pid
    async with quick.load() as load:
        with monkeypatch.context() as patched:
            patched.setattr("hatoba.proxy.process.render", lambda _: b'{"admin": 7}')
            with pytest.raises(PortError, match="a new Envoy vpc-1 ended"):
                await quick.proxy.renew()
        assert quick.proxy.process.pid == before
        await quick.proxy.apply(wanted(forward("web"), group("web", b, check=NEVER)))
        await load.answered(20, by="b")
        await quick.proxy.renew()  # what the dead one has left does not stand in the way
        assert quick.proxy.process.pid != before
        await load.answered(20)
    assert load.failures == []
    assert a.listening


async def test_a_successor_killed_before_it_serves_costs_no_request(
    quick: RealRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await serving(quick, "a", "b")
    async with quick.load() as load:
        for delay in (0.0, 0.005, 0.01, 0.02, 0.05, 0.1):
            with monkeypatch.context() as patched:
                # With the first word on listeners it begins to serve, which would be another story. It comes too late.
                patched.setattr(Session, "pull", without_listeners(Session.pull))
                renewing = await begun(quick)
                await asyncio.sleep(delay)  # any moment of its start: it takes 40 ms to get to its listeners
                assert quick.proxy.process._successor is not None
                os.kill(quick.proxy.process._successor.pid, signal.SIGKILL)
                await asyncio.wait([renewing])
            assert isinstance(renewing.exception(), PortError)
            await load.answered(30)
            await alone(quick)
        await quick.proxy.renew()
        await load.answered(30)
    assert load.failures == []


async def test_a_successor_that_dies_as_it_takes_over_is_followed_at_once(
    quick: RealRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its predecessor does not listen any more: nobody would, for as long as one waits with the next."""
    (a,) = await serving(quick, "a")
    process = quick.proxy.process
    former, told, killed = process.pid, process._told, []

    async def killing() -> Any:
        """Who has told its predecessor to drain dies before anybody hears that it serves."""
        found, successor = await told(), process._successor
        if successor is None or killed or found is None or not found.serves(successor.epoch):
            return found
        os.kill(successor.pid, signal.SIGKILL)
        await launches.ended(successor.pid)
        killed.append(successor.pid)
        with pytest.raises(ConnectionRefusedError):
            await quick.get()
        return None

    monkeypatch.setattr(process, "_told", killing)
    monkeypatch.setattr(process, "_form", "another")
    monkeypatch.setattr("hatoba.proxy.handover._PAUSE", 3600.0)
    await quick.proxy.apply(wanted(forward("web"), group("web", a, check=NEVER)))
    await until(lambda: not process.outdated)
    assert len(killed) == 1
    assert process.pid not in (former, *killed)
    assert await quick.get() == (200, "a")
    assert process.restarts == 0
    await alone(quick)
    assert await quick.get() == (200, "a")


async def test_a_successor_that_dies_while_the_former_leaves_is_started_anew(quick: RealRig) -> None:
    (a,) = await serving(quick, "a")
    await quick.proxy.renew()
    restarted = asyncio.Event()
    quick.proxy.process.on_restart = restarted.set
    os.kill(quick.proxy.process.pid or 0, signal.SIGKILL)
    await asyncio.wait_for(restarted.wait(), PATIENCE)
    await quick.proxy.apply(wanted(forward("web"), group("web", a, check=NEVER)))
    assert await quick.get() == (200, "a")
    await alone(quick)  # the former, which nobody told to end, has ended
    assert await quick.get() == (200, "a")
    await quick.proxy.renew()
    assert await quick.get() == (200, "a")


async def test_a_former_that_dies_first_is_no_harm(quick: RealRig) -> None:
    (a,) = await serving(quick, "a")
    renewing = await begun(quick)
    os.kill(quick.proxy.process.pid or 0, signal.SIGKILL)
    await asyncio.wait([renewing])
    assert isinstance(renewing.exception(), PortError | None)
    await quick.proxy.apply(wanted(forward("web"), group("web", a, check=NEVER)))
    assert await quick.get() == (200, "a")
    await alone(quick)


async def test_an_agent_killed_at_any_moment_of_a_hand_over_costs_no_request(quick: RealRig) -> None:
    ports = [(await quick.backend(name)).port for name in "abc"]
    await quick.agent_dies()
    chance = random.Random(3)
    async with agent(quick, ports):
        await served(quick)
    async with quick.load() as load:
        for _ in range(10):
            async with agent(quick, [*ports, -1]) as words:
                assert words.startswith("adopted")
                # Any moment of what the agent does: this is the chance that the test is about.
                await asyncio.sleep(chance.uniform(0.0, 0.4))
            await load.answered(10)
        assert await quick.agent_returns()
        await quick.proxy.apply(wanted(forward("web"), group("web", *(Backend(name=str(p), port=p) for p in ports))))
        await load.answered(50)
        await until(lambda: not quick.proxy.process.outdated)
        await alone(quick)
        await load.answered(50)
    assert load.failures == []


async def test_a_program_that_cannot_take_over_is_not_tried(quick: RealRig, monkeypatch: pytest.MonkeyPatch) -> None:
    await serving(quick, "a")
    monkeypatch.setattr("hatoba.proxy.handover.version", lambda _: "12.104")
    with pytest.raises(PortError, match=r"hands over by version 11\.104, not 12\.104"):
        await quick.proxy.renew()
    assert len(envoys(quick)) == 1
    assert (await quick.proxy.traffic())["web"].requests == 0  # it still has its admin socket


async def test_what_both_left_behind_is_swept(quick: RealRig) -> None:
    """Agent and Envoy have died: nobody else would know of the shared memory."""
    await serving(quick, "a")
    (only,) = envoys(quick)
    assert only.base is not None
    await quick.agent_dies()
    os.kill(only.pid, signal.SIGKILL)
    await launches.ended(only.pid)
    assert handover.memory(only.base).exists()
    assert not await quick.agent_returns()
    assert not handover.memory(only.base).exists()


async def test_nothing_is_left_in_shared_memory(quick: RealRig) -> None:
    await serving(quick, "a")
    await quick.proxy.renew()
    bases = {each.base for each in envoys(quick)}
    assert len(envoys(quick)) == 2
    await quick.proxy.stop()
    assert not [base for base in bases if base is None or handover.memory(base).exists()]
