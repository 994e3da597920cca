"""What a container sees and may do, on the real thing."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatoba.core.errors import PortError
from hatoba.runtime import cgroups
from hatoba.runtime.base import Device, ExecSpec, Mount, Resources, Ulimit
from hatoba.runtime.failures import Failure
from tests.contract.runtime.outputs import run, shell
from tests.contract.runtime.worlds import ContainerdWorld, spec
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real


async def test_environment_directory_and_names(real: ContainerdWorld, tmp_path: Path) -> None:
    text = await shell(
        real, tmp_path, "pwd; env; hostname || cat /proc/sys/kernel/hostname", cwd="/made/here", hostname="web-1"
    )
    lines = text.splitlines()
    assert lines[0] == "/made/here"
    assert "LAYER=busybox" in lines
    assert "HOME=/root" in lines
    assert lines[-1] == "web-1"


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("", "uid=0(root) gid=0(root)"),
        ("web", "uid=1000(web) gid=1000(web) groups=1001(extra)"),
        ("1000", "uid=1000(web) gid=1000(web) groups=1001(extra)"),
        ("web:extra", "uid=1000(web) gid=1001(extra)"),
        ("4242:77", "uid=4242 gid=77"),
    ],
)
async def test_users(real: ContainerdWorld, tmp_path: Path, user: str, said: str) -> None:
    text = await shell(real, tmp_path, "id", user=user)
    assert text.strip() == said


async def test_an_unknown_user_is_refused_at_creation(real: ContainerdWorld) -> None:
    with pytest.raises(PortError, match="unable to find user nobody-here") as caught:
        await real.runtime.create(await spec(real, "a", "true", user="nobody-here"))
    assert caught.value.code == Failure.CONTAINER_SPEC


async def test_a_missing_command_says_so(real: ContainerdWorld) -> None:
    await real.runtime.create(await spec(real, "a", "/no/such"))
    with pytest.raises(PortError, match="/no/such") as caught:
        await real.runtime.start("a")
    assert caught.value.code == Failure.CONTAINER_START
    await real.runtime.delete("a")
    assert await real.runtime.containers() == []


async def test_read_only_root_with_mounts(real: ContainerdWorld, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "file").write_text("from the host")
    (tmp_path / "hosts").write_text("10.0.0.9 other\n")
    text = await shell(
        real,
        tmp_path,
        "touch /x || echo root; cat /data/file; touch /data/y || echo ro; touch /scratch/z && echo scratch;"
        "cat /etc/hosts;"
        "mount | grep -E ' /(scratch|dev/shm) '",
        read_only_root=True,
        shm_size=8 << 20,
        mounts=(
            Mount(target="/data", source=str(tmp_path / "given"), read_only=True),
            Mount(target="/scratch", kind="tmpfs", size=1 << 20, options=("noexec", "mode=1777")),
            Mount(target="/etc/hosts", source=str(tmp_path / "hosts")),
        ),
    )
    assert "root\n" in text
    assert "from the host" in text
    assert "ro\n" in text
    assert "scratch\n10.0.0.9 other" in text
    assert "size=1024k" in text
    assert "size=8192k" in text
    assert "noexec" in text.partition(" /scratch ")[2].splitlines()[0]


async def test_limits_are_in_the_cgroup(real: ContainerdWorld) -> None:
    limits = Resources(
        cpu_shares=512, cpu_quota=25_000, cpuset="0", memory=48 << 20, memory_reservation=32 << 20, pids=33
    )
    await real.runtime.set_group("task-1", Resources(memory=96 << 20, cpu_quota=150_000, pids=100))
    await real.runtime.create(await spec(real, "a", "sleep", "60", resources=limits, group="task-1"))
    await real.runtime.start("a")
    trees = cgroups.detect()

    def value(controller: str, file: str, cgroup: str = "task-1/a") -> str:
        path = Path(trees.path(controller, f"{real.settings.cgroup_parent}/{cgroup}"), file)
        return path.read_text().strip()

    if trees.layout == "v2":
        assert value("cpu", "cpu.max") == "25000 100000"
        assert value("memory", "memory.max") == str(48 << 20)
        assert value("memory", "memory.swap.max") == "0"
        assert value("memory", "memory.max", "task-1") == str(96 << 20)
    else:
        assert value("cpu", "cpu.shares") == "512"
        assert (value("cpu", "cpu.cfs_quota_us"), value("cpu", "cpu.cfs_period_us")) == ("25000", "100000")
        assert value("memory", "memory.limit_in_bytes") == str(48 << 20)
        assert value("memory", "memory.soft_limit_in_bytes") == str(32 << 20)
        assert not trees.swap or value("memory", "memory.memsw.limit_in_bytes") == str(48 << 20)
        assert value("memory", "memory.limit_in_bytes", "task-1") == str(96 << 20)
        assert value("cpu", "cpu.cfs_quota_us", "task-1") == "150000"
    assert value("cpuset", "cpuset.cpus") == "0"
    assert value("pids", "pids.max") == "33"
    await real.runtime.set_group("task-1", Resources(memory=192 << 20))
    await real.runtime.delete("a")
    await real.runtime.remove_group("task-1")
    assert real.cgroups("task-1") == []


async def test_a_group_runs_out_of_memory(real: ContainerdWorld, tmp_path: Path) -> None:
    """The limit is the group's; the container that was killed is told, the other one is not."""
    await real.runtime.set_group("task-1", Resources(memory=24 << 20))
    await real.runtime.create(await spec(real, "small", "sleep", "60", group="task-1"))
    await real.runtime.start("small")
    _, exit = await run(real, tmp_path, "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", group="task-1")
    assert (exit.code, exit.oom) == (137, True)
    found = await real.runtime.stats(["small"])
    assert found["small"].oom_kills == 0
    await real.runtime.delete("small")
    await real.runtime.remove_group("task-1")


