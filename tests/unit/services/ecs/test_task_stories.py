"""A task's whole story: every state with its time, pulls, health, signals, restarts, and who stopped it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.records import replace
from hatoba.services.ecs.model import story as tale
from hatoba.services.ecs.model.story import HEAD, TAIL, Moment, add, read, tells
from hatoba.services.ecs.model.task import RANK, Container, Eni, Network, Task, tasks
from hatoba.services.ecs.plan import lifecycle
from hatoba.services.ecs.views import story as view
from tests.unit.services.ecs.test_ecs_services import create
from tests.unit.services.ecs.world import NETWORK, SCOPE, World, container, definition, world

MOMENTS = st.builds(
    Moment,
    st.floats(0, 4e9).map(lambda at: round(at, 3)),
    st.sampled_from(["status", "pulled", "health", "exited"]),
    st.integers(-1, 12),
    st.text(max_size=20),
)


@given(st.lists(MOMENTS, max_size=HEAD + TAIL))
def test_what_was_added_is_read_in_the_order_of_time(moments: list[Moment]) -> None:
    story = add(b"", *moments)
    assert sorted(read(story), key=lambda m: m.at) == read(story)
    assert sorted(map(repr, read(story))) == sorted(map(repr, moments))
    for moment in moments:
        assert tells(story, moment.what, moment.container)


@given(st.sets(st.integers(0, 30)), st.integers(0, 30))
def test_a_moment_of_one_container_is_not_anothers(told: set[int], asked: int) -> None:
    story = add(b"", *(Moment(1.0, "started", place) for place in told))
    assert tells(story, "started", asked) == (asked in told)
    assert not tells(story, "stop")


def test_a_long_story_keeps_its_beginning_and_its_end() -> None:
    story = b""
    for number in range(1000):
        story = add(story, Moment(float(number), "health", 0, "HEALTHY"))
    told = read(story)
    assert len(told) == HEAD + 1 + TAIL
    assert [m.at for m in told[:HEAD]] == list(range(HEAD))
    assert [m.at for m in told[-TAIL:]] == list(range(1000 - TAIL, 1000))
    assert (told[HEAD].what, told[HEAD].text) == ("omitted", str(1000 - HEAD - TAIL))
    assert len(story) < 4096


FACTS = st.lists(
    st.sampled_from(
        ["eni", "launched", "web runs", "side runs", "joined", "left", "ended", "web over", "side over", "released"]
    ),
    max_size=24,
)


def learn(task: Task, fact: str) -> Task:
    """One more thing that is known of a task; what is nonsense at its time changes nothing that is told."""
    match fact:
        case "eni":
            return replace(task, eni=Eni(id="e", subnet="s", vpc="v", address="10.0.0.1", mac="02:00:00:00:00:01"))
        case "launched":
            return replace(task, launched=True)
        case "joined" | "left":
            return replace(task, balancing=fact)
        case "ended":
            return lifecycle.end(task, "UserInitiated", "enough")
        case "released":
            return replace(task, released=task.desired == "STOPPED" and not lifecycle.alive(task))
    name, _, state = fact.partition(" ")
    status = "RUNNING" if state == "runs" else "STOPPED"
    containers = (replace(c, status=status) if c.name == name and c.status != "STOPPED" else c for c in task.containers)
    return replace(task, containers=tuple(containers))


@given(FACTS, st.booleans())
def test_whatever_becomes_known_in_whatever_order_states_are_told_once_and_forward(
    facts: list[str], balanced: bool
) -> None:
    task = Task(
        key=tasks.key(SCOPE, "1" * 32),
        cluster="default",
        definition="web:1",
        launch_type="FARGATE",
        group="family:web",
        created_at=0.0,
        network=Network(subnets=("s",)),
        containers=(Container(name="web"), Container(name="side", essential=False)),
        balancing="wanted" if balanced else "none",
    )
    for at, fact in enumerate(facts, 1):
        task = lifecycle.settle(learn(task, fact), float(at))
    states = [moment.text for moment in read(task.story) if moment.what == "status"]
    ranks = [RANK[state] for state in states]
    assert ranks == sorted(set(ranks))
    assert (states or ["PROVISIONING"])[-1] == task.status
    stops = [moment for moment in read(task.story) if moment.what == "stop"]
    assert len(stops) == (task.desired == "STOPPED")


# --- as it comes about


async def run(w: World, **fields: Any) -> Task:
    await w.ecs.create_cluster()
    containers = [container(), container("side", portMappings=[])]
    await w.ecs.register_task_definition(**definition(containerDefinitions=containers))
    await w.ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=NETWORK, **fields)
    await w.settle()
    (task,) = w.store.all(tasks)
    return task


def told(w: World, id_: str) -> list[tuple[float, str, str, str]]:
    task = next(task for task in w.store.all(tasks) if task.id == id_)
    begun = task.created_at
    moments = view.story(task)["moments"]
    found = [*view._moments(task)]
    return [
        (round(moment.at - begun, 3), shape["what"], shape.get("container", ""), shape.get("text", ""))
        for moment, shape in zip(found, moments, strict=True)
    ]


async def test_a_task_from_the_wish_to_its_end(tmp_path: Path) -> None:
    async with world(tmp_path, auto=False) as w:
        task = await run(w)
        w.clock.advance(2)
        w.report(task.id, "running", health="unknown")
        await w.settle()
        w.clock.advance(10)
        await w.ecs.stop_task(task=task.arn, reason="enough of it")
        await w.settle()
        w.clock.advance(1)
        w.report(task.id, "stopped", signalled=w.clock.now() - 1, exit_code=137)
        await w.settle()
        digest = "sha256:" + "a" * 64
        by = "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleFortest/test"
        assert told(w, task.id) == [
            (0.0, "status", "", "PROVISIONING"),
            (0.0, "status", "", "PENDING"),
            (2.0, "pulling", "web", ""),
            (2.0, "pulled", "web", digest),
            (2.0, "started", "web", ""),
            (2.0, "pulling", "side", ""),
            (2.0, "pulled", "side", digest),
            (2.0, "started", "side", ""),
            (2.0, "status", "", "RUNNING"),
            (12.0, "stop", "", f"UserInitiated: enough of it (by {by})"),
            (12.0, "status", "", "STOPPING"),
            (12.0, "signalled", "web", ""),
            (12.0, "signalled", "side", ""),
            (13.0, "exited", "web", "exit code 137, killed 1.0 s after it was asked to stop"),
            (13.0, "exited", "side", "exit code 137, killed 1.0 s after it was asked to stop"),
            (13.0, "status", "", "DEPROVISIONING"),
            (13.0, "status", "", "STOPPED"),
        ]
        shape = view.story(w.store.all(tasks)[0])
        assert (shape["stopCode"], shape["stoppedBy"], shape["lastStatus"]) == ("UserInitiated", by, "STOPPED")


async def test_health_and_restarts_are_told_once_each(tmp_path: Path) -> None:
    async with world(tmp_path, auto=False) as w:
        task = await run(w)
        w.report(task.id, "running")
        await w.settle()
        for after, fields in (
            (5, {"restarts": 1, "last_exit": 3}),
            (6, {"restarts": 1, "last_exit": 3}),
            (7, {"restarts": 2, "last_exit": 0}),
        ):
            w.clock.time = task.created_at + after
            w.report(task.id, "running", **fields)
            await w.settle()
        assert [moment for moment in told(w, task.id) if moment[1] == "restarted" and moment[2] == "web"] == [
            (5.0, "restarted", "web", "after exit code 3"),
            (7.0, "restarted", "web", "after exit code 0"),
        ]


async def test_what_could_not_start_says_why(tmp_path: Path) -> None:
    async with world(tmp_path, auto=False) as w:
        task = await run(w)
        w.clock.advance(1)
        w.report(
            task.id,
            "stopped",
            started=None,
            exit_code=None,
            runtime_id="",
            image_digest="",
            error="image-not-found",
            detail="manifest unknown",
        )
        await w.settle()
        why = "CannotPullContainerError: manifest unknown"
        moments = told(w, task.id)
        assert (1.0, "failed", "web", why) in moments
        assert (1.0, "stop", "", f"TaskFailedToStart: {why} (by the task itself)") in moments
        assert not [moment for moment in moments if moment[1] in ("started", "exited", "pulled")]


async def test_who_stopped_a_services_task(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=1)
        await w.settle()
        await w.ecs.update_service(service="web", desiredCount=0)
        await w.settle()
        (task,) = w.store.all(tasks)
        shape = view.story(task)
        assert shape["stoppedBy"] == "arn:aws:ecs:us-east-1:123456789012:service/default/web"
        (stop,) = (moment for moment in shape["moments"] if moment["what"] == "stop")
        assert stop["text"].startswith("ServiceSchedulerInitiated: Scaling activity initiated by (deployment ecs-svc/")


async def test_protection_is_part_of_the_story(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=1)
        await w.settle()
        (task,) = w.store.all(tasks)
        await w.ecs.update_task_protection(
            cluster="default", tasks=[task.id], protectionEnabled=True, expiresInMinutes=5
        )
        w.clock.advance(1)
        await w.ecs.update_task_protection(cluster="default", tasks=[task.id], protectionEnabled=False)
        found = [text for _, what, _, text in told(w, task.id) if what == "protected"]
        assert found[0].startswith("until 2023-11-14T22:18:20")
        assert found[1] == "no longer"


async def test_a_crash_loses_none_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        task = await run(w)
        before = told(w, task.id)
        await w.crash()
        assert told(w, task.id) == before
        await w.ecs.stop_task(task=task.arn)
        await w.settle()
        assert told(w, task.id)[: len(before)] == before


def test_the_kinds_of_moments_are_those_that_are_told() -> None:
    """A kind that a reader does not know would be shown without its text."""
    assert set(tale.What.__args__) == {  # type: ignore[attr-defined]
        "status", "stop", "protected", "pulling", "pulled", "started",
        "health", "restarted", "signalled", "exited", "failed", "omitted",
    }  # fmt: skip
