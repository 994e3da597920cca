"""`hatoba simulate`: the real control plane over machines that are records only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.app.simulate import report
from hatoba.app.simulate.play import play
from hatoba.app.simulate.report import Outcome, Result
from hatoba.app.simulate.scenario import Image, Machines, Scenario, Step, checked, plain, read
from hatoba.cli.main import main
from hatoba.core import virtual
from hatoba.core.errors import Refused

DEFINITION: dict[str, Any] = {
    "family": "web",
    "networkMode": "host",
    "containerDefinitions": [{"name": "web", "image": "web:1", "cpu": 1024, "memory": 1024, "essential": True}],
}
SERVICE: dict[str, Any] = {"serviceName": "web", "taskDefinition": "web", "launchType": "EC2"}


def played(scenario: Scenario) -> Result:
    told: list[Outcome] = []
    result = virtual.run(play(scenario, lambda: 0.0, told.append))
    assert tuple(told) == result.steps
    return result


def story(*steps: Step, count: int = 10, images: dict[str, Image] | None = None) -> Scenario:
    scene = (Step(call="CreateCluster"), Step(call="RegisterTaskDefinition", params=DEFINITION))
    machines = Machines(count=count, cpu=4096, memory=8192)
    return checked(Scenario(nodes=(machines,), steps=(*scene, *steps), images=images or {}))


def service(desired: int, **members: Any) -> Step:
    return Step(call="CreateService", params={**SERVICE, "desiredCount": desired, **members})


def test_what_has_room_runs() -> None:
    result = played(plain(20, 300, 1))
    created = result.steps[2]
    assert (created.running, created.wanted, created.started, created.settled) == (300, 300, 300, True)
    assert sum(machine.tasks for machine in result.machines) == 300


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    assert played(plain(20, 300, 1)) == played(plain(20, 300, 1))
    assert played(plain(20, 300, 1)) != played(plain(20, 300, 2))


def test_what_has_no_room_says_why() -> None:
    last = played(story(service(45))).steps[-1]
    assert (last.running, last.wanted, last.settled) == (40, 45, True)
    (waiting,) = last.waiting
    assert waiting.service == "web"
    assert "was unable to place a task" in waiting.why
    assert "waits: web: " in report.line(last)


def test_what_waits_is_placed_when_machines_join() -> None:
    last = played(story(service(45), Step(join=Machines(count=2, cpu=4096, memory=8192)))).steps[-1]
    assert (last.running, last.waiting) == (45, ())
    assert last.started >= 5, "and perhaps some that even out the zones"


def test_what_ran_on_machines_that_died_runs_elsewhere() -> None:
    lost, back = played(story(service(20), Step(lose=3), Step(back=3))).steps[-2:]
    assert (lost.running, back.running) == (20, 20)
    assert lost.started > 0
    assert back.started == back.ended == 0, "a machine that comes back has nothing"


def test_machines_that_died_are_told_apart_in_the_picture() -> None:
    result = played(story(Step(lose=3)))
    assert sum(not machine.alive for machine in result.machines) == 3
    assert report.picture(result.machines).splitlines()[0] == "7 machines, 0 tasks; 3 dead"


def test_a_broken_image_is_rolled_back_by_the_circuit_breaker() -> None:
    broken = {**DEFINITION, "containerDefinitions": [{**DEFINITION["containerDefinitions"][0], "image": "web:2"}]}
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    result = played(
        story(
            service(8, deploymentConfiguration=breaker),
            Step(call="RegisterTaskDefinition", params=broken),
            Step(call="UpdateService", params={"service": "web", "taskDefinition": "web:2"}),
            images={"web:2": Image(ends=1.0, code=1)},
        )
    )
    last = result.steps[-1]
    assert (last.running, last.settled) == (8, True)
    assert last.started >= 4, "the threshold is three, or half of what is desired"
    assert last.failed == ()


@pytest.mark.slow
def test_many_that_fall_together_are_one_reason_to_wait() -> None:
    """Sixty tasks of a broken release end in the same second: that is one wave, not an hour of growing pauses."""
    broken = {**DEFINITION, "containerDefinitions": [{**DEFINITION["containerDefinitions"][0], "image": "web:2"}]}
    percents = {"minimumHealthyPercent": 90, "maximumPercent": 120}
    breaker = {**percents, "deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    last = played(
        story(
            service(300, deploymentConfiguration=breaker),
            Step(call="RegisterTaskDefinition", params=broken),
            Step(call="UpdateService", params={"service": "web", "taskDefinition": "web:2"}),
            images={"web:2": Image(ends=3.0, code=1)},
            count=100,
        )
    ).steps[-1]
    assert (last.running, last.settled) == (300, True)
    assert last.seconds < 60


def test_a_service_that_never_comes_up_is_given_up_after_a_while() -> None:
    never = story(service(1), images={"web:1": Image(ends=0.5, code=3)})
    last = played(msgspec.structs.replace(never, patience=120.0)).steps[-1]
    assert (last.settled, last.given_up, last.running) == (False, True, 0)
    assert last.started > 3
    assert report.line(last).split()[2].startswith(">0:02:0")


def test_a_step_with_a_time_is_looked_at_when_it_is_over() -> None:
    slow = {"web:1": Image(starts=5.0)}
    seen = played(story(service(20), Step(lose=5, within=0.1), Step(within=30.0), images=slow)).steps
    assert seen[-2].seconds == pytest.approx(0.1)
    assert not seen[-2].settled
    assert (seen[-1].title, seen[-1].settled) == ("wait", True)


def test_calls_are_numbered() -> None:
    last = played(
        story(Step(call="CreateService", params={**SERVICE, "serviceName": "s{n}", "desiredCount": 1}, times=3))
    )
    assert last.steps[-1].wanted == last.steps[-1].running == 3


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            Step(call="CreateService", params={**SERVICE, "taskDefinition": "none", "desiredCount": 1}),
            "CreateService web",
        ),
        (Step(call="RunTask", params={"taskDefinition": "web", "count": 10, "launchType": "FARGATE"}), "RunTask"),
    ],
)
def test_a_refused_call_ends_it_in_the_platforms_words(step: Step, words: str) -> None:
    with pytest.raises(Refused, match=words):
        played(story(step))


def test_a_scenario_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.json").write_text(json.dumps(DEFINITION))
    file = tmp_path / "what-if.toml"
    file.write_text(
        """
        [[nodes]]
        count = 4
        cpu = 4096
        memory = 8192
        [[steps]]
        call = "RegisterTaskDefinition"
        with = "web.json"
        [[steps]]
        call = "CreateService"
        with = { serviceName = "web", taskDefinition = "web", desiredCount = 17, launchType = "EC2" }
        """
    )
    assert main(["simulate", str(file)]) == 0
    told = capsys.readouterr().out
    assert "4 machines, 16 tasks" in told
    assert "waits: web: " in told
    assert main(["simulate", str(file), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [step["running"] for step in result["steps"]] == [0, 16]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[nodes]]\ncount = 'many'\n", "Expected `int`"),
        ("nodes = [", "Expected|Invalid|Unclosed|Unterminated"),
        ("nodes = []\nsteps = []\n", "needs machines"),
        ("[[nodes]]\ncount = 1\n[[steps]]\nlose = 1\nback = 1\n", "Step 1 must be one of"),
        ("[[nodes]]\ncount = 1\n[[steps]]\nlost = 1\n", "unknown field `lost`"),
        ("[[nodes]]\ncount = 1\n[[steps]]\ncall = 'X'\nwith = 'none.json'\n", "No such file"),
        ("[[nodes]]\ncount = 1\n[[steps]]\ncall = 'X'\ntimes = 0\n", "times must be between"),
    ],
)
def test_a_wrong_scenario_is_refused_with_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(Refused, match=words):
        read(file)