async def test_capabilities(real: ContainerdWorld, tmp_path: Path) -> None:
    async def mask(**more: object) -> int:
        text = await shell(real, tmp_path / "x", "grep CapBnd /proc/self/status", **more)
        (tmp_path / "x" / "c.out").unlink()
        return int(text.split()[1], 16)

    (tmp_path / "x").mkdir()
    assert await mask() == 0xA80425FB
    assert await mask(cap_drop=("ALL",)) == 0
    assert await mask(cap_drop=("ALL",), cap_add=("NET_BIND_SERVICE",)) == 1 << 10
    assert await mask(cap_add=("SYS_PTRACE",)) == 0xA80425FB | 1 << 19
    assert await mask(privileged=True) & 0xA80425FB == 0xA80425FB


async def test_seccomp_and_privileges(real: ContainerdWorld, tmp_path: Path) -> None:
    script = "unshare -U true 2>/dev/null && echo made; grep -E 'Seccomp:|NoNewPrivs:' /proc/self/status"
    (tmp_path / "x").mkdir()
    held = await shell(real, tmp_path, script, no_new_privileges=True)
    assert "made" not in held
    assert held.split()[-3:] == ["1", "Seccomp:", "2"]
    free = await shell(real, tmp_path / "x", script, seccomp="unconfined")
    assert "made" in free
    assert free.split()[-3:] == ["0", "Seccomp:", "0"]


async def test_files_processes_and_sysctls(real: ContainerdWorld, tmp_path: Path) -> None:
    text = await shell(
        real,
        tmp_path,
        "ulimit -n; ulimit -c; cat /proc/sys/net/ipv4/ip_local_port_range; cat /proc/1/comm; ls -l /dev/mine",
        ulimits=(Ulimit(name="nofile", soft=2048, hard=4096), Ulimit(name="core", soft=0, hard=0)),
        sysctls={"net.ipv4.ip_local_port_range": "20000 30000"},
        init=real.settings.init.exists(),
        devices=(Device(host_path="/dev/zero", container_path="/dev/mine", permissions="r"),),
    )
    assert text.split()[:4] == ["2048", "0", "20000", "30000"]
    assert ("docker-init" in text) == real.settings.init.exists()
    assert "1,   5" in text


@pytest.fixture
def netns(real: ContainerdWorld) -> Iterator[str]:
    subprocess.run(["ip", "netns", "add", real.name], check=True)
    yield f"/run/netns/{real.name}"
    subprocess.run(["ip", "netns", "del", real.name], check=True)


async def test_network_namespace_pinned_after_containerd_started(
    real: ContainerdWorld, netns: str, tmp_path: Path
) -> None:
    """Its mount namespace does not get to see such a mount; the container is to have it all the same."""
    inode = os.stat(netns).st_ino
    (tmp_path / "x").mkdir()
    assert f"[{inode}]" in await shell(real, tmp_path, "ls -l /proc/self/ns/net", netns=netns)
    assert f"[{inode}]" not in await shell(real, tmp_path / "x", "ls -l /proc/self/ns/net")


async def test_a_terminal_has_a_size_that_can_change(real: ContainerdWorld) -> None:
    await real.runtime.create(await spec(real, "a", "sleep", "60"))
    await real.runtime.start("a")
    wanted = ExecSpec(id="t", args=("sh",), terminal=True, attach=True, columns=90, rows=30, user="web", cwd="/srv")
    process = await real.runtime.exec("a", wanted)
    seen = b""

    async def until(text: bytes) -> None:
        nonlocal seen
        while text not in seen:
            seen += (await anext(output))[1]

    output = process.output()
    await process.write(
        b"until stty size | grep -q '30 90'; do :; done; stty size; id -u; pwd\n"
    )  # it may learn it late
    await asyncio.wait_for(until(b"30 90\r\n1000\r\n/srv"), PATIENCE)
    await process.resize(120, 40)
    await process.write(b"until stty size | grep -q '40 120'; do :; done; echo is $(stty size)\n")
    await asyncio.wait_for(until(b"is 40 120\r\n"), PATIENCE)
    await process.write(b"exit 3\n")
    assert (await asyncio.wait_for(process.wait(), PATIENCE)).code == 3
    await process.close()
    assert not list((real.settings.run / "exec").iterdir())


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_program_that_is_not_there_is_told_at_once_and_leaves_nothing(
    real: ContainerdWorld, terminal: bool
) -> None:
    await real.runtime.create(await spec(real, "a", "sleep", "60"))
    await real.runtime.start("a")
    for _ in range(2):  # its name is free again, too
        with pytest.raises(PortError) as caught:
            async with asyncio.timeout(PATIENCE):
                await real.runtime.exec("a", ExecSpec(id="e", args=("nothing",), terminal=terminal, attach=True))
        assert caught.value.code == Failure.CONTAINER_START
    assert not list((real.settings.run / "exec").iterdir())


async def test_a_container_with_a_terminal(real: ContainerdWorld, tmp_path: Path) -> None:
    text, exit = await run(real, tmp_path, "sh", "-c", "tty; echo $TERM; exit 2", terminal=True)
    assert text == "/dev/pts/0\r\nxterm\r\n"
    assert exit.code == 2


async def test_much_output_is_neither_lost_nor_unbounded(real: ContainerdWorld, tmp_path: Path) -> None:
    text = await shell(real, tmp_path, "dd if=/dev/zero bs=64k count=200 2>/dev/null")
    assert len(text) == 200 * 65536
