"""The step machine, case by case: what follows from each event."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.fleet.model import DependsOn, FilesWanted, LogWanted, Workload
from hatoba.node import events as step
from hatoba.node.advance import advance
from hatoba.node.events import Instruction
from hatoba.node.held import Held, begin
from tests.unit.node.pieces import container, workload

T = 1000.0


def play(wanted: Workload, *events: step.Event) -> tuple[Held, list[str]]:
    """The machine after the events, and everything it said, as "verb container"."""
    held, said = begin(wanted), []
    for event in (step.Wanted(wanted), *events):
        held, instructions = advance(held, event, T)
        said += [" ".join(instruction).strip() for instruction in instructions]
    return held, said


def pulled(*names: str) -> list[step.Event]:
    return [step.Pulled(name, "sha256:1", T, T) for name in names]


def launched(name: str) -> step.Launched:
    return step.Launched(name, f"t1-{name}", T, T)


UP = [step.Attached(T), *pulled("web"), launched("web")]


def needs(name: str, condition: Any, **fields: Any) -> Any:
    return container("app", depends_on=(DependsOn(container=name, condition=condition),), **fields)


def test_interface_and_images_side_by_side_then_the_containers() -> None:
    held, said = play(workload(), *pulled("web"))
    assert said == ["attach", "pull web"], "no launch before the interface is there"
    assert held.status.state == "starting"
    held, said = play(workload(), *UP)
    assert said == ["attach", "pull web", "launch web"]
    assert (held.status.state, held.container("web").state, held.status.connected) == ("running", "running", T)


def test_on_the_hosts_network_there_is_nothing_to_attach_or_detach() -> None:
    wanted = workload("t1", container(), network=None, interface=None)
    held, said = play(wanted, *pulled("web"), launched("web"), step.Exited("web", 0, T), step.Deleted("web"))
    assert said == ["pull web", "launch web", "delete web"]
    assert held.done


def test_stopping_goes_the_other_way_round_and_leaves_nothing() -> None:
    wanted = workload("t1", container("db"), needs("db", "START"))
    held, said = play(
        wanted,
        step.Attached(T),
        *pulled("db", "app"),
        launched("db"),
        launched("app"),
        step.Wanted(replace(wanted, want="stopped")),
        step.Exited("app", 143, T),
        step.Exited("db", 143, T),
        step.Deleted("app"),
        step.Deleted("db"),
        step.Detached(),
    )
    assert said[3:] == ["launch db", "launch app", "stop app", "stop db", "delete db", "delete app", "detach"]
    assert held.done
    assert held.status.stopped == T


@pytest.mark.parametrize(
    ("condition", "events", "starts"),
    [
        ("START", [], False),
        ("START", [launched("db")], True),
        ("START", [step.Exited("db", 1, T)], True),  # quicker than the answer to its launch
        ("COMPLETE", [launched("db")], False),
        ("COMPLETE", [launched("db"), step.Exited("db", 1, T)], True),
        ("COMPLETE", [step.Exited("db", 1, T)], True),
        ("SUCCESS", [launched("db"), step.Exited("db", 0, T)], True),
        ("SUCCESS", [step.Exited("db", 0, T)], True),
        ("HEALTHY", [launched("db")], False),
        ("HEALTHY", [launched("db"), step.HealthChanged("db", "healthy", T)], True),
        ("HEALTHY", [launched("db"), step.HealthChanged("db", "unhealthy", T)], False),
    ],
)
def test_a_container_waits_for_what_it_depends_on(condition: Any, events: list[step.Event], starts: bool) -> None:
    wanted = workload("t1", container("db", essential=False), needs("db", condition))
    held, said = play(wanted, step.Attached(T), *pulled("db", "app"), *events)
    assert ("launch app" in said) == starts
    assert not held.stopping


@pytest.mark.parametrize(
    ("condition", "event"), [("SUCCESS", step.Exited("db", 1, T)), ("HEALTHY", step.Exited("db", 0, T))]
)
def test_a_dependency_that_cannot_come_true_ends_the_task_and_says_why(condition: Any, event: step.Event) -> None:
    wanted = workload("t1", container("db", essential=False), needs("db", condition))
    held, said = play(wanted, step.Attached(T), *pulled("db", "app"), launched("db"), event)
    assert held.stopping
    assert (held.container("app").error, held.container("app").detail) == ("dependency", "container db")
    assert "launch app" not in said


def test_an_essential_container_that_ends_takes_the_blame_itself() -> None:
    wanted = workload("t1", container("db"), needs("db", "HEALTHY"))
    held, _ = play(wanted, step.Attached(T), *pulled("db", "app"), launched("db"), step.Exited("db", 3, T))
    assert held.stopping
    assert (held.container("app").error, held.container("db").exit_code) == ("", 3)


def test_a_dependency_that_takes_too_long_ends_the_task_at_its_time() -> None:
    wanted = workload("t1", container("db", essential=False, start_timeout=5.0), needs("db", "HEALTHY"))
    held, _ = play(wanted, step.Attached(T), *pulled("db", "app"), launched("db"))
    assert held.wake_at == T + 5.0
    early, _ = advance(held, step.Tick(), T + 4.9)
    assert not early.stopping
    late, said = advance(held, step.Tick(), T + 5.0)
    assert (late.stopping, late.wake_at, said) == (True, None, (Instruction("stop", "db"),))
    in_time, said = advance(held, step.HealthChanged("db", "healthy", T + 4.0), T + 4.0)
    assert (in_time.wake_at, said) == (None, (Instruction("launch", "app"),))


def test_a_container_that_is_not_essential_may_end() -> None:
    wanted = workload("t1", container(), container("helper", essential=False))
    held, _ = play(wanted, *UP, *pulled("helper"), launched("helper"), step.Exited("helper", 1, T))
    assert (held.stopping, held.status.state) == (False, "running")


def test_a_container_that_cannot_be_started_ends_the_task_even_if_it_is_not_essential() -> None:
    wanted = workload("t1", container(), container("helper", essential=False))
    held, said = play(wanted, *UP, step.Failed("helper", "image-not-found", "no such tag", T))
    assert held.stopping
    assert said[-1] == "stop web"
    assert held.container("helper").error == "image-not-found"


def test_one_that_ran_and_vanished_ends_it_only_if_it_is_essential() -> None:
    wanted = workload("t1", container(), container("helper", essential=False))
    held, _ = play(wanted, *UP, *pulled("helper"), launched("helper"), step.Vanished("helper"))
    assert not held.stopping
    assert advance(held, step.Vanished("web"), T)[0].stopping


def test_an_exit_that_arrives_before_the_answer_is_the_truth() -> None:
    held, said = play(workload(), step.Attached(T), *pulled("web"), step.Exited("web", 7, T))
    assert said[-1] == "delete web"
    status = advance(held, launched("web"), T)[0].container("web")
    assert (status.state, status.exit_code, status.started, status.runtime_id) == ("stopped", 7, T, "t1-web")


def test_the_first_word_on_an_end_stands() -> None:
    held, _ = play(workload(), *UP, step.Exited("web", 7, T))
    for event in (step.Exited("web", 0, T + 1), step.Vanished("web"), step.Failed("web", "x", "y")):
        assert advance(held, event, T + 1)[0].container("web") == held.container("web")


def test_a_fact_replaces_the_guess_that_it_had_vanished() -> None:
    held, _ = play(workload(), *UP, step.Vanished("web"))
    assert held.container("web").error == "vanished"
    status = advance(held, step.Exited("web", 137, T, oom=True), T)[0].container("web")
    assert (status.exit_code, status.oom, status.error) == (137, True, "")
    failed, _ = play(workload(), step.Attached(T), *pulled("web"), step.Failed("web", "container-start", "no file"))
    status = advance(failed, step.Exited("web", 127, T), T)[0].container("web")
    assert (status.error, status.exit_code) == ("container-start", None)


def test_what_is_found_at_one_look_is_learned_before_anything_is_concluded() -> None:
    """Two containers were launched, the agent restarts: neither is launched again, nor given up unstopped."""
    wanted = workload("t1", container("a"), container("b"))
    held, _ = play(wanted, step.Attached(T), *pulled("a", "b"))
    held = replace(held, busy=frozenset())
    up, said = advance(held, step.Together((launched("a"), launched("b"))), T)
    assert (said, up.status.state) == ((), "running")
    _, said = advance(held, step.Together((step.Exited("a", 1, T), launched("b"))), T)
    assert said == (Instruction("stop", "b"),)


def test_stopping_before_anything_began() -> None:
    wanted = workload()
    held, said = play(wanted, step.Wanted(replace(wanted, want="stopped")))
    assert said == ["attach", "pull web", "delete web"]
    held, _ = advance(held, step.Deleted("web"), T)
    assert held.status.state == "stopping", "the interface is still being made"
    held, instructions = advance(held, step.Attached(T), T)
    assert instructions == (Instruction("detach"),)
    held, _ = advance(held, step.Detached(), T)
    assert (held.status.state, held.done) == ("stopped", False), "the pull is still under way"
    held, _ = advance(held, pulled("web")[0], T)
    assert (held.done, held.container("web").state) == (True, "stopped")


def test_a_workload_that_comes_stopped_never_begins() -> None:
    _, said = play(workload("t1", container(), want="stopped"))
    assert said == ["delete web"]


def test_what_is_wanted_only_moves_forward() -> None:
    wanted = workload()
    held, _ = play(wanted, *UP, step.Wanted(replace(wanted, want="stopped")), step.Wanted(wanted))
    assert held.stopping
    held, _ = play(wanted, *UP, step.Wanted(None), step.Wanted(wanted))
    assert (held.stopping, held.wanted) == (True, False)


def test_without_an_interface_nothing_starts_and_the_reason_is_kept() -> None:
    held, said = play(workload(), *pulled("web"), step.AttachFailed("kernel", "no such device"))
    assert said == ["attach", "pull web", "delete web"]
    assert (held.status.error, held.status.detail) == ("kernel", "no such device")
    assert advance(held, step.Deleted("web"), T)[1] == (Instruction("detach"),)  # half of it may be there


def test_what_could_not_be_done_now_is_told_again_once() -> None:
    held, _ = play(workload())
    held, said = advance(held, step.Postponed(Instruction("pull", "web")), T)
    assert said == (Instruction("pull", "web"),)
    assert advance(held, step.Tick(), T)[1] == ()


def test_health_is_noted_when_it_changes() -> None:
    held, _ = play(workload(), *UP, step.HealthChanged("web", "healthy", T))
    again, _ = advance(held, step.HealthChanged("web", "healthy", T + 9), T + 9)
    assert again.container("web").health_since == T
    ill, _ = advance(held, step.HealthChanged("web", "unhealthy", T + 9), T + 9)
    assert (ill.container("web").health, ill.container("web").health_since) == ("unhealthy", T + 9)
    assert not ill.stopping, "what to do about it is decided elsewhere"


AGAIN = container(restart_after=60.0, restart_not=(3,))


def test_a_process_that_ran_for_long_enough_is_started_again() -> None:
    held, _ = play(workload("t1", AGAIN), *UP)
    exit_ = step.Exited("web", 1, T + 60)
    held, said = advance(held, exit_, T + 60)
    assert said == (Instruction("restart", "web"),)
    status = held.container("web")
    assert (status.state, status.restarts, status.exit_code, status.health) == ("running", 1, None, "unknown")
    assert advance(held, exit_, T + 60) == (held, ())  # told twice
    held, said = advance(held, step.Launched("web", "t1-web", T, T + 61), T + 62)
    assert (said, held.restarting, held.container("web").started) == ((), {}, T + 61)
    assert advance(held, exit_, T + 62) == (held, ())
    ended, said = advance(held, step.Exited("web", 1, T + 120), T + 120)
    assert said == (Instruction("delete", "web"),)
    assert (ended.container("web").exit_code, ended.container("web").restarts) == (1, 1)


@pytest.mark.parametrize(("code", "ran"), [(3, 100.0), (1, 59.9)])
def test_what_is_not_started_again(code: int, ran: float) -> None:
    held, _ = play(workload("t1", AGAIN), *UP)
    held, said = advance(held, step.Exited("web", code, T + ran), T + ran)
    assert said == (Instruction("delete", "web"),)
    assert (held.container("web").exit_code, held.container("web").restarts) == (code, 0)


def test_an_end_before_the_answer_to_the_restart_is_another_one() -> None:
    held, _ = play(workload("t1", AGAIN), *UP)
    held, _ = advance(held, step.Exited("web", 1, T + 60), T + 60)
    held, said = advance(held, step.Exited("web", 2, T + 61), T + 61)
    assert said == (Instruction("delete", "web"),)
    assert (held.container("web").state, held.container("web").exit_code) == ("stopped", 2)


def test_a_restart_that_cannot_be_made_ends_it_with_what_is_known() -> None:
    up, _ = play(workload("t1", AGAIN), *UP)
    again, _ = advance(up, step.Exited("web", 1, T + 60), T + 60)
    failed, _ = advance(again, step.Failed("web", "container-start", "no"), T + 61)
    status = failed.container("web")
    assert (status.state, status.exit_code, status.finished, status.error) == ("stopped", 1, T + 60, "container-start")
    gone, _ = advance(again, step.Vanished("web"), T + 61)
    assert (gone.container("web").state, gone.container("web").error) == ("stopped", "vanished")


def test_who_is_no_longer_wanted_is_not_started_again() -> None:
    up, _ = play(workload("t1", AGAIN), *UP)
    stopping, _ = advance(up, step.Wanted(None), T + 60)
    over, said = advance(stopping, step.Exited("web", 143, T + 61), T + 61)
    assert said == (Instruction("delete", "web"),)
    assert over.container("web").restarts == 0
    # In the middle of a restart: it is stopped once it is known to run.
    again, _ = advance(up, step.Exited("web", 1, T + 60), T + 60)
    waiting, said = advance(again, step.Wanted(None), T + 61)
    assert said == ()
    _, said = advance(waiting, step.Launched("web", "t1-web", T, T + 62), T + 62)
    assert said == (Instruction("stop", "web"),)
    # The agent died in the middle of a restart: it is not begun any more.
    over, said = advance(replace(again, busy=frozenset()), step.Wanted(None), T + 61)
    assert said == (Instruction("delete", "web"),)
    assert over.container("web").exit_code == 1


def test_after_the_agents_own_restart_a_restart_goes_on() -> None:
    up, _ = play(workload("t1", AGAIN), *UP)
    again, _ = advance(up, step.Exited("web", 1, T + 60), T + 60)
    back, said = advance(replace(again, busy=frozenset()), step.Together((step.Exited("web", 1, T + 60),)), T + 61)
    assert (said, back.container("web").restarts) == ((Instruction("restart", "web"),), 1)


def test_what_a_router_carries_has_arrived_before_it_is_stopped() -> None:
    log = LogWanted(driver="fluentd", router="router")
    first = (DependsOn(container="router", condition="START"),)
    wanted = workload(
        "t1",
        container("router"),
        container("app", log=log, depends_on=first),
        container("job", log=log, essential=False),
    )
    up = [step.Attached(T), *pulled("router", "app", "job"), *(launched(name) for name in ("router", "app", "job"))]
    over = [step.Exited("job", 0, T), step.Wanted(replace(wanted, want="stopped"))]
    held, said = play(wanted, *up, *over)
    assert said[-2:] == ["stop app", "delete job"], "it ended before, and its output may still be on its way"
    held, said = play(wanted, *up, *over, step.Exited("app", 0, T), step.Deleted("job"))
    assert said[-1:] == ["delete app"]
    held, said = play(wanted, *up, *over, step.Exited("app", 0, T), step.Deleted("job"), step.Deleted("app"))
    assert said[-1:] == ["stop router"]
    ends = (step.Exited("router", 0, T), step.Deleted("router"), step.Detached())
    held, said = play(wanted, *up, *over, step.Exited("app", 0, T), step.Deleted("job"), step.Deleted("app"), *ends)
    assert held.done


def test_a_router_that_has_ended_lets_the_others_be_cleared_away() -> None:
    log = LogWanted(driver="fluentd", router="router")
    wanted = workload("t1", container("router"), container("app", log=log))
    up = [step.Attached(T), *pulled("router", "app"), launched("router"), launched("app")]
    ends = (step.Exited("router", 1, T), step.Exited("app", 0, T), step.Deleted("app"), step.Deleted("router"))
    held, _ = play(wanted, *up, *ends, step.Detached())
    assert held.done


def test_files_are_refreshed_once_for_each_version_while_it_runs() -> None:
    def version(number: int) -> Workload:
        return workload("t1", container(files=FilesWanted(version=number, contents={"/run/secrets/a": Secret("x")})))

    up = [step.Attached(T), *pulled("web"), step.Launched("web", "t1-web", T, T, 1)]
    held, said = play(version(1), *up, step.Wanted(version(1)), step.Wanted(version(2)), step.Wanted(version(3)))
    assert said[3:] == ["refresh web"], "one at a time, and none for what it was launched with"
    held, instructions = advance(held, step.Refreshed("web", 2), T)
    assert instructions == (Instruction("refresh", "web"),), "the third came while the second was written"
    held, instructions = advance(held, step.Refreshed("web", 3), T)
    assert (instructions, held.files, held.busy) == ((), {"web": 3}, frozenset())
    held, instructions = advance(replace(held, workload=version(4), stopping=True), step.Tick(), T)
    assert instructions == (Instruction("stop", "web"),)


def test_files_of_a_container_whose_launch_was_lost_are_written_again() -> None:
    wanted = workload("t1", container(files=FilesWanted(version=7, contents={"/run/secrets/a": Secret("x")})))
    held, _ = play(wanted, step.Attached(T), *pulled("web"))
    held, instructions = advance(replace(held, busy=frozenset()), step.Together((launched("web"),)), T)
    assert instructions == (Instruction("refresh", "web"),)
