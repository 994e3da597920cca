"""What survives whom: containers containerd, containerd us; and that nothing stays when all is to go."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path

import msgspec
import pytest

from hatoba.core.errors import PortError, Refused
from hatoba.runtime.base import ContainerSpec, ExecSpec, Exited
from hatoba.runtime.containerd import Settings
from hatoba.runtime.containerd.client import Client
from hatoba.runtime.containerd.runtime import stop_leftovers
from hatoba.runtime.failures import Failure
from hatoba.runtime.stubs.services.snapshots.v1 import snapshots_pb2
from tests.contract.runtime.worlds import ContainerdWorld, is_alive, processes, spec
from tools.waiting import PATIENCE, until

pytestmark = pytest.mark.real


def daemon(world: ContainerdWorld) -> int:
    return int(world.settings.pid_file.read_text().split()[0])


def touch_inside(pid: int, path: str) -> None:
    Path(f"/proc/{pid}/root{path}").touch()


async def test_containers_outlive_containerd(real: ContainerdWorld) -> None:
    events = real.runtime.events()
    for id, script in (("stays", "sleep 60"), ("ends", "while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 11")):
        await real.runtime.create(await spec(real, id, "sh", "-c", script))
        await real.runtime.start(id)
    before = {container.id: container.pid for container in await real.runtime.containers()}
    os.kill(daemon(real), signal.SIGKILL)
    touch_inside(before["ends"], "/tmp/go")  # it ends while nobody listens

    exit = await asyncio.wait_for(real.runtime.wait("ends"), PATIENCE)
    assert exit.code == 11
    assert await anext(events) == Exited(id="ends", exit=exit)
    after = {container.id: container.pid for container in await real.runtime.containers()}
    assert after == {"stays": before["stays"], "ends": 0}
    process = await real.runtime.exec("stays", ExecSpec(id="e", args=("true",)))
    assert (await process.wait()).code == 0
    await process.close()
    stopped = await real.runtime.stop("stays", signal.SIGTERM, 0.1)
    assert stopped is not None


@pytest.mark.parametrize("terminal", [True, False])
async def test_what_an_earlier_agent_ran_inside_is_ended_by_the_next(real: ContainerdWorld, terminal: bool) -> None:
    """Its ends of the streams went with it; the container and its own processes are none of that."""
    await real.runtime.create(await spec(real, "a", "sh", "-c", "sleep 86671 & sleep 86672"))
    await real.runtime.start("a")
    for number in range(2):
        wanted = ExecSpec(id=f"e{number}", args=("sleep", f"8667{number + 3}"), terminal=terminal, attach=True)
        await real.runtime.exec("a", wanted)
    await until(lambda: len(processes("sleep\x008667")) == 4)
    await real.restart()
    assert len(processes("sleep\x0086671")) == len(processes("sleep\x0086672")) == 1
    assert len(processes("sleep\x008667")) == 2
    assert not list((real.settings.run / "exec").iterdir())
    process = await real.runtime.exec("a", ExecSpec(id="e0", args=("true",)))  # its name is free
    assert (await process.wait()).code == 0
    await process.close()


async def test_a_container_lost_with_its_shim_is_told(real: ContainerdWorld) -> None:
    await real.runtime.create(await spec(real, "a", "sleep", "60"))
    pid = await real.runtime.start("a")
    [shim] = real.shims("a")
    os.kill(shim, signal.SIGKILL)
    assert (await asyncio.wait_for(real.runtime.wait("a"), PATIENCE)).code == 137
    await real.runtime.delete("a")
    assert not is_alive(pid)


async def test_containerd_is_adopted_not_started_twice(real: ContainerdWorld) -> None:
    first = daemon(real)
    await real.restart()
    assert daemon(real) == first


async def test_delete_leaves_nothing(real: ContainerdWorld) -> None:
    await real.runtime.create(await spec(real, "a", "sleep", "60"))
    await real.runtime.start("a")
    snapshots = real.settings.data / "root/io.containerd.snapshotter.v1.overlayfs/snapshots"
    await real.runtime.delete("a")
    assert real.shims("a") == []
    assert real.cgroups("a") == []
    assert not list((real.settings.state / "io.containerd.runtime.v2.task/hatoba").iterdir())
    [image] = await real.runtime.images()
    await real.runtime.remove_image(image.digest)  # collects what is not referred to
    assert list(snapshots.iterdir()) == []


async def test_what_a_creation_cut_short_has_left_goes_with_its_container(real: ContainerdWorld) -> None:
    """Nobody may want it any more when we are back: containerd knows no task of it then, and its shim lives on."""
    await real.runtime.create(await spec(real, "a", "sleep", "60"))
    bundle = real.settings.bundles / "a"
    (bundle / "rootfs").mkdir(parents=True)
    (bundle / "config.json").write_text("{}")
    os.utime(bundle, (0, 0))  # of a containerd that is no more: nobody is at it
    await real.restart()
    await real.runtime.delete("a")
    assert not bundle.exists()


async def test_a_creation_that_our_end_cut_short_is_made_whole(real: ContainerdWorld) -> None:
    """Recorded, but without its root; or given up by containerd while crun knew of it already."""
    for id in ("rootless", "known"):
        await real.runtime.create(await spec(real, id, "sleep", "60"))
    client = Client(real.settings.socket)
    request = snapshots_pb2.RemoveSnapshotRequest(snapshotter=real.settings.snapshotter, key="rootless")
    await client.call(client.snapshots.Remove, request)
    await client.close()
    (real.settings.crun_state / "known").mkdir(parents=True)
    await real.restart()
    await real.runtime.start("rootless")
    with pytest.raises(PortError) as half_made:
        await real.runtime.start("known")
    assert half_made.value.code == Failure.UNAVAILABLE  # that is: try again
    await real.runtime.start("known")
    assert {c.id: c.state for c in await real.runtime.containers()} == {"rootless": "running", "known": "running"}


async def test_shutting_down_takes_running_containers_along(real: ContainerdWorld) -> None:
    for id in ("a", "b"):
        await real.runtime.create(await spec(real, id, "sh", "-c", "trap '' TERM; sleep 60", group="task"))
        await real.runtime.start(id)
    await real.runtime.shut_down()
    assert real.leftovers() == []
    await real.open()  # and what was recorded is still known
    assert {container.id for container in await real.runtime.containers()} == {"a", "b"}
    assert len(await real.runtime.images()) == 1
    await real.runtime.start("a")


@pytest.mark.slow
async def test_containerd_killed_again_and_again_in_the_middle(real: ContainerdWorld) -> None:
    """Whatever a call was doing, doing it again ends well: each container runs once, and none is left in the end."""
    chance = random.Random(7)
    wanted = [await spec(real, f"c{number}", "sleep", "600", group="task") for number in range(6)]

    async def insist(work: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await work()
                    return
                except PortError as error:
                    if error.code not in (Failure.UNAVAILABLE, Failure.INTERNAL, Failure.CONTAINER_START):
                        raise
                    await asyncio.sleep(0.05)

    async def bring_up(one: ContainerSpec) -> None:
        await insist(lambda: real.runtime.create(one))
        await insist(lambda: real.runtime.start(one.id))

    async def disturbed(work: Iterable[Coroutine[object, object, None]]) -> None:
        all_work = asyncio.gather(*work)
        for _ in range(3):
            await asyncio.sleep(chance.uniform(0.005, 0.08))
            os.kill(daemon(real), signal.SIGKILL)
            await asyncio.wait_for(restarted(daemon(real)), PATIENCE)
        await asyncio.wait_for(all_work, 60)

    async def restarted(old: int) -> None:
        while daemon(real) == old:  # noqa: ASYNC110 - a file that another writes
            await asyncio.sleep(0.01)

    for _ in range(4):
        await disturbed(bring_up(one) for one in wanted)
        found = {container.id: container for container in await real.runtime.containers()}
        log = real.settings.log.read_text()
        assert {id: one.state for id, one in found.items()} == {one.id: "running" for one in wanted}, (found, log)
        assert all(len(real.shims(one.id)) == 1 for one in wanted)
        await disturbed(insist(lambda id=one.id: real.runtime.delete(id)) for one in wanted)  # type: ignore[misc]
        assert await real.runtime.containers() == []
        await real.runtime.remove_group("task")
        assert real.cgroups("task") == []
        assert all(real.shims(one.id) == [] for one in wanted)


_AGENT = """
import asyncio, sys, uvloop
from pathlib import Path
import msgspec
from hatoba.core.clock import SystemClock
from hatoba.core.errors import PortError
from hatoba.core.ids import RandomIds
from hatoba.runtime.base import ContainerSpec
from hatoba.runtime.containerd import ContainerdRuntime, Settings

