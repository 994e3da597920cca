"""`kill -9` of the agent while it changes targets: traffic flows, the same Envoy is found, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.proxy.proxy_rigs import RealRig
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real


@contextlib.asynccontextmanager
async def agent(rig: RealRig, ports: list[int]) -> AsyncIterator[str]:
    """Runs until the end of the block, then is killed. Gives its first words, said when all is in force."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.proxy.proxy_agent", str(rig.directory), rig.namespace.path),
        *map(str, ports),
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def served(rig: RealRig) -> None:
    """Until somebody is: a target has been found healthy."""
    async with asyncio.timeout(PATIENCE):
        while (await rig.get())[0] != 200:
            pass


async def test_an_agent_killed_at_any_moment_costs_no_request(real: RealRig) -> None:
    ports = [(await real.backend(name)).port for name in "abc"]
    pid = real.proxy.process.pid
    await real.agent_dies()
    chance = random.Random(7)
    async with agent(real, ports) as words:
        assert words == f"adopted {pid}"
        await served(real)
    async with real.load() as load:
        for _ in range(8):
            async with agent(real, ports) as words:
                assert words == f"adopted {pid}"
                # Any moment of what the agent does: this is the chance that the test is about.
                await asyncio.sleep(chance.uniform(0.0, 0.3))
            await load.answered(10)
    assert load.failures == []
    assert await real.agent_returns()
