"""Container health checks, as task definitions define them: a command run in the container again and again.

The verdict is a pure function of the results: `retries` failures in a row make a container unhealthy, one success makes
it healthy; failures within the start period do not count until the first success. (Source: HealthCheck in the ECS API
reference.)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Literal

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup
from hatoba.fleet.model import HealthCheckWanted, Part
from hatoba.runtime.base import ExecSpec, Process, Runtime

log = logging.getLogger(__name__)

MOST_OUTPUT = 1024  # characters of a check's output that are told
LAST_WORDS = 0.2  # seconds for what a check that has ended still had to say

Health = Literal["healthy", "unhealthy"]
Changed = Callable[[str, str, Health, float], None]  # workload, container, verdict, when


class Verdict(Part, frozen=True, kw_only=True):
    """What the results so far come to."""

    health: Literal["unknown", "healthy", "unhealthy"] = "unknown"
    failures: int = 0  # in a row


def judge(before: Verdict, ok: bool, age: float, check: HealthCheckWanted) -> Verdict:
    """After one more result, `age` seconds after the container started."""
    if ok:
        return Verdict(health="healthy")
    if age < check.start_period and before.health == "unknown":
        return before
    failures = before.failures + 1
    return Verdict(health="unhealthy" if failures >= check.retries else before.health, failures=failures)


def command(check: HealthCheckWanted) -> tuple[str, ...]:
    """`CMD` runs the words as they are, `CMD-SHELL` in the container's shell."""
    kind, *words = check.command
    if kind == "CMD-SHELL":
        return ("/bin/sh", "-c", " ".join(words))
    return tuple(words) if kind == "CMD" else check.command


class Outcome(Part, frozen=True, kw_only=True):
    """One run of a check: its exit code (-1: it did not come to one) and the beginning of what it wrote."""

    code: int
    output: str = ""


class HealthChecks:
    """Runs the checks of this node's containers."""

    def __init__(self, runtime: Runtime, clock: Clock, changed: Changed) -> None:
        self._runtime = runtime
        self._clock = clock
        self._changed = changed
        self._tasks = TaskGroup("health")
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._last: dict[tuple[str, str], Outcome] = {}

    def last(self, workload: str, container: str) -> Outcome | None:
        """How the last check went; None before the first one, and again after a restart of the agent."""
        return self._last.get((workload, container))

    def watch(self, workload: str, container: str, runtime_id: str, check: HealthCheckWanted, started: float) -> None:
        """From now until `unwatch`; watching twice is watching once."""
        name = (workload, container)
        if name not in self._running:
            work = self._watch(workload, container, runtime_id, check, started)
            self._running[name] = self._tasks.start(work, runtime_id)

    def unwatch(self, workload: str, container: str) -> None:
        self._last.pop((workload, container), None)
        task = self._running.pop((workload, container), None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        await self._tasks.close()

    async def _watch(
        self, workload: str, container: str, runtime_id: str, check: HealthCheckWanted, started: float
    ) -> None:
        verdict = Verdict()
        while True:
            await asyncio.sleep(check.interval)
            # Named by the time: what an earlier agent started may still be there.
            outcome = await self._check(runtime_id, f"health-{int(self._clock.now() * 1e3)}", check)
            self._last[workload, container] = outcome
            after = judge(verdict, outcome.code == 0, self._clock.now() - started, check)
            if after.health != verdict.health and after.health != "unknown":
                self._changed(workload, container, after.health, self._clock.now())
            verdict = after

    async def _check(self, runtime_id: str, id_: str, check: HealthCheckWanted) -> Outcome:
        try:
            process = await self._runtime.exec(runtime_id, ExecSpec(id=id_, args=command(check), attach=True))
        except PortError as error:
            log.info("health check of %s: %s", runtime_id, error)
            return Outcome(code=-1, output=error.message[:MOST_OUTPUT])
        said: list[bytes] = []
        listening = asyncio.ensure_future(_listen(process, said))
        try:
            async with asyncio.timeout(check.timeout):
                code = (await process.wait()).code
            with contextlib.suppress(TimeoutError):  # what it left running may hold its output open
                async with asyncio.timeout(LAST_WORDS):
                    await asyncio.shield(listening)
        except TimeoutError:
            return Outcome(code=-1, output=f"Health check exceeded timeout ({check.timeout:g}s)")
        except PortError as error:
            return Outcome(code=-1, output=error.message[:MOST_OUTPUT])
        finally:
            listening.cancel()
            await process.close()
        return Outcome(code=code, output=b"".join(said).decode(errors="replace")[:MOST_OUTPUT])


async def _listen(process: Process, said: list[bytes]) -> None:
    """All of it is read, so that the check is not held up; the beginning is kept."""
    kept = 0
    async for _, data in process.output():
        if kept < MOST_OUTPUT:
            said.append(data)
            kept += len(data)