async def again_and_again(runtime, spec):
    while True:
        try:
            await runtime.create(spec)
            await runtime.start(spec.id)
            await runtime.delete(spec.id)
        except PortError:
            await asyncio.sleep(0.01)

async def main(data, run, parent, wanted):
    settings = Settings(data=Path(data), run=Path(run), cgroup_parent=parent)
    runtime = await ContainerdRuntime.open(settings, SystemClock(), RandomIds())
    print("at work", flush=True)
    specs = msgspec.json.decode(wanted, type=list[ContainerSpec])
    await asyncio.gather(*(again_and_again(runtime, each) for each in specs))

uvloop.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_nothing_is_left_of_what_an_agent_that_is_killed_was_making(real: ContainerdWorld) -> None:
    """containerd takes back what nobody waits for any more, and leaves a shim now and then: the next agent ends it."""
    chance = random.Random(7)
    wanted = [await spec(real, f"c{number}", "sleep", "8675309") for number in range(4)]
    settings = real.settings
    places = [str(settings.data), str(settings.run), settings.cgroup_parent, msgspec.json.encode(wanted).decode()]

    async def gone(id: str) -> None:
        for _ in range(200):
            try:
                return await real.runtime.delete(id)
            except PortError as error:
                assert error.code == Failure.UNAVAILABLE, error  # noqa: PT017 - the others are no reason to try again
                await asyncio.sleep(0.05)
        raise AssertionError(f"{id} cannot be deleted")

    for _ in range(8):
        await real.runtime.close()
        agent = await asyncio.create_subprocess_exec(sys.executable, "-c", _AGENT, *places, stdout=subprocess.PIPE)
        assert agent.stdout is not None
        assert await agent.stdout.readline() == b"at work\n"
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        agent.kill()
        await agent.wait()
        await real.open()
        await asyncio.gather(*(gone(one.id) for one in wanted))
        left = [*settings.bundles.iterdir(), *settings.crun_state.iterdir(), *processes("sleep\x008675309")]
        assert not left
        assert [shim for one in wanted for shim in real.shims(one.id)] == []


