"""The agent over a simulated machine: it brings up what is wanted, tells what is, and can be killed at any moment."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.core.virtual import run
from hatoba.fleet import messages as msg
from hatoba.fleet.items import CredentialItem
from hatoba.fleet.model import DependsOn, FilesWanted, HealthCheckWanted, Workload
from hatoba.runtime.failures import Failure
from hatoba.runtime.simulated import Behaviour, Delays, ExecBehaviour
from hatoba.store.memory import MemoryDisk
from tests.unit.node.machine import Machine, Script, item, on_a_machine
from tests.unit.node.pieces import container, workload


def test_a_workload_comes_up_and_goes_without_a_trace(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        wanted = workload("t1", container("web"), container("helper"))
        machine.want(wanted)
        await machine.until(lambda: machine.running() == ["t1-helper", "t1-web"])
        await machine.until(lambda: machine.status("t1").state == "running")
        status = machine.status("t1")
        assert [c.state for c in status.containers] == ["running", "running"]
        assert status.connected is not None
        assert machine.fabric.vpcs["v1"].holders.keys() == {"e-t1"}
        states = [r.status.state for r in machine.said.history if r.id == "t1"]
        assert sorted(states, key=["pending", "starting", "running"].index) == states
        numbers = [r.report for r in machine.said.history if r.id == "t1"]
        assert numbers == sorted(numbers)
        machine.want(replace(wanted, want="stopped"))
        await machine.until(lambda: machine.status("t1").state == "stopped")
        assert {c.exit_code for c in machine.status("t1").containers} == {143}
        machine.forget(wanted)
        await machine.until(lambda: not machine.leftovers())
        assert machine.status("t1") is None

    on_a_machine(tmp_path, script)


def test_a_container_that_ends_by_itself_is_told_with_its_code(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.want(workload("t1"))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "stopped")
        (status,) = machine.status("t1").containers
        assert (status.exit_code, status.oom, status.error) == (137, True, "")
        assert status.started is not None
        assert status.finished == pytest.approx(status.started + 5.0, abs=0.1)

    on_a_machine(tmp_path, script, behave=lambda spec: Behaviour(runs=5.0, oom=True))


def test_a_container_that_ends_at_once_satisfies_who_waits_for_it(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        init = container("init", essential=False)
        app = container("app", depends_on=(DependsOn(container="init", condition="COMPLETE"),))
        machine.want(workload("t1", init, app))
        await machine.until(lambda: machine.running() == ["t1-app"])
        assert machine.status("t1").containers[0].exit_code == 0

    def behave(spec: Any) -> Behaviour:
        return Behaviour(runs=0.0) if spec.id.endswith("init") else Behaviour()

    on_a_machine(tmp_path, script, behave=behave, delays=Delays(start=0.01))


def test_an_image_that_is_not_there_is_told_as_that(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.want(workload("t1"))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "stopped")
        (status,) = machine.status("t1").containers
        assert status.error == Failure.IMAGE_NOT_FOUND
        assert "manifest unknown" in status.detail
        machine.forget(workload("t1"))
        await machine.until(lambda: not machine.leftovers())

    on_a_machine(tmp_path, script, generous=False)


def test_what_is_away_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        for operation in ("pull", "set_group", "create", "start"):
            machine.host.fail(operation, Failure.UNAVAILABLE, times=2)  # type: ignore[arg-type]
        wanted = workload("t1")
        machine.want(wanted)
        await machine.until(lambda: machine.running() == ["t1-web"])
        machine.host.fail("delete", Failure.UNAVAILABLE, times=3)
        machine.fabric.failures["remove_interface"] = [PortError("kernel", "busy")] * 2
        machine.forget(wanted)
        await machine.until(lambda: not machine.leftovers())

    on_a_machine(tmp_path, script)


def test_a_network_that_cannot_be_made_fails_the_task_in_the_end_and_then_works(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.fabric.failures["ensure_vpc"] = [PortError("kernel", "no")] * 12
        machine.want(workload("t1"))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "stopped")
        assert machine.status("t1").error == "network-timeout"
        machine.want(workload("t2"))
        await machine.until(lambda: machine.running() == ["t2-web"])

    on_a_machine(tmp_path, script)


def test_health_is_checked_and_told(tmp_path: Path) -> None:
    healthy = True

    async def script(machine: Machine) -> None:
        nonlocal healthy
        check = HealthCheckWanted(command=("CMD", "ok"), interval=5.0, retries=2)
        machine.want(workload("t1", container(health=check)))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").containers[0].health == "healthy")
        await machine.restart()
        healthy = False
        await machine.until(lambda: machine.status("t1").containers[0].health == "unhealthy")

    def behave_exec(spec: Any, process: Any) -> ExecBehaviour:
        return ExecBehaviour(code=0 if healthy else 1)

    on_a_machine(tmp_path, script, behave_exec=behave_exec)


def test_samples_survive_a_runtime_that_is_away(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.want(workload("t1"))
        await machine.until(lambda: machine.running())
        machine.host.fail("stats", Failure.UNAVAILABLE, times=2)
        await asyncio.sleep(45)
        assert len(machine.said.sampled) == 2
        assert machine.said.sampled[-1][0].workload == "t1"

    on_a_machine(tmp_path, script)


def test_what_ended_with_its_machine_is_not_believed_to_run(tmp_path: Path) -> None:
    """After a power cut, or `hatoba down` and `up`, containerd knows the container, and of no process in it."""

    async def script(machine: Machine) -> None:
        wanted = workload("t1", container("a"), container("b"))
        machine.want(wanted)
        await machine.until(lambda: len(machine.running()) == 2)
        await machine.kill()
        for lost in machine.host.containers.values():
            lost.state, lost.pid = "created", 0
        await machine.start()
        await machine.until(lambda: machine.status("t1").state == "stopped")
        assert [(c.error, c.exit_code) for c in machine.status("t1").containers] == [("vanished", None)] * 2
        machine.forget(wanted)
        await machine.until(lambda: not machine.leftovers())

    on_a_machine(tmp_path, script)


# --- killed at any moment


@pytest.mark.parametrize("turns", range(0, 60, 2))
def test_killed_while_it_starts_a_workload(tmp_path: Path, turns: int) -> None:
    """After any number of turns of the loop: nothing is started twice, all comes up, and all goes."""

    async def script(machine: Machine) -> None:
        wanted = workload(
            "t1", container("a"), container("b", depends_on=(DependsOn(container="a", condition="START"),))
        )
        machine.want(wanted)
        for _ in range(turns):
            await asyncio.sleep(0)
        await machine.restart()
        if machine.status("t1") is None:  # it had not kept it: the control plane says it again
            machine.want(wanted)
        await machine.until(lambda: machine.running() == ["t1-a", "t1-b"])
        pids = {id_: c.pid for id_, c in machine.host.containers.items()}
        await machine.restart()
        await asyncio.sleep(5)
        assert {id_: c.pid for id_, c in machine.host.containers.items()} == pids
        machine.forget(wanted)
        await machine.until(lambda: not machine.leftovers())
        assert all(count == 1 for count in machine.host.starts.values())  # type: ignore[attr-defined]

    counted(tmp_path, script)


@pytest.mark.parametrize("turns", range(0, 40, 2))
def test_killed_while_it_stops_one(tmp_path: Path, turns: int) -> None:
    async def script(machine: Machine) -> None:
        wanted = workload("t1", container("a"), container("b"))
        machine.want(wanted)
        await machine.until(lambda: len(machine.running()) == 2)
        machine.want(replace(wanted, want="stopped"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await machine.restart()
        machine.want(replace(wanted, want="stopped"))
        await machine.until(lambda: machine.status("t1").state == "stopped")
        assert [c.exit_code for c in machine.status("t1").containers] == [143, 143]
        assert [c.error for c in machine.status("t1").containers] == ["", ""]
        await machine.restart()
        machine.forget(wanted)
        await machine.until(lambda: not machine.leftovers())

    counted(tmp_path, script)


def counted(folder: Path, script: Script) -> None:
    """With delays, and every start of a container counted."""

    async def main() -> None:
        machine = Machine.make(folder)
        host = machine.host
        host.delays = Delays(pull=0.0, create=0.0, start=0.0)
        starts: dict[str, int] = {}
        host.starts = starts  # type: ignore[attr-defined]
        start = host.start

        def counting(simulated: Any) -> int:
            starts[simulated.spec.id] = starts.get(simulated.spec.id, 0) + 1
            return start(simulated)

        host.start = counting  # type: ignore[method-assign]
        await machine.start()
        await script(machine)
        await machine.kill()

    run(main())


def test_what_ended_while_no_agent_was_there_is_told(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.want(workload("t1"), workload("t2"))
        await machine.until(lambda: len(machine.running()) == 2)
        await machine.kill()
        machine.host.end("t1-web", 3)
        del machine.host.containers["t2-web"]  # somebody else took it away
        await machine.start()
        await machine.until(lambda: machine.status("t1").state == machine.status("t2").state == "stopped")
        (one,), (two,) = machine.status("t1").containers, machine.status("t2").containers
        assert (one.exit_code, one.error) == (3, "")
        assert (two.exit_code, two.error) == (None, "vanished")

    on_a_machine(tmp_path, script)


def test_an_exit_between_listening_and_looking_is_not_missed(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.want(workload("t1"))
        await machine.until(lambda: len(machine.running()) == 1)
        await machine.kill()
        stale = [c.view() for c in machine.host.containers.values()]

        async def slow(self: Any) -> Any:
            machine.host.end("t1-web", 9)  # while the list is on its way
            await asyncio.sleep(0.01)
            return stale

        from hatoba.runtime.simulated import SimulatedRuntime

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SimulatedRuntime, "containers", slow)
            await machine.start()
            await machine.until(lambda: machine.status("t1").state == "stopped")
        assert machine.status("t1").containers[0].exit_code == 9

    on_a_machine(tmp_path, script)


def test_exits_while_the_events_are_away_are_found(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.want(workload("t1"))
        await machine.until(lambda: machine.running() and machine.status("t1").state == "running")
        machine.runtime._feed.close()  # the stream ends
        machine.host.end("t1-web", 4)
        await machine.until(lambda: machine.status("t1").state == "stopped", 5.0)
        assert machine.status("t1").containers[0].exit_code == 4

    on_a_machine(tmp_path, script)


def test_what_a_crash_left_is_swept(tmp_path: Path) -> None:
    """The memory is gone (a disk was replaced): containers, interfaces, networks, files of before are removed."""

    async def script(machine: Machine) -> None:
        machine.want(workload("t1"))
        await machine.until(lambda: len(machine.running()) == 1)
        await machine.kill()
        machine.disk = MemoryDisk()
        machine.generation = 0
        machine.output.open_.clear()  # `logs` sees to what nobody asks for
        await machine.start()
        await machine.until(lambda: not machine.leftovers() and not machine.fabric.vpcs)

    on_a_machine(tmp_path, script)


def test_before_the_first_welcome_nothing_is_pulled_from_nowhere(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        await machine.kill()
        await machine.start(registry="")
        machine.want(workload("t1"))
        await asyncio.sleep(3)
        assert machine.status("t1").state == "starting"
        machine.agent.welcome(msg.Welcome(protocol=1, region="us-east-1", registry="localhost:4566"))
        await machine.until(lambda: len(machine.running()) == 1)

    on_a_machine(tmp_path, script)


def test_reports_that_were_not_acknowledged_are_said_again_after_a_restart(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        machine.want(workload("t1"))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "running")
        report = machine.said.reports["workload", "t1"]
        await machine.restart()
        assert machine.said.reports["workload", "t1"] == report
        machine.agent.acknowledged("workload", "t1", report.report)
        assert machine.memory.held()[0].acknowledged == report.report

    on_a_machine(tmp_path, script)


def test_credentials_and_addresses_are_known_again_after_a_restart(tmp_path: Path) -> None:
    async def script(machine: Machine) -> None:
        wanted = workload("t1")
        credential = CredentialItem(
            workload="t1", role="r", access_key="A", secret_key=Secret("s"), token=Secret("t"), expires=9e9
        )
        machine.tell(put=[item("credential", "c1", credential)])
        machine.want(wanted)
        await machine.until(lambda: len(machine.running()) == 1)
        address = machine.fabric.vpcs["v1"].holders["e-t1"].address
        await machine.restart()
        await machine.until(lambda: machine.agent.by_address("v1", address) is not None)
        assert machine.agent.credential("c1") == credential
        assert machine.agent.by_address("v2", address) is None
        machine.tell(gone=[msg.Gone(kind="credential", id="c1")])
        assert machine.agent.credential("c1") is None
        machine.forget(wanted)
        await machine.until(lambda: not machine.leftovers())
        assert machine.agent.by_address("v1", address) is None

    on_a_machine(tmp_path, script)


@pytest.mark.parametrize("killed", [False, True])
def test_a_container_with_a_restart_policy_comes_back(tmp_path: Path, killed: bool) -> None:
    async def script(machine: Machine) -> None:
        check = HealthCheckWanted(command=("CMD", "true"), interval=5.0)
        machine.want(workload("t1", container("web", restart_after=60.0, health=check)))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "running")
        began = machine.status("t1").containers[0].started
        if killed:
            await machine.kill()
            await asyncio.sleep(100)  # its process ends meanwhile
            await machine.start()
        await machine.until(lambda: machine.status("t1") and machine.status("t1").containers[0].restarts == 1)
        await machine.until(lambda: machine.status("t1").containers[0].started > began + 90)
        await machine.until(lambda: machine.running() == ["t1-web"])
        (status,) = machine.status("t1").containers
        assert (status.state, status.exit_code) == ("running", None)
        await machine.until(lambda: machine.status("t1").containers[0].restarts == 2)
        machine.forget(workload("t1"))
        await machine.until(lambda: not machine.leftovers())

    on_a_machine(tmp_path, script, behave=lambda spec: Behaviour(runs=90.0, code=1))


def test_new_contents_of_secret_files_reach_a_running_container_also_when_the_agent_was_away(tmp_path: Path) -> None:
    path = "/run/secrets/db"

    def version(number: int) -> Workload:
        return workload("t1", container(files=FilesWanted(version=number, contents={path: Secret(f"v{number}")})))

    async def script(machine: Machine) -> None:
        def inside() -> str:
            return machine.host.containers["t1-web"].spec.files[path].reveal()

        machine.want(version(1))
        await machine.until(lambda: machine.status("t1") and machine.status("t1").state == "running")
        assert inside() == "v1"
        pid = machine.host.containers["t1-web"].pid
        machine.host.fail("refresh", Failure.UNAVAILABLE, times=2)
        machine.want(version(2))
        await machine.until(lambda: inside() == "v2")
        await machine.kill()
        await machine.start()
        machine.want(version(5))
        await machine.until(lambda: inside() == "v5")
        assert machine.host.containers["t1-web"].pid == pid, "without a restart"
        assert b"v5" not in b"".join(machine.disk.rows.values())

    on_a_machine(tmp_path, script)
