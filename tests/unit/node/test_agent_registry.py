"""The platform's own registry lives in the control plane: while that starts again, tasks wait.

Other registries' failures are failures at once.
"""

from __future__ import annotations

from pathlib import Path

from hatoba.core.records import replace
from hatoba.node.worker import REGISTRY_PATIENCE
from hatoba.runtime.failures import Failure
from tests.unit.node.machine import Machine, on_a_machine
from tests.unit.node.pieces import container, workload


def test_a_task_outlives_a_restart_of_the_registry(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.host.fail("pull", Failure.IMAGE_NETWORK, "Connection reset by peer", times=3)
        machine.want(workload("t1"))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "running")

    on_a_machine(tmp_path, script)


def test_a_registry_that_stays_away_is_a_reason(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        began = machine.clock.monotonic()
        machine.host.fail("pull", Failure.IMAGE_NETWORK, "Connection refused", times=1000)
        machine.want(workload("t1"))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "stopped")
        assert machine.status("t1").containers[0].error == Failure.IMAGE_NETWORK
        assert REGISTRY_PATIENCE <= machine.clock.monotonic() - began < REGISTRY_PATIENCE + 5

    on_a_machine(tmp_path, script)


def test_a_registry_of_somebody_else_that_is_away_is_a_reason_at_once(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        foreign = container("web")
        foreign = replace(foreign, image=replace(foreign.image, host="registry.example"))
        machine.host.fail("pull", Failure.IMAGE_NETWORK, "Connection refused", times=1)
        machine.want(workload("t1", foreign))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "stopped")
        assert machine.status("t1").containers[0].error == Failure.IMAGE_NETWORK

    on_a_machine(tmp_path, script)