async def test_a_containerd_that_cannot_start_says_why(tmp_path: Path) -> None:
    world = ContainerdWorld(tmp_path)
    try:
        world.settings = msgspec.structs.replace(world.settings, containerd="/no/such/containerd")
        with pytest.raises(Refused, match="/no/such/containerd"):
            await world.open()
        broken = msgspec.structs.replace(world.settings, containerd="containerd", data=tmp_path / "file" / "x")
        (tmp_path / "file").touch()
        world.settings = broken
        with pytest.raises(Refused):
            await world.open()
    finally:
        world.registry.close()
        await stop_leftovers(world.settings)
    assert world.leftovers() == []


def test_it_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    """And holds none of that process's pipes: who waits for the end of its output is not kept waiting."""
    script = f"""
import asyncio, uvloop
from pathlib import Path
from hatoba.core.clock import SystemClock
from hatoba.core.ids import RandomIds
from hatoba.runtime.containerd import ContainerdRuntime, Settings

async def main():
    settings = Settings(data=Path({str(tmp_path)!r}) / "c", run=Path("/run/hatoba/{tmp_path.name[-12:]}"),
                        cgroup_parent="/hatoba-{tmp_path.name[-12:]}")
    runtime = await ContainerdRuntime.open(settings, SystemClock(), RandomIds())
    await runtime.close()
    print(settings.pid_file.read_text().split()[0])

uvloop.run(main())
"""
    name = tmp_path.name[-12:]
    settings = Settings(data=tmp_path / "c", run=Path("/run/hatoba") / name, cgroup_parent=f"/hatoba-{name}")
    try:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=True)
        assert is_alive(int(done.stdout))
    finally:
        asyncio.run(stop_leftovers(settings))
    assert not is_alive(int(done.stdout))
    assert not settings.run.exists()
