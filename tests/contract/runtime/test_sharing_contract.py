"""Namespaces that containers of a group share, whichever runtime is below."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from hatoba.runtime.base import ExecSpec, Mount, Resources, Shared, Volume
from tests.contract.runtime.outputs import run, shell
from tests.contract.runtime.worlds import ContainerdWorld, World, is_alive, spec
from tools.waiting import PATIENCE

FOREVER = ("sleep", "60")


async def test_a_group_has_the_same_ones_each_time_and_after_a_restart(world: World) -> None:
    first = await world.runtime.share("task")
    assert await world.runtime.share("task") == first
    assert await world.runtime.share("other") != first
    runtime = await world.restart()
    assert await runtime.share("task") == first
    for group in ("task", "other"):
        await runtime.remove_group(group)


async def test_what_holds_them_is_no_container_and_goes_with_the_group(world: World) -> None:
    first = await world.runtime.share("task")
    assert await world.runtime.containers() == []
    assert len(await world.runtime.processes("task")) == 1
    await world.runtime.remove_group("task")
    assert await world.runtime.processes("task") == frozenset()
    assert await world.runtime.share("task") != first
    await world.runtime.remove_group("task")


async def test_the_processes_of_a_group(world: World) -> None:
    await world.runtime.set_group("task", Resources())
    await world.runtime.create(await spec(world, "a", *FOREVER, group="task"))
    pid = await world.runtime.start("a")
    assert await world.runtime.processes("task") == {pid}
    assert await world.runtime.processes("nobody") == frozenset()
    await world.runtime.delete("a")
    await world.runtime.remove_group("task")


# --- the real one


@pytest.mark.real
async def test_processes_are_seen_by_all_of_the_group(real: ContainerdWorld, tmp_path: Path) -> None:
    shared = await real.runtime.share("task")
    await real.runtime.create(await spec(real, "side", "sleep", "4242", group="task", pidns=shared.pidns))
    await real.runtime.start("side")
    seen = await shell(real, tmp_path, "ps", group="task", pidns=shared.pidns)
    assert "sleep 4242" in seen
    assert "    1 0" in seen or "    1 root" in seen, seen
    assert "pause" in seen.splitlines()[1]
    alone = await shell(real, tmp_path, "ps", id="d", group="task")
    assert "sleep 4242" not in alone
    await real.runtime.delete("side")
    await real.runtime.remove_group("task")


@pytest.mark.real
async def test_one_that_ends_takes_nobody_along_but_its_own_children(real: ContainerdWorld, tmp_path: Path) -> None:
    shared = await real.runtime.share("task")
    stays = await spec(real, "stays", *FOREVER, group="task", pidns=shared.pidns)
    await real.runtime.create(stays)
    await real.runtime.start("stays")
    text, exit_ = await run(
        real, tmp_path, "sh", "-c", "sleep 3131 >/dev/null 2>&1 & exit 3", group="task", pidns=shared.pidns
    )
    assert (text, exit_.code) == ("", 3)
    seen = await shell(real, tmp_path, "ps", id="d", group="task", pidns=shared.pidns)
    assert "sleep 60" in seen
    assert "sleep 3131" not in seen
    await real.runtime.delete("stays")
    await real.runtime.remove_group("task")


@pytest.mark.real
async def test_what_is_run_in_one_is_run_in_its_own_root(real: ContainerdWorld) -> None:
    shared = await real.runtime.share("task")
    for name in ("one", "other"):
        script = f"echo {name} > /name; exec sleep 60"
        await real.runtime.create(await spec(real, name, "sh", "-c", script, group="task", pidns=shared.pidns))
        await real.runtime.start(name)
    for name in ("one", "other"):
        process = await real.runtime.exec(
            name, ExecSpec(id="x", args=("sh", "-c", "until cat /name; do sleep 0.1; done 2>/dev/null"), attach=True)
        )
        assert b"".join([data async for _, data in process.output()]).decode().split() == [name]
        await process.close()
        await real.runtime.delete(name)
    await real.runtime.remove_group("task")


@pytest.mark.real
async def test_an_init_process_reaps_also_where_it_is_not_the_first(real: ContainerdWorld, tmp_path: Path) -> None:
    shared = await real.runtime.share("task")
    script = "(sleep 0.1 &); cat /proc/self/status | grep -c PPid; sleep 0.3; ps"
    seen = await shell(real, tmp_path, script, group="task", pidns=shared.pidns, init=True)
    assert "docker-init -s" in seen
    assert "not running as PID 1" not in seen
    await real.runtime.remove_group("task")


@pytest.mark.real
async def test_what_holds_them_shows_nothing_of_the_host(real: ContainerdWorld, tmp_path: Path) -> None:
    shared = await real.runtime.share("task")
    seen = await shell(real, tmp_path, "ls /proc/1/root/", group="task", pidns=shared.pidns)
    assert set(seen.split()) <= {"pause", "proc", "dev", "sys"}
    await real.runtime.remove_group("task")


async def anew(real: ContainerdWorld, before: Shared) -> Shared:
    """Once containerd has told the end of what held them before."""
    async with asyncio.timeout(PATIENCE):
        while (now := await real.runtime.share("task")) == before:  # noqa: ASYNC110  nothing tells that it was told
            await asyncio.sleep(0.02)
    return now


@pytest.mark.real
async def test_without_what_holds_them_all_end_and_new_ones_are_made(real: ContainerdWorld) -> None:
    shared = await real.runtime.share("task")
    await real.runtime.create(await spec(real, "a", *FOREVER, group="task", pidns=shared.pidns))
    await real.runtime.start("a")
    os.kill(int(shared.pidns.split("/")[2]), signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        assert (await real.runtime.wait("a")).code == 137
    again = await anew(real, shared)
    assert is_alive(int(again.pidns.split("/")[2]))
    await real.runtime.delete("a")
    await real.runtime.remove_group("task")


@pytest.mark.real
async def test_shared_memory_and_queues(real: ContainerdWorld, tmp_path: Path) -> None:
    shared = await real.runtime.share("task")
    await real.runtime.set_group("task", Resources())
    volume = Volume(name="dev.shm", group="task", filesystem="tmpfs", device="tmpfs", options="mode=1777,size=8388608")
    await real.runtime.make_volume(volume)
    more = {
        "group": "task",
        "ipcns": shared.ipcns,
        "mounts": (Mount(target="/dev/shm", kind="volume", source="dev.shm"),),
    }
    await shell(real, tmp_path, "echo said > /dev/shm/word; touch /dev/mqueue/queue", **more)
    seen = await shell(real, tmp_path, "cat /dev/shm/word; ls /dev/mqueue; df /dev/shm | tail -n 1", id="d", **more)
    assert seen.split()[:2] == ["said", "queue"]
    assert "8192" in seen
    alone = await shell(real, tmp_path, "ls /dev/shm /dev/mqueue", id="e", group="task")
    assert "word" not in alone
    assert "queue\n" not in alone.replace("/dev/mqueue", "")
    none = await shell(real, tmp_path, "ls -d /dev/shm || echo none", id="f", group="task", shm_size=0)
    assert "none" in none
    await real.runtime.remove_group("task")


@pytest.mark.real
async def test_the_hosts_processes_and_queues(real: ContainerdWorld, tmp_path: Path) -> None:
    seen = await shell(real, tmp_path, "ps; readlink /proc/self/ns/ipc", pidns="host", ipcns="host")
    assert str(real.settings.socket) in seen
    assert os.readlink("/proc/self/ns/ipc") in seen


@pytest.mark.real
async def test_a_network_of_its_own_has_loopback_and_nothing_else(real: ContainerdWorld, tmp_path: Path) -> None:
    seen = await shell(
        real,
        tmp_path,
        "ip -o link | cut -d: -f2; ip route; nc -l -p 80 & until nc 127.0.0.1 80 </dev/null 2>&-; do :; done; echo up",
    )
    assert seen.split() == ["lo", "up"]
