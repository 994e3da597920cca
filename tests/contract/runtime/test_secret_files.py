"""Secret files: a container finds them, for its user alone, and new contents in their place; in memory only."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatoba.core.errors import PortError
from hatoba.core.secret import Secret
from hatoba.runtime.base import ExecSpec, Runtime
from hatoba.runtime.containerd import memory
from tests.contract.runtime.outputs import shell
from tests.contract.runtime.test_containerd_secrets import LARGE
from tests.contract.runtime.worlds import ContainerdWorld, World, spec
from tools.traces import files

FILES = {
    "/run/secrets/db": Secret("hunter2 'old' ä\n"),
    "/run/secrets/more/app.json": Secret('{"password": "hunter2"}'),
    "/srv/app/key": Secret("hunter2 key"),
}
NEW = {**FILES, "/run/secrets/db": Secret("hunter2 new")}


async def said(runtime: Runtime, id: str, script: str, number: int = 0) -> str:
    process = await runtime.exec(id, ExecSpec(id=f"e{number}", args=("sh", "-c", script), attach=True))
    text = b"".join([data async for _, data in process.output()])
    await process.wait()
    await process.close()
    return text.decode()


# --- both


async def test_a_path_that_is_none_of_its_own_is_refused(world: World) -> None:
    for path in ("db", "/db", "/etc/db", "/run/../etc/db", "/proc/self/environ", "/run/secrets/", "//run/secrets/db"):
        with pytest.raises(PortError, match="secret file"):
            await world.runtime.create(await spec(world, "a", "true", files={path: Secret("x")}))


async def test_of_a_container_that_is_not_there_nothing_can_be_refreshed(world: World) -> None:
    with pytest.raises(PortError, match="does not exist"):
        await world.runtime.refresh("nobody", FILES)


async def test_before_it_runs_too(world: World) -> None:
    await world.runtime.create(await spec(world, "a", "sleep", "60", files=FILES))
    await world.runtime.refresh("a", NEW)
    await world.runtime.start("a")
    await world.runtime.refresh("a", FILES)


# --- the real one


@pytest.mark.real
async def test_they_are_its_users_alone_and_in_memory(real: ContainerdWorld, tmp_path: Path) -> None:
    script = "cat /run/secrets/db; stat -c '%a %u %g' /run/secrets/more/app.json /srv/app/key; stat -f -c %T /srv/app"
    assert await shell(real, tmp_path, script, files=FILES, user="1234:99") == (
        "hunter2 'old' ä\n400 1234 99\n400 1234 99\ntmpfs\n"
    )
    refused = "for f in db more/app.json; do cat /run/secrets/$f || echo no; done; echo x > /run/secrets/db || echo no"
    text = await shell(real, tmp_path, refused, files=FILES, user="1234", id="b")
    assert text.count("no\n") == 1  # its own it may read; nobody may write
    await real.runtime.create(await spec(real, "d", "sleep", "60", files=FILES, user="1234"))
    await real.runtime.start("d")
    process = await real.runtime.exec("d", ExecSpec(id="e", args=("cat", "/run/secrets/db"), user="77", attach=True))
    assert b"Permission denied" in b"".join([data async for _, data in process.output()])
    await process.close()


@pytest.mark.real
async def test_new_contents_come_as_a_whole_to_whoever_opens_them(real: ContainerdWorld) -> None:
    await real.runtime.create(await spec(real, "a", "sleep", "60", files=FILES))
    await real.runtime.start("a")
    before = await said(real.runtime, "a", "ls -i /run/secrets/db /srv/app/key")
    runtime = await real.restart()  # the agent knows of its user only what containerd was told
    await runtime.refresh("a", NEW)
    assert await said(runtime, "a", "cat /run/secrets/db /srv/app/key", 1) == "hunter2 newhunter2 key"
    after = await said(runtime, "a", "ls -i /run/secrets/db /srv/app/key; ls -a /run/secrets", 2)
    changed = [old != new for old, new in zip(before.splitlines(), after.splitlines(), strict=False)]
    assert changed == [True, False]  # another file in its place; what is the same stays
    assert after.split()[-4:] == [".", "..", "db", "more"]


@pytest.mark.real
async def test_nothing_of_them_is_on_a_disk_or_left_behind(real: ContainerdWorld) -> None:
    await real.runtime.create(await spec(real, "a", "sleep", "60", files=FILES))
    await real.runtime.start("a")
    await real.runtime.refresh("a", NEW)
    disk = ((path, content) for path, content in files(real.settings.data, LARGE) if "snapshots" not in str(path))
    assert [path for path, content in disk if b"hunter2" in content] == []
    assert memory.in_memory(real.settings.run)
    folder = real.settings.run / "files"
    assert folder.stat().st_mode & 0o077 == 0
    orphan = folder / "never-made" / "root"
    orphan.mkdir(parents=True)
    runtime = await real.restart()
    assert not orphan.exists()
    await runtime.delete("a")
    assert list(folder.iterdir()) == []


@pytest.mark.real
async def test_a_root_that_cannot_be_written_to_has_them_too(real: ContainerdWorld, tmp_path: Path) -> None:
    text = await shell(
        real, tmp_path, "cat /run/secrets/db; touch /x 2>/dev/null || echo no", files=NEW, read_only_root=True
    )
    assert text.startswith("hunter2 new")
    assert text.endswith("no\n")
