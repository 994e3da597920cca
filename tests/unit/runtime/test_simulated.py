"""What the simulation offers beyond the contract: failures on demand, delays, and the same run for the same input."""

from __future__ import annotations

import asyncio
import signal

import pytest

from hatoba.core.clock import LoopClock
from hatoba.core.errors import PortError
from hatoba.runtime.base import ContainerSpec, Exited, ImageSource, OutOfMemory, Platform
from hatoba.runtime.failures import Failure
from hatoba.runtime.simulated import Behaviour, Delays, SimulatedHost, SimulatedRuntime

SOURCE = ImageSource(name="web:1", host="localhost", repository="web", reference="1")


async def made(host: SimulatedHost, *ids: str) -> SimulatedRuntime:
    runtime = SimulatedRuntime(host)
    image = await runtime.pull(SOURCE, Platform())
    for id in ids:
        await runtime.create(ContainerSpec(id=id, image=image.digest, args=("run",)))
    return runtime


async def test_told_failures_come_as_often_as_told_and_where() -> None:
    host = SimulatedHost(LoopClock())
    host.fail("pull", Failure.IMAGE_NETWORK, "i/o timeout", times=2)
    for _ in range(2):
        with pytest.raises(PortError, match="i/o timeout"):
            await made(host)
    runtime = await made(host, "a", "b")
    host.fail("start", Failure.CONTAINER_START, at="b")
    await runtime.start("a")
    with pytest.raises(PortError) as caught:
        await runtime.start("b")
    assert caught.value.code == Failure.CONTAINER_START
    await runtime.start("b")


async def test_a_strict_registry_has_what_was_published() -> None:
    host = SimulatedHost(LoopClock(), generous=False)
    with pytest.raises(PortError) as caught:
        await made(host)
    assert caught.value.code == Failure.IMAGE_NOT_FOUND
    host.publish("web", "1")
    await made(host)


async def test_pulls_are_shared_and_remembered() -> None:
    host = SimulatedHost(LoopClock(), delays=Delays(pull=0.01))
    runtime = SimulatedRuntime(host)
    images = await asyncio.gather(*(runtime.pull(SOURCE, Platform()) for _ in range(4)))
    assert len({image.digest for image in images}) == 1
    await runtime.pull(SOURCE, Platform())
    assert host.pulls == 1


async def test_a_moved_tag_names_the_new_image_only() -> None:
    host = SimulatedHost(LoopClock())
    runtime = await made(host)
    old = host.published["web", "1"]
    new = host.publish("web", "1", size=5)
    await runtime.pull(SOURCE, Platform())
    assert {image.digest: image.names for image in await runtime.images()} == {old.digest: (), new.digest: ("web:1",)}


async def test_ends_out_of_the_blue() -> None:
    host = SimulatedHost(LoopClock())
    runtime = await made(host, "a")
    events = runtime.events()
    await runtime.start("a")
    host.end("a", 137, oom=True)
    first, second = await anext(events), await anext(events)
    assert isinstance(first, OutOfMemory)
    assert isinstance(second, Exited)
    assert (await runtime.wait("a")).oom
    host.end("a", 1)  # it has ended: nothing happens
    assert (await runtime.wait("a")).code == 137


async def test_slow_stops_take_their_time_but_a_kill_does_not() -> None:
    host = SimulatedHost(LoopClock(), behave=lambda _: Behaviour(stopping=30, stop_code=0))
    runtime = await made(host, "a")
    await runtime.start("a")
    exit = await runtime.stop("a", signal.SIGTERM, 0.01)
    assert exit is not None
    assert exit.code == 137


async def test_the_same_input_gives_the_same_run() -> None:
    async def story() -> list[str]:
        runtime = await made(SimulatedHost(LoopClock()), "a", "b")
        pids = [await runtime.start(id) for id in ("a", "b")]
        return [str(pids), *(image.digest for image in await runtime.images())]

    assert await story() == await story()
