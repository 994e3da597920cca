"""Secrets reach a container's process and what is started beside it; on their way they stand on no disk in clear."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from hatoba.core.errors import PortError
from hatoba.core.secret import Secret
from hatoba.runtime.base import ExecSpec, Runtime
from tests.contract.runtime.outputs import shell
from tests.contract.runtime.worlds import ContainerdWorld, spec
from tools.traces import files
from tools.waiting import PATIENCE, until

pytestmark = pytest.mark.real

LARGE = 1 << 30  # bytes: no file that could hold it is as large
PASSWORD = "hunter2 'correct' \"horse\" \\ $battery\nstaple ä"
SECRETS = {"PASSWORD": Secret(PASSWORD), "LAYER": Secret("hunter2 instead of the image's")}


def holding(folder: Path) -> list[str]:
    """Files below a folder that have it in clear, as it is or as JSON has it."""
    return [
        str(path.relative_to(folder))
        for path, content in files(folder, LARGE)
        if "snapshots" not in str(path) and b"hunter2" in content
    ]


def knowing(pids: set[int]) -> set[int]:
    """Processes that have it in their environment or on their command line."""
    found = set()
    for pid in pids:
        shown = b"".join(Path(f"/proc/{pid}/{what}").read_bytes() for what in ("environ", "cmdline"))
        if b"hunter2" in shown:
            found.add(pid)
    return found


async def said(runtime: Runtime, id: str, *args: str) -> str:
    process = await runtime.exec(id, ExecSpec(id="e", args=args, env=("OWN=1",), attach=True))
    text = b"".join([data async for _, data in process.output()])
    await process.wait()
    await process.close()
    return text.decode()


async def test_they_are_in_the_environment_before_what_the_image_says(real: ContainerdWorld, tmp_path: Path) -> None:
    text = await shell(real, tmp_path, 'printf "%s|%s" "$PASSWORD" "$LAYER"; env | grep -c ^LAYER=', secrets=SECRETS)
    assert text == f"{PASSWORD}|hunter2 instead of the image's1\n"


async def test_what_is_started_inside_has_them_too_after_a_restart_of_the_agent_as_well(real: ContainerdWorld) -> None:
    await real.runtime.create(await spec(real, "a", "sleep", "60", secrets=SECRETS))
    await real.runtime.start("a")
    show = ("sh", "-c", 'printf "%s|%s" "$PASSWORD" "$OWN"')
    assert await said(real.runtime, "a", *show) == f"{PASSWORD}|1"
    orphan = real.settings.run / "secrets" / "never-made"
    orphan.write_text("[]")
    runtime = await real.restart()
    assert await said(runtime, "a", *show) == f"{PASSWORD}|1"
    assert not orphan.exists()


async def test_a_process_that_is_started_again_has_them(real: ContainerdWorld) -> None:
    script = '[ "$PASSWORD" ] && touch /tmp/again && [ $(ls /tmp | grep -c again) = 1 ] && exit 7; exit 1'
    await real.runtime.create(await spec(real, "a", "sh", "-c", script, secrets=SECRETS))
    for _ in range(2):
        await real.runtime.start("a")
        async with asyncio.timeout(PATIENCE):
            assert (await real.runtime.wait("a")).code == 7


async def test_they_stand_in_memory_and_in_the_container_only(real: ContainerdWorld) -> None:
    await real.runtime.create(await spec(real, "a", "sleep", "60", secrets=SECRETS))
    pid = await real.runtime.start("a")
    process = await real.runtime.exec("a", ExecSpec(id="e", args=("sleep", "60")))
    assert holding(real.settings.data) == []
    in_run = {path.partition("/")[0] for path in holding(real.settings.run)}
    assert in_run <= {"secrets", "state", "crun"}
    assert (real.settings.run / "secrets").stat().st_mode & 0o077 == 0
    shims = {int(one) for one in real.shims("a")}
    await until(lambda: pid in knowing({pid}))  # what becomes the container has them once it is that
    assert knowing({*shims, int(real.settings.pid_file.read_text().split()[0])}) == set()
    await process.signal(signal.SIGKILL)
    await process.close()
    await real.runtime.delete("a")
    assert holding(real.settings.run) == []


async def test_without_its_secrets_a_container_does_not_start(real: ContainerdWorld) -> None:
    """They are gone after a restart of the machine, as is everything that ran."""
    await real.runtime.create(await spec(real, "a", "true", secrets=SECRETS))
    (real.settings.run / "secrets" / "a").unlink()
    with pytest.raises(PortError):
        await real.runtime.start("a")
