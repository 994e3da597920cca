"""Health checks: what the last one said and ended with, and that none of them can hold up the agent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hatoba.core.virtual import run
from hatoba.fleet.model import HealthCheckWanted
from hatoba.node.health import MOST_OUTPUT, HealthChecks, Outcome
from hatoba.runtime.simulated.host import ExecBehaviour
from tests.unit.node.machine import Machine
from tests.unit.node.pieces import container, workload

CHECK = HealthCheckWanted(command=("CMD-SHELL", "check"), interval=5.0, timeout=2.0, retries=2)


def checked(folder: Path, behaviour: ExecBehaviour, seconds: float = 6.0) -> tuple[Outcome | None, list[Any]]:
    """The outcome of the last check, and the verdicts, after some time with checks that behave so."""

    async def main() -> tuple[Outcome | None, list[Any]]:
        machine = Machine.make(folder)
        machine.host.behave_exec = lambda spec, wanted: behaviour
        await machine.start()
        machine.want(workload("t1", container(health=CHECK)))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "running")
        await asyncio.sleep(seconds)
        outcome = machine.agent.last_check("t1", "web")
        told = [report.status.containers[0].health for report in machine.said.history]
        await machine.kill()
        return outcome, list(dict.fromkeys(told))

    return run(main())


def test_the_last_check_is_remembered_with_its_words(tmp_path: Path) -> None:
    outcome, verdicts = checked(tmp_path, ExecBehaviour(code=0, stdout=b"all ", stderr=b"well\n", runs=0.1))
    assert outcome == Outcome(code=0, output="all well\n")
    assert verdicts == ["unknown", "healthy"]


def test_a_failure_has_its_code(tmp_path: Path) -> None:
    outcome, verdicts = checked(tmp_path, ExecBehaviour(code=3, stdout=b"no", runs=0.1), 12.0)
    assert outcome == Outcome(code=3, output="no")
    assert verdicts == ["unknown", "unhealthy"]


def test_one_that_takes_too_long_says_so(tmp_path: Path) -> None:
    outcome, _ = checked(tmp_path, ExecBehaviour(code=0, runs=60.0), 8.0)
    assert outcome == Outcome(code=-1, output="Health check exceeded timeout (2s)")


def test_much_output_is_cut(tmp_path: Path) -> None:
    outcome, verdicts = checked(tmp_path, ExecBehaviour(code=0, stdout=b"x" * 100_000, runs=0.1))
    assert outcome is not None
    assert (len(outcome.output), verdicts[-1]) == (MOST_OUTPUT, "healthy")


def test_what_is_not_watched_any_more_is_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine.make(tmp_path)
        await machine.start()
        checks: HealthChecks = machine.agent._health
        wanted = workload("t1", container(health=CHECK))
        machine.want(wanted)
        await machine.until(lambda: machine.agent.last_check("t1", "web"))
        machine.forget(wanted)
        await machine.until(lambda: not checks._running)
        assert machine.agent.last_check("t1", "web") is None
        await machine.kill()

    run(main())
