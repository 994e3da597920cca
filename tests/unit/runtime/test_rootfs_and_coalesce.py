"""Looking into an image's layers without mounting them, and work that several callers share."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from hatoba.runtime.coalesce import Coalesce
from hatoba.runtime.containerd import rootfs
from hatoba.runtime.containerd.settings import Settings
from hatoba.runtime.stubs.types.mount_pb2 import Mount


def test_layers_of_mounts() -> None:
    overlay = Mount(type="overlay", options=["index=off", "workdir=/w", "upperdir=/u", "lowerdir=/b:/a"])
    assert rootfs.layers([overlay]) == ["/u", "/b", "/a"]
    assert rootfs.layers([Mount(type="overlay", options=["lowerdir=/b:/a"])]) == ["/b", "/a"]
    assert rootfs.layers([Mount(type="bind", source="/only", options=["rbind", "ro"])]) == ["/only"]


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """An upper and a lower layer."""
    for name in ("upper/etc", "lower/etc", "lower/real"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lower/etc/passwd").write_text("lower")
    (tmp_path / "lower/etc/group").write_text("group")
    (tmp_path / "lower/real/file").write_text("through links")
    (tmp_path / "lower/link").symlink_to("/real")
    (tmp_path / "upper/etc/relative").symlink_to("../link/file")
    (tmp_path / "upper/etc/escape").symlink_to("../../../../../../etc/hostname")
    (tmp_path / "upper/etc/loop").symlink_to("loop")
    return [str(tmp_path / "upper"), str(tmp_path / "lower")]


def test_the_upper_layer_wins(two: list[str]) -> None:
    assert rootfs.read(two, "/etc/passwd") == "lower"
    Path(two[0], "etc/passwd").write_text("upper")
    assert rootfs.read(two, "/etc/passwd") == "upper"
    assert rootfs.read(two, "/etc/group") == "group"
    assert rootfs.read(two, "/etc/none") == ""


def test_links_stay_within_the_image(two: list[str]) -> None:
    assert rootfs.read(two, "/etc/relative") == "through links"
    assert rootfs.read(two, "/etc/escape") == ""
    assert rootfs.read(two, "/etc/loop") == ""
    assert rootfs.read(two, "/etc") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="a whiteout is a device node")
def test_a_whiteout_hides_what_lies_below(two: list[str]) -> None:
    os.mknod(f"{two[0]}/etc/passwd", 0o020000, os.makedev(0, 0))
    assert rootfs.read(two, "/etc/passwd") == ""


def test_a_directory_is_made_of_all_layers_that_have_it(two: list[str]) -> None:
    upper, lower = two
    assert rootfs.directory(two, "/etc") == [f"{upper}/etc", f"{lower}/etc"]
    assert rootfs.directory(two, "/real/") == [f"{lower}/real"]
    assert rootfs.directory(two, "/") == two
    for none in ("/none", "/real/file", "/real/file/below", "/etc/loop", "/etc/relative"):
        assert rootfs.directory(two, none) == []


def test_a_link_to_a_directory_leads_nowhere_but_into_the_image(two: list[str]) -> None:
    upper, lower = two
    assert rootfs.directory(two, "/link") == [f"{lower}/real"]
    Path(upper, "etc/up").symlink_to("../../../../../../link/../etc")
    assert rootfs.directory(two, "/etc/up") == [f"{upper}/etc", f"{lower}/etc"]
    Path(upper, "link").mkdir()  # a directory in the place of the link
    assert rootfs.directory(two, "/link") == [f"{upper}/link"]


@pytest.mark.skipif(
    os.geteuid() != 0, reason="a whiteout is a device node, an opaque directory has a trusted attribute"
)
def test_what_an_upper_layer_hides_is_no_part_of_a_directory(two: list[str]) -> None:
    upper = two[0]
    os.setxattr(f"{upper}/etc", "trusted.overlay.opaque", b"y")
    assert rootfs.directory(two, "/etc") == [f"{upper}/etc"]
    os.mknod(f"{upper}/real", 0o020000, os.makedev(0, 0))
    assert rootfs.directory(two, "/real") == []
    assert rootfs.directory(two, "/link") == []


def test_a_long_run_directory_is_refused() -> None:
    with pytest.raises(ValueError, match="too long for a socket"):
        Settings(data=Path("/d"), run=Path("/run") / ("x" * 100), cgroup_parent="/h")


async def test_work_is_shared_and_its_error_too() -> None:
    coalesce: Coalesce[int] = Coalesce()
    started = 0

    async def work() -> int:
        nonlocal started
        started += 1
        await asyncio.sleep(0)
        if started == 2:
            raise OSError("no")
        return started

    assert await asyncio.gather(*(coalesce.run("a", work) for _ in range(3))) == [1, 1, 1]
    results = await asyncio.gather(*(coalesce.run("a", work) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [OSError] * 3
    assert await coalesce.run("a", work) == 3
    assert "a" not in coalesce


async def test_work_goes_on_for_those_who_stay_and_ends_with_the_last() -> None:
    coalesce: Coalesce[str] = Coalesce()
    gate, ended = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        try:
            await gate.wait()
            return "done"
        finally:
            ended.set()

    first, second = (asyncio.ensure_future(coalesce.run("a", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == "done"
    gate.clear()
    ended.clear()
    alone = asyncio.ensure_future(coalesce.run("a", work))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    alone.cancel()
    await asyncio.wait_for(ended.wait(), 5)
    assert "a" not in coalesce
