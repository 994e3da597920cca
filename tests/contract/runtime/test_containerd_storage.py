"""Volumes, what they start with, and the limit of a group's storage, on the real thing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import msgspec
import pytest

from hatoba.core.errors import PortError
from hatoba.runtime.base import Mount, Resources, Volume
from hatoba.runtime.containerd import storage, syscalls
from hatoba.runtime.failures import Failure
from hatoba.runtime.machine import this_platform
from tests.contract.runtime.outputs import shell
from tests.contract.runtime.tiny_registry import busybox_layer, tar
from tests.contract.runtime.worlds import ContainerdWorld, spec
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real
MIB = 1 << 20
DATA = Mount(target="/data", kind="volume", source="data")


def loops(world: ContainerdWorld) -> list[str]:
    """Loop devices that hold one of the world's files."""
    files = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # it is free by now
            files.append(path.read_text().strip())
    return [file for file in files if str(world.settings.data) in file]


async def gone(world: ContainerdWorld) -> None:
    """The kernel frees a device a moment after its last user."""
    async with asyncio.timeout(PATIENCE):
        while loops(world):  # noqa: ASYNC110  the kernel tells nobody
            await asyncio.sleep(0.02)


async def test_what_does_not_fit_is_refused_and_the_rest_goes_on(real: ContainerdWorld, tmp_path: Path) -> None:
    await real.runtime.set_group("task", Resources(), storage=32 * MIB)
    await real.runtime.make_volume(Volume(name="data", group="task"))
    fill = "dd if=/dev/zero of=/data/a bs=1M count=20 2>/dev/null && echo fits; " + (
        "dd if=/dev/zero of=/b bs=1M count=20 2>&1 | grep -o 'No space left on device'; df -m / | tail -1"
    )
    text = (await shell(real, tmp_path, fill, id="a", group="task", mounts=(DATA,))).split("\n")
    assert text[:2] == ["fits", "No space left on device"]  # the volume's and the root's together
    assert int(text[2].split()[1]) <= 32
    found = await real.runtime.storage("task")
    assert found is not None
    assert 20 * MIB < found.used <= found.limit == 32 * MIB
    again = "rm /data/a; dd if=/dev/zero of=/data/c bs=1M count=8 2>/dev/null && ls /data"
    assert await shell(real, tmp_path, again, id="b", group="task", mounts=(DATA,)) == "c\n"
    await real.runtime.remove_group("task")
    await gone(real)
    assert not list((real.settings.data / "scratch").iterdir())


async def test_a_group_without_a_limit_has_the_whole_disk(real: ContainerdWorld, tmp_path: Path) -> None:
    await real.runtime.set_group("task", Resources())
    await real.runtime.make_volume(Volume(name="data", group="task"))
    assert await shell(real, tmp_path, "touch /data/x; ls /data", group="task", mounts=(DATA,)) == "x\n"
    assert loops(real) == []
    await real.runtime.remove_group("task")
    assert not (real.settings.data / "scratch" / "task").exists()


async def test_the_disk_outlives_containerd_and_us(real: ContainerdWorld, tmp_path: Path) -> None:
    """A container that is made after containerd died sees what the one before it wrote."""
    await real.runtime.set_group("task", Resources(), storage=32 * MIB)
    await real.runtime.make_volume(Volume(name="data", group="task"))
    await real.runtime.make_volume(Volume(name="fast", group="task", filesystem="tmpfs", options="size=1m"))
    mounts = (DATA, Mount(target="/fast", kind="volume", source="fast"))
    script = "echo one > /data/x; echo two > /fast/y; echo 3 > /z; sleep 60"
    await real.runtime.create(await spec(real, "a", "sh", "-c", script, group="task", mounts=mounts))
    await real.runtime.start("a")
    await real.restart()
    os.kill(int(real.settings.pid_file.read_text().split()[0]), signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        text = await _both(real, tmp_path, mounts)
    assert text == "one\ntwo\n"
    assert len(loops(real)) == 1
    await real.runtime.stop("a", signal.SIGKILL, 1)
    await real.runtime.start("a")  # again, in the root that it had
    await real.runtime.delete("a")
    await real.runtime.remove_group("task")
    await gone(real)


async def _both(real: ContainerdWorld, folder: Path, mounts: tuple[Mount, ...]) -> str:
    """Tried again while containerd comes back."""
    for number in range(200):
        try:
            return await shell(real, folder, "cat /data/x /fast/y", id=f"b{number}", group="task", mounts=mounts)
        except PortError as error:
            if error.code != Failure.UNAVAILABLE:
                raise
            await asyncio.sleep(0.05)
    return ""


async def test_a_limited_group_found_after_everything_was_shut_down(real: ContainerdWorld) -> None:
    await real.runtime.set_group("task", Resources(), storage=32 * MIB)
    await real.runtime.create(await spec(real, "a", "sleep", "60", group="task"))
    await real.runtime.start("a")
    await real.runtime.shut_down()
    await gone(real)
    await real.open()
    await real.runtime.start("a")
    found = await real.runtime.storage("task")
    assert found is not None
    assert found.limit == 32 * MIB


@pytest.mark.parametrize("target", ["/srv/site", "/www"])
async def test_an_empty_volume_starts_with_what_the_image_has_there(
    real: ContainerdWorld, tmp_path: Path, target: str
) -> None:
    """A directory made of two layers, with a file taken away and one replaced; and a link that leads to it."""
    first: dict[str, bytes | str | None] = {"srv/site": None, "srv/site/a": b"old", "srv/site/b": b"gone"}
    first |= {"srv/site/c/d": b"deep", "www": "/srv/site"}
    second = tar({"srv/site/a": b"new", "srv/site/.wh.b": b""})
    layers = [busybox_layer(), tar(first, {"srv/site": 7}), second]
    real.registry.image("busybox", "site", layers, {"Cmd": ["sh"]})
    image = await real.runtime.pull(real.source("busybox", "site"), this_platform())
    mount = Mount(target=target, kind="volume", source="data")
    for group, limit in (("free", None), ("limited", 32 * MIB)):
        await real.runtime.set_group(group, Resources(), storage=limit)
        await real.runtime.make_volume(Volume(name="data", group=group))
        look = "cd /srv/site; stat -c %u .; find . -type f | sort; cat a; echo more > e"
        of_image = {"image": image.digest, "group": group}
        text = await shell(real, tmp_path, look, id=f"{group}-1", mounts=(mount,), **of_image)
        assert text.split() == ["7", "./a", "./c/d", "new"]
        read_only = msgspec.structs.replace(mount, read_only=True)
        look = "ls /srv/site; touch /srv/site/f 2>&1 || echo no"
        text = await shell(real, tmp_path, look, id=f"{group}-2", mounts=(read_only,), **of_image)
        assert text.split()[:3] == ["a", "c", "e"]  # not filled anew
        assert text.endswith("no\n")


async def test_what_another_container_puts_into_a_volume_is_not_followed(
    real: ContainerdWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to a file of the host, put there while the volume is being filled, is replaced and not written through."""
    host = tmp_path / "host"
    host.write_text("the host's")
    site = tar({"srv/site": None, "srv/site/page": b"the image's"})
    real.registry.image("busybox", "site", [busybox_layer(), site], {"Cmd": ["sh"]})
    image = await real.runtime.pull(real.source("busybox", "site"), this_platform())
    await real.runtime.make_volume(Volume(name="data", group="task"))
    folder = real.settings.data / "scratch" / "task" / "volumes" / "data"
    move = storage._move_all

    def interfere(source: Path, target: Path) -> None:
        (folder / "page").symlink_to(host)
        move(source, target)

    monkeypatch.setattr(storage, "_move_all", interfere)
    mount = Mount(target="/srv/site", kind="volume", source="data")
    text = await shell(real, tmp_path, "cat /srv/site/page", image=image.digest, group="task", mounts=(mount,))
    assert text == "the image's"
    assert host.read_text() == "the host's"
    assert sorted(path.name for path in folder.parent.parent.rglob("*")) == ["data", "filling", "page", "volumes"]


async def test_a_machine_that_gives_no_disks_does_not_limit(
    real: ContainerdWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: int) -> tuple[str, int]:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(syscalls, "loop", refuse)
        await real.runtime.set_group("task", Resources(), storage=32 * MIB)
    assert "the storage of tasks is not limited: Operation not permitted" in caplog.text
    await real.runtime.make_volume(Volume(name="data", group="task"))
    text = await shell(real, tmp_path, "touch /x /data/y && ls /data", group="task", mounts=(DATA,))
    assert text == "y\n"
    assert await real.runtime.storage("task") is None
    await real.runtime.remove_group("task")
    assert not list((real.settings.data / "scratch").iterdir())


async def test_a_volume_that_stays_is_mounted_as_it_was_made(real: ContainerdWorld, tmp_path: Path) -> None:
    """Also after everything was shut down, and whatever the next one who names it wants."""
    fast = Volume(name="data", filesystem="tmpfs", options="size=1m")
    await real.runtime.make_volume(fast)
    await real.runtime.shut_down()
    await real.open()
    await real.runtime.make_volume(Volume(name="data", filesystem="tmpfs", options="size=2m"))
    assert await shell(real, tmp_path, "df -k /data | grep -c 1024", mounts=(DATA,)) == "1\n"
    assert await real.runtime.volumes() == [fast]


async def test_a_volume_that_cannot_be_mounted_says_why(real: ContainerdWorld, tmp_path: Path) -> None:
    with pytest.raises(PortError, match=r"data: .*special device") as caught:
        await real.runtime.make_volume(
            Volume(name="data", filesystem="none", device=str(tmp_path / "no"), options="bind")
        )
    assert caught.value.code == Failure.VOLUME
    assert await real.runtime.volumes() == []
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "file").write_text("from the host")
    await real.runtime.make_volume(Volume(name="data", filesystem="none", device=str(tmp_path / "yes"), options="bind"))
    assert await shell(real, tmp_path, "cat /data/file", mounts=(DATA,)) == "from the host"
